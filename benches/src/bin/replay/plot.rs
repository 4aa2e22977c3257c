//! A minute of a jitter buffer's life as a picture: when packets came, what delay was aimed at and kept,
//! what was made up and what was stretched.

use std::fs::File;
use std::io::{self, BufWriter};

use embedded_graphics::Drawable;
use embedded_graphics::mono_font::{MonoTextStyle, ascii::FONT_6X13};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor, WebColors};
use embedded_graphics::prelude::{DrawTarget, OriginDimensions, Pixel, Point, Primitive, Size};
use embedded_graphics::primitives::{Line, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Text};

const SIZE: Size = Size::new(1_400, 520);
/// The axes: from the upper left corner to the lower right one.
const LEFT: i32 = 60;
const RIGHT: i32 = 1_380;
const TOP: i32 = 40;
const BOTTOM: i32 = 400;
/// The bands below: what was made up, and what was stretched.
const BANDS: [i32; 3] = [430, 455, 480];
const BAND: u32 = 18;

/// A tick of 10 ms.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tick {
    /// Delay over the fastest packet that was aimed at, milliseconds.
    pub(crate) target: f64,
    /// That of what was played; `None` in silence.
    pub(crate) delay: Option<f64>,
    /// Samples made up, put in and left out.
    pub(crate) concealed: u64,
    pub(crate) inserted: u64,
    pub(crate) removed: u64,
}

/// What is drawn of each tick.
type Series<T> = (&'static str, Rgb888, fn(&Tick) -> T);

struct Picture {
    pixels: Vec<u8>,
}

impl OriginDimensions for Picture {
    fn size(&self) -> Size {
        SIZE
    }
}

impl DrawTarget for Picture {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Self::Error> {
        for Pixel(at, colour) in pixels {
            let inside =
                (0..SIZE.width as i32).contains(&at.x) && (0..SIZE.height as i32).contains(&at.y);
            if inside {
                let begin = 3 * (at.y as usize * SIZE.width as usize + at.x as usize);
                self.pixels[begin..begin + 3].copy_from_slice(&[
                    colour.r(),
                    colour.g(),
                    colour.b(),
                ]);
            }
        }
        Ok(())
    }
}

impl Picture {
    fn draw(&mut self, what: impl Drawable<Color = Rgb888>) {
        let Ok(_) = what.draw(self);
    }

    fn line(&mut self, from: Point, to: Point, colour: Rgb888, width: u32) {
        self.draw(Line::new(from, to).into_styled(PrimitiveStyle::with_stroke(colour, width)));
    }

    fn bar(&mut self, at: Point, size: Size, colour: Rgb888) {
        self.draw(Rectangle::new(at, size).into_styled(PrimitiveStyle::with_fill(colour)));
    }

    fn text(&mut self, text: &str, at: Point, colour: Rgb888, alignment: Alignment) {
        let style = MonoTextStyle::new(&FONT_6X13, colour);
        self.draw(Text::with_alignment(text, at, style, alignment));
    }
}

/// Draws to a PNG file: `arrivals` are seconds and milliseconds later than the fastest packet, `ticks`
/// follow each other by `tick` seconds.
pub(crate) fn draw(
    path: &str,
    arrivals: &[(f64, f64)],
    ticks: &[Tick],
    tick: f64,
) -> io::Result<()> {
    let mut picture = Picture { pixels: vec![255; 3 * (SIZE.width * SIZE.height) as usize] };
    let seconds = ticks.len() as f64 * tick;
    let mut heights: Vec<f64> = arrivals.iter().map(|a| a.1).collect();
    heights.extend(ticks.iter().filter_map(|t| t.delay));
    heights.sort_by(f64::total_cmp);
    // A few packets may lie above.
    let most = heights.get(heights.len() * 998 / 1_000).copied().unwrap_or(0.0);
    let most = (most * 1.1 / 20.0).ceil().max(2.0) * 20.0;
    let x = |at: f64| LEFT + (at / seconds * f64::from(RIGHT - LEFT)) as i32;
    let y = |ms: f64| BOTTOM - (ms.min(most) / most * f64::from(BOTTOM - TOP)) as i32;

    for part in 0..=4 {
        let ms = most * f64::from(part) / 4.0;
        picture.line(Point::new(LEFT, y(ms)), Point::new(RIGHT, y(ms)), Rgb888::CSS_GAINSBORO, 1);
        let label = format!("{ms:.0} ms");
        picture.text(&label, Point::new(LEFT - 6, y(ms) + 4), Rgb888::BLACK, Alignment::Right);
    }
    for at in (0..=seconds as u32).step_by(5) {
        let at = f64::from(at);
        picture.line(Point::new(x(at), TOP), Point::new(x(at), BOTTOM), Rgb888::CSS_GAINSBORO, 1);
        let label = format!("{at} s");
        picture.text(&label, Point::new(x(at), BOTTOM + 15), Rgb888::BLACK, Alignment::Center);
    }
    for (at, late) in arrivals {
        picture.bar(Point::new(x(*at) - 1, y(*late) - 1), Size::new(2, 2), Rgb888::CSS_DARK_GRAY);
    }
    let curves: [Series<Option<f64>>; 2] = [
        ("delay aimed at", Rgb888::CSS_DARK_ORANGE, |t| Some(t.target)),
        ("delay of what is played", Rgb888::CSS_MEDIUM_BLUE, |t| t.delay),
    ];
    for (_, colour, value) in curves {
        let points: Vec<_> = ticks
            .iter()
            .enumerate()
            .map(|(n, t)| value(t).map(|ms| Point::new(x(n as f64 * tick), y(ms))))
            .collect();
        for pair in points.windows(2) {
            if let [Some(from), Some(to)] = pair {
                picture.line(*from, *to, colour, 2);
            }
        }
    }
    let bands: [Series<u64>; 3] = [
        ("made up", Rgb888::CSS_CRIMSON, |t| t.concealed),
        ("put in", Rgb888::CSS_DARK_VIOLET, |t| t.inserted),
        ("left out", Rgb888::CSS_SEA_GREEN, |t| t.removed),
    ];
    for ((label, colour, samples), top) in bands.into_iter().zip(BANDS) {
        let at = Point::new(LEFT - 6, top + 13);
        picture.text(label, at, colour, Alignment::Right);
        for (n, t) in ticks.iter().enumerate().filter(|(_, t)| samples(t) > 0) {
            // Ten milliseconds and more fill the band.
            let height = (samples(t) * u64::from(BAND)).div_ceil(480).min(BAND.into()) as u32;
            let corner = Point::new(x(n as f64 * tick), top + (BAND - height) as i32);
            picture.bar(corner, Size::new(2, height), colour);
        }
    }
    let mut left = LEFT;
    let legend = curves.map(|(label, colour, _)| (label, colour));
    for (label, colour) in
        [("packets, later than the fastest", Rgb888::CSS_GRAY)].into_iter().chain(legend)
    {
        picture.bar(Point::new(left, 18), Size::new(14, 4), colour);
        picture.text(label, Point::new(left + 20, 24), Rgb888::BLACK, Alignment::Left);
        left += 60 + 6 * label.len() as i32;
    }
    write(path, &picture.pixels)
}

fn write(path: &str, pixels: &[u8]) -> io::Result<()> {
    let mut encoder =
        png::Encoder::new(BufWriter::new(File::create(path)?), SIZE.width, SIZE.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(())
}
