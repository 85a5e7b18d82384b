//! Similarities made for a corruption, or for a mix of them.

use std::ops::ControlFlow;

use ndarray::ArrayView2;
use uhop::stage1::{
    Copies, Denoising, Optimizer, RIDGES, Start, StopReason, choose_ridge, denoise,
};
use uhop::{Patterns, Similarity, choose};
use uhop_data::{Corruption, Damage};

use crate::error::{Error, Result};
use crate::seeds::{Use, seed_of};

/// How denoising learns.
const STEPS: usize = 200;
const RATE: f64 = 0.1;

/// What is made for the corruption of the queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Informed {
    Channel,
    Whitened,
    Denoised,
    Auto,
}

/// Whether nobody has asked to stop.
pub(crate) type KeepGoing<'a> = &'a (dyn Fn() -> bool + Sync);

/// A similarity, and the β that belongs to it if one does.
pub(crate) struct Made {
    pub(crate) similarity: Similarity<f32>,
    pub(crate) beta: Option<f64>,
}

impl Made {
    /// At any β.
    pub(crate) fn free(similarity: Similarity<f32>) -> Self {
        Self { similarity, beta: None }
    }
}

impl Informed {
    /// The similarity for a corruption, from copies that are not among the queries.
    pub(crate) fn make(
        self,
        patterns: &Patterns<f32>,
        corruption: Corruption,
        seed: u64,
        keep_going: KeepGoing<'_>,
    ) -> Result<Made> {
        let known = || Damage::known(corruption, patterns);
        match self {
            Self::Channel => {
                Ok(Made::free(Similarity::Channel(corruption.channel(patterns.dim())?)))
            }
            Self::Whitened => whitened(patterns, &known()?, seed),
            Self::Denoised => denoised(patterns, &known()?, seed, keep_going),
            Self::Auto => auto(patterns, &known()?, seed),
        }
    }
}

/// The similarity learned from the [usual mix](uhop_data::CorruptionMix::usual) of corruptions.
pub(crate) fn denoised_mix(
    patterns: &Patterns<f32>,
    seed: u64,
    keep_going: KeepGoing<'_>,
) -> Result<Made> {
    denoised(patterns, &Damage::unknown(patterns)?, seed, keep_going)
}

/// What is chosen for the [usual mix](uhop_data::CorruptionMix::usual) of corruptions.
pub(crate) fn auto_mix(patterns: &Patterns<f32>, seed: u64) -> Result<Made> {
    auto(patterns, &Damage::unknown(patterns)?, seed)
}

/// The closed form, with the λ that tells copies apart best.
fn whitened(patterns: &Patterns<f32>, damage: &Damage, seed: u64) -> Result<Made> {
    let make = || -> uhop::Result<Made> {
        let copies = copies(patterns, damage, seed)?;
        Ok(Made::free(Similarity::Kernel(choose_ridge(patterns, &RIDGES, &copies)?.map)))
    };
    make().map_err(|error| failed("whitening", damage, error))
}

/// Learned from the better of two starts.
fn denoised(
    patterns: &Patterns<f32>,
    damage: &Damage,
    seed: u64,
    keep_going: KeepGoing<'_>,
) -> Result<Made> {
    let corrupt = |rows: ArrayView2<'_, f32>, seed| damage.apply(rows, seed);
    let go_on = || if keep_going() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    let make = || -> uhop::Result<_> {
        let start = Start::best(patterns, &copies(patterns, damage, seed)?)?.map;
        let params = Denoising::new(Optimizer::adam(RATE)?, STEPS, seed_of(seed, Use::Steps))?;
        denoise(patterns, start, &params, corrupt, |_| go_on())
    };
    let report = make().map_err(|error| failed("denoising", damage, error))?;
    if report.stop == StopReason::Observer {
        return Err(Error::stopped(0, 0));
    }
    Ok(Made::free(Similarity::Asymmetric(report.map)))
}

/// The model that is chosen, whose separation is softmax.
fn auto(patterns: &Patterns<f32>, damage: &Damage, seed: u64) -> Result<Made> {
    let corrupt = |rows: ArrayView2<'_, f32>, seed| damage.apply(rows, seed);
    let channel = damage.channel().cloned();
    let choice = choose(patterns, channel, seed_of(seed, Use::Choice), corrupt);
    let model = choice.map_err(|error| failed("the choice", damage, error))?.model;
    Ok(Made { similarity: model.similarity().clone(), beta: Some(model.beta()) })
}

fn copies(patterns: &Patterns<f32>, damage: &Damage, seed: u64) -> uhop::Result<Copies<f32>> {
    let corrupt = |rows: ArrayView2<'_, f32>, seed| damage.apply(rows, seed);
    Copies::draw(patterns, seed_of(seed, Use::Choice), corrupt)
}

fn failed(what: &str, damage: &Damage, error: uhop::Error) -> Error {
    Error::memory(format!("{what} for {}", damage.description()), error)
}
