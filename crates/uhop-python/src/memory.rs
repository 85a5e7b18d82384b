//! The memory, as Python holds it: readers see one version, whoever changes it.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use ndarray::Array1;
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use uhop::saved::{AnyMemory, Change, Ids, SavedMemory, is_memory};
use uhop::{
    Dynamics, LinearMap, Memory as Stored, Model, Patterns, Retrieval, Similarity, StopReason,
};
use uhop_data::Kind;
use uhop_data::store::{self, Writer};

use crate::arrays::{Matrix, Number, detached, matrix, patterns, row, rows};
use crate::batches::recalled;
use crate::damage::Corruption;
use crate::error::{Failure, Result};
use crate::fit::{Loss, Options, Rule};
use crate::separations::Separation;
use crate::watched::watched;

/// Stored patterns with the model that recalls them.
#[pyclass(frozen, module = "uhop._native")]
#[derive(Debug)]
pub(crate) struct Memory {
    saved: RwLock<Arc<AnyMemory>>,
}

/// Ids as Python has them: all integers or all names.
#[derive(FromPyObject, Debug)]
pub(crate) enum IdList {
    Numbers(Vec<i64>),
    Names(Vec<String>),
}

impl IdList {
    fn into_ids(self) -> Result<Ids> {
        Ok(match self {
            Self::Numbers(ids) => Ids::numbers(ids)?,
            Self::Names(ids) => Ids::names(ids)?,
        })
    }

    fn into_names(self) -> Vec<String> {
        match self {
            Self::Numbers(ids) => ids.iter().map(i64::to_string).collect(),
            Self::Names(ids) => ids,
        }
    }
}

/// The same lines for a memory of either type.
macro_rules! with_saved {
    ($memory:expr, $saved:ident => $body:expr) => {
        match &*$memory.version() {
            AnyMemory::F32($saved) => $body,
            AnyMemory::F64($saved) => $body,
        }
    };
}

#[pymethods]
impl Memory {
    /// Stores patterns, `[n_patterns, dim]` of `float32` or `float64`.
    #[new]
    #[pyo3(signature = (patterns: "numpy.ndarray", values: "numpy.ndarray | None", similarity, separation, beta, feature_map: "numpy.ndarray | None", corruption, ids: "list[int] | list[str] | None", threads))]
    #[expect(clippy::too_many_arguments, reason = "the Python half groups them")]
    fn new(
        py: Python<'_>,
        patterns: &Bound<'_, PyAny>,
        values: Option<&Bound<'_, PyAny>>,
        similarity: &str,
        separation: &Separation,
        beta: f64,
        feature_map: Option<&Bound<'_, PyAny>>,
        corruption: Option<&Corruption>,
        ids: Option<IdList>,
        threads: Option<usize>,
    ) -> Result<Self> {
        let similarity = Named { similarity, feature_map, corruption };
        let ids = ids.map(IdList::into_ids).transpose()?;
        let saved = match Matrix::of(patterns)? {
            Matrix::F32(patterns) => {
                let parts = (patterns, values, ids);
                AnyMemory::F32(store_new(py, parts, &similarity, (separation, beta), threads)?)
            }
            Matrix::F64(patterns) => {
                let parts = (patterns, values, ids);
                AnyMemory::F64(store_new(py, parts, &similarity, (separation, beta), threads)?)
            }
        };
        Ok(Self::holding(saved))
    }

    /// Opens a memory file, with the changes in its journal. With `trust`, patterns are not compared with their
    /// checksums, so that a large file opens at once.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf, trust: bool) -> Result<Self> {
        detached(py, None, || {
            must_be_named_memory(&path)?;
            let snapshot = store::read(&path)?;
            let bytes = snapshot.base_bytes()?;
            let opened = match trust {
                true => AnyMemory::from_trusted_bytes(bytes),
                false => AnyMemory::from_bytes(bytes),
            };
            opened
                .and_then(|memory| memory.with_records(snapshot.records().map(<[u8]>::to_vec)))
                .map(Self::holding)
                .map_err(|error| Failure::at(&path, error))
        })
    }

    /// Writes the memory file.
    fn save(&self, py: Python<'_>, path: PathBuf) -> Result<()> {
        detached(py, None, || {
            must_be_named_memory(&path)?;
            let refused = |reason: &str| {
                let path = path.display();
                let hint = "name another file, or move it away first";
                Err(Failure::Input(format!("save: {path} is there and {reason}; {hint}")))
            };
            if path.exists() {
                match store::read(&path).and_then(|file| file.base_bytes()) {
                    Ok(bytes) if is_memory(&bytes) => {}
                    Ok(_) => return refused("does not say that it is a memory"),
                    Err(error) if error.is_format() || error.is_busy() => {}
                    Err(error) => return refused(&format!("cannot be read ({error})")),
                }
            }
            let bytes = with_saved!(self, saved => saved.to_bytes())?;
            // Through the writer, which refuses while another program changes the same memory.
            Ok(Writer::create(&path)?.compact(|file| file.write_all(&bytes))?)
        })
    }

    /// The bytes of the memory file.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>> {
        let bytes = detached(py, None, || Ok(with_saved!(self, saved => saved.to_bytes())?))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// The memory in the bytes of a file.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, bytes: Vec<u8>) -> Result<Self> {
        Ok(Self::holding(detached(py, None, || Ok(AnyMemory::from_bytes(bytes)?))?))
    }

    /// A memory of its own with what is in this one; what is large is shared.
    fn copy(&self) -> Self {
        Self { saved: RwLock::new(self.version()) }
    }

    /// Stage I.
    #[pyo3(signature = (loss, max_steps, batch, optimizer, rate, tolerance, dim_features, keep_rows, ridge, beta, seed, corruption, progress: "typing.Callable[[int, int, float], object] | None", threads))]
    #[expect(clippy::too_many_arguments, reason = "the Python half groups them")]
    fn fit(
        &self,
        py: Python<'_>,
        loss: &str,
        max_steps: Option<usize>,
        batch: Option<usize>,
        optimizer: Option<&str>,
        rate: Option<f64>,
        tolerance: Option<f64>,
        dim_features: Option<usize>,
        keep_rows: bool,
        ridge: Option<f64>,
        beta: Option<f64>,
        seed: u64,
        corruption: Option<&Corruption>,
        progress: Option<&Bound<'_, PyAny>>,
        threads: Option<usize>,
    ) -> Result<()> {
        let options = Options {
            loss: Loss::of(loss)?,
            max_steps,
            batch,
            optimizer: optimizer.map(Rule::of).transpose()?,
            rate,
            tolerance,
            dim_features,
            keep_rows,
            ridge,
            beta,
            seed,
            corruption: corruption.copied(),
        };
        let before = self.version();
        with_saved!(self, saved => options.check(saved))?;
        let version = Arc::clone(&before);
        let learned = watched(py, progress, threads, move |observer| {
            Ok(match &*version {
                AnyMemory::F32(saved) => AnyMemory::F32(options.run(saved.clone(), observer)?),
                AnyMemory::F64(saved) => AnyMemory::F64(options.run(saved.clone(), observer)?),
            })
        })?;
        self.replace(&before, learned)
    }

    /// Recalls queries: what is recalled, and a dictionary of reports and of the weights if they are kept.
    #[pyo3(signature = (queries: "numpy.ndarray", observed: "numpy.ndarray | None", max_steps, tolerance, record_energy, record_weights, threads) -> "tuple[numpy.ndarray, dict[str, numpy.ndarray]]")]
    #[expect(clippy::too_many_arguments, reason = "the Python half groups them")]
    fn retrieve<'py>(
        &self,
        py: Python<'py>,
        queries: &Bound<'py, PyAny>,
        observed: Option<&Bound<'py, PyAny>>,
        max_steps: usize,
        tolerance: Option<f64>,
        record_energy: bool,
        record_weights: bool,
        threads: Option<usize>,
    ) -> Result<(Bound<'py, PyAny>, Bound<'py, PyDict>)> {
        let mut dynamics = match tolerance {
            Some(tolerance) => Dynamics::until(tolerance, max_steps)?,
            None => Dynamics::steps(max_steps)?,
        };
        if record_energy {
            dynamics = dynamics.record_energy();
        }
        if record_weights {
            dynamics = dynamics.record_weights();
        }
        let observed: Option<PyReadonlyArray2<'_, bool>> =
            observed.map(|observed| observed.extract()).transpose()?;
        with_saved!(self, saved => {
            retrieve(py, saved.memory(), queries, observed.as_ref(), &dynamics, threads)
        })
    }

    /// The scores of every state, before β.
    #[pyo3(signature = (states: "numpy.ndarray", threads) -> "numpy.ndarray")]
    fn scores<'py>(
        &self,
        py: Python<'py>,
        states: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> Result<Bound<'py, PyAny>> {
        with_saved!(self, saved => {
            let states = rows(states)?;
            let view = states.as_array();
            let scores = detached(py, threads, || Ok(saved.memory().scores(view)?))?;
            Ok(matrix(py, scores))
        })
    }

    /// The weights of every state.
    #[pyo3(signature = (states: "numpy.ndarray", threads) -> "numpy.ndarray")]
    fn weights<'py>(
        &self,
        py: Python<'py>,
        states: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> Result<Bound<'py, PyAny>> {
        with_saved!(self, saved => {
            let states = rows(states)?;
            let view = states.as_array();
            let weights = detached(py, threads, || Ok(saved.memory().weights(view)?.weights))?;
            Ok(matrix(py, weights))
        })
    }

    /// The energy of every state.
    #[pyo3(signature = (states: "numpy.ndarray", threads) -> "numpy.ndarray")]
    fn energy<'py>(
        &self,
        py: Python<'py>,
        states: &Bound<'py, PyAny>,
        threads: Option<usize>,
    ) -> Result<Bound<'py, PyAny>> {
        with_saved!(self, saved => {
            let states = rows(states)?;
            let view = states.as_array();
            let energy = detached(py, threads, || Ok(saved.memory().energy(view)?))?;
            Ok(row(py, energy))
        })
    }

    /// The separation of every stored pattern.
    #[pyo3(signature = (threads) -> "numpy.ndarray")]
    fn separation<'py>(
        &self,
        py: Python<'py>,
        threads: Option<usize>,
    ) -> Result<Bound<'py, PyAny>> {
        let separations = detached(
            py,
            threads,
            || with_saved!(self, saved => Ok(saved.memory().separations()?)),
        )?;
        Ok(row(py, separations))
    }

    /// Which stored patterns are certified to be recalled exactly, if there are certificates.
    #[pyo3(signature = (threads) -> "numpy.ndarray | None")]
    fn certified<'py>(
        &self,
        py: Python<'py>,
        threads: Option<usize>,
    ) -> Result<Option<Bound<'py, PyAny>>> {
        let certificates = detached(
            py,
            threads,
            || with_saved!(self, saved => Ok(saved.memory().certificates()?)),
        )?;
        Ok(certificates.map(|certificates| row(py, certificates)))
    }

    /// Adds patterns behind those that are there.
    #[pyo3(signature = (patterns: "numpy.ndarray", values: "numpy.ndarray | None", ids: "list[int] | list[str] | None", threads))]
    fn add(
        &self,
        py: Python<'_>,
        patterns: &Bound<'_, PyAny>,
        values: Option<&Bound<'_, PyAny>>,
        ids: Option<IdList>,
        threads: Option<usize>,
    ) -> Result<()> {
        let before = self.version();
        let after = match &*before {
            AnyMemory::F32(saved) => {
                AnyMemory::F32(added(py, saved, (patterns, values, ids), threads)?)
            }
            AnyMemory::F64(saved) => {
                AnyMemory::F64(added(py, saved, (patterns, values, ids), threads)?)
            }
        };
        self.replace(&before, after)
    }

    /// Removes patterns, by their rows or their ids.
    #[pyo3(signature = (rows, ids: "list[int] | list[str] | None", threads))]
    fn remove(
        &self,
        py: Python<'_>,
        rows: Option<Vec<usize>>,
        ids: Option<IdList>,
        threads: Option<usize>,
    ) -> Result<()> {
        let before = self.version();
        let rows = match (rows, ids) {
            (Some(rows), None) => rows,
            (None, Some(ids)) => {
                let own = match &*before {
                    AnyMemory::F32(saved) => saved.ids(),
                    AnyMemory::F64(saved) => saved.ids(),
                };
                let Some(own) = own else {
                    let line = "remove: the patterns have no ids; name them by their rows";
                    return Err(Failure::Input(line.to_owned()));
                };
                own.positions(&ids.into_names())?
            }
            _ => {
                let line = "remove: give either rows or ids";
                return Err(Failure::Input(line.to_owned()));
            }
        };
        let after = detached(py, threads, || {
            Ok(match &*before {
                AnyMemory::F32(saved) => {
                    AnyMemory::F32(saved.clone().with_changes(&[Change::remove(rows)])?)
                }
                AnyMemory::F64(saved) => {
                    AnyMemory::F64(saved.clone().with_changes(&[Change::remove(rows)])?)
                }
            })
        })?;
        self.replace(&before, after)
    }

    /// The stored patterns, copied.
    #[pyo3(signature = () -> "numpy.ndarray")]
    fn patterns<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        with_saved!(self, saved => matrix(py, saved.memory().patterns().view().to_owned()))
    }

    /// The stored values, copied; nothing for an auto-associative memory.
    #[pyo3(signature = () -> "numpy.ndarray | None")]
    fn values<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        with_saved!(self, saved => (!saved.memory().is_auto_associative())
            .then(|| matrix(py, saved.memory().values().view().to_owned())))
    }

    /// W of a learned feature map, `[dim_features, dim]`, copied.
    #[pyo3(signature = () -> "numpy.ndarray | None")]
    fn feature_map<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        with_saved!(self, saved => match saved.memory().model().similarity() {
            Similarity::Kernel(map) => Some(matrix(py, map.weight().to_owned())),
            _ => None,
        })
    }

    /// The loss before the first step of Stage I and after each; empty where there were no steps.
    #[pyo3(signature = () -> "numpy.ndarray")]
    fn losses<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        let losses = with_saved!(self, saved => {
            saved.learning().map(|learning| learning.losses().to_vec()).unwrap_or_default()
        });
        row(py, Array1::from_vec(losses))
    }

    /// What was learned, as the file says.
    fn loss(&self) -> Option<&'static str> {
        with_saved!(self, saved => saved.learning().map(|learning| learning.loss()))
    }

    /// What `fit("auto")` tried, the best first: name, β, mean squared error of a copy.
    fn tried(&self) -> Option<Vec<(&'static str, f64, f64)>> {
        with_saved!(self, saved => saved.decision().map(|decision| {
            decision.tried.iter().map(|tried| (tried.what.name(), tried.beta, tried.error)).collect()
        }))
    }

    /// The ids of the patterns, if there are any.
    #[pyo3(signature = () -> "list[int] | list[str] | None")]
    fn ids<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let ids = with_saved!(self, saved => saved.ids().cloned());
        let Some(ids) = ids else { return Ok(None) };
        let names: Vec<String> = (0..ids.len()).filter_map(|index| ids.get(index)).collect();
        let list = match ids.are_names() {
            true => names.into_pyobject(py)?,
            false => {
                let numbers: Vec<i64> = names.iter().filter_map(|id| id.parse().ok()).collect();
                numbers.into_pyobject(py)?
            }
        };
        Ok(Some(list.into_any()))
    }

    /// `[n_patterns, dim]`.
    fn shape(&self) -> (usize, usize) {
        with_saved!(self, saved => saved.memory().patterns().view().dim())
    }

    /// `"float32"` or `"float64"`.
    fn dtype(&self) -> &'static str {
        match &*self.version() {
            AnyMemory::F32(_) => "float32",
            AnyMemory::F64(_) => "float64",
        }
    }

    /// The similarity's name.
    fn similarity(&self) -> &'static str {
        with_saved!(self, saved => saved.memory().model().similarity().name())
    }

    /// How scores become weights.
    fn family(&self) -> Separation {
        with_saved!(self, saved => saved.memory().model().separation().into())
    }

    /// β.
    fn beta(&self) -> f64 {
        with_saved!(self, saved => saved.memory().model().beta())
    }
}

impl Memory {
    fn holding(saved: AnyMemory) -> Self {
        Self { saved: RwLock::new(Arc::new(saved)) }
    }

    /// The memory as it is now, whatever happens to it afterwards.
    fn version(&self) -> Arc<AnyMemory> {
        // Held for the copy of a pointer only, and never while Python is waited for.
        Arc::clone(&self.saved.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a version in place of the one that it was made of.
    fn replace(&self, before: &Arc<AnyMemory>, after: AnyMemory) -> Result<()> {
        let mut saved = self.saved.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&saved, before) {
            return Err(Failure::Changed);
        }
        *saved = Arc::new(after);
        Ok(())
    }
}

/// A similarity by its name.
struct Named<'a> {
    similarity: &'a str,
    feature_map: Option<&'a Bound<'a, PyAny>>,
    corruption: Option<&'a Corruption>,
}

impl Named<'_> {
    fn build<T: Number>(&self, dim: usize) -> Result<Similarity<T>> {
        if let Some(weight) = self.feature_map {
            if self.similarity != "dot" || self.corruption.is_some() {
                let line = "memory: a feature map compares by dot products of features; leave similarity and \
                            corruption out";
                return Err(Failure::Input(line.to_owned()));
            }
            let map = LinearMap::new(rows(weight)?.as_array().to_owned())?;
            return Ok(Similarity::Kernel(map));
        }
        Ok(match (self.similarity, self.corruption) {
            ("dot", None) => Similarity::Dot,
            ("cosine", None) => Similarity::Cosine,
            ("euclidean", None) => Similarity::Euclidean,
            ("manhattan", None) => Similarity::Manhattan,
            ("channel", Some(corruption)) => Similarity::Channel(corruption.channel(dim)?),
            ("channel", None) => {
                let line = "memory: channel similarity needs a corruption; name the one that queries have, such as \
                            corruption=uhop.Corruption.gaussian_noise(0.7)";
                return Err(Failure::Input(line.to_owned()));
            }
            ("dot" | "cosine" | "euclidean" | "manhattan", Some(_)) => {
                let line = "memory: a corruption is for similarity=\"channel\" alone; give it to fit, or leave it out";
                return Err(Failure::Input(line.to_owned()));
            }
            (other, _) => {
                return Err(Failure::Input(format!(
                    "memory: similarity is {other:?}; it must be \"dot\", \"cosine\", \"euclidean\", \"manhattan\" or \
                     \"channel\""
                )));
            }
        })
    }
}

/// The name must be that of a memory file, as for the command.
fn must_be_named_memory(path: &std::path::Path) -> Result<()> {
    if Kind::of(path).ok() == Some(Kind::Safetensors) {
        return Ok(());
    }
    Err(Failure::Input(format!(
        "{} is no name of a memory file; give it one that ends in .safetensors",
        path.display()
    )))
}

fn store_new<T: Number>(
    py: Python<'_>,
    (stored, values, ids): (PyReadonlyArray2<'_, T>, Option<&Bound<'_, PyAny>>, Option<Ids>),
    similarity: &Named<'_>,
    (separation, beta): (&Separation, f64),
    threads: Option<usize>,
) -> Result<SavedMemory<T>> {
    let values = values.map(rows::<T>).transpose()?;
    let view = stored.as_array();
    let values = values.as_ref().map(|values| values.as_array());
    let similarity = similarity.build(view.ncols())?;
    let model = Model::new(similarity, separation.rust(), beta)?;
    if model.lacks_a_zero() {
        return Err(Failure::Input(format!(
            "a polynomial weighs by what scores are above 0, and those of {} similarity have no such place; use dot or cosine",
            model.similarity().name()
        )));
    }
    detached(py, threads, || {
        let mut memory = Stored::new(patterns(view)?, model)?;
        if let Some(values) = values {
            memory = memory.with_values(patterns(values)?)?;
        }
        let saved = SavedMemory::new(memory);
        Ok(match ids {
            Some(ids) => saved.with_ids(ids)?,
            None => saved,
        })
    })
}

fn added<T: Number>(
    py: Python<'_>,
    saved: &SavedMemory<T>,
    (added, values, ids): (&Bound<'_, PyAny>, Option<&Bound<'_, PyAny>>, Option<IdList>),
    threads: Option<usize>,
) -> Result<SavedMemory<T>> {
    let mut change = Change::add(checked(added)?);
    if let Some(values) = values {
        change = change.with_values(checked(values)?)?;
    }
    if let Some(ids) = ids {
        let ids = match saved.ids() {
            Some(own) if own.are_names() => Ids::names(ids.into_names())?,
            _ => ids.into_ids()?,
        };
        change = change.with_ids(ids)?;
    }
    detached(py, threads, || Ok(saved.clone().with_changes(&[change])?))
}

fn checked<T: Number>(array: &Bound<'_, PyAny>) -> Result<Patterns<T>> {
    patterns(rows(array)?.as_array())
}

fn retrieve<'py, T: Number>(
    py: Python<'py>,
    memory: &Stored<T>,
    queries: &Bound<'py, PyAny>,
    observed: Option<&PyReadonlyArray2<'py, bool>>,
    dynamics: &Dynamics,
    threads: Option<usize>,
) -> Result<(Bound<'py, PyAny>, Bound<'py, PyDict>)> {
    let queries = rows(queries)?;
    let view = queries.as_array();
    let observed = observed.map(|observed| observed.as_array());
    let Retrieval { retrieved, reports, weights, .. } =
        recalled(py, memory, (view, observed), dynamics, threads)?;
    let report = PyDict::new(py);
    let counts = |of: fn(&uhop::QueryReport) -> usize| {
        row(py, reports.iter().map(|report| of(report) as i64).collect())
    };
    report.set_item("steps", counts(|report| report.steps))?;
    report.set_item("support_size", counts(|report| report.support_size))?;
    let numbers =
        |of: fn(&uhop::QueryReport) -> f64| row(py, reports.iter().map(of).collect::<Array1<_>>());
    report.set_item("residual", numbers(|report| report.residual))?;
    report.set_item("perplexity", numbers(|report| report.perplexity))?;
    let converged: Array1<bool> =
        reports.iter().map(|report| report.stop == StopReason::Converged).collect();
    report.set_item("converged", row(py, converged))?;
    let energies: Vec<_> = reports.into_iter().filter_map(|report| report.energy).collect();
    if !energies.is_empty() {
        report.set_item("energy", energies)?;
    }
    if let Some(weights) = weights {
        report.set_item("weights", matrix(py, weights))?;
    }
    Ok((matrix(py, retrieved), report))
}
