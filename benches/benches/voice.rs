//! The stations of the road of a voice frame, each alone: real speech in frames of 20 ms at the
//! library's defaults, unless the name says otherwise. A frame lasts 20 000 µs, a block 10 000.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made ends the program")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use voip_benches::speech::speech;
use voip_core::{
    AudioFrame, BLOCK, Decoder, Encoder, EncoderConfig, Gain, Instant, JitterBuffer, JitterConfig,
    MAX_PAYLOAD, Mixer, RtpTimestamp, SequenceNumber,
};

const FRAME: usize = 960;
const SECONDS: usize = 10;

fn packets(complexity: u8) -> Vec<Vec<u8>> {
    let config = EncoderConfig { complexity, ..EncoderConfig::default() };
    let mut encoder = Encoder::new(&config).unwrap();
    let mut out = [0; MAX_PAYLOAD];
    let mut encode = |frame: &[f32]| {
        let length = encoder.encode(frame, &mut out).unwrap();
        out[..length].to_vec()
    };
    speech(SECONDS).chunks_exact(FRAME).map(&mut encode).collect()
}

fn encode(c: &mut Criterion) {
    let sound = speech(SECONDS);
    for complexity in [5, 10] {
        let config = EncoderConfig { complexity, ..EncoderConfig::default() };
        let mut encoder = Encoder::new(&config).unwrap();
        let mut frames = sound.chunks_exact(FRAME).cycle();
        let mut out = [0; MAX_PAYLOAD];
        c.bench_function(&format!("encode a frame, complexity {complexity}"), |b| {
            b.iter(|| encoder.encode(frames.next().unwrap(), black_box(&mut out)).unwrap());
        });
    }
}

fn decode(c: &mut Criterion) {
    let mut out = [0.0; FRAME];
    for complexity in [5, 10] {
        let packets = packets(complexity);
        let mut packets = packets.iter().cycle();
        let mut decoder = Decoder::new().unwrap();
        c.bench_function(&format!("decode a packet, complexity {complexity}"), |b| {
            b.iter(|| decoder.decode(packets.next().unwrap(), black_box(&mut out)).unwrap());
        });
    }
    let packets = packets(5);
    let copies = |p: &&Vec<u8>| Decoder::inspect(p).is_some_and(|info| info.fec_samples == FRAME);
    let mut with_copies = packets.iter().filter(copies).cycle();
    let mut decoder = Decoder::new().unwrap();
    c.bench_function("decode the FEC copy of a lost frame", |b| {
        b.iter(|| decoder.decode_fec(with_copies.next().unwrap(), black_box(&mut out)).unwrap());
    });
    c.bench_function("conceal a frame", |b| b.iter(|| decoder.conceal(black_box(&mut out))));
}

/// A stream on its way into a jitter buffer.
struct Stream {
    buffer: JitterBuffer,
    packets: Vec<Vec<u8>>,
    sent: usize,
    now: Instant,
}

impl Stream {
    fn new() -> Stream {
        let buffer = JitterBuffer::new(&JitterConfig::default(), Decoder::new().unwrap()).unwrap();
        Stream { buffer, packets: packets(5), sent: 0, now: Instant::from_micros(1_000_000) }
    }

    fn insert(&mut self) {
        let payload = &self.packets[self.sent % self.packets.len()];
        let sequence = SequenceNumber(self.sent as u16);
        let timestamp = RtpTimestamp((self.sent * FRAME) as u32);
        self.buffer.insert(self.now, sequence, timestamp, payload);
        self.sent += 1;
    }

    fn get(&mut self, out: &mut AudioFrame) {
        self.buffer.get(self.now, out);
        self.now += Duration::from_millis(10);
    }
}

fn jitter_buffer(c: &mut Criterion) {
    let mut out = AudioFrame::SILENCE;
    c.bench_function("jitter buffer: insert ten packets", |b| {
        let insert_all = |stream: &mut Stream| (0..10).for_each(|_| stream.insert());
        b.iter_batched_ref(Stream::new, insert_all, BatchSize::SmallInput);
    });
    c.bench_function("jitter buffer: a packet in, two blocks out, decoding included", |b| {
        let mut stream = Stream::new();
        b.iter(|| {
            stream.insert();
            stream.get(black_box(&mut out));
            stream.get(black_box(&mut out));
        });
    });
    c.bench_function("jitter buffer: a block out, nothing in it", |b| {
        let mut stream = Stream::new();
        b.iter(|| stream.get(black_box(&mut out)));
    });
}

fn mix(c: &mut Criterion) {
    let sound = speech(1);
    let mut input = AudioFrame::SILENCE;
    input.0.copy_from_slice(&sound[24_000..24_000 + BLOCK]);
    for inputs in [2, 8, 32] {
        let mut mixer = Mixer::new();
        let mut gains: Vec<Gain> = (0..inputs).map(|_| Gain::new()).collect();
        let mut out = AudioFrame::SILENCE;
        c.bench_function(&format!("mix a block of {inputs}"), |b| {
            b.iter(|| {
                gains.iter_mut().for_each(|gain| mixer.add(black_box(&input), gain));
                mixer.finish(black_box(&mut out));
            });
        });
    }
}

criterion_group!(benches, encode, decode, jitter_buffer, mix);
criterion_main!(benches);
