//! The scale beside a scalar field: colours, isolines, ticks and what they measure.

use plotters::element::PathElement;
use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, RGBColor, ShapeStyle};

use super::drawing::{Drawing, Failure, Font, failure, steps};
use super::frame::Frame;
use super::landscape::{BLACK, LOWEST, WHITE};
use super::model::{Image, is_narrow};
use super::palette::TEXT;
use super::raster;
use super::ruler::Ruler;
use super::text::{Weight, first_lines, wrap};

/// Colours of a scalar field: too many to be told apart one by one.
const COLOURS: usize = 256;
/// Isolines at most.
const LINES: usize = 14;
const BAR: f64 = 14.0;
const SIZE: f64 = 12.5;
const LINE: f64 = 16.0;

/// The scale of a scalar field.
pub(super) struct Bar {
    label: String,
    low: f64,
    high: f64,
    ruler: Ruler,
    /// Where isolines are drawn.
    levels: Vec<f64>,
}

impl Bar {
    pub(super) fn new(label: &str, values: &[f64]) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A constant field is the middle of its scale.
        let half = if is_narrow(low, high) { (0.5 * low.abs()).max(0.5) } else { 0.0 };
        let (low, high) = (low - half, high + half);
        let ruler = Ruler::linear(low, high, 6);
        let lines = Ruler::linear(low, high, LINES);
        let levels = lines.ticks().map(|(level, _)| level).collect();
        Self { label: label.to_owned(), low, high, ruler, levels }
    }

    /// The levels of the isolines.
    pub(super) fn levels(&self) -> &[f64] {
        &self.levels
    }

    /// The colour of an isoline, which stands out from that of its field.
    pub(super) fn line(&self, level: f64) -> ShapeStyle {
        let ink = if self.share(level) < 0.6 { WHITE } else { BLACK };
        ink.mix(0.75).stroke_width(steps(1.0) as u32)
    }

    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
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
        let colour = (self.share(value) * COLOURS as f64) as usize;
        colour_of(colour.min(COLOURS - 1))
    }

    pub(super) fn draw(&self, drawing: &mut Drawing, frame: &Frame) -> Result<(), Failure> {
        let left = frame.right + 14.0;
        let height = frame.bottom - frame.top;
        let colours = (0..COLOURS).rev().map(colour_of);
        let samples = colours.flat_map(|RGBColor(r, g, b)| [r, g, b]).collect();
        let image = Image::rgb(COLOURS, 1, samples).map_err(failure)?;
        drawing.raw("scale", "", &raster::placed(&image, left, frame.top, BAR, height)?);
        let at = |value| steps(frame.bottom - self.share(value) * height);
        drawing.group("scale-lines", "", |area| {
            for &level in &self.levels {
                let ends = vec![(steps(left), at(level)), (steps(left + BAR), at(level))];
                area.draw(&PathElement::new(ends, self.line(level)))?;
            }
            Ok(())
        })?;
        let right = left + BAR + 8.0;
        drawing.group("scale-labels", "", |area| {
            for (tick, label) in self.ruler.ticks() {
                Self::font().draw(area, label, (steps(right), at(tick)))?;
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

fn colour_of(i: usize) -> RGBColor {
    ViridisRGB.get_color((i as f32 + 0.5) / COLOURS as f32)
}
