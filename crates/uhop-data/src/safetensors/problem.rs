//! Every way in which bytes fail to be the `.safetensors` file they should be.

use crate::array::ShapeProblem;
use crate::bytes::quoted;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(
        "not a complete safetensors file: expected 8 bytes with the length of the header and then \
         the header, found {n_file} bytes in all; check that this is the right file, or copy it again"
    )]
    Start { n_file: u64 },
    #[error(
        "the safetensors header takes {found} bytes, expected at most {limit}; \
         save the one tensor that is needed by itself"
    )]
    HeaderLength { found: u64, limit: u64 },
    #[error(
        "the safetensors header is damaged ({}); copy or download the file again",
        quoted(detail)
    )]
    Header { detail: String },
    #[error(
        "the safetensors header declares {expected} bytes of data, found {found}; \
         copy or download the file again"
    )]
    Size { expected: u64, found: u64 },
    #[error("the safetensors file has no tensors; save one")]
    Empty,
    #[error("the safetensors file has several tensors, found {found}; name the one to read")]
    Several { found: String },
    #[error("the safetensors file has no tensor {}, found {found}", quoted(name))]
    Missing { name: String, found: String },
    #[error("tensor {}: {problem}", quoted(name))]
    Tensor { name: String, problem: Tensor },
}

/// A tensor that is not a matrix.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Tensor {
    #[error(
        "element type {found}, expected F16, BF16, F32, F64, integers or BOOL; convert it to F32 before saving"
    )]
    Element { found: String },
    #[error(transparent)]
    Shape(#[from] ShapeProblem),
}
