//! What stands before a page.

use ::parquet::basic::Encoding;

use super::compact::{Compact, INTEGER, STRUCT};
use super::problem::Problem;

/// Sizes and kind of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageHeader {
    pub(super) n_inflated: usize,
    pub(super) n_packed: usize,
    pub(super) page: PageKind,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum PageKind {
    Dictionary {
        n_values: u32,
    },
    Data {
        n_values: u32,
        encoding: i32,
        repetition: i32,
        definition: i32,
    },
    DataV2(DataV2),
    /// An index, which is passed over.
    Other,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct DataV2 {
    pub(super) n_values: u32,
    pub(super) n_nulls: u32,
    pub(super) n_rows: u32,
    pub(super) encoding: i32,
    pub(super) n_definition: u32,
    pub(super) n_repetition: u32,
    pub(super) is_packed: bool,
}

/// The integers of a struct by their numbers, the largest of which is 7; 0 when absent.
type Fields = [i32; 8];

impl PageHeader {
    /// The header at the start of `bytes` and its length, or nothing when it is damaged or longer.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut compact = Compact::new(bytes);
        let mut own = Fields::default();
        let (mut data, mut dictionary, mut data_v2) = (None, None, None);
        compact.fields(|value, number, kind| {
            match (number, kind) {
                (5, STRUCT) => data = Some(fields(value)?),
                (7, STRUCT) => dictionary = Some(fields(value)?),
                (8, STRUCT) => data_v2 = Some(fields(value)?),
                (1..=3, INTEGER) => own[number as usize] = value.integer()?,
                _ => value.skip(kind)?,
            }
            Some(())
        })?;
        let size = |value: i32| u32::try_from(value).ok();
        let page = match (own[1], data, dictionary, data_v2) {
            (0, Some([_, n_values, encoding, definition, repetition, ..]), _, _) => {
                PageKind::Data { n_values: size(n_values)?, encoding, repetition, definition }
            }
            (2, _, Some([_, n_values, ..]), _) => {
                PageKind::Dictionary { n_values: size(n_values)? }
            }
            (3, _, _, Some([_, n_values, n_nulls, n_rows, encoding, def, rep, unpacked])) => {
                PageKind::DataV2(DataV2 {
                    n_values: size(n_values)?,
                    n_nulls: size(n_nulls)?,
                    n_rows: size(n_rows)?,
                    encoding,
                    n_definition: size(def)?,
                    n_repetition: size(rep)?,
                    is_packed: unpacked == 0,
                })
            }
            (1, ..) => PageKind::Other,
            _ => return None,
        };
        let [_, _, n_inflated, n_packed, ..] = own.map(|value| usize::try_from(value).ok());
        let header = Self { n_inflated: n_inflated?, n_packed: n_packed?, page };
        Some((header, compact.position()))
    }
}

/// The integers of a struct. A boolean counts as 1 when it is false, so that absent means true.
fn fields(compact: &mut Compact<'_>) -> Option<Fields> {
    let mut fields = Fields::default();
    compact.fields(|value, number, kind| {
        match (number, kind) {
            (1..=7, INTEGER) => fields[number as usize] = value.integer()?,
            (1..=7, 2) => fields[number as usize] = 1,
            _ => value.skip(kind)?,
        }
        Some(())
    })?;
    Some(fields)
}

/// The encodings of values that are read. The others declare sizes inside the data, where they cannot
/// be compared with anything before memory is taken for them.
pub(super) fn encoding(code: i32) -> Result<Encoding, Problem> {
    match code {
        0 => Ok(Encoding::PLAIN),
        2 | 8 => Ok(Encoding::RLE_DICTIONARY),
        9 => Ok(Encoding::BYTE_STREAM_SPLIT),
        _ => Err(Problem::Encoding { code }),
    }
}
