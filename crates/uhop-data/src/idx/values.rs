//! The values of an array, in the element type of the file.

use std::io::Read;
use std::ops::Range;

use super::header::{ElementType, Header};
use super::problem::Problem;
use super::stream::{Failure, read_full};

/// Bytes read at a time; a multiple of every element size. Memory grows by this much as data
/// arrive, whatever the header says.
const CHUNK: usize = 1 << 16;

/// The values of an [`Idx`](super::Idx), one variant per element type of the format.
///
/// # Example
///
/// ```
/// use uhop_data::idx::{self, Values};
///
/// let idx = idx::parse(&[0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0x80, 0, 0][..])?;
/// assert_eq!(idx.values(), &Values::F32(vec![1.0]));
/// # Ok::<(), uhop_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Unsigned bytes, type code `08`: images and labels.
    U8(Vec<u8>),
    /// Signed bytes, type code `09`.
    I8(Vec<i8>),
    /// 16-bit integers, type code `0b`.
    I16(Vec<i16>),
    /// 32-bit integers, type code `0c`.
    I32(Vec<i32>),
    /// 32-bit floats, type code `0d`; may hold NaN and infinities.
    F32(Vec<f32>),
    /// 64-bit floats, type code `0e`; may hold NaN and infinities.
    F64(Vec<f64>),
}

impl Values {
    /// Reads the values of the header in this range, at whose start the stream is.
    pub(super) fn read(
        stream: &mut dyn Read,
        header: &Header,
        range: Range<usize>,
    ) -> Result<Self, Failure> {
        Ok(match header.element {
            ElementType::U8 => Self::U8(read_array(stream, header, range, u8::from_be_bytes)?),
            ElementType::I8 => Self::I8(read_array(stream, header, range, i8::from_be_bytes)?),
            ElementType::I16 => Self::I16(read_array(stream, header, range, i16::from_be_bytes)?),
            ElementType::I32 => Self::I32(read_array(stream, header, range, i32::from_be_bytes)?),
            ElementType::F32 => Self::F32(read_array(stream, header, range, f32::from_be_bytes)?),
            ElementType::F64 => Self::F64(read_array(stream, header, range, f64::from_be_bytes)?),
        })
    }

    pub(super) fn element_type(&self) -> ElementType {
        match self {
            Self::U8(_) => ElementType::U8,
            Self::I8(_) => ElementType::I8,
            Self::I16(_) => ElementType::I16,
            Self::I32(_) => ElementType::I32,
            Self::F32(_) => ElementType::F32,
            Self::F64(_) => ElementType::F64,
        }
    }

    /// Each value rounded to the nearest f32; a large f64 becomes an infinity.
    pub(super) fn into_f32(self) -> Vec<f32> {
        match self {
            Self::U8(values) => values.into_iter().map(f32::from).collect(),
            Self::I8(values) => values.into_iter().map(f32::from).collect(),
            Self::I16(values) => values.into_iter().map(f32::from).collect(),
            Self::I32(values) => values.into_iter().map(|value| value as f32).collect(),
            Self::F32(values) => values,
            Self::F64(values) => values.into_iter().map(|value| value as f32).collect(),
        }
    }
}

/// Reads the values in this range, of `SIZE` bytes each.
fn read_array<const SIZE: usize, T>(
    stream: &mut dyn Read,
    header: &Header,
    range: Range<usize>,
    decode: fn([u8; SIZE]) -> T,
) -> Result<Vec<T>, Failure> {
    let mut values = Vec::new();
    let mut buffer = [0; CHUNK];
    while values.len() < range.len() {
        let n_wanted = SIZE * (range.len() - values.len()).min(CHUNK / SIZE);
        let n_read = read_full(stream, &mut buffer[..n_wanted])?;
        if n_read < n_wanted {
            let found = SIZE * (range.start + values.len()) + n_read;
            return Err(Problem::TruncatedData { header: header.clone(), found }.into());
        }
        let (chunk, _) = buffer[..n_read].as_chunks();
        values.extend(chunk.iter().map(|&bytes| decode(bytes)));
    }
    Ok(values)
}
