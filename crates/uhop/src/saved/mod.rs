//! The saved file: a memory to bytes and back.
//!
//! Safetensors with one JSON description in its metadata, specified in `docs/memory-format.md`. No
//! file is touched here: where the bytes come from and how they are kept is the caller's.

mod change;
mod channel;
mod decision;
mod description;
mod ids;
mod tensors;

use std::collections::HashMap;
use std::sync::Arc;

pub use change::Change;
pub use decision::Decision;
use description::{Description, SimilarityKind};
pub use ids::Ids;
pub use tensors::StoredTensor;
use tensors::{Bytes, Check, Stored, cannot, entry, matrix, row};

use crate::error::{Error, Result};
use crate::feature_map::{AsymmetricMap, LinearMap};
use crate::memory::Memory;
use crate::model::Model;
use crate::patterns::Patterns;
use crate::scalar::Scalar;
use crate::similarity::Similarity;
use crate::stage1;

/// The name of the metadata entry that holds the description.
const ENTRY: &str = "uhop";
const PATTERNS: &str = "patterns";
const VALUES: &str = "values";
const WEIGHT: &str = "feature_map.weight";
const KEYS: &str = "asymmetric_map.keys";
const QUERIES: &str = "asymmetric_map.queries";
const BIAS: &str = "asymmetric_map.bias";

/// How much more memory than its tensors the features of a file may take.
const MAX_EXPANSION: usize = 1024;

/// A memory and what is kept beside it.
///
/// ```
/// use ndarray::array;
/// use uhop::saved::{AnyMemory, Ids, SavedMemory};
/// use uhop::{Memory, Model, Patterns};
///
/// let patterns = Patterns::new(array![[1.0_f32, 0.0], [0.0, 1.0]])?;
/// let memory = Memory::new(patterns, Model::sparse(2.0)?)?;
/// let saved = SavedMemory::new(memory).with_ids(Ids::numbers(vec![17, 4])?)?;
/// let bytes = saved.to_bytes()?;
///
/// let AnyMemory::F32(read) = AnyMemory::from_bytes(bytes)? else { panic!("saved as f32") };
/// assert_eq!(read.memory().model(), saved.memory().model());
/// assert_eq!(read.ids(), saved.ids());
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SavedMemory<T> {
    memory: Memory<T>,
    ids: Option<Ids>,
    learning: Option<Learning>,
    decision: Option<Decision>,
}

/// How the map of a saved memory was learned.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Learning {
    /// A feature map by [`stage1::learn`].
    Separation {
        /// What was minimised, how, and for how long.
        params: stage1::Params,
        /// The seed of the start of W, if it was random.
        seed: Option<u64>,
        /// The loss before the first step and after each.
        losses: Vec<f64>,
        /// The loss of the held-out pairs as it fell, if the steps saw batches.
        held_out: Vec<stage1::HeldOut>,
        /// Why it stopped.
        stop: stage1::StopReason,
    },
    /// A feature map by [`stage1::whiten`]. It is a function of the patterns: when they
    /// [change](SavedMemory::with_changes), it does too.
    Whitening {
        /// λ.
        ridge: f64,
    },
    /// An asymmetric map by [`stage1::denoise`].
    Denoising {
        /// How, and for how long.
        params: stage1::Denoising,
        /// The loss before the first step and after each, each of other queries.
        losses: Vec<f64>,
        /// Why it stopped.
        stop: stage1::StopReason,
    },
}

impl Learning {
    /// What was minimised, as the file says: `"average"`, `"max"`, `"whitening"` or `"denoising"`.
    pub fn loss(&self) -> &'static str {
        match self {
            Self::Separation { params, .. } => params.loss().name(),
            Self::Whitening { .. } => "whitening",
            Self::Denoising { .. } => "denoising",
        }
    }

    /// The loss before the first step and after each; none where there were no steps.
    pub fn losses(&self) -> &[f64] {
        match self {
            Self::Separation { losses, .. } | Self::Denoising { losses, .. } => losses,
            Self::Whitening { .. } => &[],
        }
    }

    /// The loss of held-out pairs as it fell; none where no pairs were held out.
    pub fn held_out(&self) -> &[stage1::HeldOut] {
        match self {
            Self::Separation { held_out, .. } => held_out,
            _ => &[],
        }
    }
}

/// A memory read from a file, whose scalar type is known only then.
#[derive(Debug, Clone)]
pub enum AnyMemory {
    /// Patterns in `f32`.
    F32(SavedMemory<f32>),
    /// Patterns in `f64`.
    F64(SavedMemory<f64>),
}

impl<T: Scalar> SavedMemory<T> {
    /// `memory` with nothing beside it.
    pub fn new(memory: Memory<T>) -> Self {
        Self { memory, ids: None, learning: None, decision: None }
    }

    /// With an id for each pattern.
    ///
    /// # Errors
    /// [`is_shape_mismatch`](Error::is_shape_mismatch) unless there are as many ids as patterns.
    pub fn with_ids(self, ids: Ids) -> Result<Self> {
        let patterns = self.memory.patterns().view();
        if ids.len() != patterns.nrows() {
            return Err(Error::shape(
                "saved memory",
                ("the ids", &[ids.len()]),
                ("the patterns", patterns.shape()),
                "there must be one id for each pattern (row)",
            ));
        }
        Ok(Self { ids: Some(ids), ..self })
    }

    /// With the memory under another model, as after learning a feature map.
    ///
    /// # Errors
    /// As [`Memory::with_model`].
    pub fn with_model(self, model: Model<T>) -> Result<Self> {
        Ok(Self { memory: self.memory.with_model(model)?, ..self })
    }

    /// With a record of how its map was learned.
    pub fn with_learning(self, learning: Learning) -> Self {
        Self { learning: Some(learning), ..self }
    }

    /// With a record of what its similarity was chosen from.
    pub fn with_decision(self, decision: Decision) -> Self {
        Self { decision: Some(decision), ..self }
    }

    /// The memory.
    pub fn memory(&self) -> &Memory<T> {
        &self.memory
    }

    /// The memory alone, without a copy.
    pub fn into_memory(self) -> Memory<T> {
        self.memory
    }

    /// The ids of the patterns, if any.
    pub fn ids(&self) -> Option<&Ids> {
        self.ids.as_ref()
    }

    /// How the map was learned, if that is recorded.
    pub fn learning(&self) -> Option<&Learning> {
        self.learning.as_ref()
    }

    /// What its similarity was chosen from, if [`choose`](crate::choose) chose it.
    pub fn decision(&self) -> Option<&Decision> {
        self.decision.as_ref()
    }

    /// The file: equal memories give equal bytes.
    ///
    /// # Errors
    /// [`is_unsupported`](Error::is_unsupported) when the description exceeds what the format
    /// allows (100 MB); otherwise what [`from_bytes`](AnyMemory::from_bytes) would refuse the file
    /// for: a record of learning is of another map or has a number that is not finite, or the features take too
    /// much more than the tensors.
    pub fn to_bytes(&self) -> Result<Vec<u8>>
    where
        T: StoredTensor,
    {
        let mut tensors = vec![(PATTERNS, matrix(self.memory.patterns().view()))];
        if !self.memory.is_auto_associative() {
            tensors.push((VALUES, matrix(self.memory.values().view())));
        }
        match self.memory.model().similarity() {
            Similarity::Kernel(map) => tensors.push((WEIGHT, matrix(map.weight()))),
            Similarity::Asymmetric(map) => {
                tensors.push((KEYS, matrix(map.keys().weight())));
                tensors.push((QUERIES, matrix(map.queries().weight())));
                tensors.extend(map.bias().map(|bias| (BIAS, row(bias))));
            }
            _ => {}
        }
        if let Some(ids) = &self.ids {
            tensors.extend(ids.store());
        }
        let json = Description::of(self, &tensors).to_json()?;
        self.check_readable(&json, tensors.iter().map(|(_, tensor)| tensor.bytes.len()).sum())?;
        let metadata = HashMap::from([(ENTRY.to_owned(), json)]);
        safetensors::serialize(tensors, Some(metadata)).map_err(|error| cannot("write", &error))
    }

    /// What reading refuses, refused before anything is written.
    fn check_readable(&self, json: &str, n_bytes: usize) -> Result<()> {
        let description = Description::from_json(json)?;
        description.decision()?;
        let similarity = self.memory.model().similarity();
        if let Some(learning) = description.learning()? {
            check_map(&learning, similarity)?;
        }
        check_features(self.memory.patterns(), similarity, n_bytes)
    }
}

/// Whether the bytes claim to be a memory file, rather than some other safetensors file: there is a
/// description in the metadata. Says nothing about damage.
///
/// ```
/// assert!(!uhop::saved::is_memory(b"some other file"));
/// ```
pub fn is_memory(bytes: &[u8]) -> bool {
    entry(bytes, ENTRY).is_ok_and(|description| description.is_some())
}

impl AnyMemory {
    /// The memory in the bytes of a file, every tensor checked against its checksum.
    ///
    /// Patterns and values stay in `bytes`, be it a vector or a file mapped into memory. Takes memory
    /// beside them for what the file holds, whatever its header claims: 64 times the size of the
    /// header, 5 times that of ids, once that of the patterns for a similarity that keeps its own
    /// copy, 16 times that at most for a channel, and the features of the patterns, n_patterns ·
    /// dim_features numbers, which are refused when they take more than 1,024 times the size of the
    /// tensors. The tables of a channel take up to 3 MiB and each thread that multiplies keeps some MiB of
    /// scratch besides, whatever the file.
    ///
    /// # Errors
    /// [`is_malformed`](Error::is_malformed) when the bytes are not a memory file, are damaged,
    /// hold something this version does not understand, or were written by a newer format;
    /// otherwise whatever the constructors of the parts refuse.
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self> {
        Self::checked(Arc::new(bytes), Check::Everything)
    }

    /// As [`from_bytes`](Self::from_bytes), but patterns and values are not read, so that a large
    /// memory opens at once: damage in them is not found, and a number that is not finite shows
    /// later, as a score or readout that is not.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::saved::{AnyMemory, SavedMemory};
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let memory = Memory::new(Patterns::new(array![[1.0, 2.0]])?, Model::dense(1.0)?)?;
    /// let mut bytes = SavedMemory::new(memory).to_bytes()?;
    /// *bytes.last_mut().unwrap() ^= 1; // in the patterns
    /// assert!(AnyMemory::from_bytes(bytes.clone()).unwrap_err().is_malformed());
    /// assert!(AnyMemory::from_trusted_bytes(bytes).is_ok());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes), for everything else in the file.
    pub fn from_trusted_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self> {
        Self::checked(Arc::new(bytes), Check::AllButRows)
    }

    /// The memory after the changes in these records of a journal, in their order.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::saved::{AnyMemory, Change, SavedMemory};
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let memory = Memory::new(Patterns::new(array![[1.0], [2.0]])?, Model::dense(1.0)?)?;
    /// let file = SavedMemory::new(memory).to_bytes()?;
    /// let record = Change::<f64>::remove(vec![0]).to_bytes()?;
    /// let AnyMemory::F64(read) = AnyMemory::from_bytes(file)?.with_records([record])? else {
    ///     panic!("saved as f64")
    /// };
    /// assert_eq!(read.memory().patterns().view(), array![[2.0]]);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Change::from_bytes`] and [`SavedMemory::with_changes`].
    pub fn with_records(
        self,
        records: impl IntoIterator<Item = impl AsRef<[u8]> + Send + Sync + 'static>,
    ) -> Result<Self> {
        fn changes<T: StoredTensor>(
            records: impl IntoIterator<Item = impl AsRef<[u8]> + Send + Sync + 'static>,
        ) -> Result<Vec<Change<T>>> {
            records.into_iter().map(Change::from_bytes).collect()
        }
        Ok(match self {
            Self::F32(saved) => Self::F32(saved.with_changes(&changes(records)?)?),
            Self::F64(saved) => Self::F64(saved.with_changes(&changes(records)?)?),
        })
    }

    fn checked(file: Bytes, check: Check) -> Result<Self> {
        let json = entry((*file).as_ref(), ENTRY)?.ok_or_else(|| {
            let hint = "it is a safetensors file, but not one of a memory; give it where patterns \
                        are read, or make a memory of it with `fit`";
            Error::malformed(format!("no `{ENTRY}` entry in the metadata; {hint}"))
        })?;
        let description = Description::from_json(&json)?;
        let mut stored = Stored::of(file)?.recorded(&description.tensors, check)?;
        let read = match stored.dtype(PATTERNS)? {
            safetensors::Dtype::F64 => Self::F64(description.assemble(&mut stored)?),
            _ => Self::F32(description.assemble(&mut stored)?),
        };
        stored.nothing_left()?;
        Ok(read)
    }
}

impl Description {
    /// The similarity, with the maps that the tensors hold.
    fn similarity<T: StoredTensor>(&self, stored: &mut Stored) -> Result<Similarity<T>> {
        let wrong = |what: &str| Error::malformed(format!("its model has {what}"));
        let kind = self.similarity_kind();
        if self.channel().is_some() && !matches!(kind, SimilarityKind::Channel) {
            return Err(wrong("a channel and another similarity"));
        }
        Ok(match kind {
            SimilarityKind::Channel => {
                let parts = self.channel().ok_or_else(|| wrong("no channel"))?;
                Similarity::Channel(parts.build()?)
            }
            SimilarityKind::Dot => Similarity::Dot,
            SimilarityKind::Cosine => Similarity::Cosine,
            SimilarityKind::Euclidean => Similarity::Euclidean,
            SimilarityKind::Manhattan => Similarity::Manhattan,
            SimilarityKind::Kernel => {
                Similarity::Kernel(LinearMap::new(stored.take_matrix(WEIGHT)?)?)
            }
            SimilarityKind::Asymmetric => {
                let mut map = |name| LinearMap::new(stored.take_matrix(name)?);
                let map = AsymmetricMap::new(map(KEYS)?, map(QUERIES)?)?;
                match stored.has(BIAS) {
                    true => Similarity::Asymmetric(map.with_bias(stored.take_row(BIAS)?)?),
                    false => Similarity::Asymmetric(map),
                }
            }
        })
    }

    /// The memory that this description and the stored tensors make.
    fn assemble<T: StoredTensor>(&self, stored: &mut Stored) -> Result<SavedMemory<T>> {
        let n_bytes = stored.n_bytes();
        let patterns = stored.take_rows(PATTERNS)?;
        let similarity = self.similarity(stored)?;
        check_features(&patterns, &similarity, n_bytes)?;
        let mut memory = Memory::new(patterns, self.model(similarity)?)?;
        if stored.has(VALUES) {
            memory = memory.with_values(stored.take_rows(VALUES)?)?;
        }
        let mut saved = SavedMemory::new(memory);
        if let Some(ids) = Ids::take(stored)? {
            saved = saved.with_ids(ids)?;
        }
        if let Some(decision) = self.decision()? {
            saved = saved.with_decision(decision);
        }
        Ok(match self.learning()? {
            Some(learning) => {
                check_map(&learning, saved.memory.model().similarity())?;
                saved.with_learning(learning)
            }
            None => saved,
        })
    }
}

/// The map of whitening is made anew when patterns change: then it is no larger than the one in the file.
fn check_map<T: Scalar>(learning: &Learning, similarity: &Similarity<T>) -> Result<()> {
    match (learning, similarity) {
        (Learning::Whitening { .. }, Similarity::Kernel(map))
            if map.dim_features() == map.dim() =>
        {
            Ok(())
        }
        (Learning::Whitening { .. }, _) => {
            let what =
                "it says that its map is one of whitening, which has as many rows as columns";
            Err(Error::malformed(what.to_owned()))
        }
        _ => Ok(()),
    }
}

/// The features of the patterns are the one thing that is not in the file: a narrow map of many
/// features makes much of little.
fn check_features<T: Scalar>(
    patterns: &Patterns<T>,
    similarity: &Similarity<T>,
    n_bytes: usize,
) -> Result<()> {
    let n_patterns = patterns.n_patterns();
    let dim_features = match similarity {
        Similarity::Kernel(map) => map.dim_features(),
        Similarity::Asymmetric(map) => map.keys().dim_features(),
        Similarity::Channel(channel) => channel.n_terms() * patterns.dim(),
        _ => 0,
    };
    let needed = n_patterns.saturating_mul(dim_features).saturating_mul(size_of::<T>());
    if needed <= n_bytes.saturating_mul(MAX_EXPANSION) {
        return Ok(());
    }
    Err(Error::malformed(format!(
        "{dim_features} features of {n_patterns} patterns take {needed} bytes, more than \
         {MAX_EXPANSION} times the {n_bytes} of the tensors; learn a map of fewer features"
    )))
}
