//! A channel of the library recalls as well as the exact posterior, which shares no code with it.

use ndarray::{ArrayView2, s};
use uhop::{Dynamics, Memory, Model, Patterns, choose};
use uhop_data::{Corruption, sample};
use uhop_lab::{CorruptionKind, Likelihood};

fn error(found: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> f64 {
    let squares = found.iter().zip(truth).map(|(&a, &b)| f64::from(a - b).powi(2));
    squares.sum::<f64>() / truth.nrows() as f64
}

/// The mean error, and every weight: terms are off by 10⁻⁴ of a log-likelihood in each of 784 entries at most.
#[test]
fn a_channel_reaches_the_bayes_limit() {
    let digits = sample::digits();
    let patterns = digits.images().patterns();
    let truth = patterns.slice(s![..200, ..]);
    for (kind, level, corruption) in [
        (CorruptionKind::GaussianStd, 0.4, Corruption::gaussian_noise(0.4)),
        (CorruptionKind::GaussianStd, 0.7, Corruption::gaussian_noise(0.7)),
        (CorruptionKind::GaussianStd, 1.0, Corruption::gaussian_noise(1.0)),
        (CorruptionKind::GaussianStd, 1.4, Corruption::gaussian_noise(1.4)),
        (CorruptionKind::GaussianNorm, 2.0, Corruption::noise_of_norm(2.0)),
        (CorruptionKind::FoldedNorm, 9.0, Corruption::folded_noise_of_norm(9.0)),
        (CorruptionKind::HalfMask, 0.5, Ok(Corruption::half_mask())),
        (CorruptionKind::OccludedHalf, 0.5, Corruption::occluded_half(28, 28)),
    ] {
        let corruption = corruption.unwrap();
        let queries = corruption.apply(truth, 3).unwrap();
        let likelihood = Likelihood::new(kind, level, (28, 28));
        let posterior = likelihood.posterior(patterns, queries.view()).unwrap();
        let model = Model::bayes(corruption.channel(784).unwrap());
        let memory = Memory::new(Patterns::new(patterns.to_owned()).unwrap(), model).unwrap();
        let weights = memory.weights(queries.view()).unwrap().weights;
        for (found, expected) in weights.iter().zip(&posterior) {
            // Odds are off by e^±2·784·10⁻⁴, so that a weight is by 0.08 at most.
            assert!((found - expected).abs() < 0.08, "{corruption}: {found} {expected}");
        }
        let floor = error(posterior.dot(&patterns).view(), truth);
        let recalled = memory.retrieve(queries.view(), &Dynamics::one_step()).unwrap().retrieved;
        let found = error(recalled.view(), truth);
        assert!(found <= 1.01 * floor + 0.01, "{corruption}: {found}, the limit is {floor}");
    }
}

/// Ten patterns tell as little about a similarity as ten throws about a die: it is chosen by many copies of each.
#[test]
fn a_choice_for_few_patterns_recalls_as_well_as_the_channel() {
    let digits = sample::digits();
    let patterns = digits.images().patterns();
    for first in [0, 10, 20] {
        let patterns = Patterns::new(patterns.slice(s![first..first + 10, ..]).to_owned()).unwrap();
        let corruption = Corruption::mask(0.9).unwrap();
        let channel = || corruption.channel(784).unwrap();
        let choice = choose(&patterns, Some(channel()), 1, |x, s| corruption.apply(x, s).unwrap());
        let of_each = 50;
        let truth =
            ndarray::concatenate(ndarray::Axis(0), &vec![patterns.view(); of_each]).unwrap();
        let queries = corruption.apply(truth.view(), 7).unwrap();
        let error_of = |model: Model<f32>| {
            let memory = Memory::new(patterns.clone(), model).unwrap();
            let recalled = memory.retrieve(queries.view(), &Dynamics::one_step()).unwrap();
            error(recalled.retrieved.view(), truth.view())
        };
        let (chosen, best) = (error_of(choice.unwrap().model), error_of(Model::bayes(channel())));
        // Any difference is one of a few among 500 queries, of errors of about 100 each.
        assert!(chosen <= 1.2 * best + 0.5, "{chosen}, the channel has {best}");
    }
}
