//! What was measured: one row for each memory set, corruption, level, protocol and contender.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use serde::{Deserialize, Serialize};
use uhop_data::OutputFile;

use crate::error::{Error, Result};

/// One measurement. The order of the fields is that of the columns of rows.csv and rows.parquet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// Name of the experiment.
    pub experiment: String,
    /// Name of the data set.
    pub dataset: String,
    /// Where the images come from.
    pub provenance: String,
    /// Patterns stored.
    pub n_patterns: u64,
    /// Numbers of a pattern.
    pub dim: u64,
    /// Name of the corruption.
    pub corruption: String,
    /// Its level; the share removed for masks.
    pub level: f64,
    /// Name of what recalled, or [`BAYES`](crate::BAYES).
    pub contender: String,
    /// Name of the protocol; [`BAYES`](crate::BAYES) again for the limit, which has none.
    pub protocol: String,
    /// Seed of the memory set, its queries and the start of Stage I.
    pub seed: u64,
    /// Sum of squared differences of an image, mean over the queries.
    pub error: f64,
    /// Share of queries with an error within the threshold.
    pub recall_rate: f64,
    /// β used, where there is one.
    pub beta: Option<f64>,
    /// β·tr(WᵀW)/dim with a feature map of Stage I, the β inside the separation without a map; nothing
    /// with one that was learned otherwise.
    pub effective_beta: Option<f64>,
    /// Steps of Stage I, where there was one, if only to take a β from.
    pub stage1_steps: Option<u64>,
    /// The loss after them.
    pub stage1_loss: Option<f64>,
    /// Time it took, Stage I included. The only column that differs between runs.
    pub seconds: f64,
}

/// A column of rows.parquet: its name and its values.
pub(crate) enum Column<R> {
    Text(&'static str, fn(&R) -> &str),
    Count(&'static str, fn(&R) -> Option<u64>),
    Number(&'static str, fn(&R) -> Option<f64>),
}

/// What can be written as rows.csv, by its fields, and as rows.parquet.
pub(crate) trait Record: Serialize + Sized + 'static {
    /// The columns in the order of the fields; those that may be null are `OPTIONAL`.
    const COLUMNS: &'static [(Column<Self>, Repetition)];
}

impl Record for Row {
    const COLUMNS: &'static [(Column<Self>, Repetition)] = {
        use Column::{Count, Number, Text};
        &[
            (Text("experiment", |row| &row.experiment), REQUIRED),
            (Text("dataset", |row| &row.dataset), REQUIRED),
            (Text("provenance", |row| &row.provenance), REQUIRED),
            (Count("n_patterns", |row| Some(row.n_patterns)), REQUIRED),
            (Count("dim", |row| Some(row.dim)), REQUIRED),
            (Text("corruption", |row| &row.corruption), REQUIRED),
            (Number("level", |row| Some(row.level)), REQUIRED),
            (Text("contender", |row| &row.contender), REQUIRED),
            (Text("protocol", |row| &row.protocol), REQUIRED),
            (Count("seed", |row| Some(row.seed)), REQUIRED),
            (Number("error", |row| Some(row.error)), REQUIRED),
            (Number("recall_rate", |row| Some(row.recall_rate)), REQUIRED),
            (Number("beta", |row| row.beta), OPTIONAL),
            (Number("effective_beta", |row| row.effective_beta), OPTIONAL),
            (Count("stage1_steps", |row| row.stage1_steps), OPTIONAL),
            (Number("stage1_loss", |row| row.stage1_loss), OPTIONAL),
            (Number("seconds", |row| Some(row.seconds)), REQUIRED),
        ]
    };
}

/// Every row has a value.
pub(crate) const REQUIRED: Repetition = Repetition::REQUIRED;
/// Some rows have none.
pub(crate) const OPTIONAL: Repetition = Repetition::OPTIONAL;

/// Writes rows as CSV, the whole file or none of it.
pub(crate) fn write_csv<R: Record>(path: &Path, rows: &[R]) -> Result<()> {
    let mut file = OutputFile::create(path)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::folder(path, format!("cannot write: {error}"));
    for row in rows {
        writer.serialize(row).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    file.write_all(&bytes).map_err(|error| Error::write(path, error))?;
    Ok(file.commit()?)
}

impl<R> Column<R> {
    fn schema(&self, repetition: Repetition) -> Result<Type, ParquetError> {
        let (name, physical) = match self {
            Self::Text(name, _) => (name, Physical::BYTE_ARRAY),
            Self::Count(name, _) => (name, Physical::INT64),
            Self::Number(name, _) => (name, Physical::DOUBLE),
        };
        let logical = matches!(self, Self::Text(..)).then_some(LogicalType::String);
        Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()
    }

    fn write(
        &self,
        repetition: Repetition,
        rows: &[R],
        group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    ) -> Result<(), ParquetError> {
        let Some(mut column) = group.next_column()? else {
            return Err(ParquetError::General("fewer columns than the schema".to_owned()));
        };
        let levels = |present: Vec<bool>| -> Option<Vec<i16>> {
            (repetition == OPTIONAL).then(|| present.into_iter().map(i16::from).collect())
        };
        match self {
            Self::Text(_, of) => {
                let values: Vec<ByteArray> = rows.iter().map(|row| of(row).into()).collect();
                column.typed::<ByteArrayType>().write_batch(&values, None, None)?;
            }
            Self::Count(_, of) => {
                let values: Vec<i64> = rows.iter().filter_map(of).map(u64::cast_signed).collect();
                let levels = levels(rows.iter().map(|row| of(row).is_some()).collect());
                column.typed::<Int64Type>().write_batch(&values, levels.as_deref(), None)?;
            }
            Self::Number(_, of) => {
                let values: Vec<f64> = rows.iter().filter_map(of).collect();
                let levels = levels(rows.iter().map(|row| of(row).is_some()).collect());
                column.typed::<DoubleType>().write_batch(&values, levels.as_deref(), None)?;
            }
        }
        column.close()
    }
}

/// Rows as the bytes of a Parquet file of one row group.
fn parquet_bytes<R: Record>(rows: &[R]) -> Result<Vec<u8>, ParquetError> {
    let fields =
        R::COLUMNS.iter().map(|(column, repetition)| column.schema(*repetition).map(Arc::new));
    let fields = fields.collect::<Result<_, _>>()?;
    let schema = Arc::new(Type::group_type_builder("row").with_fields(fields).build()?);
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default())?;
    let mut group = writer.next_row_group()?;
    for (column, repetition) in R::COLUMNS {
        column.write(*repetition, rows, &mut group)?;
    }
    group.close()?;
    writer.close()?;
    Ok(bytes)
}

/// Writes rows as Parquet, the whole file or none of it.
pub(crate) fn write_parquet<R: Record>(path: &Path, rows: &[R]) -> Result<()> {
    let bytes = parquet_bytes(rows)
        .map_err(|error| Error::folder(path, format!("cannot write: {error}")))?;
    let mut file = OutputFile::create(path)?;
    file.write_all(&bytes).map_err(|error| Error::write(path, error))?;
    Ok(file.commit()?)
}
