//! Products head by head, of rows whose heads lie side by side.
//!
//! Two layouts meet here. *Side by side*: `[batch, n, n_heads·dim]`, the rows of a linear map. *Apart*:
//! `[batch, n_heads, n_states, n_patterns]`, scores and weights. Each product reads and writes both
//! where they lie; composed of tensor operations, results and gradients are copied
//! from one layout to the other.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::{entries, takes, zeros};

/// Rows of a result that one task makes.
const ROWS: usize = 128;

/// β ⟨q, k⟩ in each head, or nothing when these are not for the operations here: `[batch, n_states,
/// n_heads·dim]` and `[batch, n_patterns, n_heads·dim]` → `[batch, n_heads, n_states, n_patterns]`.
/// `beta` is one for all heads or one for each.
pub(crate) fn scores(
    q: &Tensor<3>,
    k: &Tensor<3>,
    n_heads: usize,
    beta: &[f64],
) -> Option<Tensor<4>> {
    let ([batch, n_states, width], [_, n_patterns, _]) = (q.dims(), k.dims());
    let heads = Heads { batch, n_heads, n_states, n_patterns, dim: width / n_heads };
    let fits = k.dims() == [batch, n_patterns, width];
    if !(takes(q) && takes(k) && fits && heads.is_product()) {
        return None;
    }
    let beta = beta.iter().map(|&beta| beta as f32).collect();
    let (q, k) = (q.clone().into_dispatch(), k.clone().into_dispatch());
    Some(Tensor::from_dispatch(<Dispatch as HeadOps>::scores_of_heads(q, k, heads, beta)))
}

/// Σ p v in each head, or nothing when these are not for the operations here: `[batch, n_heads, n_states,
/// n_patterns]` and `[batch, n_patterns, n_heads·dim]` → `[batch, n_states, n_heads·dim]`.
pub(crate) fn readout(weights: &Tensor<4>, values: &Tensor<3>) -> Option<Tensor<3>> {
    let ([batch, n_heads, n_states, n_patterns], [_, _, width]) = (weights.dims(), values.dims());
    let heads = Heads { batch, n_heads, n_states, n_patterns, dim: width / n_heads };
    let fits = values.dims() == [batch, n_patterns, width];
    if !(takes(weights) && takes(values) && fits && heads.is_product()) {
        return None;
    }
    let (weights, values) = (weights.clone().into_dispatch(), values.clone().into_dispatch());
    Some(Tensor::from_dispatch(<Dispatch as HeadOps>::readout_of_heads(weights, values, heads)))
}

/// A matrix as it is, or transposed.
type Turn = for<'a> fn(MatRef<'a, f32>) -> MatRef<'a, f32>;

/// The sizes of a product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Heads {
    batch: usize,
    n_heads: usize,
    n_states: usize,
    n_patterns: usize,
    /// Of a head.
    dim: usize,
}

#[backend_extension(Autodiff, Flex)]
pub(crate) trait HeadOps: Backend {
    fn scores_of_heads(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        heads: Heads,
        beta: Vec<f32>,
    ) -> FloatTensor<Self>;

    fn readout_of_heads(
        weights: FloatTensor<Self>,
        values: FloatTensor<Self>,
        heads: Heads,
    ) -> FloatTensor<Self>;
}

impl HeadOps for Flex {
    fn scores_of_heads(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        heads: Heads,
        beta: Vec<f32>,
    ) -> FloatTensor<Self> {
        heads.apart(q, k, &beta)
    }

    fn readout_of_heads(
        weights: FloatTensor<Self>,
        values: FloatTensor<Self>,
        heads: Heads,
    ) -> FloatTensor<Self> {
        heads.states(weights, values, &[1.0])
    }
}

impl<C: CheckpointStrategy> HeadOps for Autodiff<Flex, C> {
    fn scores_of_heads(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        heads: Heads,
        beta: Vec<f32>,
    ) -> FloatTensor<Self> {
        let ((q, q_node), (k, k_node)) = (q.into_parts(), k.into_parts());
        let (q, k) = (q.to_contiguous(), k.to_contiguous());
        match Scores.prepare::<C>([q_node, k_node]).compute_bound().stateful() {
            OpsKind::UnTracked(prep) => prep.finish(heads.apart(q, k, &beta)),
            OpsKind::Tracked(prep) => {
                let scores = heads.apart(q.clone(), k.clone(), &beta);
                prep.finish(Kept { left: q, right: k, heads, beta }, scores)
            }
        }
    }

    fn readout_of_heads(
        weights: FloatTensor<Self>,
        values: FloatTensor<Self>,
        heads: Heads,
    ) -> FloatTensor<Self> {
        let ((p, p_node), (v, v_node)) = (weights.into_parts(), values.into_parts());
        let (p, v) = (p.to_contiguous(), v.to_contiguous());
        match Readout.prepare::<C>([p_node, v_node]).compute_bound().stateful() {
            OpsKind::UnTracked(prep) => prep.finish(heads.states(p, v, &[1.0])),
            OpsKind::Tracked(prep) => {
                let readout = heads.states(p.clone(), v.clone(), &[1.0]);
                prep.finish(Kept { left: p, right: v, heads, beta: vec![1.0] }, readout)
            }
        }
    }
}

/// The factors of a product, for its backward pass.
#[derive(Debug, Clone)]
struct Kept {
    left: FloatTensor<Flex>,
    right: FloatTensor<Flex>,
    heads: Heads,
    beta: Vec<f32>,
}

#[derive(Debug)]
struct Scores;

impl Backward<Flex, 2> for Scores {
    type State = Kept;

    /// Of scores S = β Q Kᵀ: dQ = β dS K, dK = β dSᵀ Q.
    fn backward(self, ops: Ops<Kept, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let Kept { left: q, right: k, heads, beta } = ops.state;
        binary::<Flex, _, _>(
            ops.parents,
            ops.node,
            grads,
            |g| heads.states(g, k, &beta),
            |g| heads.patterns(g, q, &beta),
        );
    }
}

#[derive(Debug)]
struct Readout;

impl Backward<Flex, 2> for Readout {
    type State = Kept;

    /// Of readouts R = P V: dP = dR Vᵀ, dV = Pᵀ dR.
    fn backward(self, ops: Ops<Kept, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let Kept { left: p, right: v, heads, beta } = ops.state;
        binary::<Flex, _, _>(
            ops.parents,
            ops.node,
            grads,
            |g| heads.apart(g, v, &beta),
            |g| heads.patterns(p, g, &beta),
        );
    }
}

impl Heads {
    fn is_product(self) -> bool {
        self.n_heads * self.dim * self.n_states * self.n_patterns > 0
    }

    fn width(self) -> usize {
        self.n_heads * self.dim
    }

    /// β A Bᵀ, apart, of states A and patterns B side by side.
    fn apart(self, a: FloatTensor<Flex>, b: FloatTensor<Flex>, beta: &[f32]) -> FloatTensor<Flex> {
        let (a, b) = (a.to_contiguous(), b.to_contiguous());
        let (a, b) = (entries::<f32>(&a), entries::<f32>(&b));
        let matrix = self.n_states * self.n_patterns;
        let mut out = zeros(self.batch * self.n_heads * matrix);
        out.par_chunks_mut(matrix).enumerate().for_each(|(i, out)| {
            let (sample, head) = (i / self.n_heads, i % self.n_heads);
            let a = self.beside(a, self.n_states, sample, head);
            let b = self.beside(b, self.n_patterns, sample, head);
            out.par_chunks_mut(ROWS * self.n_patterns).enumerate().for_each(|(i, out)| {
                let n = out.len() / self.n_patterns;
                let out = MatMut::from_row_major_slice_mut(out, n, self.n_patterns);
                let a = a.subrows(i * ROWS, n);
                matmul(out, Accum::Replace, a, b.transpose(), of_head(beta, head), Par::Seq);
                uhop::clear_vector_registers();
            });
        });
        FloatTensor::<Flex>::from_data(TensorData::new(
            out,
            [self.batch, self.n_heads, self.n_states, self.n_patterns],
        ))
    }

    /// β A B, side by side, of A apart and patterns B side by side.
    fn states(self, a: FloatTensor<Flex>, b: FloatTensor<Flex>, beta: &[f32]) -> FloatTensor<Flex> {
        self.side_by_side((a, |a| a), self.n_states, (b, self.n_patterns), beta)
    }

    /// β Aᵀ B, side by side, of A apart and states B side by side.
    fn patterns(
        self,
        a: FloatTensor<Flex>,
        b: FloatTensor<Flex>,
        beta: &[f32],
    ) -> FloatTensor<Flex> {
        self.side_by_side((a, |a| a.transpose()), self.n_patterns, (b, self.n_states), beta)
    }

    /// `n` rows of each sample, side by side: for each head β times its matrix apart, turned as it is
    /// used, times its part of the other rows, `n_summed` a sample.
    fn side_by_side(
        self,
        (apart, turn): (FloatTensor<Flex>, Turn),
        n: usize,
        (beside, n_summed): (FloatTensor<Flex>, usize),
        beta: &[f32],
    ) -> FloatTensor<Flex> {
        let (apart, beside) = (apart.to_contiguous(), beside.to_contiguous());
        let (apart, beside) = (entries::<f32>(&apart), entries::<f32>(&beside));
        let matrix = self.n_states * self.n_patterns;
        let mut out = zeros(self.batch * n * self.width());
        out.par_chunks_mut(n * self.width()).enumerate().for_each(|(sample, out)| {
            out.par_chunks_mut(ROWS * self.width()).enumerate().for_each(|(i, out)| {
                let n = out.len() / self.width();
                for head in 0..self.n_heads {
                    let start = (sample * self.n_heads + head) * matrix;
                    let a = &apart[start..start + matrix];
                    let a = MatRef::from_row_major_slice(a, self.n_states, self.n_patterns);
                    let a = turn(a).subrows(i * ROWS, n);
                    let b = self.beside(beside, n_summed, sample, head);
                    // Turned: the function for rows takes their distance for that of columns (faer 0.24.4).
                    let out = MatMut::from_column_major_slice_with_stride_mut(
                        &mut out[head * self.dim..],
                        self.dim,
                        n,
                        self.width(),
                    );
                    let out = out.transpose_mut();
                    matmul(out, Accum::Replace, a, b, of_head(beta, head), Par::Seq);
                }
                uhop::clear_vector_registers();
            });
        });
        FloatTensor::<Flex>::from_data(TensorData::new(out, [self.batch, n, self.width()]))
    }

    /// A head of the `n` rows of a sample, `[n, dim]`.
    fn beside(self, rows: &[f32], n: usize, sample: usize, head: usize) -> MatRef<'_, f32> {
        let start = sample * n * self.width() + head * self.dim;
        MatRef::from_row_major_slice_with_stride(&rows[start..], n, self.dim, self.width())
    }
}

fn of_head(beta: &[f32], head: usize) -> f32 {
    beta[head % beta.len()]
}
