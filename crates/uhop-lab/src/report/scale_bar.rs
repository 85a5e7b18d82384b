//! The scale beside a scalar field: colours, ticks and what they measure.

use plotters::style::RGBColor;
use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};
use plotters::style::text_anchor::HPos;

use super::drawing::{Drawing, Failure, Font, failure, steps};
use super::frame::Frame;
use super::landscape::LOWEST;
use super::model::{Image, is_narrow};
use super::palette::TEXT;
use super::raster;
use super::ruler::Ruler;
use super::text::{Weight, first_lines, wrap};

/// Levels of a scalar field: steps show its contours.
const LEVELS: usize = 24;
const BAR: f64 = 14.0;
const SIZE: f64 = 12.5;
const LINE: f64 = 16.0;

/// The scale of a scalar field.
pub(super) struct Bar {
    label: String,
    low: f64,
    high: f64,
    ruler: Ruler,
}

impl Bar {
    pub(super) fn new(label: &str, values: &[f64]) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A constant field is the middle of its scale.
        let half = if is_narrow(low, high) { (0.5 * low.abs()).max(0.5) } else { 0.0 };
        let (low, high) = (low - half, high + half);
        Self { label: label.to_owned(), low, high, ruler: Ruler::linear(low, high, 6) }
    }

    /// With its ticks and its name, from the right side of the plot on.
    pub(super) fn width(&self) -> f64 {
        let font = Self::font();
        let ticks = self.ruler.ticks().map(|(_, label)| font.width(label)).fold(0.0, f64::max);
        14.0 + BAR + 8.0 + ticks + 6.0 + self.lines().len() as f64 * LINE
    }

    fn lines(&self) -> Vec<String> {
        let lines = wrap(&self.label, SIZE, Weight::Regular, LOWEST);
        first_lines(lines, 2, SIZE, Weight::Regular, LOWEST)
    }

    fn font() -> Font {
        Font::new(11.5, TEXT, HPos::Left)
    }

    pub(super) fn colour(&self, value: f64) -> RGBColor {
        let share = (value - self.low) / (self.high - self.low);
        let level = ((share * LEVELS as f64) as usize).min(LEVELS - 1);
        colour_of(level)
    }

    pub(super) fn draw(&self, drawing: &mut Drawing, frame: &Frame) -> Result<(), Failure> {
        let left = frame.right + 14.0;
        let height = frame.bottom - frame.top;
        let colours = (0..LEVELS).rev().map(colour_of);
        let samples = colours.flat_map(|RGBColor(r, g, b)| [r, g, b]).collect();
        let image = Image::rgb(LEVELS, 1, samples).map_err(failure)?;
        drawing.raw("scale", "", &raster::placed(&image, left, frame.top, BAR, height)?);
        let right = left + BAR + 8.0;
        drawing.group("scale-labels", "", |area| {
            for (tick, label) in self.ruler.ticks() {
                let y = frame.bottom - self.ruler.share(tick) * height;
                Self::font().draw(area, label, (steps(right), steps(y)))?;
            }
            let font = Font { is_upright: false, ..Font::new(SIZE, TEXT, HPos::Center) };
            let middle = steps((frame.top + frame.bottom) / 2.0);
            let lines = self.lines();
            let end = frame.right + self.width();
            for (i, line) in lines.iter().enumerate() {
                let x = end - ((lines.len() - i) as f64 - 0.5) * LINE;
                font.draw(area, line, (steps(x), middle))?;
            }
            Ok(())
        })
    }
}

fn colour_of(level: usize) -> RGBColor {
    ViridisRGB.get_color((level as f32 + 0.5) / LEVELS as f32)
}
