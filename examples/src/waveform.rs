//! A picture of what was said above what was heard, both ways, as a PNG.

use std::convert::Infallible;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_9X15_BOLD};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Line, PrimitiveStyle};
use embedded_graphics::text::{Alignment, Text, TextStyleBuilder};

use crate::clip::{Clip, RATE};

const WIDTH: i32 = 1200;
const LEFT: i32 = 90;
const RIGHT: i32 = 20;
const TITLE: i32 = 40;
const TRACK: i32 = 110;
const AXIS: i32 = 34;
const DIRECTION: i32 = TITLE + 2 * TRACK + AXIS;

const PAPER: [u8; 3] = [255, 255, 255];
const INK: Rgb888 = Rgb888::new(40, 44, 52);
const FAINT: Rgb888 = Rgb888::new(222, 226, 231);
const SENT: Rgb888 = Rgb888::new(70, 130, 180);
const HEARD: Rgb888 = Rgb888::new(46, 139, 87);

/// One direction of a call.
#[derive(Clone, Copy, Debug)]
pub struct Talk<'a> {
    /// The line above the two waveforms.
    pub title: &'a str,
    /// Who speaks.
    pub speaker: &'a str,
    /// Who listens.
    pub listener: &'a str,
    /// What was said.
    pub sent: &'a Clip,
    /// What was heard.
    pub heard: &'a Clip,
}

/// Draws the talks below each other, `seconds` of each.
pub fn draw(path: &Path, talks: &[Talk<'_>], seconds: f64) -> Result<(), std::io::Error> {
    let mut canvas = Canvas::new(WIDTH, DIRECTION * talks.len() as i32);
    for (i, talk) in talks.iter().enumerate() {
        canvas.talk(talk, DIRECTION * i as i32, seconds);
    }
    canvas.write(path)
}

struct Canvas {
    size: Size,
    pixels: Vec<u8>,
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        let area = self.bounding_box();
        for Pixel(point, color) in pixels.into_iter().filter(|Pixel(p, _)| area.contains(*p)) {
            let at = (point.y as usize * self.size.width as usize + point.x as usize) * 3;
            self.pixels[at..at + 3].copy_from_slice(&[color.r(), color.g(), color.b()]);
        }
        Ok(())
    }
}

impl Canvas {
    fn new(width: i32, height: i32) -> Self {
        let size = Size::new(width as u32, height as u32);
        Canvas { size, pixels: PAPER.repeat((width * height) as usize) }
    }

    fn talk(&mut self, talk: &Talk<'_>, top: i32, seconds: f64) {
        self.text(talk.title, Point::new(LEFT, top + 26), &FONT_9X15_BOLD, Alignment::Left);
        let tracks =
            [(talk.speaker, "says", talk.sent, SENT), (talk.listener, "hears", talk.heard, HEARD)];
        for (i, (who, does, clip, color)) in tracks.into_iter().enumerate() {
            let middle = top + TITLE + TRACK * i as i32 + TRACK / 2;
            let label = Point::new(LEFT - 10, middle);
            self.text(who, label - Point::new(0, 3), &FONT_7X13, Alignment::Right);
            self.text(does, label + Point::new(0, 12), &FONT_7X13, Alignment::Right);
            self.waveform(clip, middle, seconds, color);
        }
        self.axis(top + TITLE + 2 * TRACK, seconds);
    }

    /// One column per pixel, from its lowest to its highest sample. Full height is 0.5, so that
    /// ordinary speech fills it.
    fn waveform(&mut self, clip: &Clip, middle: i32, seconds: f64, color: Rgb888) {
        let half = TRACK / 2 - 4;
        self.line(Point::new(LEFT, middle), Point::new(WIDTH - RIGHT, middle), FAINT);
        let columns = WIDTH - LEFT - RIGHT;
        let sample = |column: i32| {
            (f64::from(column) / f64::from(columns) * seconds * f64::from(RATE)) as usize
        };
        for column in 0..columns {
            let (from, to) = (sample(column), sample(column + 1).min(clip.0.len()));
            let Some(samples) = clip.0.get(from..to).filter(|s| !s.is_empty()) else { break };
            let high = samples.iter().copied().fold(f32::MIN, f32::max);
            let low = samples.iter().copied().fold(f32::MAX, f32::min);
            let y = |value: f32| middle - ((value * 2.0).clamp(-1.0, 1.0) * half as f32) as i32;
            let x = LEFT + column;
            self.line(Point::new(x, y(high)), Point::new(x, y(low)), color);
        }
    }

    fn axis(&mut self, y: i32, seconds: f64) {
        self.line(Point::new(LEFT, y), Point::new(WIDTH - RIGHT, y), INK);
        for second in 0..=seconds as i32 {
            let part = f64::from(second) / seconds;
            let x = LEFT + (part * f64::from(WIDTH - LEFT - RIGHT)) as i32;
            let long = second % 5 == 0;
            self.line(Point::new(x, y), Point::new(x, y + if long { 6 } else { 3 }), INK);
            if long {
                let label = format!("{second} s");
                self.text(&label, Point::new(x, y + 20), &FONT_7X13, Alignment::Center);
            }
        }
    }

    fn line(&mut self, from: Point, to: Point, color: Rgb888) {
        let Ok(()) =
            Line::new(from, to).into_styled(PrimitiveStyle::with_stroke(color, 1)).draw(self);
    }

    fn text(&mut self, text: &str, at: Point, font: &'static MonoFont<'static>, align: Alignment) {
        let style = MonoTextStyle::new(font, INK);
        let place = TextStyleBuilder::new().alignment(align).build();
        let Ok(_) = Text::with_text_style(text, at, style, place).draw(self);
    }

    fn write(&self, path: &Path) -> Result<(), std::io::Error> {
        let file = BufWriter::new(File::create(path)?);
        let mut encoder = png::Encoder::new(file, self.size.width, self.size.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&self.pixels)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `color` is anywhere in the rows `from..to`.
    fn has(canvas: &Canvas, color: Rgb888, rows: std::ops::Range<i32>) -> bool {
        let row = canvas.size.width as usize * 3;
        canvas.pixels[rows.start as usize * row..rows.end as usize * row]
            .chunks_exact(3)
            .any(|p| p == [color.r(), color.g(), color.b()])
    }

    #[test]
    fn silence_is_empty_and_sound_is_not() {
        let sine: Vec<f32> = (0..RATE).map(|i| (i as f32 * 0.1).sin()).collect();
        let talk = Talk {
            title: "alice to bob",
            speaker: "alice",
            listener: "bob",
            sent: &Clip(sine),
            heard: &Clip::default(),
        };
        let mut canvas = Canvas::new(WIDTH, DIRECTION);
        canvas.talk(&talk, 0, 1.0);
        let middle = TITLE + TRACK;
        assert!(has(&canvas, SENT, TITLE..middle));
        assert!(has(&canvas, SENT, TITLE + 3..TITLE + 8), "a full sine reaches the top");
        assert!(!has(&canvas, HEARD, 0..DIRECTION));
        assert!(has(&canvas, INK, 0..TITLE), "the title");
    }
}
