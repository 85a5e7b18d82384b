//! A grid of pictures as a drawing.

use std::fmt::Write as _;

use plotters::style::text_anchor::HPos;

use super::drawing::{Drawing, Font, steps};
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
pub(super) fn draw(grid: &ImageGrid, most: f64, title: Title) -> Result<Drawing, String> {
    let n_columns = grid.column_labels().len() as f64;
    let rows: Vec<Vec<String>> =
        grid.row_labels().iter().map(|label| lines(label, 0.28 * most)).collect();
    let widest = rows.iter().flatten().map(|line| width(line, SIZE, Weight::Regular));
    let left = widest.fold(0.0, f64::max) + 10.0;
    let (image_width, image_height) = (grid.images()[0].width(), grid.images()[0].height());
    let room = (most - left - EDGE) / n_columns - GAP;
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
        let longest = columns.iter().flatten().map(|line| width(line, SIZE, Weight::Regular));
        longest.fold(0.0, f64::max) + 8.0
    } else {
        columns.iter().map(Vec::len).max().unwrap_or(0) as f64 * LINE + 4.0
    };

    let top = title.height() + head;
    let heights: Vec<f64> =
        rows.iter().map(|lines| cell_height.max(lines.len() as f64 * LINE) + GAP).collect();
    let total_width = (left + n_columns * (cell_width + GAP) + EDGE).max(80.0);
    let mut drawing =
        Drawing::new(total_width, top + heights.iter().sum::<f64>() + 2.0, label(grid));
    let failed = |error: super::drawing::Failure| error.to_string();
    title.draw(&mut drawing).map_err(failed)?;

    let centre = |column: usize| left + column as f64 * (cell_width + GAP) + cell_width / 2.0;
    drawing
        .group("column-labels", "", |area| {
            for (column, lines) in columns.iter().enumerate() {
                for (i, line) in lines.iter().enumerate() {
                    if is_upright {
                        let font = Font::new(SIZE, TEXT, HPos::Left);
                        let font = Font { is_upright: false, ..font };
                        let x = centre(column) + (i as f64 - (lines.len() - 1) as f64 / 2.0) * LINE;
                        font.draw(area, line, (steps(x), steps(top - 5.0)))?;
                    } else {
                        let y = top - 4.0 - (lines.len() as f64 - i as f64 - 0.5) * LINE;
                        let at = (steps(centre(column)), steps(y));
                        Font::new(SIZE, TEXT, HPos::Center).draw(area, line, at)?;
                    }
                }
            }
            Ok(())
        })
        .map_err(failed)?;
    let mut images = String::new();
    let mut y = top;
    for (row, height) in heights.iter().enumerate() {
        let middle = y + (height - GAP) / 2.0;
        drawing
            .group("row-label", "", |area| {
                let font = Font::new(SIZE, TEXT, HPos::Right);
                for (i, line) in rows[row].iter().enumerate() {
                    let offset = (i as f64 - (rows[row].len() - 1) as f64 / 2.0) * LINE;
                    font.draw(area, line, (steps(left - 8.0), steps(middle + offset)))?;
                }
                Ok(())
            })
            .map_err(failed)?;
        for column in 0..columns.len() {
            let image = &grid.images()[row * columns.len() + column];
            let uri = raster::data_uri(image).map_err(|error| error.to_string())?;
            let _ = writeln!(
                images,
                "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
                 style=\"image-rendering:pixelated\" href=\"{uri}\"/>",
                steps(centre(column) - cell_width / 2.0),
                steps(middle - cell_height / 2.0),
                steps(cell_width),
                steps(cell_height),
            );
        }
        y += height;
    }
    drawing.raw("images", "", &images);
    Ok(drawing)
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
