//! The WAV device: files of many kinds are heard and recorded; those that are none are said.

use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::harness::{
    Folder, LIMIT, end_of, failure, from_first_sound, node, online, purity, shown, strength, tone,
    tracker, until,
};
use voip_core::{Audio, ErrorKind, Node, Tracker};

const HERTZ: f32 = 500.0;

/// `rate`, `channels`, `bits`; 32 bits are floating point.
type Kind = (u32, u16, u16);

fn write_tone(path: &Path, (rate, channels, bits): Kind, seconds: f32) {
    let float = bits == 32;
    let sample_format = if float { SampleFormat::Float } else { SampleFormat::Int };
    let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format };
    let mut writer = WavWriter::create(path, spec).unwrap();
    let full = (1u32 << (bits - 1)) as f32;
    for sample in tone(HERTZ, rate, seconds) {
        for _ in 0..channels {
            if float {
                writer.write_sample(sample).unwrap();
            } else {
                writer.write_sample((sample * full) as i32).unwrap();
            }
        }
    }
    writer.finalize().unwrap();
}

fn wav(play: Option<&Path>, record: Option<&Path>) -> Audio {
    Audio::Wav { play: play.map(Into::into), record: record.map(Into::into) }
}

/// Has Alice play a file to Bob and returns what he recorded.
fn recorded(tracker: &Tracker, name: &str, play: &Path, folder: &Folder) -> Vec<f32> {
    let record = folder.file(&format!("{name}.heard.wav"));
    let callee = format!("bob of {name}");
    let bob = node(&callee, tracker).audio(wav(None, Some(&record))).auto_answer(true);
    let alice = online(node(&format!("alice of {name}"), tracker).audio(wav(Some(play), None)));
    let bob = online(bob);
    let call = alice.call(&callee, LIMIT).unwrap();
    until(&call, || call.stats().packets_sent >= 45);
    call.hang_up();
    end_of(&call);
    bob.close();
    let reader = WavReader::open(&record).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 48_000, 16));
    reader.into_samples::<i16>().map(|s| f32::from(s.unwrap()) / 32768.0).collect()
}

fn assert_is_the_tone(heard: &[f32], what: &str) {
    let heard = from_first_sound(heard);
    assert!(heard.len() >= 24_000, "{what}: {} samples heard", heard.len());
    let half = &heard[4_800..24_000];
    let (level, purity) = (strength(half, HERTZ, 48_000), purity(half, HERTZ, 48_000));
    assert!((0.2..0.4).contains(&level), "{what}: level {level}");
    assert!(purity > 0.8, "{what}: purity {purity}");
}

#[test]
fn files_of_all_kinds_are_heard_and_recorded() {
    let (tracker, folder) = (tracker(), Folder::new());
    let kinds: [Kind; 7] = [
        (8_000, 1, 8),
        (16_000, 1, 16),
        (44_100, 2, 16),
        (48_000, 1, 24),
        (96_000, 2, 24),
        (192_000, 1, 32),
        (48_000, 2, 32),
    ];
    std::thread::scope(|scope| {
        for kind in kinds {
            let (tracker, folder) = (&tracker, &folder);
            scope.spawn(move || {
                let name = format!("{}-{}-{}", kind.0, kind.1, kind.2);
                let play = folder.file(&format!("{name}.wav"));
                write_tone(&play, kind, 2.0);
                assert_is_the_tone(&recorded(tracker, &name, &play, folder), &name);
            });
        }
    });
}

#[test]
fn of_a_truncated_file_what_is_there_is_heard() {
    let (tracker, folder) = (tracker(), Folder::new());
    let play = folder.file("cut.wav");
    write_tone(&play, (48_000, 1, 16), 2.0);
    let whole = std::fs::read(&play).unwrap();
    // In the middle of a sample.
    std::fs::write(&play, &whole[..whole.len() * 35 / 100 | 1]).unwrap();
    assert_is_the_tone(&recorded(&tracker, "cut", &play, &folder), "cut");
}

fn refusal(play: Option<&Path>, record: Option<&Path>) -> String {
    let error =
        failure(Node::builder("alice").bind("127.0.0.1:0").audio(wav(play, record)).start());
    assert_eq!(error.kind(), ErrorKind::File, "{error}");
    error.message().to_owned()
}

#[test]
fn a_file_that_cannot_be_played_is_named() {
    let folder = Folder::new();
    let missing = folder.file("missing.wav");
    assert!(refusal(Some(&missing), None).contains(&shown(&missing)));

    let good = folder.file("good.wav");
    write_tone(&good, (16_000, 1, 16), 0.1);
    let header = std::fs::read(&good).unwrap();
    for (name, contents) in [
        ("text.wav", &b"hello, this is no sound"[..]),
        ("empty.wav", &[]),
        ("half a header.wav", &header[..20]),
    ] {
        let path = folder.file(name);
        std::fs::write(&path, contents).unwrap();
        assert!(refusal(Some(&path), None).contains(&shown(&path)), "{name}");
    }

    let slow = folder.file("slow.wav");
    write_tone(&slow, (4_000, 1, 16), 0.1);
    let message = refusal(Some(&slow), None);
    assert!(message.contains(&shown(&slow)) && message.contains("4000"), "{message}");
}

#[test]
fn a_recording_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    for path in [folder.file("no folder/heard.wav"), folder.file("")] {
        assert!(refusal(None, Some(&path)).contains(&shown(&path)));
    }
    let both = folder.file("both.wav");
    write_tone(&both, (16_000, 1, 16), 0.1);
    let before = std::fs::read(&both).unwrap();
    assert!(refusal(Some(&both), Some(&both)).contains(&shown(&both)));
    assert_eq!(std::fs::read(&both).unwrap(), before, "not emptied");
}

#[test]
fn a_start_that_fails_leaves_an_older_recording_alone() {
    let folder = Folder::new();
    let older = folder.file("older.wav");
    write_tone(&older, (48_000, 1, 16), 0.1);
    let before = std::fs::read(&older).unwrap();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let start = Node::builder("alice")
        .bind(taken.local_addr().unwrap().to_string())
        .audio(wav(None, Some(&older)))
        .start();
    assert_eq!(failure(start).kind(), ErrorKind::AddressInUse);
    assert_eq!(std::fs::read(&older).unwrap(), before);
}

#[test]
fn a_recording_without_a_call_is_a_valid_empty_file() {
    let folder = Folder::new();
    let path = folder.file("nothing.wav");
    Node::builder("alice")
        .bind("127.0.0.1:0")
        .audio(wav(None, Some(&path)))
        .start()
        .unwrap()
        .close();
    assert_eq!(WavReader::open(&path).unwrap().len(), 0);
}
