//! A field as a drawing: cells as a picture under a frame, points on it.

use plotters::style::RGBColor;
use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};
use plotters::style::text_anchor::HPos;

use super::drawing::{Drawing, Font, outlined, steps};
use super::frame::{
    self, Frame, OVERHANG, Title, fitting, overhang, room_below, room_left, ticks_up,
};
use super::legend::{Legend, Sample};
use super::model::{Cells, Field, Image, is_narrow};
use super::palette::{HUES, Look, TEXT, look};
use super::raster;
use super::ruler::Ruler;

/// Levels of a scalar field: steps show its contours.
const LEVELS: usize = 24;
const BAR: f64 = 14.0;
const BLACK: RGBColor = RGBColor(20, 20, 20);
// Not the page's paper, which is dark at night; a picture is not.
const WHITE: RGBColor = RGBColor(254, 254, 254);

/// Draws a field `width` pixels wide.
pub(super) fn draw(field: &Field, width: f64, title: Title) -> Result<Drawing, String> {
    let failed = |error: super::drawing::Failure| error.to_string();
    let is_wide = width >= 600.0;
    let (names, bar) = match field.cells() {
        Cells::Scalar { label, values } => (Vec::new(), Some(Bar::new(label, values))),
        Cells::Categories { names, .. } => {
            let patches = names.iter().enumerate();
            (patches.map(|(i, name)| (Sample::Patch(tint(i)), name.clone())).collect(), None)
        }
    };
    let points = field.points().iter().enumerate();
    let points = points.map(|(i, group)| (point_sample(i), group.name.clone()));
    let names: Vec<_> = names.into_iter().chain(points).collect();
    let has_legend = !names.is_empty();
    let legend = if is_wide {
        Legend::beside(names, 0.3 * width)
    } else {
        Legend::under(names, width - 8.0)
    };
    let (across, up) = (&field.frame().x, &field.frame().y);
    let ratio = ((up.high - up.low) / (across.high - across.low)).clamp(0.4, 2.5);
    let y_at = |height| Ruler::linear(up.low, up.high, ticks_up(height));
    let bar_room = bar.as_ref().map_or(0.0, Bar::width);
    let beside = bar_room + if is_wide && has_legend { legend.width() + 14.0 } else { 0.0 };
    let left = room_left(&y_at(300.0), &up.label, 300.0);
    let plot_width = (width - left - beside - 16.0).min(430.0).min(430.0 / ratio).max(60.0);
    let plot_height = plot_width * ratio;
    let y = y_at(plot_height);
    let x = fitting(plot_width, |most| Ruler::linear(across.low, across.high, most.min(6)));
    let top = title.height() + OVERHANG;
    let (right, bottom) = (left + plot_width, top + plot_height);
    let below = room_below(&across.label, plot_width);
    let over = overhang(&x, plot_width);
    let under = if has_legend && !is_wide { legend.height() + 12.0 } else { 0.0 };
    let legend_bottom = if is_wide { top + legend.height() } else { 0.0 };
    let height = (bottom + below + under + 4.0).max(legend_bottom + 4.0);
    let total = (right + over.max(beside + 16.0)).min(width).max(if is_wide { 0.0 } else { width });
    let mut drawing = Drawing::new(total, height, label(field));
    title.draw(&mut drawing).map_err(failed)?;

    let frame = Frame { left, top, right, bottom, x, y };
    let uri =
        raster::data_uri(&picture(field, bar.as_ref())?).map_err(|error| error.to_string())?;
    drawing.raw("cells", "", &placed(&uri, left, top, plot_width, plot_height));
    frame.draw(&mut drawing, &across.label, &up.label, false).map_err(failed)?;
    drawing
        .group("points", "", |area| {
            for (i, group) in field.points().iter().enumerate() {
                let Sample::Point { shape, fill, line } = point_sample(i) else { continue };
                for &(x, y) in &group.points {
                    outlined(area, frame.spot(x, y), shape, 4.6, fill, line)?;
                }
            }
            Ok(())
        })
        .map_err(failed)?;
    if let Some(bar) = &bar {
        bar.draw(&mut drawing, &frame)?;
    }
    if has_legend {
        let (x, y) =
            if is_wide { (right + bar_room + 14.0, top) } else { (4.0, bottom + below + 12.0) };
        legend.draw(&mut drawing, x, y).map_err(failed)?;
    }
    Ok(drawing)
}

/// The scale of a scalar field.
struct Bar {
    label: String,
    low: f64,
    high: f64,
    ruler: Ruler,
}

impl Bar {
    fn new(label: &str, values: &[f64]) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A constant field is the middle of its scale.
        let half = if is_narrow(low, high) { (0.5 * low.abs()).max(0.5) } else { 0.0 };
        let (low, high) = (low - half, high + half);
        Self { label: label.to_owned(), low, high, ruler: Ruler::linear(low, high, 6) }
    }

    /// With its ticks and its name, from the right side of the plot on.
    fn width(&self) -> f64 {
        let font = Self::font();
        let ticks = self.ruler.ticks().map(|(_, label)| font.width(label)).fold(0.0, f64::max);
        14.0 + BAR + 8.0 + ticks + 22.0
    }

    fn font() -> Font {
        Font::new(11.5, TEXT, HPos::Left)
    }

    fn colour(&self, value: f64) -> RGBColor {
        let share = (value - self.low) / (self.high - self.low);
        let level = ((share * LEVELS as f64) as usize).min(LEVELS - 1);
        colour_of(level)
    }

    fn draw(&self, drawing: &mut Drawing, frame: &Frame) -> Result<(), String> {
        let left = frame.right + 14.0;
        let height = frame.bottom - frame.top;
        let samples = (0..LEVELS).rev().flat_map(|level| channels(colour_of(level))).collect();
        let image = Image::rgb(LEVELS, 1, samples).map_err(|error| error.to_string())?;
        let uri = raster::data_uri(&image).map_err(|error| error.to_string())?;
        drawing.raw("scale", "", &placed(&uri, left, frame.top, BAR, height));
        let right = left + BAR + 8.0;
        let widest = self.width() - 14.0 - BAR - 8.0 - 22.0;
        drawing
            .group("scale-labels", "", |area| {
                for (tick, label) in self.ruler.ticks() {
                    let y = frame.bottom - self.ruler.share(tick) * height;
                    Self::font().draw(area, label, (steps(right), steps(y)))?;
                }
                let font = Font::new(12.5, TEXT, HPos::Center);
                let font = Font { is_upright: false, ..font };
                let lines = super::text::wrap(
                    &self.label,
                    12.5,
                    super::text::Weight::Regular,
                    height.max(frame::OVERHANG),
                );
                let middle = steps((frame.top + frame.bottom) / 2.0);
                let x = right + widest + 13.0;
                font.draw(area, &lines.join(" "), (steps(x), middle))
            })
            .map_err(|error| error.to_string())
    }
}

/// The cells as a picture, the lowest y at the bottom.
fn picture(field: &Field, bar: Option<&Bar>) -> Result<Image, String> {
    let n_columns = field.n_columns();
    let colours: Vec<RGBColor> = match (field.cells(), bar) {
        (Cells::Scalar { values, .. }, Some(bar)) => {
            values.iter().map(|&value| bar.colour(value)).collect()
        }
        (Cells::Scalar { .. }, None) => Vec::new(),
        (Cells::Categories { cells, .. }, _) => cells.iter().map(|&cell| tint(cell)).collect(),
    };
    let n_rows = colours.len() / n_columns;
    let samples = colours.chunks(n_columns).rev().flatten().flat_map(|&c| channels(c)).collect();
    Image::rgb(n_rows, n_columns, samples).map_err(|error| error.to_string())
}

fn placed(uri: &str, left: f64, top: f64, width: f64, height: f64) -> String {
    let [left, top, width, height] = [left, top, width, height].map(steps);
    format!(
        "<image x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" \
         preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" href=\"{uri}\"/>\n"
    )
}

fn channels(RGBColor(r, g, b): RGBColor) -> [u8; 3] {
    [r, g, b]
}

fn colour_of(level: usize) -> RGBColor {
    ViridisRGB.get_color((level as f32 + 0.5) / LEVELS as f32)
}

/// The colour of a category: light, the second six dark.
fn tint(category: usize) -> RGBColor {
    let RGBColor(r, g, b) = HUES[category % HUES.len()].light;
    let (other, share) = if category < HUES.len() { (255.0, 0.45) } else { (0.0, 0.35) };
    let mix = |c: u8| (f64::from(c) * (1.0 - share) + other * share).round() as u8;
    RGBColor(mix(r), mix(g), mix(b))
}

/// White points with black edges, the second six the other way round.
fn point_sample(group: usize) -> Sample {
    let Look { shape, is_hollow, .. } = look(group);
    let (fill, line) = if is_hollow { (BLACK, WHITE) } else { (WHITE, BLACK) };
    Sample::Point { shape, fill, line }
}

/// What it shows, in a sentence.
fn label(field: &Field) -> String {
    let what = match field.cells() {
        Cells::Scalar { label, .. } => label.clone(),
        Cells::Categories { names, .. } => names.join(", "),
    };
    let (x, y) = (&field.frame().x.label, &field.frame().y.label);
    format!("{}: {what} over {x} and {y}", field.title())
}
