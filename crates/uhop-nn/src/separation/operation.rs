//! The separations as operations of burn's CPU backend, with their own backward pass.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{DType, Tensor, TensorData};

use super::Family;
use super::rows::Rows;
use crate::flex::{changed, entries, is_here};

/// Whether the operations here can take these scores.
pub(super) fn takes(scores: &Tensor<4>) -> bool {
    is_here(scores) && matches!(scores.dtype(), DType::F32 | DType::F64)
}

/// The weights of scores `[batch, n_heads, n_states, n_patterns]`.
pub(super) fn weights(scores: Tensor<4>, family: Family) -> Tensor<4> {
    let rows = rows(&scores, vec![family]);
    Tensor::from_dispatch(<Dispatch as SeparationOps>::separate(scores.into_dispatch(), rows))
}

/// The α-entmax of scores with an α for each head.
pub(super) fn entmax_of_heads(scores: Tensor<4>, alpha: Tensor<1>) -> Tensor<4> {
    let rows = rows(&scores, Vec::new());
    let (scores, alpha) = (scores.into_dispatch(), alpha.into_dispatch());
    Tensor::from_dispatch(<Dispatch as SeparationOps>::entmax_of_heads(scores, alpha, rows))
}

fn rows(scores: &Tensor<4>, families: Vec<Family>) -> Rows {
    let [_, _, n_states, length] = scores.dims();
    Rows { length, families, n_states }
}

#[backend_extension(Autodiff, Flex)]
pub(crate) trait SeparationOps: Backend {
    fn separate(scores: FloatTensor<Self>, rows: Rows) -> FloatTensor<Self>;

    /// `rows` without families: they are those of `alpha`.
    fn entmax_of_heads(
        scores: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        rows: Rows,
    ) -> FloatTensor<Self>;
}

impl SeparationOps for Flex {
    fn separate(scores: FloatTensor<Self>, rows: Rows) -> FloatTensor<Self> {
        map(scores, |scores| match scores {
            Numbers::Single(scores) => rows.weights(scores),
            Numbers::Double(scores) => rows.weights(scores),
        })
    }

    fn entmax_of_heads(
        scores: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        rows: Rows,
    ) -> FloatTensor<Self> {
        Self::separate(scores, rows.with_alphas(alpha))
    }
}

impl<C: CheckpointStrategy> SeparationOps for Autodiff<Flex, C> {
    fn separate(scores: FloatTensor<Self>, rows: Rows) -> FloatTensor<Self> {
        let (scores, node) = scores.into_parts();
        let scores = scores.to_contiguous();
        match Separate.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::UnTracked(prep) => prep.finish(Flex::separate(scores, rows)),
            OpsKind::Tracked(prep) => {
                let kept = rows.needs_scores().then(|| scores.clone());
                let weights = Flex::separate(scores, rows.clone());
                prep.finish(Kept { scores: kept, weights: weights.clone(), rows }, weights)
            }
        }
    }

    fn entmax_of_heads(
        scores: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        rows: Rows,
    ) -> FloatTensor<Self> {
        let ((scores, node), (alpha, alpha_node)) = (scores.into_parts(), alpha.into_parts());
        let rows = rows.with_alphas(alpha);
        match EntmaxOfHeads.prepare::<C>([node, alpha_node]).compute_bound().stateful() {
            OpsKind::UnTracked(prep) => prep.finish(Flex::separate(scores, rows)),
            OpsKind::Tracked(prep) => {
                let weights = Flex::separate(scores, rows.clone());
                prep.finish(Kept { scores: None, weights: weights.clone(), rows }, weights)
            }
        }
    }
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct Kept {
    scores: Option<FloatTensor<Flex>>,
    weights: FloatTensor<Flex>,
    rows: Rows,
}

#[derive(Debug)]
struct Separate;

impl Backward<Flex, 1> for Separate {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let kept = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, grads, |cotangents| kept.vjp(cotangents));
    }
}

#[derive(Debug)]
struct EntmaxOfHeads;

impl Backward<Flex, 2> for EntmaxOfHeads {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let kept = ops.state;
        let same = kept.clone();
        binary::<Flex, _, _>(
            ops.parents,
            ops.node,
            grads,
            |cotangents| kept.vjp(cotangents),
            |cotangents| same.alpha_vjp(cotangents),
        );
    }
}

impl Kept {
    fn vjp(self, cotangents: FloatTensor<Flex>) -> FloatTensor<Flex> {
        let Self { scores, weights, rows } = &self;
        map(cotangents, |cotangents| match cotangents {
            Numbers::Single(g) => rows.vjp(scores.as_ref().map(entries), entries(weights), g),
            Numbers::Double(g) => rows.vjp(scores.as_ref().map(entries), entries(weights), g),
        })
    }

    fn alpha_vjp(self, cotangents: FloatTensor<Flex>) -> FloatTensor<Flex> {
        let (p, g) = (self.weights, cotangents.to_contiguous());
        let data = match p.dtype() {
            DType::F64 => {
                TensorData::from(self.rows.alpha_vjp::<f64>(entries(&p), entries(&g)).as_slice())
            }
            _ => {
                let sums = self.rows.alpha_vjp::<f32>(entries(&p), entries(&g));
                let sums: Vec<f32> = sums.into_iter().map(|sum| sum as f32).collect();
                TensorData::from(sums.as_slice())
            }
        };
        FloatTensor::<Flex>::from_data(data)
    }
}

impl Rows {
    fn with_alphas(mut self, alpha: FloatTensor<Flex>) -> Self {
        let alphas = alpha.into_data();
        self.families = alphas.iter::<f64>().map(Family::Entmax).collect();
        self
    }

    fn needs_scores(&self) -> bool {
        self.families.iter().any(|family| family.needs_scores())
    }
}

enum Numbers<'a> {
    Single(&'a mut [f32]),
    Double(&'a mut [f64]),
}

/// The tensor with its entries, row after row, changed, in the precision it has.
fn map(tensor: FloatTensor<Flex>, change: impl FnOnce(Numbers<'_>)) -> FloatTensor<Flex> {
    match tensor.dtype() {
        DType::F64 => changed(tensor, |entries| change(Numbers::Double(entries))),
        // `takes` lets nothing else in.
        _ => changed(tensor, |entries| change(Numbers::Single(entries))),
    }
}
