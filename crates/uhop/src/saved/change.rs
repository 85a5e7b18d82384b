//! Changes of a saved memory: patterns added, patterns removed, as bytes for a journal.
//!
//! A change is a small safetensors file of its own, specified in `docs/memory-format.md`. Its bytes
//! carry no checksums: the journal that keeps them has its own.

use std::collections::HashMap;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::ids::Ids;
use super::tensors::{Stored, StoredTensor, cannot, entry, integer_tensor, integers, matrix};
use super::{Learning, PATTERNS, SavedMemory, VALUES};
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::model::Model;
use crate::patterns::Patterns;
use crate::similarity::Similarity;
use crate::stage1::whiten;

/// The name of the metadata entry that makes a safetensors file a change.
const ENTRY: &str = "uhop_change";
const ROWS: &str = "rows";
/// The version this program writes, and the latest it reads.
const VERSION: u64 = 1;

/// What happens to a [`SavedMemory`] after it was written: patterns are added or removed.
///
/// The feature map stays as it was learned, but for that of [whitening](super::Learning::Whitening), which is
/// made anew from the patterns that are there then.
///
/// ```
/// use ndarray::array;
/// use uhop::saved::{Change, SavedMemory};
/// use uhop::{Memory, Model, Patterns};
///
/// let patterns = Patterns::new(array![[1.0, 0.0], [0.0, 1.0]])?;
/// let saved = SavedMemory::new(Memory::new(patterns, Model::sparse(2.0)?)?);
/// let add = Change::add(Patterns::new(array![[1.0, 1.0]])?);
/// let changed = saved.with_changes(&[add, Change::remove(vec![0])])?;
/// assert_eq!(changed.memory().patterns().view(), array![[0.0, 1.0], [1.0, 1.0]]);
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Change<T>(Kind<T>);

#[derive(Debug, Clone, PartialEq)]
enum Kind<T> {
    Add { patterns: Patterns<T>, values: Option<Patterns<T>>, ids: Option<Ids> },
    Remove { rows: Vec<usize> },
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tag {
    Add,
    Remove,
}

/// The entry in the metadata.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: u64,
    change: Tag,
}

impl<T: StoredTensor> Change<T> {
    /// Patterns behind those that are there.
    pub fn add(patterns: Patterns<T>) -> Self {
        Self(Kind::Add { patterns, values: None, ids: None })
    }

    /// With a value for each added pattern, for a memory that has values. Without effect on a
    /// removal.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) unless there are as many values as patterns.
    pub fn with_values(self, added: Patterns<T>) -> Result<Self> {
        match self.0 {
            Kind::Add { patterns, ids, .. } => {
                must_be_as_many("the values", added.view().shape(), &patterns)?;
                Ok(Self(Kind::Add { patterns, values: Some(added), ids }))
            }
            Kind::Remove { .. } => Ok(self),
        }
    }

    /// With an id for each added pattern, for a memory that has ids. Without effect on a removal.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) unless there are as many ids as patterns.
    pub fn with_ids(self, added: Ids) -> Result<Self> {
        match self.0 {
            Kind::Add { patterns, values, .. } => {
                must_be_as_many("the ids", &[added.len()], &patterns)?;
                Ok(Self(Kind::Add { patterns, values, ids: Some(added) }))
            }
            Kind::Remove { .. } => Ok(self),
        }
    }

    /// The patterns at these positions are gone; those behind them move up. Positions count from 0
    /// in the memory as it is before the change, and may be in any order.
    pub fn remove(mut rows: Vec<usize>) -> Self {
        rows.sort_unstable();
        rows.dedup();
        Self(Kind::Remove { rows })
    }

    /// The change as a record for a journal.
    ///
    /// ```
    /// use uhop::saved::Change;
    ///
    /// let change = Change::<f32>::remove(vec![3, 1]);
    /// assert_eq!(Change::from_bytes(change.to_bytes()?)?, change);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_malformed`](Error::is_malformed) when safetensors cannot hold it.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (change, tensors) = match &self.0 {
            Kind::Add { patterns, values, ids } => {
                let mut tensors = vec![(PATTERNS, matrix(patterns.view()))];
                tensors.extend(values.iter().map(|values| (VALUES, matrix(values.view()))));
                tensors.extend(ids.iter().flat_map(|ids| ids.store()));
                (Tag::Add, tensors)
            }
            Kind::Remove { rows } => {
                let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
                (Tag::Remove, vec![(ROWS, integer_tensor(&rows))])
            }
        };
        let description = serde_json::to_string(&Description { version: VERSION, change })
            .map_err(|error| Error::malformed(format!("cannot describe a change: {error}")))?;
        let metadata = HashMap::from([(ENTRY.to_owned(), description)]);
        safetensors::serialize(tensors, Some(metadata)).map_err(|error| cannot("write", &error))
    }

    /// Reads a record of a journal.
    ///
    /// ```
    /// assert!(uhop::saved::Change::<f64>::from_bytes(vec![0; 8]).unwrap_err().is_malformed());
    /// ```
    ///
    /// # Errors
    /// [`is_malformed`](Error::is_malformed) when the bytes are not a change of a memory of `T`, or
    /// were written by a newer format; otherwise whatever the constructors of the parts refuse.
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self> {
        let json = entry(bytes.as_ref(), ENTRY)?
            .ok_or_else(|| Error::malformed(format!("a change has no `{ENTRY}` entry")))?;
        let Description { version, change } = serde_json::from_str(&json)
            .map_err(|error| Error::malformed(format!("a change cannot be read: {error}")))?;
        if version != VERSION {
            return Err(Error::malformed(format!(
                "a change is of format version {version} and this program reads version \
                 {VERSION}; use a newer uhop"
            )));
        }
        let mut stored = Stored::of(Arc::new(bytes))?;
        let read = match change {
            Tag::Add => {
                let mut add = Self::add(stored.take_rows(PATTERNS)?);
                if stored.has(VALUES) {
                    add = add.with_values(stored.take_rows(VALUES)?)?;
                }
                match Ids::take(&mut stored)? {
                    Some(ids) => add.with_ids(ids)?,
                    None => add,
                }
            }
            Tag::Remove => {
                let rows = integers(ROWS, &stored.take(ROWS)?)?;
                let rows = rows.into_iter().map(usize::try_from).collect::<Result<_, _>>();
                Self::remove(rows.map_err(|_| {
                    Error::malformed("a change removes a row before the first".to_owned())
                })?)
            }
        };
        stored.nothing_left()?;
        Ok(read)
    }
}

impl<T: StoredTensor> SavedMemory<T> {
    /// The memory after these changes, one after the other. The model and the records of how it
    /// was learned and chosen stay; a map by whitening is made anew, once, and is bit for bit the one that
    /// [`whiten`] makes of the patterns that are left.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) when added rows have another `dim`;
    /// [`is_out_of_domain`](Error::is_out_of_domain) when values or ids are given and the memory has
    /// none, or the other way round, when an id would occur twice, or a position to remove is not
    /// there, or top-k needs more patterns than remain; [`is_unsupported`](Error::is_unsupported) when
    /// patterns are added to a memory with a bias for each, or those left cannot be whitened; [`is_empty`](Error::is_empty) when no
    /// pattern would be left.
    pub fn with_changes(self, changes: &[Change<T>]) -> Result<Self> {
        if changes.is_empty() {
            return Ok(self);
        }
        let Self { memory, ids, learning, decision } = self;
        let values = (!memory.is_auto_associative()).then(|| memory.values().clone());
        let mut patterns = vec![memory.patterns().view()];
        let mut all_values: Vec<_> = values.iter().map(Patterns::view).collect();
        let mut all_ids: Vec<_> = ids.iter().collect();
        // Each pattern that is there: a piece, the first or an added one, and a row of it.
        let mut order: Vec<(usize, usize)> =
            (0..memory.patterns().n_patterns()).map(|row| (0, row)).collect();
        for Change(change) in changes {
            match change {
                Kind::Add { patterns: added, values: added_values, ids: added_ids } => {
                    must_have("values", values.is_some(), added_values.is_some())?;
                    must_have("ids", ids.is_some(), added_ids.is_some())?;
                    must_be_as_wide("the added patterns", added, patterns[0])?;
                    order.extend((0..added.n_patterns()).map(|row| (patterns.len(), row)));
                    patterns.push(added.view());
                    if let Some(added) = added_values {
                        must_be_as_wide("the added values", added, all_values[0])?;
                        all_values.push(added.view());
                    }
                    all_ids.extend(added_ids);
                }
                Kind::Remove { rows } => remove(&mut order, rows)?,
            }
        }
        let all = Patterns::new(gather(&patterns, &order))?;
        let model = match (memory.model().similarity(), &learning) {
            // Only a square map is one of whitening, and no larger than the one there is.
            (Similarity::Kernel(map), Some(Learning::Whitening { ridge }))
                if map.dim_features() == map.dim() =>
            {
                memory.model().clone().with_feature_map(whiten(&all, *ridge)?)
            }
            _ => model_of(memory.model(), &order)?,
        };
        let mut changed = Memory::new(all, model)?;
        if values.is_some() {
            changed = changed.with_values(Patterns::new(gather(&all_values, &order))?)?;
        }
        let ids = match all_ids.is_empty() {
            true => None,
            false => Some(Ids::gather(&all_ids, &order)?),
        };
        Ok(Self { memory: changed, ids, learning, decision })
    }
}

/// The model for patterns in this order: a bias goes with its pattern.
fn model_of<T: StoredTensor>(model: &Model<T>, order: &[(usize, usize)]) -> Result<Model<T>> {
    let Similarity::Asymmetric(map) = model.similarity() else { return Ok(model.clone()) };
    let Some(bias) = map.bias() else { return Ok(model.clone()) };
    if order.iter().any(|&(piece, _)| piece > 0) {
        let reason = "the memory has a bias for each pattern, which added ones have not; fit it again \
                      with all patterns";
        return Err(Error::unsupported("add", reason.to_owned()));
    }
    let bias = order.iter().map(|&(_, row)| bias[row]).collect();
    let map = map.clone().with_bias(bias)?;
    Ok(model.clone().with_similarity(Similarity::Asymmetric(map)))
}

/// Removes the elements at these ascending positions.
fn remove(order: &mut Vec<(usize, usize)>, rows: &[usize]) -> Result<()> {
    if let Some(row) = rows.last().filter(|&&row| row >= order.len()) {
        let domain = format!("from 0 to {}, the patterns stored", order.len() - 1);
        return Err(Error::domain("remove", "a row", row, domain));
    }
    if rows.len() == order.len() {
        let need = "at least one pattern must be left";
        return Err(Error::empty("remove", "the memory that is left", &[0], need));
    }
    let mut at = 0;
    let mut rows = rows.iter().peekable();
    order.retain(|_| {
        at += 1;
        rows.next_if(|&&row| row == at - 1).is_none()
    });
    Ok(())
}

/// The rows of the pieces, in this order.
fn gather<T: StoredTensor>(pieces: &[ArrayView2<'_, T>], order: &[(usize, usize)]) -> Array2<T> {
    let mut rows = Array2::zeros((order.len(), pieces[0].ncols()));
    for (mut row, &(piece, index)) in rows.axis_iter_mut(Axis(0)).zip(order) {
        row.assign(&pieces[piece].row(index));
    }
    rows
}

fn must_be_as_many<T: StoredTensor>(
    what: &'static str,
    shape: &[usize],
    patterns: &Patterns<T>,
) -> Result<()> {
    if shape[0] == patterns.n_patterns() {
        return Ok(());
    }
    let patterns = patterns.view();
    let patterns = ("the added patterns", patterns.shape());
    let rule = "there must be one for each added pattern (row)";
    Err(Error::shape("add", (what, shape), patterns, rule))
}

fn must_be_as_wide<T: StoredTensor>(
    what: &'static str,
    added: &Patterns<T>,
    stored: ArrayView2<'_, T>,
) -> Result<()> {
    if added.dim() == stored.ncols() {
        return Ok(());
    }
    let stored = ("those stored", stored.shape());
    let added = added.view();
    Err(Error::shape("add", (what, added.shape()), stored, "both need as many columns"))
}

fn must_have(what: &'static str, stored: bool, added: bool) -> Result<()> {
    match (stored, added) {
        (true, false) => {
            let domain = "given for each added pattern, as the stored ones have them";
            Err(Error::domain("add", what, "missing", domain))
        }
        (false, true) => {
            let domain = "left out, as the stored patterns have none";
            Err(Error::domain("add", what, "given", domain))
        }
        _ => Ok(()),
    }
}
