//! Arrays as the binary formats store them, and their way to and from a [`Matrix`].

use std::fmt;
use std::io::{self, Read, Write};

use ndarray::{Array2, ArrayD, ArrayView2, IxDyn, ShapeBuilder};

use crate::bytes::read_full;
use crate::{Element, Matrix};

/// Bytes read or written at a time; a multiple of every element size. Without `reserve`, memory
/// grows with the data that arrive, whatever a header says.
const CHUNK: usize = 1 << 16;

/// More dimensions than numpy allows.
const MAX_RANK: usize = 64;

/// The element types the formats may store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    Bf16,
    F32,
    F64,
}

/// A declared array that has been checked: rank at least 1, no size zero, addressable data.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    stored: Stored,
    big_endian: bool,
    /// First dimension fastest, where that makes a difference.
    fortran: bool,
    shape: Vec<usize>,
    pub(crate) n_rows: usize,
    pub(crate) dim: usize,
    pub(crate) n_bytes: u64,
}

/// Why a declared shape is not a matrix.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShapeProblem {
    #[error(
        "the array has rank {rank}, expected 1 (one row) to {MAX_RANK} (rows of all but the first \
         dimension); reshape it to [n, dim]"
    )]
    Rank { rank: usize },
    #[error("the array has the shape {shape:?}: expected at least one row and one column")]
    Empty { shape: Vec<u64> },
    #[error(
        "the header declares the shape {shape:?}, more than this machine can address; \
         it is probably damaged"
    )]
    TooLarge { shape: Vec<u64> },
}

/// Why reading values stopped.
pub(crate) enum Failure {
    Read(io::Error),
    /// After this many bytes of the data.
    EndsEarly(u64),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl Layout {
    pub(crate) fn new(
        stored: Stored,
        big_endian: bool,
        fortran: bool,
        shape: &[u64],
    ) -> Result<Self, ShapeProblem> {
        if !(1..=MAX_RANK).contains(&shape.len()) {
            return Err(ShapeProblem::Rank { rank: shape.len() });
        }
        if shape.contains(&0) {
            return Err(ShapeProblem::Empty { shape: shape.to_vec() });
        }
        let too_large = || ShapeProblem::TooLarge { shape: shape.to_vec() };
        let sizes: Vec<usize> = shape
            .iter()
            .map(|&size| usize::try_from(size).ok())
            .collect::<Option<_>>()
            .ok_or_else(too_large)?;
        let product = |sizes: &[usize]| {
            sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size))
        };
        let (n_rows, dim) = match &sizes[..] {
            [dim] => (1, Some(*dim)),
            [n_rows, sizes @ ..] => (*n_rows, product(sizes)),
            [] => (0, None),
        };
        let dim = dim.ok_or_else(too_large)?;
        // Decoded, the largest value takes 8 bytes.
        let addressable = n_rows
            .checked_mul(dim)
            .filter(|&n| n.checked_mul(8).is_some_and(|n| isize::try_from(n).is_ok()));
        let n_bytes = addressable.ok_or_else(too_large)? as u64 * stored.size() as u64;
        let fortran = fortran && sizes.iter().filter(|&&size| size > 1).count() > 1;
        Ok(Self { stored, big_endian, fortran, shape: sizes, n_rows, dim, n_bytes })
    }

    /// Whether the rows follow each other in the file.
    pub(crate) fn is_row_major(&self) -> bool {
        !self.fortran
    }

    /// The precision of the decoded values: f32 where it holds every value of the type, or else f64.
    pub(crate) fn element(&self) -> Element {
        match self.stored {
            Stored::Bool
            | Stored::I8
            | Stored::U8
            | Stored::I16
            | Stored::U16
            | Stored::F16
            | Stored::Bf16
            | Stored::F32 => Element::F32,
            Stored::I32 | Stored::U32 | Stored::I64 | Stored::U64 | Stored::F64 => Element::F64,
        }
    }

    /// Reads all values. With `reserve`, the memory is taken at once: only for a caller who has
    /// compared [`n_bytes`](Self::n_bytes) with what there is.
    pub(crate) fn read(&self, stream: &mut dyn Read, reserve: bool) -> Result<Matrix, Failure> {
        Ok(match self.element() {
            Element::F32 => Matrix::F32(self.arrange(self.f32s(stream, self.n_rows, reserve)?)),
            Element::F64 => Matrix::F64(self.arrange(self.f64s(stream, self.n_rows, reserve)?)),
        })
    }

    /// Reads the next `n_rows` rows of an array in row-major order.
    fn read_rows(&self, stream: &mut dyn Read, n_rows: usize) -> Result<Matrix, Failure> {
        Ok(match self.element() {
            Element::F32 => Matrix::F32(rows(n_rows, self.dim, self.f32s(stream, n_rows, false)?)),
            Element::F64 => Matrix::F64(rows(n_rows, self.dim, self.f64s(stream, n_rows, false)?)),
        })
    }

    fn f32s(
        &self,
        stream: &mut dyn Read,
        n_rows: usize,
        reserve: bool,
    ) -> Result<Vec<f32>, Failure> {
        let n = n_rows * self.dim;
        let big = self.big_endian;
        match self.stored {
            Stored::Bool => {
                read_values(stream, n, reserve, |[byte]| f32::from(u8::from(byte != 0)))
            }
            Stored::I8 => read_values(stream, n, reserve, |b| f32::from(i8::from_le_bytes(b))),
            Stored::U8 => read_values(stream, n, reserve, |[byte]| f32::from(byte)),
            Stored::I16 => {
                read_values(stream, n, reserve, |b| f32::from(i16::from_le_bytes(in_order(b, big))))
            }
            Stored::U16 => {
                read_values(stream, n, reserve, |b| f32::from(u16::from_le_bytes(in_order(b, big))))
            }
            Stored::F16 => read_values(stream, n, reserve, |b| {
                half::f16::from_le_bytes(in_order(b, big)).to_f32()
            }),
            Stored::Bf16 => read_values(stream, n, reserve, |b| {
                half::bf16::from_le_bytes(in_order(b, big)).to_f32()
            }),
            _ => read_values(stream, n, reserve, |b| f32::from_le_bytes(in_order(b, big))),
        }
    }

    fn f64s(
        &self,
        stream: &mut dyn Read,
        n_rows: usize,
        reserve: bool,
    ) -> Result<Vec<f64>, Failure> {
        let n = n_rows * self.dim;
        let big = self.big_endian;
        match self.stored {
            Stored::I32 => {
                read_values(stream, n, reserve, |b| f64::from(i32::from_le_bytes(in_order(b, big))))
            }
            Stored::U32 => {
                read_values(stream, n, reserve, |b| f64::from(u32::from_le_bytes(in_order(b, big))))
            }
            // Beyond 2^53 to the nearest f64, as numpy converts them.
            Stored::I64 => {
                read_values(stream, n, reserve, |b| i64::from_le_bytes(in_order(b, big)) as f64)
            }
            Stored::U64 => {
                read_values(stream, n, reserve, |b| u64::from_le_bytes(in_order(b, big)) as f64)
            }
            _ => read_values(stream, n, reserve, |b| f64::from_le_bytes(in_order(b, big))),
        }
    }

    /// All values of the array as rows.
    fn arrange<T: Copy>(&self, values: Vec<T>) -> Array2<T> {
        if !self.fortran {
            return rows(self.n_rows, self.dim, values);
        }
        let array = ArrayD::from_shape_vec(IxDyn(&self.shape).f(), values)
            .expect("the reader took as many values as the shape declares");
        // In logical order, last index fastest, which is that of the flattened rows.
        rows(self.n_rows, self.dim, array.iter().copied().collect())
    }
}

/// The rows of an array in row-major order that have not been read yet.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) layout: Layout,
    n_left: usize,
}

impl Unread {
    pub(crate) fn new(layout: Layout) -> Self {
        debug_assert!(layout.is_row_major());
        Self { n_left: layout.n_rows, layout }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.n_left == 0
    }

    /// Reads the next rows, at most `max_rows` (0 counts as 1), or nothing after the last ones. A
    /// failure ends the reading.
    pub(crate) fn next(
        &mut self,
        stream: &mut dyn Read,
        max_rows: usize,
    ) -> Result<Option<Matrix>, Failure> {
        if self.is_empty() {
            return Ok(None);
        }
        let n_rows = self.n_left.min(max_rows.max(1));
        let n_done = self.layout.n_rows - self.n_left;
        let n_left = std::mem::take(&mut self.n_left) - n_rows;
        let batch = self.layout.read_rows(stream, n_rows).map_err(|failure| match failure {
            Failure::EndsEarly(found) => {
                // Exact, as the layout has been checked to be addressable.
                let row = self.layout.n_bytes / self.layout.n_rows as u64;
                Failure::EndsEarly(row * n_done as u64 + found)
            }
            read => read,
        })?;
        self.n_left = n_left;
        Ok(Some(batch))
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stored = match self.stored {
            Stored::Bool => "booleans",
            Stored::I8 => "i8",
            Stored::U8 => "u8",
            Stored::I16 => "i16",
            Stored::U16 => "u16",
            Stored::I32 => "i32",
            Stored::U32 => "u32",
            Stored::I64 => "i64",
            Stored::U64 => "u64",
            Stored::F16 => "f16",
            Stored::Bf16 => "bf16",
            Stored::F32 => "f32",
            Stored::F64 => "f64",
        };
        write!(f, "{stored} of shape {:?}", self.shape)
    }
}

impl Stored {
    /// Bytes per value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// The bytes of a value in little-endian order.
fn in_order<const SIZE: usize>(mut bytes: [u8; SIZE], big_endian: bool) -> [u8; SIZE] {
    if big_endian {
        bytes.reverse();
    }
    bytes
}

fn rows<T>(n_rows: usize, dim: usize, values: Vec<T>) -> Array2<T> {
    Array2::from_shape_vec((n_rows, dim), values)
        .expect("the reader took as many values as the shape declares")
}

fn read_values<const SIZE: usize, T>(
    stream: &mut dyn Read,
    n_values: usize,
    reserve: bool,
    decode: impl Fn([u8; SIZE]) -> T,
) -> Result<Vec<T>, Failure> {
    let mut values = Vec::new();
    if reserve {
        values
            .try_reserve_exact(n_values)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    }
    let mut buffer = [0; CHUNK];
    while values.len() < n_values {
        let n_wanted = SIZE * (n_values - values.len()).min(CHUNK / SIZE);
        let n_read = read_full(stream, &mut buffer[..n_wanted])?;
        if n_read < n_wanted {
            return Err(Failure::EndsEarly((SIZE * values.len() + n_read) as u64));
        }
        let (chunk, _) = buffer[..n_read].as_chunks();
        values.extend(chunk.iter().map(|&bytes| decode(bytes)));
    }
    Ok(values)
}

/// Writes the values row by row, little-endian, in large blocks.
pub(crate) fn write_values(writer: &mut dyn Write, matrix: &Matrix) -> io::Result<()> {
    match matrix {
        Matrix::F32(rows) => write_rows(writer, rows.view(), f32::to_le_bytes),
        Matrix::F64(rows) => write_rows(writer, rows.view(), f64::to_le_bytes),
    }
}

fn write_rows<const SIZE: usize, T: Copy>(
    writer: &mut dyn Write,
    rows: ArrayView2<'_, T>,
    encode: fn(T) -> [u8; SIZE],
) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(CHUNK.min(SIZE * rows.len()));
    for &value in rows {
        buffer.extend(encode(value));
        if buffer.len() == CHUNK {
            writer.write_all(&buffer)?;
            buffer.clear();
        }
    }
    writer.write_all(&buffer)
}
