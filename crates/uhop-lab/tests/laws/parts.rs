use std::ops::ControlFlow;

use ndarray::{Array2, Axis, s};
use uhop::stage1::{Optimizer, Params, SeparationLoss, learn};
use uhop::{Dynamics, LinearMap, Memory, Model, Patterns, Similarity, choose, metrics};
use uhop_data::{Corruption, CorruptionMix};
use uhop_lab::{Contender, CorruptionKind, Defect, Row, Spec, Tuning};

use crate::common::{informed, noise, rows, small};

/// Rows of one contender under one protocol.
fn of<'a>(rows: &'a [Row], protocol: &str, contender: &str) -> Vec<&'a Row> {
    let wanted = |row: &&Row| row.protocol == protocol && row.contender == contender;
    let rows: Vec<&Row> = rows.iter().filter(wanted).collect();
    assert!(!rows.is_empty(), "{protocol} {contender}");
    rows
}

/// What the lab damages the queries of a row with.
fn corruption(row: &Row) -> Corruption {
    match row.corruption.as_str() {
        "half-mask" => Corruption::half_mask(),
        "gaussian-std" => Corruption::gaussian_noise(row.level).unwrap(),
        "gaussian-norm" => Corruption::noise_of_norm(row.level).unwrap(),
        _ => Corruption::occluded_half(4, 5).unwrap(),
    }
}

/// What the lab draws for a memory set: its patterns, its queries, and where Stage I starts.
fn drawn(row: &Row) -> (Patterns<f32>, Array2<f32>, LinearMap<f32>) {
    let patterns = noise().draw(row.n_patterns as usize, 4 * row.seed).unwrap();
    let queries = corruption(row).apply(patterns.view(), 4 * row.seed + 1).unwrap();
    let start = LinearMap::random_normal(patterns.dim(), patterns.dim(), 4 * row.seed + 3).unwrap();
    (patterns, queries, start)
}

fn learned(
    patterns: &Patterns<f32>,
    start: LinearMap<f32>,
    (loss, optimizer, steps): (SeparationLoss, Optimizer, usize),
) -> (LinearMap<f32>, f64) {
    let params = Params::new(loss, optimizer, steps).unwrap().keep_rows();
    let report = learn(patterns, start, &params, |_| ControlFlow::Continue(())).unwrap();
    let loss = report.losses[report.steps];
    (report.map, loss)
}

fn average() -> (SeparationLoss, Optimizer, usize) {
    (SeparationLoss::average(), Optimizer::gradient_descent(1.0).unwrap(), 5)
}

fn max() -> (SeparationLoss, Optimizer, usize) {
    (SeparationLoss::max(), Optimizer::gradient_descent(10.0).unwrap(), 5)
}

/// Mean error of a recall by the library.
fn error(memory: &Memory<f32>, queries: &Array2<f32>) -> f64 {
    let recalled = memory.retrieve(queries.view(), &Dynamics::one_step()).unwrap().retrieved;
    let targets = memory.patterns();
    let errors = metrics::sum_squared_error(targets.view(), recalled.view(), None).unwrap();
    errors.sum() / errors.len() as f64
}

fn close(found: f64, expected: f64) -> bool {
    // Scores below 1e3, each rounded to f32, through exponentials: 1e3 · 2⁻²³ of the weights.
    (found - expected).abs() <= 2e-4 * (1.0 + expected)
}

/// Under `paper` every contender that the library has is the library's own recall, tuned ones too.
#[test]
fn sound_protocols_are_what_the_library_does() {
    let rows = rows(&small(), &noise());
    for protocol in ["paper", "fair"] {
        for contender in [
            "dense",
            "sparse",
            "entmax-1.5",
            "polynomial-10",
            "squared-euclidean",
            "manhattan",
            "cosine",
            "uhop-dense-average",
            "uhop-dense-max",
            "uhop-sparse-average",
            "uhop-sparse-max",
            "dense-matched-max",
        ] {
            for row in of(&rows, protocol, contender) {
                let (patterns, queries, start) = drawn(row);
                let map = |recipe| learned(&patterns, start.clone(), recipe).0.normalize_rows();
                let beta = row.beta.unwrap_or(1.0);
                let (dense, sparse) = (Model::dense(beta).unwrap(), Model::sparse(beta).unwrap());
                let model = match contender {
                    "sparse" => sparse,
                    "entmax-1.5" => Model::entmax(1.5, beta).unwrap(),
                    "polynomial-10" => Model::polynomial(10).unwrap(),
                    "squared-euclidean" => dense.with_similarity(Similarity::Euclidean),
                    "manhattan" => dense.with_similarity(Similarity::Manhattan),
                    "cosine" => dense.with_similarity(Similarity::Cosine),
                    "uhop-dense-average" => dense.with_feature_map(map(average())),
                    "uhop-dense-max" => dense.with_feature_map(map(max())),
                    "uhop-sparse-average" => sparse.with_feature_map(map(average())),
                    "uhop-sparse-max" => sparse.with_feature_map(map(max())),
                    _ => dense,
                };
                if contender != "polynomial-10" {
                    let found = row.effective_beta.unwrap();
                    assert!((found / model.effective_beta() - 1.0).abs() < 1e-12, "{row:?}");
                }
                let expected = error(&Memory::new(patterns, model).unwrap(), &queries);
                assert!(close(row.error, expected), "{row:?}: {expected}");
            }
        }
    }
}

/// Whatever the grid, tuned recall is no worse than the mean of the patterns, which is β → 0: an occlusion has the same
/// queries to tune by. A β outside, of which any size scales the recall, is tuned too.
#[test]
fn tuned_recall_is_no_worse_than_the_mean() {
    for (from, to) in [(1e-3, 1e-2), (10.0, 100.0), (1e4, 1e5)] {
        let mut spec = small();
        // Its β is that of another.
        spec.contenders.retain(|&contender| contender != Contender::DenseMatchedMax);
        spec.corruption.retain(|damage| damage.kind == CorruptionKind::OccludedHalf);
        spec.protocol.retain(|protocol| protocol.name != "paper");
        for protocol in &mut spec.protocol {
            protocol.tuned = Some(Tuning { from, to, points: 4, queries: 7 });
        }
        for row in rows(&spec, &noise()).iter().filter(|row| row.protocol == "fair") {
            let (Some(_), patterns) = (row.beta, drawn(row).0) else { continue };
            let mean = patterns.view().mean_axis(Axis(0)).unwrap();
            let expected =
                (&patterns.view() - &mean).mapv(|d| d * d).sum() / patterns.n_patterns() as f32;
            // The mean of at most 7 f32, and its squared distances of 20 numbers.
            assert!(row.error <= f64::from(expected) * (1.0 + 1e-5), "{expected}: {row:?}");
        }
    }
}

/// `auto` is what the library chooses for the corruption and `auto-mix` what it chooses for the mix, each at the β that
/// comes with the choice even where that of others is tuned.
#[test]
fn choices_are_what_the_library_chooses() {
    let rows = rows(&informed(), &noise());
    // Under two protocols, and the limit.
    assert_eq!(rows.len(), 3 * (2 * 6 + 1));
    for protocol in ["paper", "fair"] {
        for contender in ["auto", "auto-mix"] {
            for row in of(&rows, protocol, contender) {
                let (patterns, queries, _) = drawn(row);
                let (seed, corruption) = (4 * row.seed + (1 << 62), corruption(row));
                let choice = if contender == "auto" {
                    let channel = corruption.channel(20).unwrap();
                    choose(&patterns, Some(channel), seed, |x, s| corruption.apply(x, s).unwrap())
                } else {
                    let mix = CorruptionMix::usual(patterns.view());
                    choose(&patterns, None, seed, |x, s| mix.apply(x, s).unwrap())
                };
                let model = choice.unwrap().model;
                assert_eq!((row.beta, row.effective_beta), (Some(model.beta()), None), "{row:?}");
                let expected = error(&Memory::new(patterns, model).unwrap(), &queries);
                assert!(close(row.error, expected), "{row:?}: {expected}");
            }
        }
    }
}

/// The matched dense models have the effective β of U-Hop, whatever the protocol.
#[test]
fn matched_models_have_the_temperature_of_uhop() {
    let rows = rows(&small(), &noise());
    // With β outside there is no temperature to match.
    for protocol in ["paper", "fair"] {
        for loss in ["average", "max"] {
            let uhop = of(&rows, protocol, &format!("uhop-dense-{loss}"));
            let dense = of(&rows, protocol, &format!("dense-matched-{loss}"));
            for (uhop, dense) in uhop.iter().zip(dense) {
                assert_eq!(uhop.effective_beta, dense.effective_beta);
                assert_eq!(
                    (dense.stage1_steps, dense.stage1_loss),
                    (uhop.stage1_steps, uhop.stage1_loss)
                );
            }
        }
    }
}

/// The small experiment with one protocol, of these defects.
fn with(defects: &[Defect]) -> Vec<Row> {
    let mut spec = small();
    spec.protocol.truncate(1);
    spec.protocol[0].without.clear();
    spec.protocol[0].defects = defects.to_vec();
    spec.protocol[0].name = "p".to_owned();
    spec.betas = [(Contender::Dense, 2.0), (Contender::Cosine, 10.0)].into();
    rows(&spec, &noise())
}

/// Each defect changes what it is named for, and nothing else.
#[test]
fn each_defect_changes_what_it_names_and_nothing_else() {
    let sound = with(&[]);
    for (defect, changed) in [
        (Defect::DistancesNotNegated, &["l2", "squared-euclidean", "manhattan"][..]),
        (Defect::BetaOutside, &["dense", "cosine"]),
        (Defect::PolynomialNotNormalised, &["polynomial-10"]),
        (
            Defect::HalfOfMemoriesTrained,
            &["uhop-dense-average", "uhop-dense-max", "uhop-sparse-average", "uhop-sparse-max"],
        ),
        (Defect::DecayingRate, &["uhop-dense-average", "uhop-sparse-average"]),
        (
            Defect::RowsNotNormalised,
            &[
                "uhop-dense-average",
                "uhop-dense-max",
                "uhop-sparse-average",
                "uhop-sparse-max",
                "dense-matched-average",
                "dense-matched-max",
            ],
        ),
        (Defect::ErrorClamped, &["query"]),
    ] {
        let defective = with(&[defect]);
        let names = sound.iter().map(|row| row.contender.as_str());
        for name in names.collect::<std::collections::BTreeSet<_>>() {
            let errors = |rows: &[Row]| -> Vec<f64> {
                rows.iter().filter(|row| row.contender == name).map(|row| row.error).collect()
            };
            let (a, b) = (errors(&sound), errors(&defective));
            let same = a.iter().zip(&b).all(|(&a, &b)| close(a, b));
            assert_eq!(!same, changed.contains(&name), "{defect}: {name} {a:?} {b:?}");
        }
    }
}

/// Stage I as published: the first half, a rate that freezes, rows as learned; and it makes every
/// one of the steps, though the lab stops where no step moves W.
#[test]
fn published_stage_one_is_as_published() {
    let mut spec = small();
    spec.stage1.steps = vec![120];
    let rows = rows(&spec, &noise());
    for row in of(&rows, "published", "uhop-dense-average") {
        let (patterns, queries, start) = drawn(row);
        let half = patterns.first(patterns.n_patterns() / 2).unwrap();
        let decay = Optimizer::published_decay(1.0).unwrap();
        let (map, loss) = learned(&half, start, (SeparationLoss::average(), decay, 120));
        assert_eq!((row.stage1_steps, row.stage1_loss), (Some(120), Some(loss)));
        let model = Model::dense(1.0).unwrap().with_feature_map(map);
        let expected = error(&Memory::new(patterns, model).unwrap(), &queries);
        assert!(close(row.error, expected), "{row:?}: {expected}");
    }
}

/// A run with W used after each of several numbers of steps is one run, up to the rounding of W.
///
/// Wherever it goes on from, a feature is off by less than 784·ε of its norm, ε that of f32; losses have
/// slopes of at most 4t = 8 in unit features.
#[test]
fn steps_on_the_way_are_those_of_single_runs() {
    let mut spec = small();
    spec.protocol.remove(0);
    let with = |steps: &[usize]| {
        let stage1 = uhop_lab::Stage1 { steps: steps.to_vec(), ..spec.stage1.clone() };
        rows(&Spec { stage1, ..spec.clone() }, &noise())
    };
    let together = with(&[2, 5, 9]);
    for steps in [2, 5, 9] {
        for alone in with(&[steps]).iter().filter(|row| row.stage1_steps.is_some()) {
            let same = |row: &&Row| {
                let key = |row: &Row| {
                    let Row { n_patterns, seed, level, stage1_steps, .. } = *row;
                    let names = [&row.corruption, &row.protocol, &row.contender].map(Clone::clone);
                    (n_patterns, seed, level, stage1_steps, names)
                };
                key(row) == key(alone)
            };
            let row = together.iter().find(same).unwrap();
            let losses = row.stage1_loss.unwrap() - alone.stage1_loss.unwrap();
            assert!(losses.abs() <= 8.0 * 784.0 * f64::from(f32::EPSILON), "{row:?}");
            assert!(close(row.error, alone.error), "{row:?}");
        }
    }
}

#[test]
fn queries_can_be_fewer_than_patterns() {
    // A sparse model of this β leaves weight to as many patterns as there are queries: the others are not read.
    let models = [("dense", Model::dense(1.0).unwrap()), ("sparse", Model::sparse(100.0).unwrap())];
    for n_queries in [1, 2, 3] {
        let mut spec = small();
        spec.queries = Some(n_queries);
        spec.betas.insert(Contender::Sparse, 100.0);
        let rows = rows(&spec, &noise());
        for (contender, model) in &models {
            for row in of(&rows, "paper", contender) {
                let (patterns, queries, _) = drawn(row);
                let memory = Memory::new(patterns.clone(), model.clone()).unwrap();
                let queries = queries.slice(s![..n_queries, ..]);
                let recalled = memory.retrieve(queries, &Dynamics::one_step()).unwrap().retrieved;
                let targets = patterns.view();
                let targets = targets.slice(s![..n_queries, ..]);
                let errors = metrics::sum_squared_error(targets, recalled.view(), None).unwrap();
                assert!(close(row.error, errors.mean().unwrap()), "{row:?}");
            }
        }
    }
}
