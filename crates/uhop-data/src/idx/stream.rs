//! From a reader to the decompressed bytes, telling a failing reader from a damaged gzip stream.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::problem::Problem;
use crate::bytes::Watched;
pub(super) use crate::bytes::read_full;
use crate::{Error, Result};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why decoding stopped. Whether a failed read is the reader's fault or the gzip stream's is known
/// only to [`decompressed`].
pub(super) type Failure = crate::bytes::Failure<Problem>;

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Runs `decode` on the bytes of `reader`, decompressed when they start like gzip.
///
/// A gzip file may consist of several members; anything else after the first one is an error.
pub(super) fn decompressed<R, T, F>(reader: R, decode: F) -> Result<T>
where
    R: Read,
    F: FnOnce(&mut dyn Read) -> Result<T, Failure>,
{
    let mut source = Watched { reader, failed: false };
    let mut start = [0; GZIP_MAGIC.len()];
    let n_read = read_full(&mut source, &mut start).map_err(Error::io)?;
    let is_gzip = start == GZIP_MAGIC;

    let mut bytes = start[..n_read].chain(&mut source);
    let outcome =
        if is_gzip { decode(&mut MultiGzDecoder::new(bytes)) } else { decode(&mut bytes) };

    outcome.map_err(|failure| match failure {
        Failure::Problem(problem) => Error::format(problem),
        Failure::Read(error) if is_gzip && !source.failed => {
            Error::format(Problem::Gzip { detail: error.to_string() })
        }
        Failure::Read(error) => Error::io(error),
    })
}
