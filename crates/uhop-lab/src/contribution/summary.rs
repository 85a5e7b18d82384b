//! Rows to medians and quartiles over the seeds.

use super::{Row, Spec};
use crate::summary::{Spread, short};

/// Below this a mean is the rounding of energies in `f64`: 784·ε·‖ξ‖‖x‖, norms of the order of 10.
const ROUNDING: f64 = 1e-11;

/// One model after one number of steps.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Line {
    /// Name of the model.
    pub contender: String,
    /// Steps of Stage I, where there is one.
    pub steps: Option<u64>,
    /// One for each number of patterns of the specification; nothing where nothing was measured.
    pub cells: Vec<Option<Cell>>,
}

/// One model at one size, over the seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Cell {
    /// E(target) − E(all).
    pub difference: Spread,
    /// E(target)/E(all), of the seeds that have one.
    pub ratio: Option<Spread>,
    /// The share of queries that the ratio is of.
    pub ratio_share: Spread,
}

impl Line {
    /// Its name, with the steps.
    pub fn name(&self) -> String {
        match self.steps {
            None => self.contender.clone(),
            Some(1) => format!("{}, 1 step", self.contender),
            Some(steps) => format!("{}, {steps} steps", self.contender),
        }
    }
}

/// A number for tables, 0 where it is no more than rounding.
pub fn shown(x: f64) -> String {
    short(if x.abs() < ROUNDING { 0.0 } else { x })
}

/// The lines of an experiment, in the order of its specification.
pub fn lines(spec: &Spec, rows: &[Row]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for row in rows {
        let (contender, steps) = (row.contender.clone(), row.stage1_steps);
        if lines.iter().any(|line| line.contender == contender && line.steps == steps) {
            continue;
        }
        let of_line: Vec<&Row> = rows
            .iter()
            .filter(|other| other.contender == contender && other.stage1_steps == steps)
            .collect();
        let cell = |&n: &usize| {
            cell(
                &of_line
                    .iter()
                    .copied()
                    .filter(|row| row.n_patterns == n as u64)
                    .collect::<Vec<_>>(),
            )
        };
        let cells = spec.n_patterns.iter().map(cell).collect();
        lines.push(Line { contender, steps, cells });
    }
    lines
}

fn cell(rows: &[&Row]) -> Option<Cell> {
    let of = |value: fn(&Row) -> Option<f64>| {
        Spread::of(&rows.iter().filter_map(|row| value(row)).collect::<Vec<_>>())
    };
    Some(Cell {
        difference: of(|row| Some(row.difference))?,
        ratio: of(|row| row.ratio),
        ratio_share: of(|row| Some(row.ratio_share))?,
    })
}
