//! Ids of stored patterns: integers or names, no two alike.

use std::collections::HashSet;

use safetensors::Dtype;

use super::tensors::{Stored, Tensor};
use crate::error::{Error, Result};

/// An id for each stored pattern, no two alike: all integers or all names.
///
/// ```
/// use uhop::saved::Ids;
///
/// let ids = Ids::names(vec!["ada".into(), "bob".into()])?;
/// assert_eq!((ids.len(), ids.get(1).as_deref()), (2, Some("bob")));
/// assert!(Ids::numbers(vec![3, 3]).unwrap_err().to_string().contains("id 3"));
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Ids(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Numbers(Vec<i64>),
    Names(Vec<String>),
}

const IDS: &str = "ids";
const ENDS: &str = "ids.ends";

impl Ids {
    /// Integer ids.
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) when an id occurs twice.
    pub fn numbers(ids: Vec<i64>) -> Result<Self> {
        distinct(&ids)?;
        Ok(Self(Kind::Numbers(ids)))
    }

    /// Names as ids.
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) when a name occurs twice.
    pub fn names(ids: Vec<String>) -> Result<Self> {
        distinct(&ids)?;
        Ok(Self(Kind::Names(ids)))
    }

    /// The number of ids.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kind::Numbers(ids) => ids.len(),
            Kind::Names(ids) => ids.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of pattern `index`, as text; `None` past the end.
    pub fn get(&self, index: usize) -> Option<String> {
        match &self.0 {
            Kind::Numbers(ids) => ids.get(index).map(i64::to_string),
            Kind::Names(ids) => ids.get(index).cloned(),
        }
    }

    /// Integers as one tensor; names as their bytes joined and where each ends.
    pub(super) fn store(&self) -> Vec<(&'static str, Tensor<'static>)> {
        let numbers = |name, numbers: &[i64]| {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            let shape = vec![numbers.len()];
            (name, Tensor { dtype: Dtype::I64, shape, bytes: bytes.into() })
        };
        match &self.0 {
            Kind::Numbers(ids) => vec![numbers(IDS, ids)],
            Kind::Names(ids) => {
                let bytes = ids.concat().into_bytes();
                let ends = ids.iter().scan(0, |end, id| {
                    *end += id.len() as i64;
                    Some(*end)
                });
                let ends: Vec<i64> = ends.collect();
                let shape = vec![bytes.len()];
                let text = Tensor { dtype: Dtype::U8, shape, bytes: bytes.into() };
                vec![(IDS, text), numbers(ENDS, &ends)]
            }
        }
    }

    pub(super) fn take(stored: &mut Stored<'_>) -> Result<Option<Self>> {
        if !stored.has(IDS) {
            return Ok(None);
        }
        let ids = stored.take(IDS)?;
        match ids.dtype {
            Dtype::I64 => Self::numbers(integers(IDS, &ids)?).map(Some),
            Dtype::U8 => {
                let ends = integers(ENDS, &stored.take(ENDS)?)?;
                Self::names(split(&ids.bytes, &ends)?).map(Some)
            }
            other => Err(Error::malformed(format!(
                "tensor `{IDS}` is {other:?}; it must be I64, or U8 with `{ENDS}`"
            ))),
        }
    }
}

fn distinct<I: std::hash::Hash + Eq + std::fmt::Display>(ids: &[I]) -> Result<()> {
    let mut seen = HashSet::with_capacity(ids.len());
    match ids.iter().find(|id| !seen.insert(*id)) {
        None => Ok(()),
        Some(id) => {
            let what = format!("given twice (id {id})");
            Err(Error::domain("ids", "an id", what, "different from every other"))
        }
    }
}

fn integers(name: &str, tensor: &Tensor<'_>) -> Result<Vec<i64>> {
    if tensor.dtype != Dtype::I64 || tensor.shape.len() != 1 {
        return Err(Error::malformed(format!(
            "tensor `{name}` is {:?} of shape {:?}; it must be a row of I64",
            tensor.dtype, tensor.shape,
        )));
    }
    let (numbers, _) = tensor.bytes.as_chunks();
    Ok(numbers.iter().map(|&number| i64::from_le_bytes(number)).collect())
}

/// The names whose bytes are joined in `text`, each ending where `ends` says.
fn split(text: &[u8], ends: &[i64]) -> Result<Vec<String>> {
    let wrong = || Error::malformed(format!("tensors `{IDS}` and `{ENDS}` do not make names"));
    let mut start = 0;
    let mut names = Vec::with_capacity(ends.len());
    for &end in ends {
        let end = usize::try_from(end).map_err(|_| wrong())?;
        let bytes = text.get(start..end).ok_or_else(wrong)?;
        names.push(std::str::from_utf8(bytes).map_err(|_| wrong())?.to_owned());
        start = end;
    }
    if start == text.len() { Ok(names) } else { Err(wrong()) }
}
