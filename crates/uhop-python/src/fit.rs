//! Stage I for a memory: what `uhop fit` does, with its defaults; the tests compare the files that both write.

use uhop::saved::{Decision, Learning, SavedMemory};
use uhop::stage1::{self, Batches, Copies, Denoising, Optimizer, Params, SeparationLoss, Start};
use uhop::{Candidate, LinearMap, Model, Patterns, Separation, Similarity, choose};
use uhop_data::Damage;

use crate::arrays::Number;
use crate::damage::Corruption;
use crate::error::{Failure, Result};
use crate::watched::Observer;

const SEPARATION_STEPS: usize = 100;
const DENOISING_STEPS: usize = 200;
/// The released code's rate of gradient descent on the max loss.
const MAX_LOSS_RATE: f64 = 10.0;
/// A constant rate that trains the average loss.
const AVERAGE_LOSS_RATE: f64 = 1.0;
/// Suits a standard normal W, whatever the loss.
const ADAM_RATE: f64 = 0.01;
/// Suits denoising, whose unit it is that scores move by, whatever the data.
const DENOISING_RATE: f64 = 0.1;

/// What is learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Loss {
    Average,
    Max,
    Whitening,
    Denoising,
    Auto,
}

impl Loss {
    pub(crate) fn of(name: &str) -> Result<Self> {
        Ok(match name {
            "average" => Self::Average,
            "max" => Self::Max,
            "whitening" => Self::Whitening,
            "denoising" => Self::Denoising,
            "auto" => Self::Auto,
            _ => {
                return Err(Failure::Input(format!(
                    "fit: loss is {name:?}; it must be \"average\", \"max\", \"whitening\", \"denoising\" or \"auto\""
                )));
            }
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Average => "the average loss",
            Self::Max => "the max loss",
            Self::Whitening => "whitening",
            Self::Denoising => "denoising",
            Self::Auto => "auto",
        }
    }
}

/// A rule that turns gradients into steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rule {
    GradientDescent,
    Adam,
}

impl Rule {
    pub(crate) fn of(name: &str) -> Result<Self> {
        match name {
            "gradient-descent" => Ok(Self::GradientDescent),
            "adam" => Ok(Self::Adam),
            _ => Err(Failure::Input(format!(
                "fit: optimizer is {name:?}; it must be \"gradient-descent\" or \"adam\""
            ))),
        }
    }
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) loss: Loss,
    pub(crate) max_steps: Option<usize>,
    pub(crate) batch: Option<usize>,
    pub(crate) optimizer: Option<Rule>,
    pub(crate) rate: Option<f64>,
    pub(crate) tolerance: Option<f64>,
    pub(crate) dim_features: Option<usize>,
    pub(crate) keep_rows: bool,
    pub(crate) ridge: Option<f64>,
    pub(crate) beta: Option<f64>,
    pub(crate) seed: u64,
    pub(crate) corruption: Option<Corruption>,
}

impl Options {
    /// That every option given is one of the loss, and that the loss takes the place of nothing that was chosen.
    pub(crate) fn check<T: Number>(&self, saved: &SavedMemory<T>) -> Result<()> {
        let separation = [
            ("tolerance", self.tolerance.is_some()),
            ("dim_features", self.dim_features.is_some()),
            ("keep_rows", self.keep_rows),
        ];
        let steps = [
            ("max_steps", self.max_steps.is_some()),
            ("batch", self.batch.is_some()),
            ("optimizer", self.optimizer.is_some()),
            ("rate", self.rate.is_some()),
        ];
        let ridge = [("ridge", self.ridge.is_some())];
        let damage = [("corruption", self.corruption.is_some())];
        let beta = [("beta", self.beta.is_some())];
        let alien: Vec<&[_]> = match self.loss {
            Loss::Average | Loss::Max => vec![&ridge, &damage],
            Loss::Whitening => vec![&separation, &steps],
            Loss::Denoising => vec![&separation, &ridge],
            Loss::Auto => vec![&separation, &steps, &ridge, &beta],
        };
        if let Some((option, _)) = alien.into_iter().flatten().find(|(_, given)| *given) {
            let loss = self.loss.name();
            return Err(Failure::Input(format!(
                "fit: {option} has no meaning for {loss}; leave it out, or choose another loss"
            )));
        }
        let model = saved.memory().model();
        if self.loss == Loss::Auto && model.separation() != Separation::softmax() {
            return Err(Failure::Input(format!(
                "fit: auto chooses similarity and beta for softmax, and this memory has {}; make it with alpha=1.0",
                model.separation()
            )));
        }
        let is_learned = saved.learning().is_some() || saved.decision().is_some();
        if !is_learned && !matches!(model.similarity(), Similarity::Dot | Similarity::Kernel(_)) {
            return Err(Failure::Input(format!(
                "fit: what is learned would take the place of {} similarity; make the memory without naming one",
                model.similarity().name()
            )));
        }
        Ok(())
    }

    /// The memory with what was learned.
    pub(crate) fn run<T: Number>(
        &self,
        saved: SavedMemory<T>,
        observer: &Observer<'_>,
    ) -> Result<SavedMemory<T>> {
        let patterns = saved.memory().patterns();
        let learned = match self.loss {
            Loss::Average => self.separate(SeparationLoss::average(), patterns, observer)?,
            Loss::Max => self.separate(SeparationLoss::max(), patterns, observer)?,
            Loss::Whitening => self.whiten(patterns)?,
            Loss::Denoising => self.denoise(patterns, observer)?,
            Loss::Auto => return self.choose(saved),
        };
        let model = saved.memory().model();
        let beta = self.beta.or(learned.beta).unwrap_or(model.beta());
        let model = Model::new(learned.similarity, model.separation(), beta)?;
        Ok(saved.with_model(model)?.with_learning(learned.record))
    }

    fn separate<T: Number>(
        &self,
        loss: SeparationLoss,
        patterns: &Patterns<T>,
        observer: &Observer<'_>,
    ) -> Result<Learned<T>> {
        let descent_rate = match self.loss {
            Loss::Max => MAX_LOSS_RATE,
            _ => AVERAGE_LOSS_RATE,
        };
        let optimizer = match self.optimizer {
            None | Some(Rule::GradientDescent) => {
                Optimizer::gradient_descent(self.rate.unwrap_or(descent_rate))?
            }
            Some(Rule::Adam) => Optimizer::adam(self.rate.unwrap_or(ADAM_RATE))?,
        };
        let mut params = Params::new(loss, optimizer, self.max_steps.unwrap_or(SEPARATION_STEPS))?;
        if self.keep_rows {
            params = params.keep_rows();
        }
        if let Some(tolerance) = self.tolerance {
            params = params.with_tolerance(tolerance)?;
        }
        if let Some(size) = self.batch {
            params = params.with_batches(Batches::new(size, self.seed)?)?;
        }
        let dim = patterns.dim();
        let start = LinearMap::random_normal(self.dim_features.unwrap_or(dim), dim, self.seed)?;
        let report = stage1::learn(patterns, start, &params, |progress| observer.hears(progress))?;
        let record = Learning::Separation {
            params,
            seed: Some(self.seed),
            losses: report.losses,
            held_out: report.held_out,
            stop: report.stop,
        };
        Ok(Learned { similarity: Similarity::Kernel(report.map), beta: None, record })
    }

    fn whiten<T: Number>(&self, patterns: &Patterns<T>) -> Result<Learned<T>> {
        let copies = self.copies(patterns, &self.damage(patterns)?)?;
        let given = self.ridge.map(|ridge| [ridge]);
        let tried = given.as_ref().map_or(&stage1::RIDGES[..], |given| given);
        let chosen = stage1::choose_ridge(patterns, tried, &copies)?;
        let record = Learning::Whitening { ridge: chosen.ridge };
        let (similarity, beta) = (Similarity::Kernel(chosen.map), Some(chosen.beta));
        Ok(Learned { similarity, beta, record })
    }

    fn denoise<T: Number>(
        &self,
        patterns: &Patterns<T>,
        observer: &Observer<'_>,
    ) -> Result<Learned<T>> {
        let damage = self.damage(patterns)?;
        let rate = self.rate.unwrap_or(DENOISING_RATE);
        let optimizer = match self.optimizer {
            Some(Rule::GradientDescent) => Optimizer::gradient_descent(rate)?,
            None | Some(Rule::Adam) => Optimizer::adam(rate)?,
        };
        let max_steps = self.max_steps.unwrap_or(DENOISING_STEPS);
        let mut params = Denoising::new(optimizer, max_steps, self.seed)?;
        if let Some(n_queries) = self.batch {
            params = params.with_queries(n_queries)?;
        }
        let copies = self.copies(patterns, &damage)?;
        let Start { map: start, judgement: first, .. } = Start::best(patterns, &copies)?;
        let corrupt = |rows: ndarray::ArrayView2<'_, T>, seed: u64| damage.apply(rows, seed);
        let hear = |progress| observer.hears(progress);
        let report = stage1::denoise(patterns, start.clone(), &params, corrupt, hear)?;
        let learned = Similarity::Asymmetric(report.map);
        let last = copies.judge(patterns, &learned)?;
        // Where the start tells all copies apart, steps on so few mistakes may only do harm.
        let (similarity, beta) = if last.loss < first.loss {
            (learned, last.beta)
        } else {
            (Similarity::Asymmetric(start), first.beta)
        };
        let record = Learning::Denoising { params, losses: report.losses, stop: report.stop };
        Ok(Learned { similarity, beta: Some(beta), record })
    }

    fn choose<T: Number>(&self, saved: SavedMemory<T>) -> Result<SavedMemory<T>> {
        let patterns = saved.memory().patterns();
        let damage = self.damage(patterns)?;
        let corrupt = |rows: ndarray::ArrayView2<'_, T>, seed| damage.apply(rows, seed);
        let choice = choose(patterns, damage.channel().cloned(), self.seed, corrupt)?;
        let whitened = match choice.tried[0].what {
            Candidate::Whitened { ridge } => Some(Learning::Whitening { ridge }),
            _ => None,
        };
        let corruption = damage.description().to_owned();
        let decision = Decision { corruption, seed: self.seed, tried: choice.tried };
        let model = choice.model;
        // What was learned before is not how this one was.
        let mut chosen = SavedMemory::new(saved.memory().clone().with_model(model)?);
        if let Some(ids) = saved.ids() {
            chosen = chosen.with_ids(ids.clone())?;
        }
        chosen = chosen.with_decision(decision);
        Ok(match whitened {
            Some(learning) => chosen.with_learning(learning),
            None => chosen,
        })
    }

    fn damage<T: Number>(&self, patterns: &Patterns<T>) -> Result<Damage> {
        Corruption::damage(self.corruption.as_ref(), patterns)
    }

    /// Corrupted copies to judge by, by a seed that no step of learning takes.
    fn copies<T: Number>(&self, patterns: &Patterns<T>, damage: &Damage) -> Result<Copies<T>> {
        Ok(Copies::draw(patterns, !self.seed, |rows, seed| damage.apply(rows, seed))?)
    }
}

/// What Stage I made.
struct Learned<T> {
    similarity: Similarity<T>,
    /// The β that goes with it, where one was found.
    beta: Option<f64>,
    record: Learning,
}
