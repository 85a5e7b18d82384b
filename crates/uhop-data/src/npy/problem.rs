//! Every way in which bytes fail to be the `.npy` file they should be.

use crate::array::{Layout, ShapeProblem};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(
        "not an npy file: it starts with the bytes {found:02x?}, \
         expected [93, 4e, 55, 4d, 50, 59]; check that this is the right file"
    )]
    Magic { found: Vec<u8> },
    #[error("npy format version {major}.{minor}, expected 1.0, 2.0 or 3.0; save the array again")]
    Version { major: u8, minor: u8 },
    #[error(
        "the npy header ends early: expected {expected} bytes, found {found}; \
         copy or download the file again"
    )]
    TruncatedHeader { expected: usize, found: usize },
    #[error(
        "the npy header declares its own length as {found} bytes, expected at most {limit}; \
         it is probably damaged"
    )]
    HeaderLength { found: u32, limit: usize },
    #[error(
        "the npy header is damaged: expected {expected} at its byte {position}; \
         copy or download the file again"
    )]
    Syntax { expected: &'static str, position: usize },
    #[error(
        "npy element type {found}, expected floats of 16, 32 or 64 bits, integers or booleans; \
         save an array of these"
    )]
    Element { found: String },
    #[error(transparent)]
    Shape(#[from] ShapeProblem),
    #[error(
        "the npy data end early: {layout} take {} bytes, found {found}; \
         copy or download the file again",
        layout.n_bytes
    )]
    TruncatedData { layout: Layout, found: u64 },
    #[error(
        "bytes follow the npy data: {layout} take {} bytes, found more; \
         the header is damaged or the file is two files in one",
        layout.n_bytes
    )]
    TrailingData { layout: Layout },
    #[error(
        "the npy data, {layout}, are in Fortran order and cannot be read row by row; \
         read the file as a whole, or save numpy.ascontiguousarray of the array"
    )]
    NotRowMajor { layout: Layout },
}
