//! The state of a run as one file.

use std::collections::HashMap;
use std::path::Path;

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uhop_data::store;

use super::epoch::{Epoch, Sums};
use super::error::{Error, Result};

/// What a run is at, but for its parameters and moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// 1; another number is another format.
    pub(super) format: u32,
    /// What the run is of, as one text.
    pub(super) identity: String,
    /// The place among the epochs of the plan, from 0.
    pub(super) epoch: usize,
    /// The place among the steps of the epoch, from 0.
    pub(super) step: usize,
    pub(super) task_updates: u64,
    pub(super) separation_updates: u64,
    pub(super) sums: Sums,
    pub(super) epochs: Vec<Epoch>,
}

/// The version of what [`save`] writes.
pub(super) const FORMAT: u32 = 1;

const KEY: &str = "uhop-training";
const MODEL: &str = "model";
const OPTIMIZER: &str = "optimizer";
/// A tensor and not metadata, of which more than one entry would come in any order.
const SHA256: &str = "sha256";

/// Writes all of it, or leaves what is there.
pub(super) fn save<M: Module>(
    path: &Path,
    progress: &Progress,
    model: &M,
    optimizer: &ModuleOptimizer,
) -> Result<()> {
    let failed =
        |error: &dyn std::fmt::Display| Error::checkpoint(path, format!("cannot write: {error}"));
    let model = model.clone().into_record().into_bytes().map_err(|error| failed(&error))?;
    let optimizer = optimizer.into_bytes().map_err(|error| failed(&error))?;
    let text = serde_json::to_string(progress).map_err(|error| failed(&error))?;
    let sha256 = digest(&[text.as_bytes(), &model, &optimizer]);
    let parts = [(MODEL, &*model), (OPTIMIZER, &*optimizer), (SHA256, &sha256)];
    let tensors = parts.map(|(name, bytes)| {
        TensorView::new(Dtype::U8, vec![bytes.len()], bytes).map(|tensor| (name, tensor))
    });
    let tensors =
        tensors.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| failed(&error))?;
    let metadata = HashMap::from([(KEY.to_owned(), text)]);
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|error| failed(&error))?;
    store::replace(path, |out| out.write_all(&bytes))?;
    Ok(())
}

/// The SHA-256 digest of the pieces, one after the other.
fn digest(pieces: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    pieces.iter().for_each(|piece| hash.update(piece));
    hash.finalize().into()
}

/// Where two identities differ, from the first entry that does to the last.
fn differing<'a>(one: &'a str, other: &'a str) -> (&'a str, &'a str) {
    let start = same(one.chars().zip(other.chars()));
    let (one, other) = (&one[start..], &other[start..]);
    let end = same(one.chars().rev().zip(other.chars().rev()));
    (&one[..one.len() - end], &other[..other.len() - end])
}

/// How many bytes are the same, in whole entries.
fn same(pairs: impl Iterator<Item = (char, char)>) -> usize {
    let mut n_same = 0;
    let mut n_to_edge = 0;
    for (c, _) in pairs.take_while(|(a, b)| a == b) {
        n_same += c.len_utf8();
        if matches!(c, ',' | '{' | '}' | ' ') {
            n_to_edge = n_same;
        }
    }
    n_to_edge
}

/// Reads it, into a model and an optimizer of the same kinds.
pub(super) fn load<M: Module>(
    path: &Path,
    identity: &str,
    model: M,
    optimizer: ModuleOptimizer,
) -> Result<(Progress, M, ModuleOptimizer)> {
    let damaged = |error: &dyn std::fmt::Display| {
        Error::checkpoint(path, format!("not a checkpoint as it was written: {error}"))
    };
    let snapshot = store::read(path)?;
    let bytes = snapshot.base_bytes()?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(&error))?;
    let text = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let text = text.ok_or_else(|| damaged(&format!("no {KEY} in its metadata")))?;
    let progress: Progress = serde_json::from_str(text).map_err(|error| damaged(&error))?;
    if progress.format != FORMAT {
        let problem = format!("its format is {}; this version reads {FORMAT}", progress.format);
        return Err(Error::checkpoint(path, problem));
    }
    if progress.identity != identity {
        let (there, here) = differing(&progress.identity, identity);
        let problem = format!(
            "is of another run; resume with the same data, model, seed and options, or choose another \
             folder (there: {there}; here: {here})"
        );
        return Err(Error::checkpoint(path, problem));
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&error))?;
    let part = |name| tensors.tensor(name).map_err(|error| damaged(&error));
    let (of_model, of_optimizer) = (part(MODEL)?, part(OPTIMIZER)?);
    let sha256 = digest(&[text.as_bytes(), of_model.data(), of_optimizer.data()]);
    // Checkpoints of earlier versions have none.
    if tensors.tensor(SHA256).is_ok_and(|stated| *stated.data() != sha256) {
        return Err(damaged(&"its digest is another"));
    }
    let bytes = |tensor: TensorView<'_>| Bytes::from_bytes_vec(tensor.data().to_vec());
    let record = ModuleRecord::from_bytes(bytes(of_model)).map_err(|error| damaged(&error))?;
    let model = model.try_load_record(record).map_err(|error| damaged(&error))?;
    let optimizer = optimizer.from_bytes(bytes(of_optimizer)).map_err(|error| damaged(&error))?;
    Ok((progress, model, optimizer))
}

#[cfg(test)]
mod tests {
    use super::differing;

    #[test]
    fn what_differs_is_shown_in_whole_entries() {
        let one = r#"digits, 3 samples, {"epochs":1000,"rate":0.1}"#;
        for (other, there, here) in [
            (
                r#"digits, 3 samples, {"epochs":1001,"rate":0.1}"#,
                r#""epochs":1000"#,
                r#""epochs":1001"#,
            ),
            (r#"digits, 3 samples, {"epochs":1000,"rate":0.2}"#, r#""rate":0.1"#, r#""rate":0.2"#),
            (r#"digits, 30 samples, {"epochs":1000,"rate":0.1}"#, "3", "30"),
            (one, "", ""),
        ] {
            assert_eq!(differing(one, other), (there, here), "{other}");
        }
        assert_eq!(differing("\u{fc},a", "\u{fd},a"), ("\u{fc}", "\u{fd}"));
    }
}
