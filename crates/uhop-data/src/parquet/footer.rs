//! The description at the end of a file, checked before the decoder builds anything from it.

use std::io::{self, SeekFrom};

use ::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::compact::{Compact, INTEGER, LIST, STRUCT};
use super::contain::contained;
use super::problem::Problem;
use super::records::ReadSeek;
use super::{Failure, damaged};

const MAGIC: [u8; 4] = *b"PAR1";

/// Magic bytes, and in front of them the length of the description.
const N_TAIL: u64 = 8;

const MAX_FOOTER: u64 = 1 << 24;

/// Groups inside each other: the decoder descends into each, on the stack.
const MAX_DEPTH: usize = 32;

/// Reads the description of a file of `n_file` bytes.
pub(super) fn read(file: &mut dyn ReadSeek, n_file: u64) -> Result<ParquetMetaData, Failure> {
    if n_file < MAGIC.len() as u64 + N_TAIL {
        return Err(Problem::Magic.into());
    }
    let (mut start, mut tail) = ([0; MAGIC.len()], [0; N_TAIL as usize]);
    file.rewind()?;
    file.read_exact(&mut start)?;
    file.seek(SeekFrom::Start(n_file - N_TAIL))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, end @ ..] = tail;
    if start != MAGIC || end != MAGIC {
        return Err(Problem::Magic.into());
    }
    let n_footer = u64::from(u32::from_le_bytes([a, b, c, d]));
    let limit = MAX_FOOTER.min(n_file - N_TAIL - MAGIC.len() as u64);
    if n_footer > limit {
        return Err(Problem::FooterSize { found: n_footer, limit }.into());
    }
    file.seek(SeekFrom::Start(n_file - N_TAIL - n_footer))?;
    let mut footer = vec![0; usize::try_from(n_footer).map_err(io::Error::other)?];
    file.read_exact(&mut footer)?;
    if check(&footer).is_none() {
        return Err(damaged("its footer is not one"));
    }
    contained(|| ParquetMetaDataReader::decode_metadata(&footer))
        .ok_or_else(|| damaged("its footer contradicts itself"))?
        .map_err(Failure::from)
}

/// Walks over the whole description; nothing when it is damaged or its schema is not a tree.
fn check(footer: &[u8]) -> Option<()> {
    Compact::new(footer).fields(|value, number, kind| {
        if (number, kind) != (2, LIST) {
            return value.skip(kind);
        }
        let (kind, n_elements) = value.list()?;
        if kind != STRUCT {
            return None;
        }
        // Children still to come of each group that is open.
        let mut open: Vec<usize> = vec![1];
        for i in 0..n_elements {
            let mut n_children = 0;
            value.fields(|value, number, kind| match (number, kind) {
                (5, INTEGER) => {
                    n_children = usize::try_from(value.integer()?).ok()?;
                    Some(())
                }
                _ => value.skip(kind),
            })?;
            while open.last() == Some(&0) {
                open.pop();
            }
            *open.last_mut()? -= 1;
            open.push(n_children);
            if n_children > n_elements - i || open.len() > MAX_DEPTH {
                return None;
            }
        }
        open.iter().all(|&n| n == 0).then_some(())
    })
}
