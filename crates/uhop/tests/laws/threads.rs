//! Results are the same, bit by bit, for any number of threads.

use std::fmt::Debug;
use std::ops::ControlFlow;

use ndarray::Array2;
use uhop::stage1::{Optimizer, Params, SeparationLoss, learn};
use uhop::{Dynamics, LinearMap, Memory, Model, Separation, Similarity, Threads};

use crate::common::{in_pool, normal, similarities, stored};

/// One thread, an even and two odd numbers, one of them more than there are cores on many machines.
#[track_caller]
fn is_the_same_for_all<R: PartialEq + Debug + Send>(what: &str, work: impl Fn() -> R + Sync) {
    let one = in_pool(1, &work);
    for threads in [2, 3, 5] {
        // Not `assert_eq`: a memory's worth of numbers says nothing.
        assert!(in_pool(threads, &work) == one, "{what}: {threads} threads differ from one");
    }
}

fn separations() -> Vec<Separation> {
    let mut all = [1.0, 1.5, 2.0].map(|alpha| Separation::entmax(alpha).unwrap()).to_vec();
    all.push(Separation::top_k(3).unwrap());
    all.push(Separation::polynomial(3).unwrap());
    all
}

fn retrieves_the_same(patterns: &Array2<f32>, queries: &Array2<f32>, beta: f64) {
    let until = Dynamics::until(1e-3, 3).unwrap();
    for similarity in similarities::<f32>(patterns.ncols(), 19) {
        for separation in separations() {
            let what = format!("{} {separation}", similarity.name());
            let model = Model::new(similarity.clone(), separation, beta).unwrap();
            // Made inside, so that binding is part of it.
            let memory = || Memory::new(stored(patterns), model.clone()).unwrap();
            is_the_same_for_all(&what, || memory().retrieve(queries.view(), &until).unwrap());
            is_the_same_for_all(&what, || {
                memory().screened().retrieve(queries.view(), &until).unwrap()
            });
        }
    }
}

/// Many queries of few patterns are cut by queries, few of many by patterns.
#[test]
fn retrieval_is_the_same() {
    retrieves_the_same(&normal(150, 33, 17), &normal(300, 33, 18), 0.1);
    retrieves_the_same(&normal(8700, 6, 4), &normal(9, 6, 5), 2.0);
}

/// Wide enough for both levels of a screen, with directions to find.
#[test]
fn a_screen_is_the_same() {
    let mixed = |rows, seed| normal::<f32>(rows, 6, seed).dot(&normal(6, 130, 7));
    let (patterns, queries) = (mixed(9000, 5), mixed(40, 6));
    for separation in [Separation::softmax(), Separation::entmax(1.5).unwrap()] {
        let model = Model::new(Similarity::Dot, separation, 0.1).unwrap();
        is_the_same_for_all(&separation.to_string(), || {
            let memory = Memory::new(stored(&patterns), model.clone()).unwrap().screened();
            memory.retrieve(queries.view(), &Dynamics::one_step()).unwrap()
        });
    }
}

#[test]
fn learning_is_the_same() {
    let patterns = stored(&normal::<f32>(700, 20, 31));
    let average = SeparationLoss::average();
    for loss in [average, average.raw_features(), SeparationLoss::max()] {
        let params = Params::new(loss, Optimizer::gradient_descent(1.0).unwrap(), 5).unwrap();
        is_the_same_for_all(&format!("{loss:?}"), || {
            let start = LinearMap::random_normal(24, 20, 2).unwrap();
            learn(&patterns, start, &params, |_| ControlFlow::Continue(())).unwrap()
        });
    }
}

#[test]
fn a_survey_is_the_same() {
    let patterns = normal::<f32>(700, 9, 3);
    let chosen: Vec<usize> = (0..700).filter(|i| i % 3 == 1).collect();
    for similarity in similarities::<f32>(9, 4) {
        let what = similarity.name();
        let model = Model::new(similarity, Separation::entmax(1.5).unwrap(), 0.5).unwrap();
        is_the_same_for_all(what, || {
            let memory = Memory::new(stored(&patterns), model.clone()).unwrap();
            let survey = memory.survey(&chosen, |_| {}).unwrap();
            let weights = memory.weights(patterns.view()).unwrap();
            let energy = memory.energy(patterns.view()).ok();
            (
                survey.separations().clone(),
                survey.certificates(),
                survey.closest_pair(),
                survey.beta_for(0.5, 0.01).ok(),
                memory.closest_pair(),
                memory.separations().unwrap(),
                (weights.weights, weights.support_size, energy),
            )
        });
    }
}

/// Threads can be used again, and inside others.
#[test]
fn threads_nest() {
    let (outer, inner) = (Threads::new(2).unwrap(), Threads::new(3).unwrap());
    let product = || {
        let map = LinearMap::<f32>::random_normal(200, 20, 0).unwrap();
        map.apply(normal(300, 20, 1).view()).unwrap()
    };
    let expected = product();
    for _ in 0..2 {
        assert_eq!(outer.install(|| inner.install(product)), expected);
    }
}
