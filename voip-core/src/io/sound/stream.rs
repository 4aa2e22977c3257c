//! Opening a stream on a device: its format, its ring, its callbacks.

use std::sync::Arc;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{
    BufferSize, FromSample, HostId, InputCallbackInfo, OutputCallbackInfo, SampleFormat,
    SizedSample, StreamConfig, SupportedBufferSize, SupportedStreamConfig,
};
use rtrb::RingBuffer;

use super::callback::{Context, Health, LoudspeakerCallback, MicrophoneCallback};
use super::loudspeaker::Loudspeaker;
use super::microphone::Microphone;
use crate::error::{Error, ErrorKind};
use crate::io::Clock;
use crate::io::driver::Requests;
use crate::time::Duration;

/// What is asked of a device as the length of a callback. Never left to the default: that can be
/// two seconds. What comes may be anything, and change from one callback to the next.
const PERIOD: Duration = Duration::from_millis(10);
/// The same for a sound server spoken to without ALSA in between, which does what it is asked.
const SERVER_PERIOD: Duration = Duration::from_millis(5);
/// What a ring holds at most.
const RING: Duration = Duration::from_millis(500);
/// Callbacks that the engine can be told of while it is late.
const STAMPS: usize = 2048;
/// How long the sound system may take to make a stream.
const OPEN: Duration = Duration::from_secs(2);

/// What a stream is opened with.
struct Plan {
    config: StreamConfig,
    format: SampleFormat,
    health: Arc<Health>,
}

impl Plan {
    fn new(
        device: &cpal::Device,
        supported: Result<SupportedStreamConfig, cpal::Error>,
        requests: &Requests,
    ) -> Result<Plan, Error> {
        let supported = supported.map_err(refused)?;
        let rate = supported.sample_rate();
        let server = device.id().is_ok_and(|id| is_server(id.host()));
        let period = if server { SERVER_PERIOD } else { PERIOD };
        let frames = frames(period, rate) as u32;
        let frames = match supported.buffer_size() {
            SupportedBufferSize::Range { min, max } if min <= max => frames.clamp(*min, *max),
            _ => frames,
        };
        let config = StreamConfig {
            channels: supported.channels(),
            sample_rate: rate,
            buffer_size: BufferSize::Fixed(frames),
        };
        let format = supported.sample_format();
        Ok(Plan { config, format, health: Health::new(requests.clone()) })
    }

    fn ring(&self) -> (rtrb::Producer<f32>, rtrb::Consumer<f32>) {
        RingBuffer::new(frames(RING, self.config.sample_rate))
    }

    fn context(&self) -> (Context, rtrb::Consumer<super::callback::Stamp>) {
        let (stamps, told) = RingBuffer::new(STAMPS);
        let context = Context {
            health: self.health.clone(),
            stamps,
            rate: self.config.sample_rate,
            channels: usize::from(self.config.channels),
        };
        (context, told)
    }

    fn input<T>(
        &self,
        device: &cpal::Device,
        mut callback: MicrophoneCallback,
    ) -> Result<cpal::Stream, cpal::Error>
    where
        T: SizedSample,
        f32: FromSample<T>,
    {
        let (clock, health) = (Clock::new(), self.health.clone());
        let heard = move |data: &[T], info: &InputCallbackInfo| {
            let stamp = info.timestamp();
            let delay = stamp.callback.saturating_duration_since(stamp.capture);
            callback.heard(data, clock.now(), delay);
        };
        let failed = move |error: cpal::Error| health.error(error.kind(), clock.now());
        device.build_input_stream(self.config, heard, failed, Some(OPEN))
    }

    fn output<T>(
        &self,
        device: &cpal::Device,
        mut callback: LoudspeakerCallback,
    ) -> Result<cpal::Stream, cpal::Error>
    where
        T: SizedSample + FromSample<f32>,
    {
        let (clock, health) = (Clock::new(), self.health.clone());
        let wanted = move |data: &mut [T], info: &OutputCallbackInfo| {
            let stamp = info.timestamp();
            let delay = stamp.playback.saturating_duration_since(stamp.callback);
            callback.wanted(data, clock.now(), delay);
        };
        let failed = move |error: cpal::Error| health.error(error.kind(), clock.now());
        device.build_output_stream(self.config, wanted, failed, Some(OPEN))
    }
}

/// A stream on a microphone, running.
pub(super) fn microphone(
    device: &cpal::Device,
    requests: &Requests,
) -> Result<(cpal::Stream, Microphone, Arc<Health>, u16), Error> {
    let plan = Plan::new(device, device.default_input_config(), requests)?;
    let (producer, consumer) = plan.ring();
    let (context, stamps) = plan.context();
    let end = Microphone::new(plan.config.sample_rate, consumer, stamps)?;
    let callback = MicrophoneCallback::new(context, producer);
    let stream = match plan.format {
        SampleFormat::F32 => plan.input::<f32>(device, callback),
        SampleFormat::F64 => plan.input::<f64>(device, callback),
        SampleFormat::I8 => plan.input::<i8>(device, callback),
        SampleFormat::I16 => plan.input::<i16>(device, callback),
        SampleFormat::I24 => plan.input::<cpal::I24>(device, callback),
        SampleFormat::I32 => plan.input::<i32>(device, callback),
        SampleFormat::U8 => plan.input::<u8>(device, callback),
        SampleFormat::U16 => plan.input::<u16>(device, callback),
        SampleFormat::U32 => plan.input::<u32>(device, callback),
        other => return Err(strange(other)),
    };
    let stream = stream.map_err(refused)?;
    stream.play().map_err(refused)?;
    Ok((stream, end, plan.health, plan.config.channels))
}

/// A stream on a loudspeaker, running.
pub(super) fn loudspeaker(
    device: &cpal::Device,
    requests: &Requests,
) -> Result<(cpal::Stream, Loudspeaker, Arc<Health>, u16), Error> {
    let plan = Plan::new(device, device.default_output_config(), requests)?;
    let (producer, consumer) = plan.ring();
    let (context, stamps) = plan.context();
    let end = Loudspeaker::new(plan.config.sample_rate, producer, stamps)?;
    let callback = LoudspeakerCallback::new(context, consumer);
    let stream = match plan.format {
        SampleFormat::F32 => plan.output::<f32>(device, callback),
        SampleFormat::F64 => plan.output::<f64>(device, callback),
        SampleFormat::I8 => plan.output::<i8>(device, callback),
        SampleFormat::I16 => plan.output::<i16>(device, callback),
        SampleFormat::I24 => plan.output::<cpal::I24>(device, callback),
        SampleFormat::I32 => plan.output::<i32>(device, callback),
        SampleFormat::U8 => plan.output::<u8>(device, callback),
        SampleFormat::U16 => plan.output::<u16>(device, callback),
        SampleFormat::U32 => plan.output::<u32>(device, callback),
        other => return Err(strange(other)),
    };
    let stream = stream.map_err(refused)?;
    stream.play().map_err(refused)?;
    Ok((stream, end, plan.health, plan.config.channels))
}

fn is_server(host: HostId) -> bool {
    host.name().eq_ignore_ascii_case("pulseaudio")
}

fn frames(time: Duration, rate: u32) -> usize {
    (time.as_micros() as u64 * u64::from(rate)).div_ceil(1_000_000) as usize
}

fn refused(error: cpal::Error) -> Error {
    Error::new(ErrorKind::System, format!("the sound system refused: {error}"))
}

fn strange(format: SampleFormat) -> Error {
    Error::new(ErrorKind::System, format!("samples of an unknown format: {format}"))
}
