//! Layer normalisation of rows.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData, module};
use rayon::prelude::*;

use super::{changed, entries, takes};

/// Rows that one task works on; each has sums of its own for the gradients of scale and shift.
const ROWS: usize = 64;
const LANES: usize = 16;

/// (x − mean) / √(variance + ε) · scale + shift of every row `[n, dim]`, scale and shift `[dim]`.
pub(crate) fn layer_norm(
    rows: Tensor<2>,
    scale: Tensor<1>,
    shift: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<2> {
    let [n, dim] = rows.dims();
    if !takes(&rows) || n == 0 || dim == 0 {
        return module::layer_norm(rows, scale, shift, epsilon);
    }
    let shift = shift.unwrap_or_else(|| scale.clone().detach().zeros_like());
    let (rows, scale, shift) = (rows.into_dispatch(), scale.into_dispatch(), shift.into_dispatch());
    let norm = Norm { dim, epsilon: epsilon as f32 };
    Tensor::from_dispatch(<Dispatch as NormOps>::norm_of(rows, scale, shift, norm))
}

/// What the rows have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm {
    dim: usize,
    epsilon: f32,
}

#[backend_extension(Autodiff, Flex)]
pub(crate) trait NormOps: Backend {
    fn norm_of(
        rows: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self>;
}

impl NormOps for Flex {
    fn norm_of(
        rows: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self> {
        let (scale, shift) = (scale.to_contiguous(), shift.to_contiguous());
        let (scale, shift) = (entries::<f32>(&scale), entries::<f32>(&shift));
        changed(rows.to_contiguous(), |rows| {
            rows.par_chunks_mut(ROWS * norm.dim).for_each(|rows| {
                pulp::Arch::new().dispatch(Values { rows, scale, shift, norm });
            });
        })
    }
}

impl<C: CheckpointStrategy> NormOps for Autodiff<Flex, C> {
    fn norm_of(
        rows: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self> {
        let ((rows, node), (scale, scale_node)) = (rows.into_parts(), scale.into_parts());
        let (shift, shift_node) = shift.into_parts();
        let (rows, scale) = (rows.to_contiguous(), scale.to_contiguous());
        match LayerNorm.prepare::<C>([node, scale_node, shift_node]).compute_bound().stateful() {
            OpsKind::UnTracked(prep) => prep.finish(Flex::norm_of(rows, scale, shift, norm)),
            OpsKind::Tracked(prep) => {
                let kept = Kept { rows: rows.clone(), scale: scale.clone(), norm };
                prep.finish(kept, Flex::norm_of(rows, scale, shift, norm))
            }
        }
    }
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct Kept {
    rows: FloatTensor<Flex>,
    scale: FloatTensor<Flex>,
    norm: Norm,
}

#[derive(Debug)]
struct LayerNorm;

impl Backward<Flex, 3> for LayerNorm {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let Kept { rows, scale, norm } = ops.state;
        let (x, scale) = (entries::<f32>(&rows), entries::<f32>(&scale));
        let part = ROWS * norm.dim;
        let mut sums = Vec::new();
        let of_rows = changed(grads.consume::<Flex>(&ops.node), |g| {
            let parts = x.par_chunks(part).zip(g.par_chunks_mut(part));
            let of_parts = parts.map(|(rows, cotangents)| {
                pulp::Arch::new().dispatch(Slopes { rows, cotangents, scale, norm })
            });
            sums = of_parts.collect();
        });
        // In the order of the rows, however many threads there are.
        let total = |i: usize| {
            let mut total = vec![0.0_f32; norm.dim];
            for sums in &sums {
                total.iter_mut().zip(&sums[i]).for_each(|(total, sum)| *total += sum);
            }
            FloatTensor::<Flex>::from_data(TensorData::from(total.as_slice()))
        };
        let [node, scale_node, shift_node] = ops.parents;
        if let Some(node) = node {
            grads.register::<Flex>(node.id, of_rows);
        }
        for (i, node) in [scale_node, shift_node].into_iter().enumerate() {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, total(i));
            }
        }
    }
}

impl Norm {
    /// Mean and 1/√(variance + ε) of a row.
    #[inline(always)]
    fn moments(self, row: &[f32]) -> (f32, f32) {
        let dim = self.dim as f32;
        let mean = sum(row.iter().copied()) / dim;
        let variance = sum(row.iter().map(
            #[inline(always)]
            |&x| (x - mean) * (x - mean),
        )) / dim;
        (mean, 1.0 / (variance + self.epsilon).sqrt())
    }
}

/// A sum in lanes.
#[inline(always)]
fn sum(terms: impl ExactSizeIterator<Item = f32>) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    for (i, term) in terms.enumerate() {
        lanes[i % LANES] += term;
    }
    lanes.iter().sum()
}

/// Replaces rows by normalised ones.
struct Values<'a> {
    rows: &'a mut [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    norm: Norm,
}

impl pulp::WithSimd for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { rows, scale, shift, norm } = self;
        for row in rows.chunks_exact_mut(norm.dim) {
            let (mean, factor) = norm.moments(row);
            for ((x, &scale), &shift) in row.iter_mut().zip(scale).zip(shift) {
                *x = (*x - mean) * factor * scale + shift;
            }
        }
    }
}

/// Replaces the cotangents of normalised rows by those of the rows; returns those of scale and shift.
struct Slopes<'a> {
    rows: &'a [f32],
    cotangents: &'a mut [f32],
    scale: &'a [f32],
    norm: Norm,
}

impl pulp::WithSimd for Slopes<'_> {
    type Output = [Vec<f32>; 2];

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> [Vec<f32>; 2] {
        let Self { rows, cotangents, scale, norm } = self;
        let [mut of_scale, mut of_shift] = [vec![0.0_f32; norm.dim], vec![0.0_f32; norm.dim]];
        let dim = norm.dim as f32;
        for (row, g) in rows.chunks_exact(norm.dim).zip(cotangents.chunks_exact_mut(norm.dim)) {
            let (mean, factor) = norm.moments(row);
            for (i, (&x, g)) in row.iter().zip(g.iter_mut()).enumerate() {
                of_scale[i] += *g * (x - mean) * factor;
                of_shift[i] += *g;
                *g *= scale[i];
            }
            // x̂ = (x − mean)·factor: dx = factor·(g − mean(g) − x̂·mean(g x̂)).
            let of_mean = sum(g.iter().copied()) / dim;
            let along = row.iter().zip(g.iter()).map(
                #[inline(always)]
                |(&x, &g)| (x - mean) * factor * g,
            );
            let along = sum(along) / dim;
            for (&x, g) in row.iter().zip(g) {
                *g = factor * (*g - of_mean - (x - mean) * factor * along);
            }
        }
        [of_scale, of_shift]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::flex::numbers;

    type Form = fn(Tensor<2>, Tensor<1>, Option<Tensor<1>>, f64) -> Tensor<2>;

    /// The result, and the gradients for rows, scale and shift of a loss that is no sum of it.
    fn of(form: Form, shifted: bool, [n, dim]: [usize; 2]) -> Vec<Vec<f32>> {
        let device = Device::flex().autodiff();
        let rows = |seed| {
            let numbers = TensorData::new(numbers(n * dim, seed), [n, dim]);
            Tensor::<2>::from_data(numbers, &device)
        };
        let parameter = |seed| {
            let numbers = TensorData::new(numbers(dim, seed), [dim]);
            (Tensor::<1>::from_data(numbers, &device) + 1.5).require_grad()
        };
        let (rows, weights) = ((rows(1) * 2.0 + 1.0).require_grad(), rows(2));
        let (scale, shift) = (parameter(3), parameter(4));
        let result = form(rows.clone(), scale.clone(), shifted.then(|| shift.clone()), 1e-5);
        let gradients = (result.clone() * weights).sum().backward();
        let mut all = vec![result.into_data(), rows.grad(&gradients).unwrap().into_data()];
        all.push(scale.grad(&gradients).unwrap().into_data());
        all.extend(shift.grad(&gradients).map(|gradient| gradient.into_data()));
        all.into_iter().map(|data| data.try_to_vec().unwrap()).collect()
    }

    #[test]
    fn values_and_gradients_are_those_of_the_composed_form() {
        for (shifted, shape) in
            [(true, [3, 5]), (false, [1, 16]), (true, [ROWS, 33]), (true, [5 * ROWS + 7, 64])]
        {
            let composed = of(module::layer_norm, shifted, shape);
            let own = of(layer_norm, shifted, shape);
            assert_eq!(composed.len(), own.len());
            for (composed, own) in composed.iter().zip(&own) {
                let largest = composed.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                // Sums of n or dim terms, each rounded.
                let n_terms = (shape[0] + shape[1]) as f32;
                let bound = 2.0 * n_terms * f32::EPSILON * largest.max(1.0);
                for (a, b) in composed.iter().zip(own) {
                    assert!((a - b).abs() <= bound, "{a} {b} {shape:?}");
                }
            }
        }
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| of(layer_norm, true, [7 * ROWS + 3, 24]))
        };
        assert_eq!(with(1), with(3));
    }
}
