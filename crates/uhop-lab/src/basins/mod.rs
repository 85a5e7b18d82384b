//! The plane: energy landscapes and basins of attraction before, during and after Stage I.
//!
//! ```
//! use uhop_lab::Specification as _;
//! use uhop_lab::basins::{Spec, landscapes};
//!
//! let spec = Spec::shipped()?.quick();
//! let found = landscapes(&spec)?;
//! assert_eq!(found[0].what, "dot, W = I");
//! assert_eq!(found[0].basins.len(), 41 * 41);
//! # Ok::<(), uhop_lab::Error>(())
//! ```

mod document;
mod rest;
mod spec;

use std::ops::ControlFlow;
use std::path::Path;

use ndarray::Array2;
use parquet::basic::Repetition;
use serde::Serialize;
use uhop::stage1::{Optimizer, Params, SeparationLoss, learn};
use uhop::{Dynamics, LinearMap, Memory, Model, Patterns, Similarity, StopReason};

use crate::error::{Error, Result};
use crate::journal::{Header, Journal};
use crate::rows::{Column, OPTIONAL, REQUIRED, Record};
use crate::written::{Folder, Measured, Written};
pub use document::document;
pub use rest::Rest;
use rest::{distance, rests};
pub use spec::Spec;

/// The name of the experiment.
pub const NAME: &str = "basins";

/// What one memory makes of the plane.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Landscape {
    /// How patterns are compared.
    pub what: String,
    /// Steps of Stage I, where there is a map.
    pub steps: Option<usize>,
    /// The average separation loss after them.
    pub loss: Option<f64>,
    /// The energy of every cell of the grid, row by row from the lowest y.
    pub energies: Vec<f64>,
    /// Where each cell comes to rest.
    pub basins: Vec<Rest>,
    /// The mixtures at which cells come to rest, from the largest basin on.
    pub mixtures: Vec<[f64; 2]>,
    /// Which patterns come to rest at themselves.
    pub stored: Vec<bool>,
}

/// One cell of one landscape.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// Name of the landscape.
    pub landscape: String,
    /// Steps of Stage I, where there is a map.
    pub stage1_steps: Option<u64>,
    /// The average separation loss after them.
    pub stage1_loss: Option<f64>,
    /// The state.
    pub x: f64,
    /// Its other number.
    pub y: f64,
    /// Its energy.
    pub energy: f64,
    /// The pattern it comes to rest at, counted from 1; nothing where it is none.
    pub basin: Option<u64>,
    /// The mixture it comes to rest at, counted from 1; nothing where it is none.
    pub mixture: Option<u64>,
}

impl Record for Row {
    const COLUMNS: &'static [(Column<Self>, Repetition)] = {
        use Column::{Count, Number, Text};
        &[
            (Text("landscape", |row| &row.landscape), REQUIRED),
            (Count("stage1_steps", |row| row.stage1_steps), OPTIONAL),
            (Number("stage1_loss", |row| row.stage1_loss), OPTIONAL),
            (Number("x", |row| Some(row.x)), REQUIRED),
            (Number("y", |row| Some(row.y)), REQUIRED),
            (Number("energy", |row| Some(row.energy)), REQUIRED),
            (Count("basin", |row| row.basin), OPTIONAL),
            (Count("mixture", |row| row.mixture), OPTIONAL),
        ]
    };
}

/// The landscapes of a specification: the plain model, the map after each number of steps from the identity, the same
/// from a random start, that start among them, and the euclidean similarity.
///
/// # Errors
/// [`is_input`](Error::is_input) when the patterns make no memory, or Stage I diverges.
pub fn landscapes(spec: &Spec) -> Result<Vec<Landscape>> {
    let failed = |error| Error::memory("the patterns", error);
    let points: Vec<f64> = spec.patterns.iter().flatten().copied().collect();
    let points = Array2::from_shape_vec((spec.patterns.len(), 2), points)
        .expect("points of two numbers each");
    let patterns = Patterns::new(points).map_err(failed)?;
    let plain = Model::entmax(spec.alpha, spec.beta).map_err(failed)?;
    let mut all = vec![Landscape::new("dot, W = I", &patterns, plain.clone(), spec)?];
    let identity = LinearMap::identity(2).map_err(failed)?;
    let random = LinearMap::random_normal(2, 2, spec.seed).map_err(failed)?;
    for (name, start, from) in [("I", identity, 1), ("a random W", random, 0)] {
        let all_steps = std::iter::once(0).chain(spec.steps.iter().copied());
        for steps in all_steps.skip(from) {
            let (map, loss) = learned(&patterns, start.clone(), spec, steps).map_err(failed)?;
            let what = match steps {
                0 => format!("U-Hop from {name}, before Stage I"),
                1 => format!("U-Hop from {name}, 1 step of Stage I"),
                _ => format!("U-Hop from {name}, {steps} steps of Stage I"),
            };
            let model = plain.clone().with_feature_map(map);
            let landscape = Landscape::new(&what, &patterns, model, spec)?;
            all.push(Landscape { steps: Some(steps), loss: Some(loss), ..landscape });
        }
    }
    let euclidean = plain.with_similarity(Similarity::Euclidean);
    all.push(Landscape::new("euclidean", &patterns, euclidean, spec)?);
    Ok(all)
}

/// W after some steps of Stage I on the average loss, its rows normalised, and the loss of W before that.
fn learned(
    patterns: &Patterns<f64>,
    start: LinearMap<f64>,
    spec: &Spec,
    steps: usize,
) -> uhop::Result<(LinearMap<f64>, f64)> {
    let loss = SeparationLoss::average();
    if steps == 0 {
        let (before, _) = loss.value_and_gradient(&start, patterns)?;
        return Ok((start.normalize_rows(), before));
    }
    let optimizer = Optimizer::gradient_descent(spec.rate)?;
    let params = Params::new(loss, optimizer, steps)?;
    let report = learn(patterns, start, &params, |_| ControlFlow::Continue(()))?;
    let last = report.losses[report.steps];
    Ok((report.map, last))
}

impl Landscape {
    fn new(what: &str, patterns: &Patterns<f64>, model: Model<f64>, spec: &Spec) -> Result<Self> {
        let failed = |error| Error::memory(what, error);
        let memory = Memory::new(patterns.clone(), model).map_err(failed)?;
        let states = grid(spec);
        let energies = memory.energy(states.view()).map_err(failed)?;
        let rest = Dynamics::until(spec.tolerance, spec.updates).map_err(failed)?;
        let settled = |states: &Array2<f64>| memory.retrieve(states.view(), &rest).map_err(failed);
        let found = settled(&states)?;
        let is_settled = |report: &uhop::QueryReport| report.stop == StopReason::Converged;
        let all_settled: Vec<bool> = found.reports.iter().map(is_settled).collect();
        let stored = patterns.view();
        let (basins, mixtures) = rests(stored, found.retrieved.view(), &all_settled, spec.radius);
        let themselves = settled(&stored.to_owned())?.retrieved;
        let kept = themselves.outer_iter().zip(stored.outer_iter());
        Ok(Self {
            what: what.to_owned(),
            steps: None,
            loss: None,
            energies: energies.to_vec(),
            basins,
            mixtures,
            stored: kept.map(|(state, pattern)| distance(state, pattern) <= spec.radius).collect(),
        })
    }
}

/// The centres of the cells, row by row from the lowest y.
fn grid(spec: &Spec) -> Array2<f64> {
    let width = 2.0 * spec.reach / spec.cells as f64;
    let place = |i: usize| (i as f64 + 0.5) * width - spec.reach;
    Array2::from_shape_fn((spec.cells * spec.cells, 2), |(cell, axis)| {
        place(if axis == 0 { cell % spec.cells } else { cell / spec.cells })
    })
}

/// Every cell of every landscape.
pub fn rows(spec: &Spec, landscapes: &[Landscape]) -> Vec<Row> {
    let states = grid(spec);
    let of = |landscape: &Landscape| -> Vec<Row> {
        let cells = states.outer_iter().zip(&landscape.energies).zip(&landscape.basins);
        cells
            .map(|((state, &energy), &rest)| Row {
                landscape: landscape.what.clone(),
                stage1_steps: landscape.steps.map(|steps| steps as u64),
                stage1_loss: landscape.loss,
                x: state[0],
                y: state[1],
                energy,
                basin: if let Rest::Pattern(i) = rest { Some(i as u64 + 1) } else { None },
                mixture: if let Rest::Mixture(i) = rest { Some(i as u64 + 1) } else { None },
            })
            .collect()
    };
    landscapes.iter().flat_map(of).collect()
}

/// Measures, and writes rows.csv, rows.parquet, report.html and the pictures into a folder, made if
/// missing. `command` stands in the report; `before_writing` is called when all is measured and the first
/// of the files is not begun.
///
/// # Errors
/// As [`landscapes`]; [`is_input`](Error::is_input) when a file cannot be written, or the folder holds rows
/// of another experiment, specification or version.
pub fn run(
    spec: &Spec,
    out: &Path,
    command: &str,
    before_writing: impl FnOnce(),
) -> Result<Written<Landscape>> {
    let folder = Folder::make(out)?;
    // Holds no tasks, but says what the rows are of, and keeps other runs out.
    let header = Header::new(&spec.name, spec, Vec::new());
    let _journal = Journal::open::<(), ()>(&folder, &header)?;
    let found = landscapes(spec)?;
    before_writing();
    let report = document(spec, &found, command).map_err(Error::from)?;
    Ok(folder.write(&rows(spec, &found), &report)?.of(Measured::in_one_go(found)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Specification as _;

    /// The radius is far below the distance of two patterns, and the cells are small beside the basins.
    #[test]
    fn stored_patterns_and_no_others_have_a_basin() {
        let spec = Spec::shipped().unwrap().quick();
        for landscape in landscapes(&spec).unwrap() {
            let lowest = landscape.energies.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(lowest.is_finite(), "{}", landscape.what);
            assert_eq!(landscape.basins.len(), spec.cells * spec.cells);
            for (pattern, stored) in landscape.stored.iter().enumerate() {
                let has_basin = landscape.basins.contains(&Rest::Pattern(pattern));
                assert_eq!(has_basin, *stored, "{}: {pattern}", landscape.what);
            }
        }
    }

    /// What the specification is made for: the dot product loses the pattern in the shadow of another,
    /// which the euclidean similarity keeps.
    #[test]
    fn the_pattern_in_the_shadow_is_lost_to_the_dot_product() {
        let spec = Spec::shipped().unwrap().quick();
        let found = landscapes(&spec).unwrap();
        let (dot, euclidean) = (&found[0], &found[found.len() - 1]);
        assert_eq!(dot.stored, [true, false, true, true, true]);
        assert_eq!(euclidean.stored, [true; 5]);
    }

    #[test]
    fn every_cell_is_a_row() {
        let mut spec = Spec::shipped().unwrap().quick();
        spec.cells = 5;
        let folder = tempfile::tempdir().unwrap();
        let is_empty = || !folder.path().join("rows.csv").exists();
        let mut is_begun = false;
        let before_writing = || {
            assert!(is_empty());
            is_begun = true;
        };
        let written =
            run(&spec, folder.path(), "uhop experiment run basins", before_writing).unwrap();
        assert!(is_begun);
        let text = std::fs::read_to_string(&written.csv).unwrap();
        assert_eq!(written.n_rows, written.found.len() * 25);
        assert_eq!(text.lines().count(), 1 + written.n_rows);
        assert!(text.starts_with("landscape,stage1_steps,stage1_loss,x,y,energy,basin,mixture\n"));
        assert!(written.report.is_file() && written.parquet.is_file());
    }

    #[test]
    fn wrong_specifications_name_their_line() {
        let text = include_str!("../../specs/basins.toml");
        for (right, wrong, problem) in [
            ("cells = 161", "cells = 513", "cells: expected at most 512, found 513"),
            ("cells = 41", "cells = 513", "cells: expected at most 512, found 513"),
            ("[10, 200]", "[1, 2, 3, 4, 5, 6, 7, 8, 9]", "steps: expected at most 8, found 9"),
            ("[10, 200]", "[2000000000]", "steps: expected at most 1000000000"),
            ("updates = 500", "updates = 2000000000", "updates: expected at most 1000000000"),
            ("seed = 0", "seed = -1", "seed: expected a whole number from 0 up, found -1"),
            ("reach = 1.2", "reach = 0.8", "patterns: expected patterns within the reach 0.8"),
            (
                ", [0.5, 0.2], [-0.25, 0.85], [-0.7, -0.45], [0.3, -0.8]]",
                "]",
                "patterns: expected at least 2",
            ),
        ] {
            assert!(text.contains(right), "{right}");
            let error = Spec::parse(&text.replace(right, wrong), "b.toml").unwrap_err().to_string();
            assert!(error.starts_with("b.toml:") && error.contains(problem), "{error}");
        }
    }

    /// From the origin, where every pattern of the square is as near, softmax at a small β goes nowhere: all states
    /// rest at one mixture, the mean.
    #[test]
    fn states_that_rest_between_patterns_rest_at_a_mixture() {
        let mut spec = Spec::shipped().unwrap().quick();
        (spec.alpha, spec.beta, spec.cells) = (1.0, 0.1, 5);
        spec.patterns = vec![[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]];
        for landscape in landscapes(&spec).unwrap() {
            assert_eq!(landscape.mixtures.len(), 1, "{}", landscape.what);
            assert!(landscape.basins.iter().all(|rest| *rest == Rest::Mixture(0)));
            let [x, y] = landscape.mixtures[0];
            assert!(x.hypot(y) <= spec.radius, "{x} {y}");
        }
    }
}
