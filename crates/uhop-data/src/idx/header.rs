//! The header: element type and shape.

use std::fmt;
use std::io::Read;

use super::problem::Problem;
use super::stream::{Failure, read_full};

/// Images with channels have rank 4; nothing this crate reads has more.
const MAX_RANK: u8 = 4;

/// A header that has been checked: known type, rank 1 to 4, no size zero, addressable data.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(super) element: ElementType,
    pub(super) shape: Vec<usize>,
    /// Product of the shape.
    pub(super) n_values: usize,
    /// `n_values` times the size of one value.
    pub(super) n_bytes: usize,
}

/// The six element types of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ElementType {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Header {
    /// Reads the header and leaves `stream` at the first value.
    pub(super) fn read(stream: &mut dyn Read) -> Result<Self, Failure> {
        let mut magic = [0; 4];
        let n_read = read_full(stream, &mut magic)?;
        if n_read < magic.len() {
            return Err(Problem::TruncatedHeader { expected: magic.len(), found: n_read }.into());
        }
        let [0, 0, code, rank] = magic else {
            return Err(Problem::Magic { found: magic }.into());
        };
        let element = ElementType::from_code(code).ok_or(Problem::ElementType { code })?;
        if !(1..=MAX_RANK).contains(&rank) {
            return Err(Problem::Rank { found: rank }.into());
        }

        let mut buffer = [0; 4 * MAX_RANK as usize];
        let sizes = &mut buffer[..4 * usize::from(rank)];
        let n_read = read_full(stream, sizes)?;
        if n_read < sizes.len() {
            let (expected, found) = (magic.len() + sizes.len(), magic.len() + n_read);
            return Err(Problem::TruncatedHeader { expected, found }.into());
        }
        let (sizes, _) = sizes.as_chunks::<4>();
        let sizes: Vec<u32> = sizes.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
        Self::check(element, &sizes).map_err(Failure::from)
    }

    fn check(element: ElementType, sizes: &[u32]) -> Result<Self, Problem> {
        if sizes.contains(&0) {
            return Err(Problem::EmptyDimension { sizes: sizes.to_vec() });
        }
        let too_large = || Problem::TooLarge { sizes: sizes.to_vec(), element };
        let shape: Vec<usize> = sizes
            .iter()
            .map(|&size| usize::try_from(size).ok())
            .collect::<Option<_>>()
            .ok_or_else(too_large)?;
        let n_values = shape
            .iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size))
            .ok_or_else(too_large)?;
        let n_bytes = n_values.checked_mul(element.size()).ok_or_else(too_large)?;
        Ok(Self { element, shape, n_values, n_bytes })
    }
}

impl ElementType {
    fn from_code(code: u8) -> Option<Self> {
        let all = [Self::U8, Self::I8, Self::I16, Self::I32, Self::F32, Self::F64];
        all.into_iter().find(|element| element.code() == code)
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::U8 => 0x08,
            Self::I8 => 0x09,
            Self::I16 => 0x0b,
            Self::I32 => 0x0c,
            Self::F32 => 0x0d,
            Self::F64 => 0x0e,
        }
    }

    /// Bytes per value.
    fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}
