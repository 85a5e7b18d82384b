//! A compact copy of a memory that rules out, with proof, most patterns that carry no weight.
//!
//! A key k and a state x are split along a frame P of orthonormal rows: with c = Pk, y = Px and the
//! remainders k⊥, x⊥, ⟨k,x⟩ = ⟨c,y⟩ + ⟨k⊥,x⊥⟩. Coordinates are rounded to 8-bit integers times a scale,
//! c = aq + ρ and y = br + σ. Then, by Cauchy and Schwarz,
//!
//! ⟨k,x⟩ ≤ ab⟨q,r⟩ + ‖k⊥‖‖x⊥‖ + ‖ρ‖‖y‖ + ‖aq‖‖σ‖,
//!
//! where ⟨q,r⟩ is a sum of integers, exact, and the rest is one number for each key and for each state.
//! Keys are taken from their mean μ, which moves the scores of a state by ⟨μ,x⟩, all alike.
//!
//! There are two [`Level`]s: a frame of few directions along which the keys vary most (a fraction of
//! the work, and enough where data are smooth and states near the keys), and all coordinates as they
//! are (a quarter of the work, for states with much noise). Keys are measured in units of g, the
//! largest ‖k‖ plus ‖μ‖, and a state in units of h, its length, or h₀ = |b|/g where that is longer, b the
//! largest that is added to the product of a key. So neither exceeds gh.
//!
//! Rounding. All numbers above are computed in `f32` or better from coordinates within
//! e = √r·γ·‖k‖ of Pk, γ = dim·u/(1 − dim·u), u the rounding unit of `T`; P misses orthonormality by
//! η = ‖PPᵀ − I‖. In units of gh a bound of sums is then off by at most 3e + η + [`FLOAT_SLACK`], which
//! is added to it. So is what the scores themselves round, and the constants of distances, c = ½‖x‖²: 2u and
//! (dim + 8)·2⁻⁵³, of 2 + 2c/gh, as ½(‖k‖ + ‖x‖)² is at most 2gh + 2c.
//!
//! That holds as long as no coordinate overflows and what underflows is nothing beside g or h. Keys
//! outside that range have no screen, states no bounds: see [`is_in_range`].

mod codes;
mod directions;
#[cfg(target_arch = "x86_64")]
mod vnni;

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use pulp::Arch;
use rayon::prelude::*;

use crate::product::product_into;
use crate::scalar::Scalar;
use crate::similarity::{Keys, Prepared};
use crate::wide;
use codes::{Codes, Factors, GROUP, MAX_WIDTH};

/// Patterns bounded at a time.
pub(crate) const TILE: usize = 8 * GROUP;
/// Bounds that share a largest one.
pub(crate) const RUN: usize = 16;
/// Directions of the first level: two of 128 bytes a pattern are a third of the error of one of 64.
const MAX_DIRECTIONS: usize = 128;
/// Entries of a pattern for each direction: fewer, and looking at all of them costs little more.
const DIM_PER_DIRECTION: usize = 4;
/// Keys from which the directions are learned.
const SAMPLE: usize = 2048;
/// Running sums when a row is coded.
const LANES: usize = 16;
/// Fewer operations than 32, each rounding a number of at most 4 by 2⁻²⁴ of it.
const FLOAT_SLACK: f64 = 1.0 / (1 << 17) as f64;

/// The compact copy of the keys of a memory.
#[derive(Debug)]
pub(crate) struct Screen<T> {
    /// μ, in the units of the keys.
    center: Array1<T>,
    /// g, in the units of the keys.
    unit: f64,
    /// What is added to each product, in units of gh₀; none where nothing is.
    offsets: Option<Vec<f32>>,
    /// h₀
    least: f64,
    /// From the cheapest to the closest.
    levels: Vec<Level<T>>,
}

/// Bounds of one kind.
#[derive(Debug)]
pub(crate) struct Level<T> {
    /// P, `[n_directions, dim]`, and Pμ; none for the coordinates as they are.
    frame: Option<(Array2<T>, Array1<f64>)>,
    /// √r·γ and η.
    coordinate_error: f64,
    defect: f64,
    codes: Codes,
    /// a of each key; this and the next three in units of g, padded to whole groups.
    scales: Vec<f32>,
    /// ‖k⊥‖
    beyond: Vec<f32>,
    /// ‖ρ‖
    rounding: Vec<f32>,
    /// ‖aq‖
    sizes: Vec<f32>,
}

/// States as one level sees them.
pub(crate) struct Bounded {
    factors: Factors,
    of: Vec<State>,
}

/// One state, in units of its h.
#[derive(Debug, Clone, Copy)]
struct State {
    /// b
    scale: f32,
    /// ‖x⊥‖
    beyond: f32,
    /// ‖y‖
    length: f32,
    /// ‖σ‖
    rounding: f32,
    /// h₀/h, on the offsets.
    offset: f32,
    /// gh, and what a score less `shift` is at most `unit` times its bound.
    unit: f64,
    shift: f64,
}

/// One key or state along a frame, in a unit: its code, and how far off it is.
struct Coded {
    scale: f32,
    code: Vec<i8>,
    /// Norms of the coordinates, of their rounding, and of what is stored.
    length: f64,
    rounding: f64,
    size: f64,
}

impl<T: Scalar> Screen<T> {
    /// Nothing where the similarity is no product, or numbers are too large.
    pub(crate) fn new(keys: &Keys<T>) -> Option<Self> {
        let n_keys = keys.n_keys();
        let step = n_keys.div_ceil(SAMPLE);
        let mut sample = Array2::zeros((n_keys.div_ceil(step), keys.width()?));
        for (mut row, key) in sample.outer_iter_mut().zip((0..n_keys).step_by(step)) {
            row.assign(&keys.key(key));
            let factor = T::narrow(1.0 / n_keys.div_ceil(step) as f64);
            row.mapv_inplace(|x| x * factor);
        }
        let center = sample.fold_axis(Axis(0), T::zero(), |&sum, &x| sum + x);
        let unit = keys.largest_norm() + wide::squared_norm(center.view()).sqrt();
        let unit = if unit == 0.0 { 1.0 } else { unit };
        if !is_in_range::<T>(unit) {
            return None;
        }
        let inverse = sample.nrows() as f64 / unit;
        for mut row in sample.outer_iter_mut() {
            row.zip_mut_with(&center, |x, &m| {
                *x = T::narrow(x.widen() * inverse - m.widen() / unit);
            });
        }
        let offsets = keys.offsets();
        let largest = |offsets: &Vec<f64>| offsets.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
        let least = offsets.as_ref().map_or(0.0, largest) / unit;
        let offsets = offsets
            .filter(|_| least > 0.0)
            .map(|offsets| offsets.iter().map(|offset| (offset / unit / least) as f32).collect());
        let mut screen = Self { center, unit, offsets, least, levels: Vec::new() };
        let n_directions = (sample.ncols() / DIM_PER_DIRECTION).min(MAX_DIRECTIONS);
        // The derivation wants coordinates that are right at all: of fewer than a million entries.
        let error = coordinate_error::<T>(n_directions, sample.ncols());
        if n_directions >= MAX_DIRECTIONS / 4 && (0.0..0.5).contains(&error) {
            let frame = directions::leading(sample.view(), n_directions);
            screen.levels.push(screen.level(keys, Some(frame)));
        }
        if sample.ncols() <= MAX_WIDTH {
            screen.levels.push(screen.level(keys, None));
        }
        Some(screen)
    }

    pub(crate) fn levels(&self) -> &[Level<T>] {
        &self.levels
    }

    fn level(&self, keys: &Keys<T>, frame: Option<Array2<T>>) -> Level<T> {
        let (n_keys, dim) = (keys.n_keys(), self.center.len());
        let width = frame.as_ref().map_or(dim, Array2::nrows);
        let n_slots = n_keys.next_multiple_of(GROUP);
        let mut level = Level {
            coordinate_error: frame.as_ref().map_or(0.0, |_| coordinate_error::<T>(width, dim)),
            defect: frame.as_ref().map_or(0.0, |frame| directions::defect(frame.view())),
            frame: frame.map(|frame| {
                let along = |row| wide::dot(row, self.center.view());
                let center = frame.outer_iter().map(along).collect();
                (frame, center)
            }),
            codes: Codes::zeros(n_keys, width),
            scales: vec![0.0; n_slots],
            beyond: vec![0.0; n_slots],
            rounding: vec![0.0; n_slots],
            sizes: vec![0.0; n_slots],
        };
        let coded = level.code_keys(self, keys);
        for (i, key) in coded.into_iter().enumerate() {
            level.scales[i] = key.scale;
            (level.beyond[i], level.rounding[i], level.sizes[i]) = key.bounds;
        }
        level
    }

    /// The states as a level sees them; nothing when one is so long or so short that rounding is not
    /// what the bounds account for.
    pub(crate) fn bound(
        &self,
        level: &Level<T>,
        keys: &Keys<T>,
        states: &Prepared<'_, T>,
        rows: &[usize],
    ) -> Option<Bounded> {
        let selected = states.rows().select(Axis(0), rows);
        let along = level.along(selected.view());
        let mut codes = Vec::with_capacity(rows.len());
        let mut of = Vec::with_capacity(rows.len());
        for (i, &row) in rows.iter().enumerate() {
            let state = selected.row(i);
            let norm = wide::squared_norm(state).sqrt();
            let unit = norm.max(self.least);
            let unit = if unit == 0.0 { 1.0 } else { unit };
            let constant = keys.constant(states, row);
            if !norm.is_finite()
                || !is_in_range::<T>(unit)
                || self.unit * unit < T::min_positive_value().widen()
                || 4.0 * (self.unit * unit + constant.abs()) > T::max_value().widen()
            {
                return None;
            }
            let coordinates: Vec<f64> = match &along {
                Some(along) => along.row(i).iter().map(|y| y.widen() / unit).collect(),
                None => state.iter().map(|x| x.widen() / unit).collect(),
            };
            let coded = Coded::new(&coordinates);
            let relative = norm / unit;
            // A score is summed in `f64` and rounded to `T`.
            let size = 2.0 + 2.0 * constant.abs() / (self.unit * unit);
            let sums = (state.len() + 8) as f64 * f64::EPSILON / 2.0;
            let slack = 3.0 * level.coordinate_error
                + level.defect
                + FLOAT_SLACK
                + size * (T::epsilon().widen() + sums);
            of.push(State {
                scale: coded.scale,
                beyond: above(level.beyond(relative, coded.length)),
                length: above(coded.length),
                rounding: above(coded.rounding),
                offset: (self.least / unit) as f32,
                unit: self.unit * unit,
                shift: wide::dot(self.center.view(), state) + constant + slack * self.unit * unit,
            });
            codes.push(coded.code);
        }
        Some(Bounded { factors: Factors::new(&codes), of })
    }

    /// Bounds of the scores of some patterns for some states, less what [`Bounded::least`] takes into
    /// account, and the largest of every `RUN` of them. A row of each for each state, `patterns`
    /// rounded up to whole groups.
    pub(crate) fn bounds(
        &self,
        level: &Level<T>,
        bounded: &Bounded,
        patterns: Range<usize>,
        room: &mut Room,
    ) {
        let groups = patterns.start / GROUP..patterns.end.div_ceil(GROUP);
        let width = groups.len() * GROUP;
        let n_states = bounded.of.len();
        room.products.resize(n_states * width, 0);
        room.bounds.resize(n_states * width, 0.0);
        room.largest.resize(n_states * width / RUN, 0.0);
        level.codes.products(groups, &bounded.factors, 0..n_states, &mut room.products);
        let slots = patterns.start..patterns.start + width;
        let keys = [&level.scales, &level.beyond, &level.rounding, &level.sizes]
            .map(|numbers| &numbers[slots.clone()]);
        // The last group has room for patterns that do not exist.
        let offsets = self.offsets.as_ref().map(|o| &o[slots.start..slots.end.min(o.len())]);
        for (i, state) in bounded.of.iter().enumerate() {
            let products = &room.products[i * width..][..width];
            let bounds = &mut room.bounds[i * width..][..width];
            let largest = &mut room.largest[i * width / RUN..][..width / RUN];
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    state.bounds(keys, products, bounds);
                    if let Some(offsets) = offsets {
                        for (bound, offset) in bounds.iter_mut().zip(offsets) {
                            *bound += state.offset * offset;
                        }
                    }
                    for bound in &mut bounds[patterns.len().min(width)..] {
                        *bound = f32::NEG_INFINITY;
                    }
                    for (largest, run) in largest.iter_mut().zip(bounds.as_chunks::<RUN>().0) {
                        let max = |a: f32, &b: &f32| if b > a { b } else { a };
                        *largest = run.iter().fold(f32::NEG_INFINITY, max);
                    }
                },
            );
        }
    }
}

/// What [`Screen::bounds`] fills.
#[derive(Default)]
pub(crate) struct Room {
    products: Vec<i32>,
    bounds: Vec<f32>,
    largest: Vec<f32>,
}

impl Room {
    /// The bounds of one of `n_states` states, and the largest of each run.
    pub(crate) fn of(&self, state: usize, n_states: usize) -> (&[f32], &[f32]) {
        let width = self.bounds.len() / n_states;
        let runs = width / RUN;
        (&self.bounds[state * width..][..width], &self.largest[state * runs..][..runs])
    }
}

impl Bounded {
    pub(crate) fn n_states(&self) -> usize {
        self.of.len()
    }

    /// A pattern whose bound for this state is below this scores less than `score`.
    pub(crate) fn least<T: Scalar>(&self, state: usize, score: T) -> f32 {
        let State { unit, shift, .. } = self.of[state];
        // Rounding to `f32` is part of the slack.
        ((score.widen() - shift) / unit) as f32
    }
}

impl State {
    #[inline(always)]
    fn bounds(&self, keys: [&[f32]; 4], products: &[i32], bounds: &mut [f32]) {
        let n = bounds.len();
        let [scales, beyond, rounding, sizes] = keys.map(|numbers| &numbers[..n]);
        let products = &products[..n];
        for i in 0..n {
            bounds[i] = (self.scale * scales[i]) * products[i] as f32
                + self.beyond * beyond[i]
                + self.length * rounding[i]
                + self.rounding * sizes[i];
        }
    }
}

/// A key, coded.
struct CodedKey {
    scale: f32,
    bounds: (f32, f32, f32),
}

impl<T: Scalar> Level<T> {
    /// Fills the codes.
    fn code_keys(&mut self, screen: &Screen<T>, keys: &Keys<T>) -> Vec<CodedKey> {
        let mut codes = std::mem::replace(&mut self.codes, Codes::zeros(0, 1));
        let level = &*self;
        let groups: Vec<_> = codes.groups_mut().enumerate().collect();
        let coded: Vec<Vec<CodedKey>> = groups
            .into_par_iter()
            .map(|(i, group)| {
                let patterns = i * GROUP..((i + 1) * GROUP).min(keys.n_keys());
                level.code_group(screen, keys, patterns, group)
            })
            .collect();
        self.codes = codes;
        coded.into_iter().flatten().collect()
    }

    fn code_group(
        &self,
        screen: &Screen<T>,
        keys: &Keys<T>,
        patterns: Range<usize>,
        group: &mut [u8],
    ) -> Vec<CodedKey> {
        let along = self.along(keys.keys().slice_move(s![patterns.clone(), ..]));
        let center = screen.center.view();
        let wide_center = center.mapv(T::widen);
        let center_square = wide::squared_norm(center);
        // Of three sums of dim products, in units of g².
        let square_error = (4 * center.len() + 16) as f64 * f64::EPSILON;
        let mut coordinates = Vec::new();
        patterns
            .enumerate()
            .map(|(slot, pattern)| {
                let key = keys.key(pattern);
                let (row, from) = match (&along, &self.frame) {
                    (Some(along), Some((_, center))) => (along.row(slot), center),
                    _ => (key, &wide_center),
                };
                shifted(row, from.view(), screen.unit, &mut coordinates);
                let coded = Coded::new(&coordinates);
                codes::set_row(group, slot, &coded.code);
                // ‖k − μ‖²
                let square = wide::squared_norm(key) - 2.0 * wide::dot(key, center) + center_square;
                let norm = (square / (screen.unit * screen.unit) + square_error).max(0.0).sqrt();
                CodedKey {
                    scale: coded.scale,
                    bounds: (
                        above(self.beyond(norm, coded.length)),
                        above(coded.rounding),
                        above(coded.size),
                    ),
                }
            })
            .collect()
    }

    /// The coordinates of rows along the frame, if there is one.
    fn along(&self, rows: ArrayView2<'_, T>) -> Option<Array2<T>> {
        self.frame.as_ref().map(|(frame, _)| {
            let mut along = Array2::zeros((rows.nrows(), frame.nrows()));
            product_into(along.view_mut(), rows, frame.t());
            along
        })
    }

    /// At least the part of a vector of this norm that is beyond the frame, given the norm of its
    /// computed coordinates: ‖v‖² − ‖Pv‖²/(1 + η).
    fn beyond(&self, norm: f64, length: f64) -> f64 {
        if self.frame.is_none() {
            return 0.0;
        }
        let inside = (length - self.coordinate_error).max(0.0);
        (norm * norm - inside * inside / (1.0 + self.defect)).max(0.0).sqrt()
    }
}

impl Coded {
    fn new(coordinates: &[f64]) -> Self {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                let larger = |a: f64, &b: &f64| if b.abs() > a { b.abs() } else { a };
                let largest = coordinates.iter().fold(0.0, larger);
                // Rounded up, so that no code exceeds 127.
                let scale = above(largest / 127.0).max(f32::MIN_POSITIVE);
                let wide = f64::from(scale);
                let mut code = vec![0; coordinates.len()];
                let mut squares = [[0.0; LANES]; 3];
                let (codes, code_rest) = code.as_chunks_mut::<LANES>();
                let (parts, rest) = coordinates.as_chunks::<LANES>();
                for (code, part) in codes.iter_mut().zip(parts) {
                    round(code, part, wide, &mut squares);
                }
                round(code_rest, rest, wide, &mut squares);
                let [length, rounding, size] =
                    squares.map(|squares| squares.iter().sum::<f64>().sqrt());
                Self { scale, code, length, rounding, size }
            },
        )
    }
}

/// Codes of some coordinates in units of `scale`, and the squares of three lengths, lane by lane.
#[inline(always)]
fn round(code: &mut [i8], coordinates: &[f64], scale: f64, squares: &mut [[f64; LANES]; 3]) {
    // Adding it rounds a number below 2⁵¹ to an integer: a whole vector at once everywhere.
    const TO_INTEGER: f64 = 1.5 * (1_u64 << 52) as f64;
    let inverse = 1.0 / scale;
    for (lane, (code, &c)) in code.iter_mut().zip(coordinates).enumerate() {
        let rounded = (c * inverse + TO_INTEGER) - TO_INTEGER;
        *code = rounded as i32 as i8;
        let stored = scale * rounded;
        squares[0][lane] += c * c;
        squares[1][lane] += (c - stored) * (c - stored);
        squares[2][lane] += stored * stored;
    }
}

/// (row − center)/unit
fn shifted<T: Scalar>(
    row: ArrayView1<'_, T>,
    center: ArrayView1<'_, f64>,
    unit: f64,
    coordinates: &mut Vec<f64>,
) {
    let (row, center) = (row.to_slice(), center.to_slice());
    let (row, center) = (row.expect("contiguous rows"), center.expect("contiguous entries"));
    let inverse = 1.0 / unit;
    coordinates.resize(row.len(), 0.0);
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((c, x), m) in coordinates.iter_mut().zip(row).zip(center) {
                *c = (x.widen() - m) * inverse;
            }
        },
    );
}

/// Whether rows of this length have coordinates that do not overflow, also on the way, and that lose
/// no more than ε² of the length to underflow for each product; and a square that is a normal number.
fn is_in_range<T: Scalar>(length: f64) -> bool {
    let least = T::min_positive_value().widen() / T::epsilon().widen();
    let most = T::max_value().widen() / 4.0;
    (least..=most).contains(&length) && (length * length).is_normal()
}

/// √r·γ: how far r computed coordinates of a vector of length 1 are from the true ones.
fn coordinate_error<T: Scalar>(n_directions: usize, dim: usize) -> f64 {
    let errors = (dim + 2) as f64 * T::epsilon().widen() / 2.0;
    (n_directions as f64).sqrt() * errors / (1.0 - errors)
}

/// The number in `f32`, and no less.
fn above(number: f64) -> f32 {
    (number as f32).next_up()
}

#[cfg(test)]
mod tests;
