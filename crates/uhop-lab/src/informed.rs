//! Similarities made for a corruption, or for a mix of them.

use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView2};
use uhop::stage1::{Copies, Denoising, Optimizer, RIDGES, Start, choose_ridge, denoise};
use uhop::{AsymmetricMap, Channel, Patterns, Similarity, choose};
use uhop_data::{Corruption, CorruptionMix};

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
    /// The similarity for `damage`, from copies that are not among the queries.
    pub(crate) fn make(
        self,
        patterns: &Patterns<f32>,
        damage: Corruption,
        seed: u64,
    ) -> Result<Made> {
        let copies = |rows: ArrayView2<'_, f32>, seed| {
            damage.apply(rows, seed).expect("what was done to the queries")
        };
        match self {
            Self::Channel => Ok(Made::free(Similarity::Channel(damage.channel(patterns.dim())?))),
            Self::Whitened => {
                let copies = Copies::draw(patterns, seed_of(seed, Use::Choice), copies);
                let chosen = copies.and_then(|copies| choose_ridge(patterns, &RIDGES, &copies));
                let failed = |error| Error::memory(format!("whitening for {damage}"), error);
                Ok(Made::free(Similarity::Kernel(chosen.map_err(failed)?.map)))
            }
            Self::Denoised => denoised(patterns, seed, copies)
                .map(|map| Made::free(Similarity::Asymmetric(map)))
                .map_err(|error| Error::memory(format!("denoising for {damage}"), error)),
            Self::Auto => {
                let channel = damage.channel(patterns.dim())?;
                auto(patterns, Some(channel), seed, copies)
                    .map_err(|error| Error::memory(format!("the choice for {damage}"), error))
            }
        }
    }
}

/// The similarity learned from the [usual mix](CorruptionMix::usual) of corruptions.
pub(crate) fn denoised_mix(patterns: &Patterns<f32>, seed: u64) -> Result<Made> {
    let mix = CorruptionMix::usual(patterns.view());
    let copies = |rows: ArrayView2<'_, f32>, seed| {
        mix.apply(rows, seed).expect("patterns that the mix was made for")
    };
    denoised(patterns, seed, copies)
        .map(|map| Made::free(Similarity::Asymmetric(map)))
        .map_err(|error| Error::memory(format!("denoising for {mix}"), error))
}

/// What is chosen for the [usual mix](CorruptionMix::usual) of corruptions.
pub(crate) fn auto_mix(patterns: &Patterns<f32>, seed: u64) -> Result<Made> {
    let mix = CorruptionMix::usual(patterns.view());
    let copies = |rows: ArrayView2<'_, f32>, seed| {
        mix.apply(rows, seed).expect("patterns that the mix was made for")
    };
    auto(patterns, None, seed, copies)
        .map_err(|error| Error::memory(format!("the choice for {mix}"), error))
}

/// The model that is chosen, whose separation is softmax.
fn auto(
    patterns: &Patterns<f32>,
    channel: Option<Channel>,
    seed: u64,
    corrupt: impl Fn(ArrayView2<'_, f32>, u64) -> Array2<f32>,
) -> uhop::Result<Made> {
    let model = choose(patterns, channel, seed_of(seed, Use::Choice), corrupt)?.model;
    Ok(Made { similarity: model.similarity().clone(), beta: Some(model.beta()) })
}

/// Learned from the better of two starts.
fn denoised(
    patterns: &Patterns<f32>,
    seed: u64,
    corrupt: impl Fn(ArrayView2<'_, f32>, u64) -> Array2<f32>,
) -> uhop::Result<AsymmetricMap<f32>> {
    let copies = Copies::draw(patterns, seed_of(seed, Use::Choice), &corrupt)?;
    let start = Start::best(patterns, &copies)?.map;
    let params = Denoising::new(Optimizer::adam(RATE)?, STEPS, seed_of(seed, Use::Steps))?;
    Ok(denoise(patterns, start, &params, corrupt, |_| ControlFlow::Continue(()))?.map)
}
