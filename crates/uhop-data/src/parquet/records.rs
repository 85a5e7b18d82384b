//! The rows of one column, through the row groups of a file.

use std::io::{Read, Seek};
use std::sync::{Arc, Mutex};

use ::parquet::column::reader::ColumnReaderImpl;
use ::parquet::data_type::DataType;
use ::parquet::file::metadata::ParquetMetaData;

use super::contain::contained;
use super::pages::Pages;
use super::problem::Column;
use super::{Failure, damaged};

/// What a file is read from.
pub(super) trait ReadSeek: Read + Seek + Send {}

impl<R: Read + Seek + Send> ReadSeek for R {}

/// A file whose columns are read in turn.
pub(super) type Shared = Arc<Mutex<dyn ReadSeek>>;

/// The file, its description and the column that is read.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) file: Shared,
    pub(super) n_file: u64,
    pub(super) metadata: Arc<ParquetMetaData>,
    /// Index of the leaf.
    pub(super) leaf: usize,
    /// Bytes that the values of a row group may take.
    pub(super) max_bytes: u64,
}

/// Reads records in order: rows of one leaf.
pub(super) struct Records<T: DataType> {
    source: Source,
    next_group: usize,
    group: Option<Group<T>>,
    repetition: Vec<i16>,
    definition: Vec<i16>,
    values: Vec<T::T>,
    n_done: usize,
}

struct Group<T: DataType> {
    reader: ColumnReaderImpl<T>,
    n_rows: usize,
    n_left: usize,
}

/// Some rows as they were read.
pub(super) struct Batch<'a, T> {
    /// Index of the first row.
    pub(super) first: usize,
    pub(super) n_rows: usize,
    pub(super) values: &'a [T],
    /// For each value or null, 0 where a row starts; empty when each is a row.
    pub(super) repetition: &'a [i16],
}

impl<T: DataType> Records<T> {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            next_group: 0,
            group: None,
            repetition: vec![],
            definition: vec![],
            values: vec![],
            n_done: 0,
        }
    }

    /// The next rows, at most `max_rows` and of one row group, or nothing after the last ones.
    pub(super) fn next(&mut self, max_rows: usize) -> Result<Option<Batch<'_, T::T>>, Failure> {
        let Some(mut group) =
            self.group.take().map_or_else(|| self.open(), |group| Ok(Some(group)))?
        else {
            return Ok(None);
        };
        let n_rows = max_rows.min(group.n_left);
        let n_read = self.read(&mut group, n_rows)?;
        if n_read < n_rows {
            let found = group.n_rows - group.n_left + n_read;
            return Err(Column::RowCount { expected: group.n_rows, found }.into());
        }
        let first = self.n_done;
        self.n_done += n_read;
        group.n_left -= n_read;
        self.check_complete(first)?;
        if group.n_left > 0 {
            self.group = Some(group);
        }
        let (values, repetition) = (&self.values, &self.repetition);
        Ok(Some(Batch { first, n_rows, values, repetition }))
    }

    /// The next row group that has rows.
    fn open(&mut self) -> Result<Option<Group<T>>, Failure> {
        while let Some(group) = self.source.metadata.row_groups().get(self.next_group) {
            self.next_group += 1;
            let n_rows = usize::try_from(group.num_rows())
                .map_err(|_| damaged("a row group of negative size"))?;
            if n_rows == 0 {
                continue;
            }
            let Source { file, n_file, leaf, max_bytes, .. } = &self.source;
            let column = group.column(*leaf);
            let value_size = match T::get_physical_type() {
                ::parquet::basic::Type::DOUBLE | ::parquet::basic::Type::INT64 => 8,
                // The length of a byte array takes 4, as do a float and a short integer.
                _ => 4,
            };
            let pages = Pages::new(Arc::clone(file), *n_file, column, value_size, *max_bytes)?;
            let reader = ColumnReaderImpl::new(column.column_descr_ptr(), Box::new(pages));
            return Ok(Some(Group { reader, n_rows, n_left: n_rows }));
        }
        Ok(None)
    }

    fn read(&mut self, group: &mut Group<T>, n_rows: usize) -> Result<usize, Failure> {
        let Self { repetition, definition, values, .. } = self;
        repetition.clear();
        definition.clear();
        values.clear();
        let mut n_read = 0;
        while n_read < n_rows {
            let read = || {
                let (definition, repetition) = (Some(&mut *definition), Some(&mut *repetition));
                group.reader.read_records(n_rows - n_read, definition, repetition, values)
            };
            let (n, ..) = contained(read).ok_or_else(|| damaged("its pages contradict it"))??;
            if n == 0 {
                break;
            }
            n_read += n;
        }
        Ok(n_read)
    }

    /// Errors when a level says that there is no value.
    fn check_complete(&self, first: usize) -> Result<(), Failure> {
        let complete = self.source.metadata.file_metadata().schema_descr().column(self.source.leaf);
        let complete = complete.max_def_level();
        let Some(position) = self.definition.iter().position(|&level| level != complete) else {
            return Ok(());
        };
        let row = match &self.repetition[..] {
            [] => position,
            levels => levels[..=position].iter().filter(|&&level| level == 0).count().max(1) - 1,
        };
        Err(Column::Null { row: first + row }.into())
    }
}
