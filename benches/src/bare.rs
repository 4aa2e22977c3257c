//! libopus alone, with the settings that the library gives it.

use voip_core::EncoderConfig;

/// An encoder of 48 kHz mono speech as the library configures its own.
pub fn encoder(config: &EncoderConfig) -> opus::Encoder {
    let mode = opus::Application::Voip;
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, mode).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(config.bitrate as i32)).unwrap();
    encoder.set_complexity(i32::from(config.complexity)).unwrap();
    encoder.set_inband_fec(config.fec).unwrap();
    encoder.set_packet_loss_perc(i32::from(config.expected_loss)).unwrap();
    encoder.set_dtx(config.dtx).unwrap();
    encoder.set_signal(opus::Signal::Voice).unwrap();
    encoder
}

/// A decoder to 48 kHz mono.
pub fn decoder() -> opus::Decoder {
    opus::Decoder::new(48_000, opus::Channels::Mono).unwrap()
}

/// What was set, for a report.
pub fn settings(config: &EncoderConfig) -> serde_json::Value {
    serde_json::json!({
        "bitrate": config.bitrate,
        "complexity": config.complexity,
        "fec": config.fec,
        "expected_loss": config.expected_loss,
        "dtx": config.dtx,
        "frame_ms": config.frame.millis(),
        "libopus": opus::version(),
    })
}
