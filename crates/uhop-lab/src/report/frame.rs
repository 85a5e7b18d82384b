//! The frame of a plot: grid, axes, ticks and the names of the axes.

use plotters::chart::ChartBuilder;
use plotters::coord::ranged1d::{Ranged, ValueFormatter};
use plotters::style::text_anchor::HPos;

use super::drawing::{Drawing, Failure, Font, Spot, UNIT, steps, stroke};
use super::palette::{AXIS, GRID, MINOR, TEXT};
use super::ruler::Ruler;
use super::text::{self, Weight, first_lines, wrap};

const TICK_SIZE: f64 = 11.5;
const TICK: f64 = 4.0;
const LABEL_SIZE: f64 = 12.5;
const LABEL_LINE: f64 = 16.0;
/// Above the highest label that may stick out of the plot.
pub(super) const OVERHANG: f64 = 8.0;

/// A rectangle in pixels with an axis along two sides.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    /// The longest line beside the vertical axis.
    pub(super) longest: f64,
    pub(super) x: Ruler,
    pub(super) y: Ruler,
}

/// How tall a plot is, how many ticks go on it.
pub(super) fn ticks_up(height: f64) -> usize {
    (height / 46.0) as usize
}

/// The room left of the plot for the ticks and the name of the vertical axis.
pub(super) fn room_left(y: &Ruler, label: &str, height: f64) -> f64 {
    let font = tick_font();
    let ticks = y.ticks().map(|(_, label)| font.width(label)).fold(0.0, f64::max);
    let n_lines = upright(label, height).len() as f64;
    ticks + 2.0 * TICK + 10.0 + n_lines * LABEL_LINE
}

/// The room under the plot for the ticks and the name of the horizontal axis.
pub(super) fn room_below(label: &str, width: f64) -> f64 {
    let n_lines = wrap(label, LABEL_SIZE, Weight::Regular, width).len() as f64;
    2.0 * TICK + TICK_SIZE + 8.0 + n_lines * LABEL_LINE
}

/// The ruler with as many ticks as have room side by side over `width` pixels.
pub(super) fn fitting(width: f64, ruler: impl Fn(usize) -> Ruler) -> Ruler {
    let font = tick_font();
    for most in (3..=10).rev() {
        let ruler = ruler(most);
        let ticks: Vec<(f64, f64)> = ruler
            .ticks()
            .map(|(tick, label)| (ruler.share(tick) * width, font.width(label) / 2.0))
            .collect();
        if ticks.windows(2).all(|pair| pair[1].0 - pair[0].0 > pair[0].1 + pair[1].1 + 12.0) {
            return ruler;
        }
    }
    ruler(2)
}

/// How far the last label of the horizontal axis sticks out of a plot of `width` pixels.
pub(super) fn overhang(x: &Ruler, width: f64) -> f64 {
    let font = tick_font();
    let over = |(tick, label): (f64, &str)| x.share(tick) * width + font.width(label) / 2.0 - width;
    x.ticks().map(over).fold(OVERHANG, f64::max)
}

/// Of `room` pixels right of the vertical axis, those that the last label needs beyond the plot.
pub(super) fn room_right(x: &Ruler, room: f64) -> f64 {
    let font = tick_font();
    // Solves margin = half − (1 − share) · (room − margin), as the plot shrinks with its margin.
    let needed = |(tick, label): (f64, &str)| {
        let (share, half) = (x.share(tick), font.width(label) / 2.0);
        (half - (1.0 - share) * room) / share.max(0.5)
    };
    x.ticks().map(needed).fold(OVERHANG, f64::max)
}

/// The name of a vertical axis in lines, none longer than `most`.
fn upright(label: &str, most: f64) -> Vec<String> {
    let lines = wrap(label, LABEL_SIZE, Weight::Regular, most);
    first_lines(lines, 3, LABEL_SIZE, Weight::Regular, most)
}

fn tick_font() -> Font {
    Font::new(TICK_SIZE, TEXT, HPos::Center)
}

impl Frame {
    /// Where a point of the plot is.
    pub(super) fn spot(&self, x: f64, y: f64) -> Spot {
        let across = (steps(self.left), steps(self.right));
        let up = (steps(self.bottom), steps(self.top));
        (self.x.map(&x, across), self.y.map(&y, up))
    }

    /// Draws grid, axes, ticks and names.
    pub(super) fn draw(
        &self,
        drawing: &mut Drawing,
        x_label: &str,
        y_label: &str,
        has_grid: bool,
    ) -> Result<(), Failure> {
        let (width, height) = drawing.size();
        drawing.group("axes", "", |area| {
            let mut builder = ChartBuilder::on(area);
            builder
                .margin_top(steps(self.top))
                .margin_right(steps(width - self.right))
                .x_label_area_size(steps(height - self.bottom))
                .y_label_area_size(steps(self.left));
            let mut chart = builder.build_cartesian_2d(self.x.clone(), self.y.clone())?;
            let mut mesh = chart.configure_mesh();
            if !has_grid {
                mesh.disable_mesh();
            }
            mesh.axis_style(stroke(AXIS, 1.0))
                .bold_line_style(stroke(GRID, 1.0))
                .light_line_style(stroke(MINOR, 1.0))
                .set_all_tick_mark_size(steps(TICK))
                .label_style(tick_font().style())
                .x_label_formatter(&|x| self.x.format_ext(x))
                .y_label_formatter(&|y| self.y.format_ext(y))
                .draw()?;
            Ok(())
        })?;
        let [left, top, right, bottom] = [self.left, self.top, self.right, self.bottom].map(steps);
        let (width, height) = (right - left, bottom - top);
        let rect = format!(
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"none\"/>\n"
        );
        drawing.raw("plot-area", "", &rect);
        drawing.group("axis-labels", "", |area| {
            let font = Font::new(LABEL_SIZE, TEXT, HPos::Center);
            let width = f64::from(width) / UNIT;
            let below = self.bottom + 2.0 * TICK + TICK_SIZE + 6.0;
            let middle = steps((self.left + self.right) / 2.0);
            for (i, line) in wrap(x_label, LABEL_SIZE, Weight::Regular, width).iter().enumerate() {
                let y = below + (i as f64 + 0.5) * LABEL_LINE;
                font.draw(area, line, (middle, steps(y)))?;
            }
            let font = Font { is_upright: false, ..font };
            let middle = steps((self.top + self.bottom) / 2.0);
            for (i, line) in upright(y_label, self.longest).iter().enumerate() {
                let x = (i as f64 + 0.5) * LABEL_LINE;
                font.draw(area, line, (steps(x), middle))?;
            }
            Ok(())
        })
    }
}

/// The title above a drawing, and how tall it is.
#[derive(Debug)]
pub(super) struct Title(Vec<String>);

impl Title {
    const SIZE: f64 = 15.0;
    const LINE: f64 = 20.0;

    /// No title where the page has one beside the drawing.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn new(title: &str, width: f64) -> Self {
        if title.is_empty() {
            return Self::none();
        }
        Self(wrap(title, Self::SIZE, Weight::Bold, width - 16.0))
    }

    /// With its margins.
    pub(super) fn width(&self) -> f64 {
        let lines = self.0.iter().map(|line| text::width(line, Self::SIZE, Weight::Bold));
        lines.map(|line| line + 16.0).fold(0.0, f64::max)
    }

    pub(super) fn height(&self) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.len() as f64 * Self::LINE + 12.0 }
    }

    pub(super) fn draw(&self, drawing: &mut Drawing) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        let font = Font { weight: Weight::Bold, ..Font::new(Self::SIZE, TEXT, HPos::Left) };
        drawing.group("title", "", |area| {
            for (i, line) in self.0.iter().enumerate() {
                font.draw(area, line, (steps(8.0), steps(4.0 + (i as f64 + 0.5) * Self::LINE)))?;
            }
            Ok(())
        })
    }
}
