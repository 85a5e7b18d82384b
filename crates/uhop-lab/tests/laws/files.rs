use std::fs;
use std::fs::File;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use uhop_lab::report::{self, Block, Document};
use uhop_lab::{Contender, Row, Run, Spec};

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
    assert!(error.is_input() && error.to_string().contains("taken: cannot write: "), "{error}");
    assert_eq!(fs::read_to_string(taken).unwrap(), "kept");
}

/// The report has every contender, a chart and a table for each setting, and pictures.
#[test]
fn the_report_shows_every_setting() {
    let (spec, data) = (small(), noise());
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let run = Run { spec: &spec, data: std::slice::from_ref(&data), out, jobs: NonZeroUsize::MIN };
    let finished = run.run(&|_| ControlFlow::Continue(())).unwrap();
    let document = uhop_lab::document(&run, &finished, "a command", &|| true).unwrap();
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
    assert_eq!(blocks(|block| matches!(block, Block::Table(_))), 1 + settings);
    assert_eq!(blocks(|block| matches!(block, Block::Images(_))), spec.corruption.len());
    assert!(document.lead().contains("the Bayes limit"), "{}", document.lead());
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
    let (data, folder) = (noise(), tempfile::tempdir().unwrap());
    let (data, out) = (std::slice::from_ref(&data), folder.path());
    let run = Run { spec, data, out, jobs: NonZeroUsize::MIN };
    let finished = run.run(&|_| ControlFlow::Continue(())).unwrap();
    uhop_lab::document(&run, &finished, "a command", &|| true).unwrap()
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

/// Learning for the pictures is asked to stop like any other.
#[test]
fn a_report_can_be_stopped() {
    let (spec, data) = (small(), noise());
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let run = Run { spec: &spec, data: std::slice::from_ref(&data), out, jobs: NonZeroUsize::MIN };
    let finished = run.run(&|_| ControlFlow::Continue(())).unwrap();
    let error = uhop_lab::document(&run, &finished, "a command", &|| false).unwrap_err();
    assert!(error.is_stopped(), "{error}");
}

#[test]
fn two_data_sets_of_one_name_are_refused() {
    let (spec, data) = (small(), [noise(), noise()]);
    let folder = tempfile::tempdir().unwrap();
    let run = Run { spec: &spec, data: &data, out: folder.path(), jobs: NonZeroUsize::MIN };
    let error = run.run(&|_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.is_input() && error.to_string().starts_with("noise: two data sets"), "{error}");
}
