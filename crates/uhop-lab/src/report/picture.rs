//! A grid of pictures as a drawing.

use plotters::style::text_anchor::HPos;

use super::drawing::{Area, Drawing, Failure, Font, steps};
use super::frame::Title;
use super::model::ImageGrid;
use super::palette::TEXT;
use super::raster;
use super::text::{Weight, first_lines, width, wrap};

const SIZE: f64 = 12.0;
const LINE: f64 = 15.0;
const GAP: f64 = 3.0;
/// Right of the last column, whose label may be wider than itself.
const EDGE: f64 = 6.0;
/// Column labels that do not fit over their column stand upright, no taller than this.
const TALLEST: f64 = 130.0;

/// Draws a grid at most `most` pixels wide.
pub(super) fn draw(grid: &ImageGrid, most: f64, title: Title) -> Result<Drawing, Failure> {
    let layout = Layout::new(grid, most, title.height());
    let (width, height) = layout.size();
    let mut drawing = Drawing::new(width.max(80.0), height, label(grid));
    title.draw(&mut drawing)?;
    drawing.group("column-labels", "", |area| layout.label_columns(area))?;
    drawing.group("row-labels", "", |area| layout.label_rows(area))?;
    drawing.raw("images", "", &layout.images(grid)?);
    Ok(drawing)
}

/// Where everything is, in pixels.
struct Layout {
    left: f64,
    top: f64,
    cell_width: f64,
    cell_height: f64,
    /// The labels in lines.
    rows: Vec<Vec<String>>,
    columns: Vec<Vec<String>>,
    is_upright: bool,
}

impl Layout {
    fn new(grid: &ImageGrid, most: f64, above: f64) -> Self {
        let rows: Vec<Vec<String>> =
            grid.row_labels().iter().map(|label| lines(label, 0.28 * most)).collect();
        let left = widest(&rows) + 10.0;
        let (image_width, image_height) = (grid.images()[0].width(), grid.images()[0].height());
        let room = (most - left - EDGE) / grid.column_labels().len() as f64 - GAP;
        let cell_width = room.min((2 * image_width) as f64).max(room.min(64.0)).max(4.0);
        let cell_height = cell_width * image_height as f64 / image_width as f64;

        let words = grid.column_labels().iter().flat_map(|label| label.split_whitespace());
        let longest = words.map(|word| width(word, SIZE, Weight::Regular)).fold(0.0, f64::max);
        let is_upright = longest > cell_width;
        let room = if is_upright { TALLEST } else { cell_width };
        // Upright lines stand side by side over their column.
        let n_lines = if is_upright { ((cell_width + GAP) / LINE).max(1.0) as usize } else { 4 };
        let shortened =
            |label: &String| first_lines(lines(label, room), n_lines, SIZE, Weight::Regular, room);
        let columns: Vec<Vec<String>> = grid.column_labels().iter().map(shortened).collect();
        let head = if is_upright {
            widest(&columns) + 8.0
        } else {
            columns.iter().map(Vec::len).max().unwrap_or(0) as f64 * LINE + 4.0
        };
        Self { left, top: above + head, cell_width, cell_height, rows, columns, is_upright }
    }

    fn size(&self) -> (f64, f64) {
        let bottom =
            self.middles().last().map_or(self.top, |(middle, height)| middle + height / 2.0);
        (self.centre(self.columns.len()) - self.cell_width / 2.0 + EDGE, bottom + GAP)
    }

    /// The middle of a column.
    fn centre(&self, column: usize) -> f64 {
        self.left + column as f64 * (self.cell_width + GAP) + self.cell_width / 2.0
    }

    /// The middle and the height of every row.
    fn middles(&self) -> impl Iterator<Item = (f64, f64)> {
        let heights = self.rows.iter().map(|lines| self.cell_height.max(lines.len() as f64 * LINE));
        heights.scan(self.top, |top, height| {
            let middle = *top + height / 2.0;
            *top += height + GAP;
            Some((middle, height))
        })
    }

    fn label_columns(&self, area: &Area<'_>) -> Result<(), Failure> {
        for (column, lines) in self.columns.iter().enumerate() {
            for (i, line) in lines.iter().enumerate() {
                if self.is_upright {
                    let x = self.centre(column) + from_middle(i, lines);
                    let font = Font::new(SIZE, TEXT, HPos::Left);
                    let font = Font { is_upright: false, ..font };
                    font.draw(area, line, (steps(x), steps(self.top - 5.0)))?;
                } else {
                    let y = self.top - 4.0 - (lines.len() as f64 - i as f64 - 0.5) * LINE;
                    let at = (steps(self.centre(column)), steps(y));
                    Font::new(SIZE, TEXT, HPos::Center).draw(area, line, at)?;
                }
            }
        }
        Ok(())
    }

    fn label_rows(&self, area: &Area<'_>) -> Result<(), Failure> {
        let font = Font::new(SIZE, TEXT, HPos::Right);
        for ((middle, _), lines) in self.middles().zip(&self.rows) {
            for (i, line) in lines.iter().enumerate() {
                let y = middle + from_middle(i, lines);
                font.draw(area, line, (steps(self.left - 8.0), steps(y)))?;
            }
        }
        Ok(())
    }

    fn images(&self, grid: &ImageGrid) -> Result<String, Failure> {
        let mut images = String::new();
        let rows = grid.images().chunks(self.columns.len());
        for ((middle, _), row) in self.middles().zip(rows) {
            for (column, image) in row.iter().enumerate() {
                let left = self.centre(column) - self.cell_width / 2.0;
                let top = middle - self.cell_height / 2.0;
                images += &raster::placed(image, left, top, self.cell_width, self.cell_height)?;
            }
        }
        Ok(images)
    }
}

/// How far line `i` of these is below the middle of them all.
fn from_middle(i: usize, lines: &[String]) -> f64 {
    (i as f64 - (lines.len() - 1) as f64 / 2.0) * LINE
}

fn widest(labels: &[Vec<String>]) -> f64 {
    labels.iter().flatten().map(|line| width(line, SIZE, Weight::Regular)).fold(0.0, f64::max)
}

/// A label in lines; none for an empty one.
fn lines(label: &str, most: f64) -> Vec<String> {
    if label.trim().is_empty() { Vec::new() } else { wrap(label, SIZE, Weight::Regular, most) }
}

/// What it shows, in a sentence.
fn label(grid: &ImageGrid) -> String {
    format!(
        "Pictures. Rows: {}. Columns: {}. {}",
        grid.row_labels().join(", "),
        grid.column_labels().join(", "),
        grid.caption()
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::Image;
    use crate::report::check::{text_outside, texts};

    fn grids() -> impl Strategy<Value = ImageGrid> {
        let labels = || prop::collection::vec(prop_oneof![texts(), Just(String::new())], 1..20);
        (labels(), labels(), 1usize..40, 1usize..40, any::<bool>()).prop_map(
            |(columns, rows, height, width, is_rgb)| {
                let image = if is_rgb {
                    Image::rgb(height, width, vec![7; 3 * height * width])
                } else {
                    Image::grey(height, width, vec![7; height * width])
                };
                let images = vec![image.unwrap(); rows.len() * columns.len()];
                ImageGrid::new("grid", "Caption.", columns, rows, images).unwrap()
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

        #[test]
        fn every_grid_has_its_pictures_and_its_text_in_the_drawing(
            grid in grids(),
            most in prop_oneof![Just(360.0), Just(780.0)],
        ) {
            let drawing = draw(&grid, most, Title::none()).unwrap();
            prop_assert!(drawing.size().0 <= most + 1e-6);
            prop_assert_eq!(text_outside(&drawing), Vec::<String>::new());
            prop_assert_eq!(drawing.file().matches("<image ").count(), grid.images().len());
        }
    }
}
