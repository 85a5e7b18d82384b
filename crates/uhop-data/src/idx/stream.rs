//! From a reader to the decompressed bytes, telling a failing reader from a damaged gzip stream.

use std::io::{self, Chain, Cursor, Read, Take};

use flate2::read::MultiGzDecoder;

use super::problem::Problem;
use crate::Error;
use crate::bytes::Watched;
pub(super) use crate::bytes::read_full;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why decoding stopped. Whether a failed read is the reader's fault or the gzip stream's is known
/// only to [`Stream`].
pub(super) type Failure = crate::bytes::Failure<Problem>;

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// A reader whose first bytes have been looked at.
type Bytes<R> = Chain<Take<Cursor<[u8; 2]>>, Watched<R>>;

/// The bytes of a reader, decompressed when they start like gzip.
///
/// A gzip file may consist of several members; anything else after the first one is an error.
pub(super) enum Stream<R> {
    Plain(Bytes<R>),
    Gzip(MultiGzDecoder<Bytes<R>>),
}

impl<R: Read> Stream<R> {
    pub(super) fn new(reader: R) -> io::Result<Self> {
        let mut source = Watched { reader, failed: false };
        let mut start = [0; GZIP_MAGIC.len()];
        let n_read = read_full(&mut source, &mut start)?;
        let bytes = Cursor::new(start).take(n_read as u64).chain(source);
        Ok(match start {
            GZIP_MAGIC => Self::Gzip(MultiGzDecoder::new(bytes)),
            _ => Self::Plain(bytes),
        })
    }

    /// The failure of something that has read from here.
    pub(super) fn error(&self, failure: Failure) -> Error {
        match (failure, self) {
            (Failure::Problem(problem), _) => Error::format(problem),
            (Failure::Read(error), Self::Gzip(decoder))
                if !decoder.get_ref().get_ref().1.failed =>
            {
                Error::format(Problem::Gzip { detail: error.to_string() })
            }
            (Failure::Read(error), _) => Error::io(error),
        }
    }
}

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(bytes) => bytes.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
        }
    }
}
