//! demo.png: ten digits, one a row: stored | query | recalled by each model.

use std::io::Cursor;

use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::{FONT_6X13, FONT_9X15_BOLD};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::Pixel;
use embedded_graphics::text::{Alignment, Text};
use image::{ImageFormat, Rgb, RgbImage};
use ndarray::ArrayView1;

use super::experiment::{Drawn, RECALL_THRESHOLD, Recalled};
use crate::failure::Failure;

/// Screen pixels per image pixel.
const ZOOM: u32 = 3;
const MARGIN: u32 = 20;
/// Between two columns.
const GAP: u32 = 12;
/// Between two rows: the error of each recall stands there.
const CAPTION: u32 = 22;
const HEADER: u32 = 92;

const PAPER: Rgb888 = Rgb888::WHITE;
const INK: Rgb888 = Rgb888::new(30, 30, 30);
const RECALLED: Rgb888 = Rgb888::new(0, 110, 60);
const MISSED: Rgb888 = Rgb888::new(190, 30, 30);

/// The picture of the first stored digit of each class, as PNG bytes.
pub(super) fn png(recalled: &Recalled, digits: &Drawn, seed: u64) -> Result<Vec<u8>, Failure> {
    let stored = &digits.labels[..recalled.n_patterns];
    let examples: Vec<usize> =
        (0..10).filter_map(|class| stored.iter().position(|&label| label == class)).collect();
    let (cell_width, cell_height) = (digits.width as u32 * ZOOM, digits.height as u32 * ZOOM);
    // "stored" and then one column a row of the table, the query first.
    let columns = 1 + recalled.rows.len() as u32;
    let mut canvas = Canvas::new(
        2 * MARGIN + columns * cell_width + (columns - 1) * GAP,
        HEADER + examples.len() as u32 * (cell_height + CAPTION) + MARGIN,
    );
    let left = |column: usize| MARGIN + column as u32 * (cell_width + GAP);
    let middle = |column: usize| left(column) + cell_width / 2;
    let top = |row: usize| HEADER + row as u32 * (cell_height + CAPTION);

    let title = format!(
        "{} digits stored, each pixel of a query removed with probability 1/2, one step (seed {seed})",
        recalled.n_patterns
    );
    canvas.title(MARGIN, 24, &title);
    let key = "Under each digit: the sum of squared errors";
    let threshold =
        format!("{key}; green when recalled (at most {RECALL_THRESHOLD}), red when not.");
    canvas.note(MARGIN, 42, &threshold);
    canvas.heading(middle(0), "stored");
    for (column, row) in recalled.rows.iter().enumerate() {
        canvas.heading(middle(column + 1), heading(row.model));
    }
    for (line, &digit) in examples.iter().enumerate() {
        canvas.digit(left(0), top(line), digits.stored.row(digit), digits.width);
        for (column, row) in recalled.rows.iter().enumerate() {
            let column = column + 1;
            canvas.digit(left(column), top(line), row.retrieved.row(digit), digits.width);
            let error = row.errors[digit];
            let color = if error <= RECALL_THRESHOLD { RECALLED } else { MISSED };
            canvas.caption(middle(column), top(line) + cell_height, &format!("{error:.2}"), color);
        }
    }
    canvas.into_png()
}

/// A model's name in at most two lines of the width of a digit.
fn heading(model: &str) -> &str {
    match model {
        "corrupted query itself" => "query",
        "U-Hop dense, W as learned" => "U-Hop dense\nW as learned",
        "U-Hop dense, average loss" => "U-Hop dense\naverage loss",
        other => other,
    }
}

struct Canvas(RgbImage);

impl Canvas {
    fn new(width: u32, height: u32) -> Self {
        Self(RgbImage::from_pixel(width, height, rgb(PAPER)))
    }

    fn title(&mut self, x: u32, y: u32, text: &str) {
        let style = MonoTextStyle::new(&FONT_9X15_BOLD, INK);
        draw(Text::new(text, point(x, y), style), self);
    }

    fn note(&mut self, x: u32, y: u32, text: &str) {
        draw(Text::new(text, point(x, y), MonoTextStyle::new(&FONT_6X13, INK)), self);
    }

    /// Above a column, the last line just over the digits.
    fn heading(&mut self, middle: u32, text: &str) {
        let style = MonoTextStyle::new(&FONT_6X13, INK);
        let lines = text.lines().count() as u32;
        let position = point(middle, HEADER - 8 - 13 * (lines - 1));
        draw(Text::with_alignment(text, position, style, Alignment::Center), self);
    }

    fn caption(&mut self, middle: u32, y: u32, text: &str, color: Rgb888) {
        let style = MonoTextStyle::new(&FONT_6X13, color);
        draw(Text::with_alignment(text, point(middle, y + 13), style, Alignment::Center), self);
    }

    /// Rows of `width` values, 0 black to 1 white, clamped.
    fn digit(&mut self, left: u32, top: u32, pixels: ArrayView1<'_, f32>, width: usize) {
        for (i, &value) in pixels.iter().enumerate() {
            let level = (255.0 * value.clamp(0.0, 1.0)).round() as u8;
            let (x, y) = ((i % width) as u32 * ZOOM, (i / width) as u32 * ZOOM);
            for (dx, dy) in (0..ZOOM).flat_map(|dx| (0..ZOOM).map(move |dy| (dx, dy))) {
                self.0.put_pixel(left + x + dx, top + y + dy, Rgb([level; 3]));
            }
        }
    }

    fn into_png(self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Cursor::new(Vec::new());
        match self.0.write_to(&mut bytes, ImageFormat::Png) {
            Ok(()) => Ok(bytes.into_inner()),
            Err(error) => Err(Failure::Ours { message: format!("png: {error}") }),
        }
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Self::Color>>,
    {
        for Pixel(at, color) in pixels {
            // What lies outside the canvas is not drawn.
            if let (Ok(x), Ok(y)) = (u32::try_from(at.x), u32::try_from(at.y))
                && let Some(pixel) = self.0.get_pixel_mut_checked(x, y)
            {
                *pixel = rgb(color);
            }
        }
        Ok(())
    }
}

fn draw(text: Text<'_, MonoTextStyle<'_, Rgb888>>, canvas: &mut Canvas) {
    match text.draw(canvas) {
        Ok(_) => {}
        Err(never) => match never {},
    }
}

fn point(x: u32, y: u32) -> Point {
    Point::new(x.cast_signed(), y.cast_signed())
}

fn rgb(color: Rgb888) -> Rgb<u8> {
    Rgb([color.r(), color.g(), color.b()])
}
