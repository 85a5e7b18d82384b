//! Tensors of a file: arrays to little-endian bytes and back, each under a checksum.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::patterns::{Entries, Patterns};
use crate::scalar::Scalar;

/// A scalar that a file can hold. Sealed through [`Scalar`].
pub trait StoredTensor: Scalar + Pod {
    /// What the file calls it.
    #[doc(hidden)]
    const DTYPE: Dtype;

    /// The number of these little-endian bytes, one for each of its own.
    #[doc(hidden)]
    fn from_le_slice(bytes: &[u8]) -> Self;

    /// Appends the number in little-endian bytes.
    #[doc(hidden)]
    fn extend_le(self, bytes: &mut Vec<u8>);
}

/// The bytes of a file, whoever owns them.
pub(super) type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A tensor as a file holds it.
#[derive(Debug, Clone)]
pub(super) struct Tensor<'a> {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Cow<'a, [u8]>,
}

/// What the description says of a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    dtype: Dtype,
    shape: Vec<usize>,
    sha256: String,
}

impl Tensor<'_> {
    pub(super) fn record(&self) -> Record {
        let sha256 = digest(&self.bytes);
        Record { dtype: self.dtype, shape: self.shape.clone(), sha256 }
    }
}

macro_rules! stored {
    ($scalar:ty, $dtype:ident) => {
        impl StoredTensor for $scalar {
            const DTYPE: Dtype = Dtype::$dtype;

            fn from_le_slice(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<Self>()];
                own.copy_from_slice(bytes);
                Self::from_le_bytes(own)
            }

            fn extend_le(self, bytes: &mut Vec<u8>) {
                bytes.extend(self.to_le_bytes());
            }
        }
    };
}

stored!(f32, F32);
stored!(f64, F64);

/// Rows as a tensor, without a copy where the machine stores numbers as the file does.
pub(super) fn matrix<T: StoredTensor>(rows: ArrayView2<'_, T>) -> Tensor<'_> {
    let shape = rows.shape().to_vec();
    let bytes = match rows.to_slice() {
        Some(entries) if cfg!(target_endian = "little") => {
            Cow::Borrowed(bytemuck::cast_slice(entries))
        }
        _ => {
            let mut bytes = Vec::with_capacity(size_of::<T>() * rows.len());
            rows.iter().for_each(|entry| entry.extend_le(&mut bytes));
            Cow::Owned(bytes)
        }
    };
    Tensor { dtype: T::DTYPE, shape, bytes }
}

/// A row of numbers as a tensor.
pub(super) fn row<T: StoredTensor>(numbers: ArrayView1<'_, T>) -> Tensor<'_> {
    let Tensor { dtype, bytes, .. } = matrix(numbers.insert_axis(Axis(0)));
    Tensor { dtype, shape: vec![bytes.len() / size_of::<T>()], bytes }
}

/// A row of integers.
pub(super) fn integer_tensor(numbers: &[i64]) -> Tensor<'static> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    Tensor { dtype: Dtype::I64, shape: vec![numbers.len()], bytes: bytes.into() }
}

/// The integers of a row.
pub(super) fn integers(name: &str, tensor: &Tensor<'_>) -> Result<Vec<i64>> {
    if tensor.dtype != Dtype::I64 || tensor.shape.len() != 1 {
        return Err(Error::malformed(format!(
            "tensor `{name}` is {:?} of shape {:?}; it must be a row of I64",
            tensor.dtype, tensor.shape,
        )));
    }
    let (numbers, _) = tensor.bytes.as_chunks();
    Ok(numbers.iter().map(|&number| i64::from_le_bytes(number)).collect())
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// The SHA-256 digest of the bytes in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The metadata entry of this name, if the bytes are a safetensors file that has one.
pub(super) fn entry(bytes: &[u8], name: &str) -> Result<Option<String>> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| cannot("read", &error))?;
    Ok(header.metadata().as_ref().and_then(|metadata| metadata.get(name)).cloned())
}

/// How much of a file is read to check it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Check {
    /// Every tensor against its digest, every number for being finite.
    Everything,
    /// As that, but patterns and values are not read.
    AllButRows,
}

/// The tensors of a file that have not been taken yet.
pub(super) struct Stored {
    file: Bytes,
    tensors: BTreeMap<String, Place>,
    check: Check,
}

/// Where in the file a tensor is, and what it should be.
struct Place {
    dtype: Dtype,
    shape: Vec<usize>,
    range: Range<usize>,
    /// `None` where the checksum is elsewhere.
    sha256: Option<String>,
}

impl Stored {
    /// The tensors of `file`, whose bytes are checked elsewhere.
    pub(super) fn of(file: Bytes) -> Result<Self> {
        let (n_header, header) =
            SafeTensors::read_metadata((*file).as_ref()).map_err(|error| cannot("read", &error))?;
        let start = size_of::<u64>() + n_header;
        let place = |name: String| {
            header.info(&name).map(|info| {
                let (from, to) = info.data_offsets;
                let range = start + from..start + to;
                let (dtype, shape) = (info.dtype, info.shape.clone());
                (name, Place { dtype, shape, range, sha256: None })
            })
        };
        let tensors = header.offset_keys().into_iter().filter_map(place).collect();
        Ok(Self { file, tensors, check: Check::Everything })
    }

    /// With the records made when they were written: types and shapes are compared now, digests
    /// when a tensor is taken.
    pub(super) fn recorded(
        mut self,
        records: &BTreeMap<String, Record>,
        check: Check,
    ) -> Result<Self> {
        for (name, place) in &mut self.tensors {
            let record = records
                .get(name)
                .filter(|record| (record.dtype, &record.shape) == (place.dtype, &place.shape));
            place.sha256 = Some(record.ok_or_else(|| damaged(name))?.sha256.clone());
        }
        match records.keys().find(|name| !self.tensors.contains_key(*name)) {
            None => Ok(Self { check, ..self }),
            Some(name) => Err(missing(name)),
        }
    }

    /// The bytes of the tensors that have not been taken yet.
    pub(super) fn n_bytes(&self) -> usize {
        self.tensors.values().map(|place| place.range.len()).sum()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(super) fn dtype(&self, name: &str) -> Result<Dtype> {
        self.tensors.get(name).map(|place| place.dtype).ok_or_else(|| missing(name))
    }

    /// Takes a tensor out: what is never taken is something this version does not understand.
    pub(super) fn take(&mut self, name: &str) -> Result<Tensor<'_>> {
        let place = self.remove(name)?;
        self.check_digest(name, &place)?;
        let bytes = Cow::Borrowed(&(*self.file).as_ref()[place.range]);
        Ok(Tensor { dtype: place.dtype, shape: place.shape, bytes })
    }

    /// A matrix, copied out of the file.
    pub(super) fn take_matrix<T: StoredTensor>(&mut self, name: &str) -> Result<Array2<T>> {
        let tensor = self.take(name)?;
        let (n_rows, dim) = matrix_shape::<T>(name, tensor.dtype, &tensor.shape)?;
        Array2::from_shape_vec((n_rows, dim), decoded(&tensor.bytes))
            .map_err(|error| Error::malformed(format!("tensor `{name}`: {error}")))
    }

    /// A row, copied out of the file.
    pub(super) fn take_row<T: StoredTensor>(&mut self, name: &str) -> Result<Array1<T>> {
        let tensor = self.take(name)?;
        check_dtype::<T>(name, tensor.dtype)?;
        match *tensor.shape {
            [_] => Ok(Array1::from_vec(decoded(&tensor.bytes))),
            _ => {
                let what =
                    format!("tensor `{name}` has shape {:?}; it must be a row", tensor.shape);
                Err(Error::malformed(what))
            }
        }
    }

    /// Rows that stay in the file, wherever that is, unless the machine cannot read them there.
    pub(super) fn take_rows<T: StoredTensor>(&mut self, name: &str) -> Result<Patterns<T>> {
        let place = self.remove(name)?;
        let (n_rows, dim) = matrix_shape::<T>(name, place.dtype, &place.shape)?;
        let range = place.range.clone();
        let file = Arc::clone(&self.file);
        let entries: Entries<T> = match InFile::new(file, range) {
            Some(entries) => Arc::new(entries),
            None => Arc::new(decoded::<T>(&(*self.file).as_ref()[place.range.clone()])),
        };
        let rows = Patterns::from_shared(entries, n_rows, dim)?;
        if self.check == Check::Everything {
            let (digest, finite) =
                rayon::join(|| self.check_digest(name, &place), || rows.check_finite());
            digest.and(finite)?;
        }
        Ok(rows)
    }

    pub(super) fn nothing_left(&self) -> Result<()> {
        match self.tensors.keys().next() {
            None => Ok(()),
            Some(name) => Err(Error::malformed(format!(
                "tensor `{name}` is not one that this version understands; use a newer one"
            ))),
        }
    }

    fn remove(&mut self, name: &str) -> Result<Place> {
        self.tensors.remove(name).ok_or_else(|| missing(name))
    }

    fn check_digest(&self, name: &str, place: &Place) -> Result<()> {
        let bytes = &(*self.file).as_ref()[place.range.clone()];
        match &place.sha256 {
            Some(sha256) if *sha256 != digest(bytes) => Err(damaged(name)),
            _ => Ok(()),
        }
    }
}

/// Numbers where they are in a file.
struct InFile<T> {
    file: Bytes,
    range: Range<usize>,
    number: PhantomData<fn() -> T>,
}

impl<T: StoredTensor> InFile<T> {
    /// `None` when the machine has another byte order or the bytes are not aligned.
    fn new(file: Bytes, range: Range<usize>) -> Option<Self> {
        let bytes = &(*file).as_ref()[range.clone()];
        let castable = bytemuck::try_cast_slice::<u8, T>(bytes).is_ok();
        (cfg!(target_endian = "little") && castable).then_some(Self {
            file,
            range,
            number: PhantomData,
        })
    }
}

impl<T: StoredTensor> AsRef<[T]> for InFile<T> {
    fn as_ref(&self) -> &[T] {
        bytemuck::cast_slice(&(*self.file).as_ref()[self.range.clone()])
    }
}

fn decoded<T: StoredTensor>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(size_of::<T>()).map(T::from_le_slice).collect()
}

/// The shape of a matrix of `T`.
fn matrix_shape<T: StoredTensor>(
    name: &str,
    dtype: Dtype,
    shape: &[usize],
) -> Result<(usize, usize)> {
    check_dtype::<T>(name, dtype)?;
    match *shape {
        [n_rows, dim] => Ok((n_rows, dim)),
        _ => {
            let what = format!("tensor `{name}` has shape {shape:?}; it must be a matrix");
            Err(Error::malformed(what))
        }
    }
}

/// Whether a tensor is of `T`.
fn check_dtype<T: StoredTensor>(name: &str, dtype: Dtype) -> Result<()> {
    let expected = T::DTYPE;
    if dtype == expected {
        return Ok(());
    }
    Err(Error::malformed(format!(
        "tensor `{name}` is {dtype:?}; it must be {expected:?}, as `patterns` is"
    )))
}

/// That the safetensors format does not allow it.
pub(super) fn cannot(verb: &str, error: &safetensors::SafeTensorError) -> Error {
    Error::malformed(format!("cannot {verb} it as safetensors: {error}"))
}

fn missing(name: &str) -> Error {
    Error::malformed(format!("tensor `{name}` is missing"))
}

fn damaged(name: &str) -> Error {
    Error::malformed(format!(
        "tensor `{name}` is damaged: it is not as its description says; restore the file from a \
         copy"
    ))
}
