//! The legend: beside the plot where there is room, under it where not.

use plotters::element::{PathElement, Rectangle};
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, RGBColor};

use super::drawing::{
    Area, Drawing, Failure, Font, dash_attribute, marker, outlined, steps, stroke,
};
use super::palette::{self, AXIS, FLOOR, Look, REFERENCE_DASHES, Shape, TEXT};
use super::text::{Weight, wrap};

/// Heights and widths in pixels.
const SIZE: f64 = 12.0;
const LINE: f64 = 15.0;
const GAP: f64 = 4.0;
const SAMPLE: f64 = 28.0;
const BETWEEN: f64 = 7.0;
const COLUMN_GAP: f64 = 16.0;

/// What stands before a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sample {
    Floor,
    Model(Look),
    Reference(usize),
    Band,
    Patch(RGBColor),
    Point { shape: Shape, fill: RGBColor, line: RGBColor },
}

/// Names with samples, laid out in columns.
#[derive(Debug)]
pub(super) struct Legend {
    entries: Vec<(Sample, Vec<String>)>,
    n_columns: usize,
    column: f64,
}

impl Legend {
    /// One column of names, no wider than `most`.
    pub(super) fn beside(names: Vec<(Sample, String)>, most: f64) -> Self {
        Self::with_columns(names, 1, most)
    }

    /// As many columns as fit into `width`.
    pub(super) fn under(names: Vec<(Sample, String)>, width: f64) -> Self {
        let longest = Self::with_columns(names.clone(), 1, width).column;
        let n_columns = (((width + COLUMN_GAP) / (longest + COLUMN_GAP)) as usize).max(1);
        Self::with_columns(names, n_columns, width)
    }

    fn with_columns(names: Vec<(Sample, String)>, n_columns: usize, most: f64) -> Self {
        let before = SAMPLE + BETWEEN;
        let lines = |name: &str| wrap(name, SIZE, Weight::Regular, (most - before).max(40.0));
        let entries: Vec<_> =
            names.into_iter().map(|(sample, name)| (sample, lines(&name))).collect();
        let font = Self::font();
        let widths = entries.iter().flat_map(|(_, lines)| lines).map(|line| font.width(line));
        let column = before + widths.fold(0.0, f64::max);
        Self { entries, n_columns, column }
    }

    fn font() -> Font {
        Font::new(SIZE, TEXT, HPos::Left)
    }

    /// In pixels.
    pub(super) fn width(&self) -> f64 {
        let n = self.n_columns as f64;
        n * self.column + (n - 1.0) * COLUMN_GAP
    }

    /// In pixels.
    pub(super) fn height(&self) -> f64 {
        self.columns().map(|column| column.iter().map(height_of).sum::<f64>()).fold(0.0, f64::max)
    }

    /// The entries column by column.
    fn columns(&self) -> impl Iterator<Item = &[(Sample, Vec<String>)]> {
        self.entries.chunks(self.entries.len().div_ceil(self.n_columns).max(1))
    }

    /// Draws it with its upper left corner at `(left, top)` pixels.
    pub(super) fn draw(&self, drawing: &mut Drawing, left: f64, top: f64) -> Result<(), Failure> {
        for (i, column) in self.columns().enumerate() {
            let left = left + i as f64 * (self.column + COLUMN_GAP);
            let mut top = top;
            for (sample, lines) in column {
                let dashes = dash_attribute(sample.dashes());
                drawing.group("legend-line", &dashes, |area| sample.line(area, left, top))?;
                drawing.group("legend", "", |area| {
                    sample.mark(area, left, top)?;
                    for (i, line) in lines.iter().enumerate() {
                        let middle = top + (i as f64 + 0.5) * LINE;
                        let at = (steps(left + SAMPLE + BETWEEN), steps(middle));
                        Self::font().draw(area, line, at)?;
                    }
                    Ok(())
                })?;
                top += height_of(&(*sample, lines.clone()));
            }
        }
        Ok(())
    }
}

fn height_of((_, lines): &(Sample, Vec<String>)) -> f64 {
    lines.len() as f64 * LINE + GAP
}

impl Sample {
    fn dashes(&self) -> &'static [f64] {
        match self {
            Self::Model(look) => palette::dashes(*look),
            Self::Reference(i) => REFERENCE_DASHES[*i % REFERENCE_DASHES.len()],
            _ => &[],
        }
    }

    fn line(&self, area: &Area<'_>, left: f64, top: f64) -> Result<(), Failure> {
        let style = match self {
            Self::Floor => stroke(FLOOR, 4.5),
            Self::Model(look) => stroke(look.ink, 1.8),
            Self::Reference(_) => stroke(AXIS, 1.4),
            _ => return Ok(()),
        };
        let middle = steps(top + LINE / 2.0);
        let ends = vec![(steps(left), middle), (steps(left + SAMPLE), middle)];
        Ok(area.draw(&PathElement::new(ends, style))?)
    }

    fn mark(&self, area: &Area<'_>, left: f64, top: f64) -> Result<(), Failure> {
        let middle = (steps(left + SAMPLE / 2.0), steps(top + LINE / 2.0));
        let patch = |height: f64| {
            let (x, y) = middle;
            let half = (steps(SAMPLE / 2.0 - 4.0), steps(height / 2.0));
            [(x - half.0, y - half.1), (x + half.0, y + half.1)]
        };
        match *self {
            Self::Floor | Self::Reference(_) => Ok(()),
            Self::Model(look) => marker(area, middle, look, 3.4),
            Self::Band => {
                Ok(area.draw(&Rectangle::new(patch(10.0), AXIS.light.mix(0.25).filled()))?)
            }
            Self::Patch(colour) => Ok(area.draw(&Rectangle::new(patch(11.0), colour.filled()))?),
            Self::Point { shape, fill, line } => outlined(area, middle, shape, 4.0, fill, line),
        }
    }
}
