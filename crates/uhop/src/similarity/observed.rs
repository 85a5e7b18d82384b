//! Scores by the entries of a query that were observed.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip, s};

use super::{Keys, Kind, Queries, check_finite, half_norms};
use crate::channel::Terms;
use crate::error::{Error, Result};
use crate::feature_map::normalize_rows;
use crate::product::product;
use crate::scalar::Scalar;

/// Patterns scored at a time: what is made of them here, their squares and the like, is as large.
const TILE: usize = 512;

impl<T: Scalar> Keys<T> {
    /// As [`scores`](Self::scores), by the observed entries alone: `[n_queries, dim]` and as many of
    /// `observed` → `[n_queries, n_patterns]`. The other entries are 0.
    ///
    /// It is what a memory of these entries alone would say: sums, distances and norms leave the others out.
    ///
    /// # Errors
    /// [`is_unsupported`](Error::is_unsupported) for kernel and asymmetric similarity;
    /// [`is_non_finite`](Error::is_non_finite) when a score overflows.
    pub(crate) fn observed_scores(
        &self,
        states: ArrayView2<'_, T>,
        observed: ArrayView2<'_, bool>,
    ) -> Result<Array2<T>> {
        match &self.kind {
            Kind::Dot => {
                self.by_tiles(states.nrows(), |tile| Ok(product(states, self.tile(tile).t())))
            }
            Kind::Cosine { .. } => {
                let mut states = states.to_owned();
                normalize_rows(&mut states);
                let is_observed = numbers(observed);
                self.by_tiles(states.nrows(), |tile| {
                    let keys = self.tile(tile);
                    let mut scores = product(states.view(), keys.t());
                    let squares = keys.mapv(|key| key * key);
                    let squares = product(is_observed.view(), squares.t());
                    scores.zip_mut_with(&squares, |score, &square| {
                        *score = cosine(*score, square);
                    });
                    Ok(scores)
                })
            }
            Kind::Euclidean { center, .. } => {
                let is_observed = numbers(observed);
                let states = (&states - center) * &is_observed;
                let own = half_norms(states.view())?;
                self.by_tiles(states.nrows(), |tile| {
                    let keys = self.tile(tile);
                    let squares = keys.mapv(|key| key * key);
                    check_finite("the square of an entry", squares.view(), (0, 0))?;
                    let squares = product(is_observed.view(), squares.t());
                    let mut scores = product(states.view(), keys.t());
                    for (row, mut scores) in scores.outer_iter_mut().enumerate() {
                        let (state, observed) = (states.row(row), observed.row(row));
                        Zip::from(&mut scores).and(squares.row(row)).and(keys.rows()).for_each(
                            |score, square, key| {
                                let size = 0.5 * square.widen() + own[row];
                                *score = distance(*score, size, (key, state, observed));
                            },
                        );
                    }
                    Ok(scores)
                })
            }
            Kind::Manhattan => self.by_tiles(states.nrows(), |tile| {
                let keys = self.tile(tile);
                Ok(Array2::from_shape_fn((states.nrows(), keys.nrows()), |(row, key)| {
                    let entries =
                        Zip::from(keys.row(key)).and(states.row(row)).and(observed.row(row));
                    entries.fold(
                        T::zero(),
                        |sum, &k, &x, &is| if is { sum - (k - x).abs() } else { sum },
                    )
                }))
            }),
            Kind::TwoSided { queries: Queries::Channel { channel, .. }, .. } => {
                self.observed_likelihoods(channel.terms(), states, observed)
            }
            Kind::Kernel { .. } => Err(unsupported("kernel")),
            Kind::TwoSided { queries: Queries::Map(_), .. } => Err(unsupported("asymmetric")),
        }
    }

    /// Σ_j o_j·(Σ_r h_r(q_j)·g_r(ξ_j) + b(ξ_j) + c(q_j)): the biases of the entries are a product with o. What rounding
    /// leaves too little of is computed directly, as without a mask.
    fn observed_likelihoods(
        &self,
        terms: &Terms,
        states: ArrayView2<'_, T>,
        observed: ArrayView2<'_, bool>,
    ) -> Result<Array2<T>> {
        // The terms of an entry that is not observed are made of 0, and then left out.
        let mut queries = terms.of_queries(states);
        let entries = numbers(terms.visible(observed).view());
        let n_entries = entries.ncols();
        for term in 0..terms.n_terms() {
            let of_term = s![.., term * n_entries..(term + 1) * n_entries];
            queries.slice_mut(of_term).zip_mut_with(&entries, |h, &is| *h *= is);
        }
        let constants: Array1<f64> =
            queries.outer_iter().map(|query| terms.constant(query)).collect();
        let of_products: Array1<f64> =
            queries.outer_iter().map(|query| self.product_size(query)).collect();
        let of_queries: Array1<f64> = queries.outer_iter().map(|query| terms.peak(query)).collect();
        let gamma = 4.0 * (queries.ncols() + 4) as f64 * T::epsilon().widen();
        self.by_tiles(states.nrows(), |tile| {
            let patterns = self.patterns.view().slice_move(s![tile.clone(), ..]);
            let biases = terms.biases(patterns);
            let sizes = product(entries.view(), biases.mapv(|bias| bias.abs()).t());
            let biases = product(entries.view(), biases.t());
            let peaks = terms.peaks(patterns).map(|peaks| product(entries.view(), peaks.t()));
            let mut scores = product(queries.view(), self.tile(tile).t());
            for ((row, pattern), score) in scores.indexed_iter_mut() {
                let (bias, constant) = (biases[[row, pattern]].widen(), constants[row]);
                let size = of_products[row] + sizes[[row, pattern]].widen() + constant.abs();
                let sum = score.widen() + bias + constant;
                let peak = peaks.as_ref().map_or(0.0, |peaks| peaks[[row, pattern]].widen());
                let direct = (sum > of_queries[row] + peak - gamma * size).then(|| {
                    let observed = |entry: usize| entries[[row, entry]] != T::zero();
                    terms.direct(patterns.row(pattern), queries.row(row), observed)
                });
                *score = T::narrow(direct.flatten().unwrap_or(sum));
            }
            Ok(scores)
        })
    }

    fn tile(&self, patterns: Range<usize>) -> ArrayView2<'_, T> {
        self.keys().slice_move(s![patterns, ..])
    }

    /// The scores, `n_states` of each pattern, as they come for one tile of patterns after the other.
    fn by_tiles(
        &self,
        n_states: usize,
        scores_of: impl Fn(Range<usize>) -> Result<Array2<T>>,
    ) -> Result<Array2<T>> {
        let mut scores = Array2::zeros((n_states, self.n_keys()));
        for (i, mut tile) in scores.axis_chunks_iter_mut(Axis(1), TILE).enumerate() {
            let start = i * TILE;
            let of_tile = scores_of(start..start + tile.ncols())?;
            check_finite("a score", of_tile.view(), (0, start))?;
            tile.assign(&of_tile);
        }
        Ok(scores)
    }
}

fn numbers<T: Scalar>(observed: ArrayView2<'_, bool>) -> Array2<T> {
    observed.mapv(|is| if is { T::one() } else { T::zero() })
}

/// The cosine from a product with a state of length 1, and the square of the norm of what was observed of the
/// key.
fn cosine<T: Scalar>(product: T, square: T) -> T {
    if square <= T::zero() {
        return T::zero();
    }
    let cosine = product.widen() / square.widen().sqrt();
    T::narrow(cosine.clamp(-1.0, 1.0))
}

/// −½‖k − x‖² over the observed entries, from their product and `size`, ½‖k‖² + ½‖x‖². The sums are off by at
/// most e = 2·dim·ε of the size: within e of 0 the distance is computed directly, as without a mask.
fn distance<T: Scalar>(
    product: T,
    size: f64,
    (key, state, observed): (ArrayView1<'_, T>, ArrayView1<'_, T>, ArrayView1<'_, bool>),
) -> T {
    let epsilon = 2.0 * (key.len() + 2) as f64 * T::epsilon().widen();
    let difference = product.widen() - size;
    if difference <= -epsilon * size {
        return T::narrow(difference);
    }
    let square = Zip::from(key).and(state).and(observed).fold(0.0, |sum, &k, &x, &is| {
        let apart = if is { k.widen() - x.widen() } else { 0.0 };
        sum + apart * apart
    });
    T::narrow(-0.5 * square)
}

fn unsupported(similarity: &str) -> Error {
    let reason = format!(
        "{similarity} similarity compares features, and each is of all entries of a query; \
         use dot, cosine, euclidean, manhattan or channel"
    );
    Error::unsupported("retrieve", reason)
}
