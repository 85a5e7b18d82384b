//! The labels of rows: a column of integers, and the names of the classes they stand for.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use ::parquet::data_type::{DataType, Int32Type, Int64Type};
use ::parquet::file::metadata::FileMetaData;
use serde_json::Value;

use super::columns::{self, Integer};
use super::problem::{Column, Problem};
use super::records::{Records, Source};
use super::{BATCH, Failure, Opened, error};
use crate::{Error, Result};

/// The schema metadata in which Hugging Face describes the columns.
const METADATA: &str = "huggingface";

/// Classes of rows, one a row, counted from 0, with the names of the classes where the file has them.
///
/// # Example
///
/// See [`read_labels`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    // Invariant: every value is below the number of names, kept by there being no public constructor.
    values: Vec<u32>,
    names: Option<Vec<String>>,
}

impl Labels {
    /// The class of each row, shape `[n_rows]`, below the number of [`names`](Self::names) if there
    /// are some.
    ///
    /// # Example
    ///
    /// See [`read_labels`].
    pub fn values(&self) -> &[u32] {
        &self.values
    }

    /// The names of the classes, as the file has them: any text.
    ///
    /// # Example
    ///
    /// See [`read_labels`].
    pub fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Labels and names as owned values, without a copy.
    ///
    /// # Example
    ///
    /// See [`read_labels`].
    pub fn into_parts(self) -> (Vec<u32>, Option<Vec<String>>) {
        (self.values, self.names)
    }
}

/// Reads the labels of the first rows, at most `max_rows`.
///
/// The column is chosen by its name, or is the only one that the schema metadata `huggingface` calls
/// a `ClassLabel`, or else the only one of one integer a row. Names come from that metadata; without
/// them, or in another form than a list of texts, there are none.
///
/// # Errors
///
/// [`is_io`](Error::is_io) when the file cannot be opened or read, [`is_format`](Error::is_format)
/// when it is not a complete Parquet file with that column, a label is null, negative, 2^32 or more or
/// has no name among those that there are, [`is_ambiguous`](Error::is_ambiguous) when no column is
/// named and there are several.
///
/// # Example
///
/// ```no_run
/// use uhop_data::parquet;
///
/// let labels = parquet::read_labels("plain_text/train-00000-of-00001.parquet", None, 100)?;
/// assert_eq!(labels.values().len(), 100);
/// assert_eq!(labels.names().map(|names| names[0].as_str()), Some("airplane"));
/// let (values, names) = labels.into_parts();
/// assert!(values.iter().all(|&label| label < 10) && names.is_some());
/// # Ok::<(), uhop_data::Error>(())
/// ```
pub fn read_labels(
    path: impl AsRef<Path>,
    column: Option<&str>,
    max_rows: usize,
) -> Result<Labels> {
    let path = path.as_ref();
    File::open(path)
        .map_err(Error::io)
        .and_then(|file| parse_labels(file, column, max_rows))
        .map_err(|error| error.at(path))
}

/// Reads labels from a reader that can seek, as [`read_labels`].
///
/// # Errors
///
/// Those of [`read_labels`].
///
/// # Example
///
/// ```
/// use std::io::Cursor;
/// use uhop_data::parquet;
///
/// assert!(parquet::parse_labels(Cursor::new("text"), None, 1).unwrap_err().is_format());
/// ```
pub fn parse_labels<R>(reader: R, column: Option<&str>, max_rows: usize) -> Result<Labels>
where
    R: Read + Seek + Send + 'static,
{
    let mut chosen = None;
    labels(reader, column, max_rows, &mut chosen)
        .map_err(|failure| error(failure, chosen.as_deref()))
}

fn labels<R: Read + Seek + Send + 'static>(
    reader: R,
    column: Option<&str>,
    max_rows: usize,
    chosen: &mut Option<String>,
) -> Result<Labels, Failure> {
    let opened = Opened::new(reader)?;
    let description = opened.metadata.file_metadata();
    let classes = Classes::new(description);
    let is_class = |name: &str| classes.of(name).is_some();
    let (name, leaf) = columns::choose_labels(description.schema_descr(), column, &is_class)?;
    let names = classes.of(&name).and_then(names);
    *chosen = Some(name);
    if opened.n_rows == 0 {
        return Err(Problem::NoRows.into());
    }
    let n_rows = opened.n_rows.min(max_rows);
    // A dictionary stands for many rows with few bytes.
    opened.check_bytes((n_rows as u64).checked_mul(size_of::<u32>() as u64))?;
    let mut values = Vec::new();
    values.try_reserve_exact(n_rows).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    let n_classes = names.as_ref().map(Vec::len);
    let source = opened.source(leaf.index);
    match leaf.integer {
        Integer::I32 => take::<Int32Type>(source, n_rows, n_classes, &mut values)?,
        Integer::I64 => take::<Int64Type>(source, n_rows, n_classes, &mut values)?,
    }
    Ok(Labels { values, names })
}

fn take<T: DataType>(
    source: Source,
    n_rows: usize,
    n_classes: Option<usize>,
    labels: &mut Vec<u32>,
) -> Result<(), Failure>
where
    i64: From<T::T>,
{
    let mut records = Records::<T>::new(source);
    while labels.len() < n_rows {
        let Some(batch) = records.next(BATCH.min(n_rows - labels.len()))? else { break };
        for (i, value) in batch.values.iter().enumerate() {
            let found = i64::from(value.clone());
            let label = u32::try_from(found).ok();
            let known = |&label: &u32| n_classes.is_none_or(|n| (label as usize) < n);
            match label.filter(known) {
                Some(label) => labels.push(label),
                None => {
                    let row = batch.first + i;
                    return Err(Column::Label { row, found, n_classes }.into());
                }
            }
        }
    }
    if labels.len() < n_rows {
        return Err(Column::RowCount { expected: n_rows, found: labels.len() }.into());
    }
    Ok(())
}

/// What Hugging Face says of the columns.
struct Classes(Value);

impl Classes {
    fn new(description: &FileMetaData) -> Self {
        let pairs = description.key_value_metadata().into_iter().flatten();
        let text = pairs.filter(|pair| pair.key == METADATA).find_map(|pair| pair.value.as_ref());
        Self(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    /// The description of a column of classes.
    fn of(&self, column: &str) -> Option<&Value> {
        let feature = self.0.get("info")?.get("features")?.get(column)?;
        (feature.get("_type")?.as_str()? == "ClassLabel").then_some(feature)
    }
}

fn names(feature: &Value) -> Option<Vec<String>> {
    let names = feature.get("names")?.as_array()?;
    names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}
