use std::fs;
use std::fs::File;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use ndarray::Array2;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use uhop_lab::report::{self, Block, Document, ImageGrid};
use uhop_lab::{Contender, DataSet, Row, Run, Spec};

use crate::common::{noise, run, small};

/// rows.csv and rows.parquet hold the rows, every number as it was.
#[test]
fn both_files_hold_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let finished = run(&small(), &noise(), folder.path(), 2).unwrap();
    let mut csv = csv::Reader::from_path(&finished.csv).unwrap();
    let from_csv: Vec<Row> = csv.deserialize().collect::<Result<_, _>>().unwrap();
    assert_eq!(from_csv, finished.rows);

    let reader = SerializedFileReader::new(File::open(&finished.parquet).unwrap()).unwrap();
    let header = csv::Reader::from_path(&finished.csv).unwrap().headers().unwrap().clone();
    let columns = reader.metadata().file_metadata().schema_descr().columns().to_vec();
    let names: Vec<_> = columns.iter().map(|column| column.name().to_owned()).collect();
    assert_eq!(names, header.iter().collect::<Vec<_>>());
    let mut n_rows = 0;
    for (row, expected) in reader.get_row_iter(None).unwrap().zip(&finished.rows) {
        let value = serde_json::to_value(expected).unwrap();
        for (name, field) in row.unwrap().get_column_iter() {
            let expected = &value[name];
            match field {
                Field::Str(text) => assert_eq!(expected, text),
                Field::Long(number) => assert_eq!(expected, number),
                Field::Double(number) => assert_eq!(expected, number),
                Field::Null => assert!(expected.is_null(), "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        n_rows += 1;
    }
    assert_eq!(n_rows, finished.rows.len());
}

#[test]
fn a_folder_that_cannot_be_written_is_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::write(&taken, "kept").unwrap();
    let error = run(&small(), &noise(), &taken, 1).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("taken: is a file; choose"), "{error}");
    assert_eq!(fs::read_to_string(&taken).unwrap(), "kept");
    let error = run(&small(), &noise(), &taken.join("inner"), 1).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("inner: cannot write: "), "{error}");
}

/// The report has every contender, a chart and a table for each setting, and pictures.
#[test]
fn the_report_shows_every_setting() {
    let (spec, data) = (small(), noise());
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let run = Run { spec: &spec, data: std::slice::from_ref(&data), out, jobs: NonZeroUsize::MIN };
    let finished = run.run(&|_| ControlFlow::Continue(())).unwrap();
    let document = uhop_lab::document(&run, &finished, "a command").unwrap();
    let page = fs::read_to_string(report::write(&document, out).unwrap()).unwrap();
    for contender in &spec.contenders {
        assert!(page.contains(&contender.to_string()), "{contender}");
    }
    let blocks = |wanted: fn(&Block) -> bool| {
        let sections = document.sections().iter();
        sections.flat_map(|section| section.blocks()).filter(|block| wanted(block)).count()
    };
    let settings = uhop_lab::summaries(&spec, &finished.rows).len();
    assert_eq!(settings, 5 * 3);
    assert_eq!(blocks(|block| matches!(block, Block::Chart(_))), settings);
    assert_eq!(blocks(|block| matches!(block, Block::Table(_))), 3 + settings);
    assert_eq!(blocks(|block| matches!(block, Block::Images(_))), spec.corruption.len());
    assert!(document.lead().contains("the Bayes limit"), "{}", document.lead());
}

/// What pictures of 8 bits may be off by, each number.
const STEP: f64 = 0.5 / 255.0;

/// The pictures of a contender are the recalls that its error was measured by.
#[test]
fn pictures_are_of_what_is_measured() {
    let mut spec = small();
    // Few enough that all are shown. Under the last protocol, `fair`, all is recalled within 0..1.
    (spec.seeds, spec.n_patterns) = (2, vec![4]);
    let (data, folder) = (noise(), tempfile::tempdir().unwrap());
    let finished = run(&spec, &data, folder.path(), 1).unwrap();
    let document = document_of(&spec, &data, folder.path());
    let grids = grids(&document);
    let fair = spec.protocol.last().unwrap();
    for (grid, corruption) in grids.iter().zip(&spec.corruption) {
        let expected = spec.contenders.iter().filter(|&&c| c != Contender::Query);
        let expected: Vec<String> = expected.map(ToString::to_string).collect();
        assert_eq!(grid.column_labels()[..3], ["stored", "query", "bayes"]);
        assert_eq!(grid.column_labels()[3..], expected);
        let n_columns = grid.column_labels().len();
        let levels = &corruption.levels;
        let level = levels.get(levels.len() / 2).copied().unwrap_or(0.5);
        for (column, name) in grid.column_labels().iter().enumerate().skip(2) {
            let (mut error, mut tolerance) = (0.0, 1e-5);
            for row in grid.images().chunks(n_columns) {
                for (&stored, &recalled) in row[0].samples().iter().zip(row[column].samples()) {
                    let apart = (f64::from(stored) - f64::from(recalled)).abs() / 255.0;
                    // Either of the two is rounded.
                    error += apart * apart;
                    tolerance += 2.0 * STEP * (2.0 * apart + 2.0 * STEP);
                }
            }
            let n_shown = (grid.images().len() / n_columns) as f64;
            let row = finished.rows.iter().find(|row| {
                let is_fair = row.protocol == fair.name || name == "bayes";
                let is_of = row.corruption == corruption.kind.to_string();
                is_fair && is_of && row.contender == *name && row.level == level
            });
            let (error, expected) = (error / n_shown, row.unwrap().error);
            assert!((error - expected).abs() <= tolerance / n_shown, "{name}: {error} {expected}");
        }
    }
}

/// The pictures come from rows.jsonl: a run that finds all there shows the same.
#[test]
fn a_resumed_run_shows_the_same_pictures() {
    let (spec, data, folder) = (small(), noise(), tempfile::tempdir().unwrap());
    let first = document_of(&spec, &data, folder.path());
    let again = document_of(&spec, &data, folder.path());
    assert_eq!(grids(&first).len(), spec.corruption.len());
    assert_eq!(grids(&first), grids(&again));
}

/// A picture that is not as it was written is an error, not a panic or another picture.
#[test]
fn damaged_pictures_are_refused() {
    let (spec, data, folder) = (one_set(), noise(), tempfile::tempdir().unwrap());
    document_of(&spec, &data, folder.path());
    let journal = folder.path().join("rows.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    let (_, after) = text.split_once("\"shown\":\"").unwrap();
    let (picture, _) = after.split_once('"').unwrap();
    for (damaged, message) in
        [("!", "rows.jsonl: line 2: not as it was written"), ("", "picture in rows.jsonl")]
    {
        fs::write(&journal, text.replace(picture, damaged)).unwrap();
        let finished = run(&spec, &data, folder.path(), 1);
        let error = finished.and_then(|finished| {
            let (data, out) = (std::slice::from_ref(&data), folder.path());
            let run = Run { spec: &spec, data, out, jobs: NonZeroUsize::MIN };
            uhop_lab::document(&run, &finished, "a command")
        });
        let error = error.unwrap_err();
        assert!(error.is_input() && error.to_string().contains(message), "{error}");
    }
}

/// The grids of pictures of a report.
fn grids(document: &Document) -> Vec<ImageGrid> {
    let blocks = document.sections().iter().flat_map(|section| section.blocks());
    let grid = |block: &Block| match block {
        Block::Images(grid) => Some(grid.clone()),
        _ => None,
    };
    blocks.filter_map(grid).collect()
}

/// One memory set, one corruption.
fn one_set() -> Spec {
    let mut spec = small();
    (spec.seeds, spec.n_patterns) = (1, vec![7]);
    spec.corruption.truncate(1);
    spec
}

/// The report of a run, which is not written.
fn document(spec: &Spec) -> Document {
    document_of(spec, &noise(), tempfile::tempdir().unwrap().path())
}

/// The report of a run in this folder, which is not written.
fn document_of(spec: &Spec, data: &DataSet, out: &Path) -> Document {
    let run = Run { spec, data: std::slice::from_ref(data), out, jobs: NonZeroUsize::MIN };
    let finished = run.run(&|_| ControlFlow::Continue(())).unwrap();
    uhop_lab::document(&run, &finished, "a command").unwrap()
}

/// A chart has fewer looks than there may be contenders: who has no curve is named below it.
#[test]
fn a_chart_shows_or_names_every_contender() {
    let spec = one_set();
    let document = document(&spec);
    let mut n_named = 0;
    for block in document.sections().iter().flat_map(|section| section.blocks()) {
        let Block::Chart(chart) = block else { continue };
        let (_, named) = chart.caption().split_once("In the table only: ").unwrap_or_default();
        let named: Vec<&str> = named.trim_end_matches('.').split(", ").collect();
        let protocol = spec.protocol.iter().find(|p| chart.title().ends_with(&p.name)).unwrap();
        for contender in spec.contenders.iter().filter(|c| !protocol.without.contains(c)) {
            let name = contender.to_string();
            let is_named = named.contains(&name.as_str());
            let is_drawn = chart.series().iter().any(|series| series.name() == name);
            assert!(is_drawn != is_named, "{name} in {}: {}", chart.title(), chart.caption());
            n_named += usize::from(is_named);
        }
    }
    // Fourteen models in each of the protocols `paper` and `fair`, twelve in `published`.
    assert_eq!(n_named, 2 * 2);
}

/// A part for each kind of contender that there is, and none for the others.
#[test]
fn the_report_leads_with_what_was_found() {
    use Contender::{Cosine, Dense, UhopDenseMax};
    for (contenders, n_parts) in
        [(vec![Dense, UhopDenseMax], 3), (vec![Cosine, Dense], 2), (vec![UhopDenseMax], 2)]
    {
        let spec = Spec { contenders, ..one_set() };
        let document = document(&spec);
        let (_, found) = document.lead().split_once("patterns stored 7: ").unwrap();
        let parts: Vec<&str> = found.split(", ").collect();
        assert_eq!(parts.len(), n_parts, "{found}");
        assert!(parts.iter().all(|part| part.starts_with("the ")), "{found}");
        assert_eq!(found.contains("the best U-Hop"), spec.contenders.contains(&UhopDenseMax));
    }
}

/// Without noise all is recalled, and with enough of it nothing: a sentence on either would say nothing of the models. The
/// best other is told no more than U-Hop is.
#[test]
fn the_lead_is_about_the_midst_of_levels() {
    use Contender::{Channel, Manhattan, UhopDenseMax};
    let mut spec = one_set();
    spec.axis = uhop_lab::Axis::Level;
    spec.contenders = vec![Channel, Manhattan, UhopDenseMax];
    spec.corruption = small().corruption[1..2].to_vec();
    let levels = spec.corruption[0].levels.clone();
    assert_eq!(levels.len(), 2);
    let document = document(&spec);
    let place = format!("level {}: ", levels[1]);
    assert!(document.lead().contains(&place), "{}", document.lead());
    assert!(
        document.lead().contains("nothing of the corruption (manhattan)"),
        "{}",
        document.lead()
    );
}

/// An experiment on photographs that was given none runs on digits under its own title: what it did not run on is said.
#[test]
fn the_report_says_what_it_did_not_run_on() {
    let spec = one_set();
    let said = |data: &DataSet| {
        let document = document_of(&spec, data, tempfile::tempdir().unwrap().path());
        document.facts().iter().any(|(name, what)| name == "mnist" && what.contains("did not run"))
    };
    assert!(said(&noise()));
    let (height, width, channels) = noise().image_shape();
    let rows = noise().draw(8, 0).unwrap().view().to_owned();
    assert!(!said(&DataSet::new("mnist", "made up", (height, width, channels), rows).unwrap()));
}

/// What is compared and what the defects are is said, of those that there are.
#[test]
fn the_report_says_what_it_compares() {
    let spec = one_set();
    let document = document(&spec);
    let tables: Vec<&uhop_lab::report::Table> = document
        .sections()
        .iter()
        .flat_map(|section| section.blocks())
        .filter_map(|block| if let Block::Table(table) = block { Some(table) } else { None })
        .collect();
    let named = |caption: &str| -> Vec<String> {
        let table = tables.iter().find(|table| table.caption() == caption).unwrap();
        table.rows().iter().map(|row| row[0].clone()).collect()
    };
    let contenders: Vec<String> = spec.contenders.iter().map(ToString::to_string).collect();
    assert_eq!(named("What is compared."), contenders);
    let mut defects: Vec<String> =
        spec.protocol[0].defects.iter().map(ToString::to_string).collect();
    let mut found = named("The defects.");
    defects.sort();
    found.sort();
    assert_eq!(found, defects);
}

/// Nothing can tell two equal images apart, and the max loss refuses them.
#[test]
fn no_memory_set_holds_an_image_twice() {
    let rows = |n_images: usize| {
        Array2::from_shape_fn((n_images, 6), |(i, j)| ((i % 20 * 7 + j * 5) % 41) as f32 / 41.0)
    };
    let data = |n_images| DataSet::new("twice", "made up", (2, 3, 1), rows(n_images)).unwrap();
    let twice = data(40);
    for seed in 0..5 {
        let drawn = twice.draw(20, seed).unwrap();
        let rows = drawn.view();
        let drawn: Vec<_> = rows.outer_iter().collect();
        assert!((1..20).all(|i| !drawn[..i].contains(&drawn[i])), "{seed}");
        // A smaller set is its start still.
        assert_eq!(twice.draw(9, seed).unwrap().view().row(8), drawn[8]);
    }
    let error = twice.draw(21, 0).unwrap_err().to_string();
    assert!(error.contains("it has 20 different images, 21 are asked for"), "{error}");
}

#[test]
fn two_data_sets_of_one_name_are_refused() {
    let (spec, data) = (small(), [noise(), noise()]);
    let folder = tempfile::tempdir().unwrap();
    let run = Run { spec: &spec, data: &data, out: folder.path(), jobs: NonZeroUsize::MIN };
    let error = run.run(&|_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.is_input() && error.to_string().starts_with("noise: two data sets"), "{error}");
}
