//! Nothing allocates on the steady path of a voice frame: encode, jitter buffer with loss,
//! reordering and concealment, decode, mix.
#![allow(clippy::unwrap_used, clippy::undocumented_unsafe_blocks)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use voip_core::{
    AudioFrame, Decoder, Encoder, EncoderConfig, Gain, Instant, JitterBuffer, JitterConfig,
    MAX_PAYLOAD, Mixer, RtpTimestamp, SequenceNumber,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that ends may allocate after its locals are gone; it is none of ours.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(ptr, layout, size) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One speaker's whole way, packet by packet.
struct Road {
    encoder: Encoder,
    buffer: JitterBuffer,
    mixer: Mixer,
    gain: Gain,
    held_back: Option<([u8; MAX_PAYLOAD], usize, u32)>,
    blocks: [AudioFrame; 2],
}

impl Road {
    fn new() -> Self {
        Road {
            encoder: Encoder::new(&EncoderConfig::default()).unwrap(),
            buffer: JitterBuffer::new(&JitterConfig::default(), Decoder::new().unwrap()).unwrap(),
            mixer: Mixer::new(),
            gain: Gain::new(),
            held_back: None,
            blocks: [AudioFrame::SILENCE; 2],
        }
    }

    fn frame(&mut self, number: u32) {
        let sound: [f32; 960] = std::array::from_fn(|n| {
            let t = (number as usize * 960 + n) as f32 / 48_000.0;
            0.3 * (900.0 * t).sin() * (1.0 + (20.0 * t).sin())
        });
        let mut packet = [0; MAX_PAYLOAD];
        let len = self.encoder.encode(&sound, &mut packet).unwrap();
        match number % 10 {
            3 => {}
            6 => self.held_back = Some((packet, len, number)),
            _ => self.insert(number, number, &packet[..len]),
        }
        if let Some((packet, len, late)) = self.held_back.take_if(|held| held.2 < number) {
            self.insert(number, late, &packet[..len]);
        }
        for half in 0..2 {
            let now = Instant::from_micros(u64::from(number) * 20_000 + 4_000 + half * 10_000);
            let [heard, mixed] = &mut self.blocks;
            self.buffer.get(now, heard);
            self.mixer.add(heard, &mut self.gain);
            self.mixer.finish(mixed);
        }
    }

    fn insert(&mut self, at: u32, number: u32, payload: &[u8]) {
        let arrival = Instant::from_micros(u64::from(at) * 20_000);
        let (sequence, timestamp) = (SequenceNumber(number as u16), RtpTimestamp(number * 960));
        self.buffer.insert(arrival, sequence, timestamp, payload);
    }
}

#[test]
fn the_steady_path_allocates_nothing() {
    let mut road = Road::new();
    (0..50).for_each(|number| road.frame(number));
    let before = ALLOCATIONS.get();
    (50..1_000).for_each(|number| road.frame(number));
    assert_eq!(ALLOCATIONS.get() - before, 0);

    let stats = road.buffer.stats();
    assert!(before > 0, "the allocator counts");
    assert!(stats.recovered > 0 && stats.concealed_samples > 0, "{stats:?}");
}
