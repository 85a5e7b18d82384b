//! Every way in which bytes fail to be the IDX file they should be.

use super::header::{ElementType, Header};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(
        "not an IDX file: it starts with the bytes {found:02x?}, expected [00, 00, type, rank]; \
         check that this is the right file"
    )]
    Magic { found: [u8; 4] },
    #[error(
        "unknown IDX element type 0x{code:02x}, expected 0x08 (u8), 0x09 (i8), 0x0b (i16), \
         0x0c (i32), 0x0d (f32) or 0x0e (f64)"
    )]
    ElementType { code: u8 },
    #[error("IDX rank {found}, expected 1 to 4; reshape the array before writing it")]
    Rank { found: u8 },
    #[error(
        "the IDX header ends early: expected {expected} bytes, found {found}; \
         copy or download the file again"
    )]
    TruncatedHeader { expected: usize, found: usize },
    #[error("the IDX header declares the shape {sizes:?}: expected every size to be at least 1")]
    EmptyDimension { sizes: Vec<u32> },
    #[error(
        "the IDX header declares {element} of shape {sizes:?}, more than this machine can address; \
         the header is probably damaged"
    )]
    TooLarge { sizes: Vec<u32>, element: ElementType },
    #[error(
        "the IDX data end early: {} of shape {:?} take {} bytes, found {found}; \
         copy or download the file again",
        header.element, header.shape, header.n_bytes
    )]
    TruncatedData { header: Header, found: usize },
    #[error(
        "bytes follow the IDX data: {} of shape {:?} take {} bytes, found more; \
         the header is damaged or the file is two files in one",
        header.element, header.shape, header.n_bytes
    )]
    TrailingData { header: Header },
    #[error("the gzip stream is damaged or incomplete ({detail}); copy or download the file again")]
    Gzip { detail: String },

    #[error(
        "not images: expected u8 of shape [n_patterns, height, width], \
         found {element} of shape {shape:?}"
    )]
    NotImages { shape: Vec<usize>, element: ElementType },
    #[error("not labels: expected u8 of shape [n_patterns], found {element} of shape {shape:?}")]
    NotLabels { shape: Vec<usize>, element: ElementType },
    #[error(
        "not patterns: expected a shape [n_patterns, ...] of rank 2 to 4, \
         found {element} of shape {shape:?}"
    )]
    NotPatterns { shape: Vec<usize>, element: ElementType },
    #[error(
        "pattern {row} has a value at position {column} that is not a finite f32; \
         remove or replace such values"
    )]
    NonFinite { row: usize, column: usize },
}
