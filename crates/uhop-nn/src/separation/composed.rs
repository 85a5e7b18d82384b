//! The separations as compositions of tensor operations: slow, for any backend, and what the fast path
//! is tested against.
//!
//! Gradients are automatic and exact. Where a threshold is found by bisection, outside the graph,
//! one step of Newton's method inside it gives the threshold the derivatives that the implicit
//! function theorem says it has.

use burn::tensor::{Bool, Tensor};

/// A separation without learned parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Family {
    Softmax,
    SoftmaxOne,
    Entmax(f64),
    Normmax(f64),
    TopK(usize),
    Polynomial(u32),
}

/// Below any score that is not −∞, and a number.
const LOWEST: f64 = -1e30;

/// A distance from the best score at which no weight is left, in all families here.
const FAR: f64 = -1e4;

/// Closer to 1 than this a learned α is taken to be no closer.
const LEAST_EPSILON: f64 = 1e-4;

/// Halvings of a bracket of width at most 1, until it is as narrow as `f64` can say.
const HALVINGS: usize = 60;

pub(crate) fn weights(scores: Tensor<4>, family: Family) -> Tensor<4> {
    match family {
        Family::Softmax => softmax(scores),
        Family::SoftmaxOne => softmax_one(scores),
        Family::Entmax(alpha) => {
            let epsilon =
                Tensor::full([1, 1, 1, 1], alpha - 1.0, (&scores.device(), scores.dtype()));
            entmax(scores, epsilon)
        }
        Family::Normmax(gamma) => normmax(scores, gamma),
        Family::TopK(k) => top_k(scores, k),
        Family::Polynomial(degree) => polynomial(scores, degree),
    }
}

/// α-entmax with an α for each head, `[n_heads]`.
pub(crate) fn entmax_of_heads(scores: Tensor<4>, alpha: Tensor<1>) -> Tensor<4> {
    let n_heads = alpha.dims()[0];
    entmax(scores, (alpha.reshape([1, n_heads, 1, 1]) - 1.0).clamp_min(LEAST_EPSILON))
}

/// How far each score lies below the best of its row, and where there is no score.
fn below_best(scores: Tensor<4>) -> (Tensor<4>, Tensor<4, Bool>) {
    let left_out = scores.clone().lower_elem(LOWEST);
    let best = scores.clone().detach().max_dim(3).clamp_min(LOWEST);
    let below = (scores - best).mask_fill(left_out.clone(), FAR);
    (below.clamp_min(FAR), left_out)
}

fn softmax(scores: Tensor<4>) -> Tensor<4> {
    let (below, left_out) = below_best(scores);
    let powers = below.exp().mask_fill(left_out, 0.0);
    let total = powers.clone().sum_dim(3);
    powers / one_where_zero(total)
}

fn softmax_one(scores: Tensor<4>) -> Tensor<4> {
    let left_out = scores.clone().lower_elem(LOWEST);
    let best = scores.clone().detach().max_dim(3).clamp_min(0.0);
    let below = (scores - best.clone()).mask_fill(left_out.clone(), FAR).clamp_min(FAR);
    let powers = below.exp().mask_fill(left_out, 0.0);
    let total = powers.clone().sum_dim(3) + best.neg().exp();
    powers / total
}

/// With ε = α − 1 and d the distances below the best, p = \[εd − τ\]₊^(1/ε) and Σ p = 1.
fn entmax(scores: Tensor<4>, epsilon: Tensor<4>) -> Tensor<4> {
    let (below, left_out) = below_best(scores);
    let scaled = below * epsilon.clone();
    let inverse = epsilon.recip();
    let fixed = inverse.clone().detach();
    let threshold = bisect(scaled.clone().detach(), |above| power(above, fixed.clone()).sum_dim(3));
    // d(Σp)/dτ = −(1/ε) Σ \[…\]^(1/ε − 1)
    let above = scaled.clone() - threshold.clone();
    let slope = (power(above.clone().detach(), fixed.clone() - 1.0) * fixed).sum_dim(3);
    let excess = power(above, inverse.clone()).sum_dim(3) - 1.0;
    let threshold = threshold + excess / one_where_zero(slope);
    power(scaled - threshold, inverse).mask_fill(left_out, 0.0)
}

/// With g = γ − 1, q = \[d − τ\]₊^(1/g), Σ q^γ = 1 and p = q / Σ q.
fn normmax(scores: Tensor<4>, gamma: f64) -> Tensor<4> {
    let (below, left_out) = below_best(scores);
    let (device, dtype) = (below.device(), below.dtype());
    let exponent = |e: f64| Tensor::full([1, 1, 1, 1], e, (&device, dtype));
    let outer = gamma / (gamma - 1.0);
    let threshold =
        bisect(below.clone().detach(), |above| power(above, exponent(outer)).sum_dim(3));
    let above = below.clone() - threshold.clone();
    let slope = power(above.clone().detach(), exponent(outer - 1.0)).sum_dim(3) * outer;
    let excess = power(above, exponent(outer)).sum_dim(3) - 1.0;
    let threshold = threshold + excess / one_where_zero(slope);
    let q = power(below - threshold, exponent(1.0 / (gamma - 1.0))).mask_fill(left_out, 0.0);
    q.clone() / one_where_zero(q.sum_dim(3))
}

fn top_k(scores: Tensor<4>, k: usize) -> Tensor<4> {
    let n = scores.dims()[3];
    if k >= n {
        return softmax(scores);
    }
    let (_, best) = scores.clone().detach().topk_with_indices(k, 3);
    let chosen = Tensor::<4>::zeros(scores.dims(), (&scores.device(), scores.dtype()));
    let ones = Tensor::ones(best.dims(), (&scores.device(), scores.dtype()));
    let chosen = chosen.scatter(3, best, ones, burn::tensor::IndexingUpdateOp::Add);
    softmax(scores.mask_fill(chosen.equal_elem(0.0), f64::NEG_INFINITY))
}

fn polynomial(scores: Tensor<4>, degree: u32) -> Tensor<4> {
    let left_out = scores.clone().lower_elem(LOWEST);
    let scores = scores.mask_fill(left_out.clone(), 0.0);
    let best = scores.clone().detach().max_dim(3);
    let nothing = best.clone().lower_equal_elem(0.0);
    let ratio = scores.clamp_min(0.0) / best.mask_fill(nothing.clone(), 1.0);
    let powers = ratio.powi_scalar(i64::from(degree));
    // Nothing is recognised: equal weights.
    let equal = left_out.bool_not().float().cast(powers.dtype());
    let n = powers.dims()[3];
    let powers = powers.mask_where(nothing.repeat_dim(3, n), equal);
    powers.clone() / one_where_zero(powers.sum_dim(3))
}

/// \[x\]₊^e, its derivatives 0 where x ≤ 0.
fn power(x: Tensor<4>, exponent: Tensor<4>) -> Tensor<4> {
    let zero = x.clone().lower_equal_elem(0.0);
    (x.mask_fill(zero.clone(), 1.0).log() * exponent).exp().mask_fill(zero, 0.0)
}

/// The τ in \[−1, 0\] at which `total(x − τ)`, which falls with τ, is 1; the best x is 0.
fn bisect(x: Tensor<4>, total: impl Fn(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    let best = x.clone().max_dim(3);
    let mut low = best.clone() * 0.0 - 1.0;
    let mut high = best * 0.0;
    for _ in 0..HALVINGS {
        let middle = (low.clone() + high.clone()) * 0.5;
        let below = total(x.clone() - middle.clone()).greater_equal_elem(1.0);
        low = low.mask_where(below.clone(), middle.clone());
        high = middle.mask_where(below, high);
    }
    low
}

fn one_where_zero(total: Tensor<4>) -> Tensor<4> {
    let zero = total.clone().equal_elem(0.0);
    total.mask_fill(zero, 1.0)
}
