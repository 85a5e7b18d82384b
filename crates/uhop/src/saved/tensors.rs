//! Tensors of a file: arrays to little-endian bytes and back, each under a checksum.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use ndarray::{Array2, ArrayView2};
use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// A scalar that a file can hold. Sealed through [`Scalar`].
pub trait StoredTensor: Scalar {
    /// The array as a tensor of a file.
    #[doc(hidden)]
    fn store(rows: ArrayView2<'_, Self>) -> Tensor<'static>;

    /// The numbers of a tensor of this type, or the error that it is of another.
    #[doc(hidden)]
    fn numbers(name: &str, tensor: &Tensor<'_>) -> Result<Vec<Self>>;
}

/// A tensor as a file holds it.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Tensor<'a> {
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
            fn store(rows: ArrayView2<'_, Self>) -> Tensor<'static> {
                let bytes: Vec<u8> = rows.iter().flat_map(|number| number.to_le_bytes()).collect();
                let bytes = bytes.into();
                Tensor { dtype: Dtype::$dtype, shape: rows.shape().to_vec(), bytes }
            }

            fn numbers(name: &str, tensor: &Tensor<'_>) -> Result<Vec<Self>> {
                if tensor.dtype != Dtype::$dtype {
                    return Err(Error::malformed(format!(
                        "tensor `{name}` is {:?}; it must be {:?}, as `patterns` is",
                        tensor.dtype,
                        Dtype::$dtype,
                    )));
                }
                let (numbers, _) = tensor.bytes.as_chunks();
                Ok(numbers.iter().map(|&number| Self::from_le_bytes(number)).collect())
            }
        }
    };
}

stored!(f32, F32);
stored!(f64, F64);

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

/// The tensors of a file that have not been taken yet.
pub(super) struct Stored<'a> {
    tensors: BTreeMap<String, Tensor<'a>>,
}

impl<'a> Stored<'a> {
    /// The tensors of `file`, each of them as it was recorded when written.
    pub(super) fn verified(
        file: &SafeTensors<'a>,
        records: &BTreeMap<String, Record>,
    ) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            let tensor = Tensor {
                dtype: view.dtype(),
                shape: view.shape().to_vec(),
                bytes: Cow::Borrowed(view.data()),
            };
            if records.get(&name) != Some(&tensor.record()) {
                return Err(Error::malformed(format!(
                    "tensor `{name}` is damaged: it is not as its description says; restore the \
                     file from a copy"
                )));
            }
            tensors.insert(name, tensor);
        }
        match records.keys().find(|name| !tensors.contains_key(*name)) {
            None => Ok(Self { tensors }),
            Some(name) => Err(missing(name)),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(super) fn dtype(&self, name: &str) -> Result<Dtype> {
        self.tensors.get(name).map(|tensor| tensor.dtype).ok_or_else(|| missing(name))
    }

    /// Takes a tensor out: what is never taken is something this version does not understand.
    pub(super) fn take(&mut self, name: &str) -> Result<Tensor<'a>> {
        self.tensors.remove(name).ok_or_else(|| missing(name))
    }

    pub(super) fn take_matrix<T: StoredTensor>(&mut self, name: &str) -> Result<Array2<T>> {
        let tensor = self.take(name)?;
        let [rows, columns] = tensor.shape[..] else {
            let what = format!("tensor `{name}` has shape {:?}; it must be a matrix", tensor.shape);
            return Err(Error::malformed(what));
        };
        let numbers = T::numbers(name, &tensor)?;
        Array2::from_shape_vec((rows, columns), numbers)
            .map_err(|error| Error::malformed(format!("tensor `{name}`: {error}")))
    }

    pub(super) fn nothing_left(&self) -> Result<()> {
        match self.tensors.keys().next() {
            None => Ok(()),
            Some(name) => Err(Error::malformed(format!(
                "tensor `{name}` is not one that this version understands; use a newer one"
            ))),
        }
    }
}

fn missing(name: &str) -> Error {
    Error::malformed(format!("tensor `{name}` is missing"))
}
