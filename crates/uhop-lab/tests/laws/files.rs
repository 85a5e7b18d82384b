use std::fs;
use std::fs::File;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use uhop_lab::Row;

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
