//! The files of a report.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use uhop_data::OutputFile;

use super::drawing::Failure;
use super::frame::Title;
use super::model::{Block, Document};
use super::page::{Figure, page};
use super::{Error, Result, landscape, looks, picture, plot, raster};

/// The file of the page.
pub(crate) const PAGE: &str = "report.html";

/// Widths in pixels of a drawing on a page and on a phone.
const WIDE: f64 = 780.0;
const NARROW: f64 = 360.0;

/// Writes the report into `folder`, which is made if it is not there: `report.html`, and for each chart,
/// image grid and field `NAME.svg` and `NAME.png`. Returns the path of `report.html`.
///
/// All is drawn before anything is written. Each file appears as a whole, the page last; older files of
/// the same names are replaced, others are left. The same document gives the same bytes.
///
/// # Errors
///
/// A folder that cannot be made, a file that cannot be written.
///
/// # Example
///
/// ```
/// use uhop_lab::report::{self, Document};
///
/// # let folder = tempfile::tempdir()?;
/// let document = Document::new("Noise", "Noise hurts.")?;
/// let page = report::write(&document, folder.path())?;
/// assert!(std::fs::read_to_string(page)?.contains("<h1>Noise</h1>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(document: &Document, folder: impl AsRef<Path>) -> Result<PathBuf> {
    let folder = folder.as_ref();
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let figures = figures(document, &mut files)?;
    files.push((PAGE.to_owned(), page(document, &figures).into_bytes()));
    fs::create_dir_all(folder).map_err(|error| Error::folder(folder, error))?;
    for (name, bytes) in &files {
        let path = folder.join(name);
        let mut file = OutputFile::create(&path)?;
        file.write_all(bytes).map_err(|error| Error::file(&path, error))?;
        file.commit()?;
    }
    Ok(folder.join(PAGE))
}

/// Draws every figure, and adds its files.
fn figures<'a>(
    document: &'a Document,
    files: &mut Vec<(String, Vec<u8>)>,
) -> Result<BTreeMap<&'a str, Figure>> {
    let looks = looks::of(document);
    let mut figures = BTreeMap::new();
    for block in document.sections().iter().flat_map(|section| section.blocks()) {
        let Some((name, title)) = block.figure() else { continue };
        let draw = |width: f64, title: Title| match block {
            Block::Chart(chart) => plot::draw(chart, &looks[chart.name()], width, title),
            Block::Images(grid) => picture::draw(grid, width, title),
            Block::Field(field) => landscape::draw(field, width, title),
            Block::Paragraph(_) | Block::Table(_) => unreachable!("has no figure"),
        };
        let failed = |error: Failure| Error::draw(name, error);
        let file = draw(WIDE, Title::new(title, WIDE)).map_err(failed)?;
        files.push((format!("{name}.svg"), file.file().into_bytes()));
        files.push((
            format!("{name}.png"),
            raster::render(&file).map_err(|what| Error::draw(name, what))?,
        ));
        let wide = draw(WIDE, Title::none()).map_err(failed)?;
        let narrow = draw(NARROW, Title::none()).map_err(failed)?;
        figures.insert(name, Figure { wide, narrow });
    }
    Ok(figures)
}
