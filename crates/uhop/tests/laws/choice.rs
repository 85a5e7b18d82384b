//! Laws of the choice by recall: what is first recalls best, and says truly how well.

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use uhop::{Candidate, Channel, Choice, Dynamics, Memory, Scalar, choose, metrics};

use crate::channel::pictures;
use crate::common::{in_pool, normal, stored};

/// min(|ξ + n|, 1) with n of standard deviation 0.4.
fn folded<T: Scalar>(rows: ArrayView2<'_, T>, seed: u64) -> Array2<T> {
    let noise = normal::<T>(rows.nrows(), rows.ncols(), seed);
    let noisy = noise.mapv(|n| T::narrow(0.4 * n.widen())) + rows;
    noisy.mapv(|x| x.abs().min(T::one()))
}

fn chosen<T: Scalar>(patterns: &Array2<T>, channel: Option<Channel>) -> Choice<T> {
    choose(&stored(patterns), channel, 7, folded).unwrap()
}

#[test]
fn the_first_is_the_model_and_its_error_that_of_other_copies() {
    let patterns = pictures::<f64>(40, 30, 3);
    for channel in [None, Some(Channel::folded_gaussian(0.4).unwrap())] {
        let Choice { model, tried, .. } = chosen(&patterns, channel.clone());
        assert_eq!(tried.len(), 6);
        assert!(tried[1..].windows(2).all(|pair| pair[0].error <= pair[1].error), "{tried:?}");
        assert_eq!(model.beta(), tried[0].beta);
        let last = tried.iter().any(|tried| tried.what == Candidate::Channel);
        assert_eq!(last, channel.is_some());
        // The copies of the seed after the one that β was tuned on: all 40 patterns, 25 times each.
        let memory = Memory::new(stored(&patterns), model).unwrap();
        let sources = concatenate(Axis(0), &[patterns.view(); 25]).unwrap();
        let copies = folded(sources.view(), 8);
        let recalled = memory.retrieve(copies.view(), &Dynamics::one_step()).unwrap().retrieved;
        let errors = metrics::sum_squared_error(sources.view(), recalled.view(), None).unwrap();
        assert_eq!(errors.mean().unwrap(), tried[0].error);
    }
}

#[test]
fn a_known_likelihood_recalls_best_but_for_chance() {
    let patterns = pictures::<f64>(60, 12, 5);
    let choice = chosen(&patterns, Some(Channel::folded_gaussian(0.4).unwrap()));
    let channel = choice.tried.iter().find(|tried| tried.what == Candidate::Channel).unwrap();
    // No recall has a smaller expected error.
    assert_eq!((choice.tried[0].what, channel.beta), (Candidate::Channel, 1.0), "{choice:?}");
    // A copy of a picture among 60 tells a good deal of it, to one who knows how.
    let dot = choice.tried.iter().find(|tried| tried.what == Candidate::Dot).unwrap();
    assert!(channel.error < dot.error, "{choice:?}");
}

#[test]
fn where_copies_are_all_recalled_the_likelihood_is_chosen_and_not_the_simplest() {
    // Far apart for this noise: every similarity recalls every copy.
    let patterns = Array2::from_shape_fn((6, 60), |(i, j)| f64::from(u8::from(j / 10 == i)));
    let channel = Channel::folded_gaussian(0.1).unwrap();
    let noisy = |rows: ArrayView2<'_, f64>, seed| {
        let noise = normal::<f64>(rows.nrows(), rows.ncols(), seed);
        (noise * 0.1 + rows).mapv(|x| x.abs().min(1.0))
    };
    let choice = choose(&stored(&patterns), Some(channel), 7, noisy).unwrap();
    assert!(choice.tried.iter().all(|tried| tried.error < 1e-6), "{choice:?}");
    assert_eq!(choice.tried[0].what, Candidate::Channel, "{choice:?}");
}

#[test]
fn a_likelihood_of_another_corruption_is_not_chosen() {
    let patterns = pictures::<f64>(60, 30, 5);
    // Nothing is masked, and little noise is a mask that is impossible many times over.
    let choice = chosen(&patterns, Some(Channel::mask(0.5).unwrap()));
    assert_ne!(choice.tried[0].what, Candidate::Channel, "{choice:?}");
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let patterns = pictures::<f32>(300, 20, 3);
    let with = |threads| in_pool(threads, || chosen(&patterns, None));
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(5));
}

#[test]
fn any_patterns_have_a_choice() {
    for patterns in [Array2::<f64>::zeros((3, 4)), Array2::ones((1, 4)), Array2::ones((3, 1))] {
        let choice = choose(&stored(&patterns), None, 0, |rows, _| rows.to_owned()).unwrap();
        assert!(choice.tried[0].error < 1e-12, "{choice:?}");
    }
    let wrong = |rows: ArrayView2<'_, f64>, _| Array2::zeros((rows.nrows(), rows.ncols() + 1));
    let error = choose(&stored(&Array2::<f64>::ones((3, 4))), None, 0, wrong).unwrap_err();
    assert!(error.is_shape_mismatch(), "{error}");
}
