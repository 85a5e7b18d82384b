//! What an experiment is: a typed specification, read from TOML.

pub(crate) mod check;
mod contender;
mod corruption;
mod problem;
mod protocol;
pub(crate) mod shipped;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uhop_data::datasets::Dataset;

use crate::data::{DataSet, missing};
use crate::error::Result;
use crate::measure::BAYES;
pub use check::{MOST_SEEDS, MOST_WIDTH};
pub use contender::Contender;
pub(crate) use contender::{Beta, Comparison, Loss, Parts};
pub use corruption::{CorruptionKind, CorruptionSpec};
pub(crate) use problem::Problem;
pub use protocol::{Defect, Protocol, Tuning};
pub use shipped::specification;
pub use text::Specification;

/// An experiment: which memories, which queries, which contenders, run how.
///
/// ```
/// use uhop_lab::{Spec, Specification as _};
///
/// let spec = Spec::shipped("noise")?;
/// assert_eq!((spec.name.as_str(), spec.seeds, spec.n_patterns.as_slice()), ("noise", 20, &[100][..]));
/// assert_eq!(spec.quick().seeds, 3);
/// # Ok::<(), uhop_lab::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name.
    #[serde(deserialize_with = "check::name")]
    pub name: String,
    /// One line for lists and titles.
    #[serde(deserialize_with = "check::title")]
    pub title: String,
    /// What is done and how to read it, for reports.
    pub method: String,
    /// What varies along a curve.
    pub axis: Axis,
    /// The data sets to use of those that are there, by the names of [`Dataset`].
    #[serde(deserialize_with = "check::datasets", serialize_with = "check::names")]
    pub datasets: Vec<Dataset>,
    /// Memory sets drawn for each size, by the seeds 0, 1, …
    #[serde(deserialize_with = "check::seeds")]
    pub seeds: usize,
    /// Patterns stored.
    #[serde(deserialize_with = "check::counts")]
    pub n_patterns: Vec<usize>,
    /// How many patterns of a memory are queried, from the first; all unless said.
    #[serde(default, deserialize_with = "check::count_if_any")]
    pub queries: Option<usize>,
    /// The largest error at which an image of 784 numbers counts as recalled; in proportion for
    /// others.
    #[serde(deserialize_with = "check::positive")]
    pub recall_threshold: f64,
    /// What is compared.
    #[serde(deserialize_with = "check::some")]
    pub contenders: Vec<Contender>,
    /// β where a protocol does not tune it and it is not 1.
    #[serde(default)]
    pub betas: BTreeMap<Contender, f64>,
    /// How Φ is learned.
    pub stage1: Stage1,
    /// What is done to the queries.
    #[serde(deserialize_with = "check::some")]
    pub corruption: Vec<CorruptionSpec>,
    /// How contenders are run.
    #[serde(deserialize_with = "check::some")]
    pub protocol: Vec<Protocol>,
    /// What is smaller in a quick run.
    pub quick: Quick,
}

/// What varies along a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Axis {
    /// The number of patterns stored.
    #[serde(rename = "n_patterns")]
    NPatterns,
    /// The level of the corruption.
    Level,
    /// The number of steps of Stage I.
    Steps,
}

/// How Φ is learned: gradient descent from a standard normal W.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage1 {
    /// Steps made; of several numbers, W is used after each.
    #[serde(deserialize_with = "check::counts")]
    pub steps: Vec<usize>,
    /// Rows of W; `dim` unless said.
    #[serde(default, deserialize_with = "check::count_if_any")]
    pub dim_features: Option<usize>,
    /// The rate for the average loss.
    #[serde(deserialize_with = "check::positive")]
    pub average_rate: f64,
    /// Patterns of a batch by which the average loss of larger memories is learned; all unless said.
    #[serde(
        default,
        deserialize_with = "check::count_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub average_batch: Option<usize>,
    /// The rate for the max loss.
    #[serde(deserialize_with = "check::positive")]
    pub max_rate: f64,
}

impl Stage1 {
    /// What its batches contradict, `quick_steps` being the steps of a quick run.
    pub(crate) fn contradiction(&self, quick_steps: &[usize]) -> Option<(&'static str, String)> {
        let batch = self.average_batch?;
        if batch < 2 {
            let problem = format!("expected at least 2, which make a pair, found {batch}");
            return Some(("average_batch", problem));
        }
        let problem = "with average_batch there is one number of steps: on batches a run does not go on \
                       where a shorter one ended";
        (self.steps.len() > 1 || quick_steps.len() > 1).then(|| ("steps", problem.to_owned()))
    }

    /// What a report says of its batches; nothing without.
    pub(crate) fn batches(&self) -> String {
        self.average_batch.map_or_else(String::new, |size| {
            format!(
                " The average loss of more than {size} patterns is learned on batches of {size}, whose \
                 expected step is the full one; the pairs of a tenth of the patterns, at most 1,024, are \
                 left out."
            )
        })
    }
}

/// What is smaller in a quick run; what is left out stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// Memory sets for each size.
    #[serde(deserialize_with = "check::seeds")]
    pub seeds: usize,
    /// Patterns stored.
    #[serde(default, deserialize_with = "check::counts_if_any")]
    pub n_patterns: Option<Vec<usize>>,
    /// Steps of Stage I.
    #[serde(default, deserialize_with = "check::counts_if_any")]
    pub steps: Option<Vec<usize>>,
}

impl Spec {
    /// The names of the experiments that come with the program.
    ///
    /// ```
    /// assert!(uhop_lab::Spec::names().any(|name| name == "memory-size"));
    /// ```
    pub fn names() -> impl Iterator<Item = &'static str> {
        shipped::SPECS.iter().map(|&(name, _)| name)
    }

    /// An experiment that comes with the program.
    ///
    /// # Errors
    /// [`is_input`](crate::Error::is_input) for a name that none has.
    pub fn shipped(name: &str) -> Result<Self> {
        match shipped::SPECS.iter().find(|(own, _)| *own == name) {
            Some((name, text)) => Self::parse(text, &format!("{name}.toml")),
            None => Err(Problem::Unknown { name: name.to_owned() }.into()),
        }
    }

    /// The data sets it is for that are not among these.
    ///
    /// ```
    /// use uhop_lab::{DataSet, Spec};
    ///
    /// let missing = Spec::shipped("noise-cifar10")?.missing(&[DataSet::sample()]);
    /// assert_eq!(missing.iter().map(|set| set.name()).collect::<Vec<_>>(), ["cifar10"]);
    /// # Ok::<(), uhop_lab::Error>(())
    /// ```
    pub fn missing(&self, data: &[DataSet]) -> Vec<Dataset> {
        let there: Vec<&str> = data.iter().map(DataSet::name).collect();
        missing(&self.datasets, &there)
    }

    /// The same with the sizes of a quick run, if these images are fewer than its smallest memory stores.
    ///
    /// ```
    /// use uhop_lab::{DataSet, Spec};
    ///
    /// let spec = Spec::shipped("memory-size-largest-tiny-imagenet")?;
    /// assert_eq!(spec.smaller_for(&DataSet::sample()).n_patterns, [100]);
    /// let spec = Spec::shipped("memory-size-large")?;
    /// assert_eq!(spec.smaller_for(&DataSet::sample()), spec); // 1,000 are enough
    /// # Ok::<(), uhop_lab::Error>(())
    /// ```
    #[must_use]
    pub fn smaller_for(&self, data: &DataSet) -> Self {
        let mut spec = self.clone();
        if let Some(quick) = &self.quick.n_patterns
            && self.n_patterns.iter().all(|&n| n > data.n_images())
        {
            spec.n_patterns.clone_from(quick);
        }
        spec
    }

    /// What a protocol leaves too little of.
    fn nothing_left(&self, protocol: &Protocol) -> Option<String> {
        let left = |contender: &&Contender| !protocol.without.contains(contender);
        let mut left = self.contenders.iter().filter(left).peekable();
        if left.peek().is_none() {
            return Some(format!("protocol {} leaves nobody to compare", protocol.name));
        }
        let is_of_steps = self.axis == Axis::Steps;
        (is_of_steps && !left.any(|contender| contender.loss().is_some())).then(|| {
            format!("protocol {} leaves nobody that learns, and the axis is steps", protocol.name)
        })
    }

    /// A key that is given and changes nothing, and why.
    fn unused(&self) -> Option<(&'static str, String)> {
        let is_compared = |contender: &Contender| self.contenders.contains(contender);
        let none = |contender: &Contender| format!("{contender} is not among the contenders");
        let mut without = self.protocol.iter().flat_map(|protocol| &protocol.without);
        if let Some(other) = without.find(|&contender| !is_compared(contender)) {
            return Some(("without", none(other)));
        }
        for contender in self.betas.keys() {
            if !is_compared(contender) {
                return Some(("betas", none(contender)));
            }
            if contender.parts().is_none_or(|parts| parts.beta != Beta::Free) {
                return Some(("betas", format!("{contender} takes no β from here")));
            }
        }
        let learns =
            |by: fn(Loss) -> bool| self.contenders.iter().any(|of| of.loss().is_some_and(by));
        if self.stage1.dim_features.is_some() && !learns(|_| true) {
            return Some(("dim_features", "no contender learns by Stage I".to_owned()));
        }
        if self.stage1.average_batch.is_some() && !learns(|loss| loss == Loss::Average) {
            return Some(("average_batch", "no contender learns by the average loss".to_owned()));
        }
        None
    }

    /// Queries of a memory of this size.
    pub(crate) fn n_queries(&self, n_patterns: usize) -> usize {
        self.queries.unwrap_or(n_patterns).min(n_patterns)
    }
}

impl Specification for Spec {
    fn quick(&self) -> Self {
        let quick = self.quick.clone();
        let mut spec = self.clone();
        spec.seeds = quick.seeds;
        spec.n_patterns = quick.n_patterns.unwrap_or(spec.n_patterns);
        spec.stage1.steps = quick.steps.unwrap_or(spec.stage1.steps);
        spec
    }

    fn contradiction(&self) -> Option<(&'static str, String)> {
        if let Some(problem) = self.corruption.iter().find_map(CorruptionSpec::problem) {
            return Some(("levels", problem));
        }
        if let Some((contender, beta)) =
            self.betas.iter().find(|&(_, &beta)| !(beta.is_finite() && beta > 0.0))
        {
            let problem = format!("expected a β above 0 for {contender}, found {beta}");
            return Some(("betas", problem));
        }
        let decays = |protocol: &Protocol| protocol.has(Defect::DecayingRate);
        let quick_steps = self.quick.steps.as_deref().unwrap_or_default();
        if (self.stage1.steps.len() > 1 || quick_steps.len() > 1)
            && self.protocol.iter().any(decays)
        {
            let problem = format!(
                "with {} there is one number of steps: what it learns does not depend on it",
                Defect::DecayingRate
            );
            return Some(("steps", problem));
        }
        if let Some(problem) = self.stage1.contradiction(quick_steps) {
            return Some(problem);
        }
        for (i, protocol) in self.protocol.iter().enumerate() {
            let name = &protocol.name;
            if self.protocol[..i].iter().any(|earlier| earlier.name == *name) {
                return Some(("protocol", format!("two are called {name}")));
            }
            if name == BAYES {
                let problem =
                    format!("{BAYES} is what rows of the limit have; give it another name");
                return Some(("protocol", problem));
            }
            if let Some(Tuning { from, to, .. }) = protocol.tuned.filter(|t| t.from > t.to) {
                return Some(("tuned", format!("expected from ≤ to, found {from} and {to}")));
            }
            if let Some(problem) = self.nothing_left(protocol) {
                let key = if protocol.without.is_empty() { "contenders" } else { "without" };
                return Some((key, problem));
            }
        }
        self.unused()
    }
}
