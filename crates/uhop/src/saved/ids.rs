//! Ids of stored patterns: integers or names, no two alike.

use std::collections::{HashMap, HashSet};

use safetensors::Dtype;

use super::tensors::{Stored, Tensor, integer_tensor, integers};
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

    /// Whether they are names.
    pub fn are_names(&self) -> bool {
        matches!(self.0, Kind::Names(_))
    }

    /// The positions of the patterns with these ids, in ascending order.
    ///
    /// ```
    /// use uhop::saved::Ids;
    ///
    /// let ids = Ids::numbers(vec![30, 10, 20])?;
    /// assert_eq!(ids.positions(&["20", "30"])?, [0, 2]);
    /// assert!(ids.positions(&["40"]).unwrap_err().to_string().contains("40"));
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](Error::is_out_of_domain) for an id that is not there, given twice or empty.
    pub fn positions(&self, ids: &[impl AsRef<str>]) -> Result<Vec<usize>> {
        let mut at: HashMap<String, usize> =
            (0..self.len()).filter_map(|index| Some((self.get(index)?, index))).collect();
        let mut given = HashSet::with_capacity(ids.len());
        let position = |id: &str| {
            let is_new = given.insert(id.to_owned());
            // Removed, so that a second one is not found again.
            at.remove(id).ok_or_else(|| match (is_new, id) {
                (false, _) => Error::domain("ids", "an id", twice(id), "given once"),
                (true, "") => Error::domain("ids", "an id", "empty", "one of the memory's"),
                (true, _) => {
                    let unknown = format!("unknown to the memory (id {id})");
                    Error::domain("ids", "an id", unknown, "one of the memory's")
                }
            })
        };
        let mut positions: Vec<usize> =
            ids.iter().map(AsRef::as_ref).map(position).collect::<Result<_>>()?;
        positions.sort_unstable();
        Ok(positions)
    }

    /// The ids of the pieces, in this order: each names a piece and a position in it.
    ///
    /// # Errors
    /// As for ids given together; and when some are integers and some are names.
    pub(super) fn gather(pieces: &[&Self], order: &[(usize, usize)]) -> Result<Self> {
        let mixed = || {
            let have = "integers in one and names in the other";
            Error::domain("ids", "their kind", have, "the same for added and stored patterns")
        };
        if matches!(pieces.first(), Some(Self(Kind::Numbers(_)))) {
            let pick = |&(piece, index): &(usize, usize)| match &pieces[piece].0 {
                Kind::Numbers(ids) => Ok(ids[index]),
                Kind::Names(_) => Err(mixed()),
            };
            Self::numbers(order.iter().map(pick).collect::<Result<_>>()?)
        } else {
            let pick = |&(piece, index): &(usize, usize)| match &pieces[piece].0 {
                Kind::Names(ids) => Ok(ids[index].clone()),
                Kind::Numbers(_) => Err(mixed()),
            };
            Self::names(order.iter().map(pick).collect::<Result<_>>()?)
        }
    }

    /// Integers as one tensor; names as their bytes joined and where each ends.
    pub(super) fn store(&self) -> Vec<(&'static str, Tensor<'static>)> {
        match &self.0 {
            Kind::Numbers(ids) => vec![(IDS, integer_tensor(ids))],
            Kind::Names(ids) => {
                let bytes = ids.concat().into_bytes();
                let ends = ids.iter().scan(0, |end, id| {
                    *end += id.len() as i64;
                    Some(*end)
                });
                let ends: Vec<i64> = ends.collect();
                let shape = vec![bytes.len()];
                let text = Tensor { dtype: Dtype::U8, shape, bytes: bytes.into() };
                vec![(IDS, text), (ENDS, integer_tensor(&ends))]
            }
        }
    }

    pub(super) fn take(stored: &mut Stored) -> Result<Option<Self>> {
        if !stored.has(IDS) {
            return Ok(None);
        }
        match stored.dtype(IDS)? {
            Dtype::I64 => Self::numbers(integers(IDS, &stored.take(IDS)?)?).map(Some),
            Dtype::U8 => {
                let ends = integers(ENDS, &stored.take(ENDS)?)?;
                Self::names(split(&stored.take(IDS)?.bytes, &ends)?).map(Some)
            }
            other => Err(Error::malformed(format!(
                "tensor `{IDS}` is {other:?}; it must be I64, or U8 with `{ENDS}`"
            ))),
        }
    }
}

fn twice(id: impl std::fmt::Display) -> String {
    format!("there twice (id {id})")
}

fn distinct<I: std::hash::Hash + Eq + std::fmt::Display>(ids: &[I]) -> Result<()> {
    let mut seen = HashSet::with_capacity(ids.len());
    match ids.iter().find(|id| !seen.insert(*id)) {
        None => Ok(()),
        Some(id) => {
            let domain = "different from every other, stored or added";
            Err(Error::domain("ids", "an id", twice(id), domain))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each with words of its own.
    #[test]
    fn ids_that_name_no_pattern_are_told_apart() {
        let ids = Ids::names(vec!["ada".into(), "bob".into()]).unwrap();
        for (asked, said) in [
            (["ada", "ada"], "an id is there twice (id ada); it must be given once"),
            (["ada", ""], "an id is empty; it must be one of the memory's"),
            (
                ["eve", "bob"],
                "an id is unknown to the memory (id eve); it must be one of the memory's",
            ),
            (["eve", "eve"], "an id is unknown to the memory (id eve)"),
        ] {
            let error = ids.positions(&asked).unwrap_err();
            assert!(error.is_out_of_domain() && error.to_string().contains(said), "{error}");
        }
        let with_empty = Ids::names(vec![String::new()]).unwrap();
        assert_eq!(with_empty.positions(&[""]).unwrap(), [0]);
    }
}
