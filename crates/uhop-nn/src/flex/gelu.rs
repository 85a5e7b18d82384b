//! GELU: x Φ(x), Φ the distribution of a standard normal number.

use std::f32::consts::FRAC_1_SQRT_2;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, activation};
use rayon::prelude::*;

use super::{TASK, changed, entries, takes};
use crate::separation::exp_f32;

/// x Φ(x) of every entry, to 2 ε·|x| in `f32` on the CPU.
pub(crate) fn gelu(rows: Tensor<2>) -> Tensor<2> {
    if !takes(&rows) {
        return activation::gelu(rows);
    }
    Tensor::from_dispatch(<Dispatch as GeluOps>::gelu_of(rows.into_dispatch()))
}

#[backend_extension(Autodiff, Flex)]
pub(crate) trait GeluOps: Backend {
    fn gelu_of(rows: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl GeluOps for Flex {
    fn gelu_of(rows: FloatTensor<Self>) -> FloatTensor<Self> {
        changed(rows.to_contiguous(), |entries| {
            entries.par_chunks_mut(TASK).for_each(|part| pulp::Arch::new().dispatch(Values(part)));
        })
    }
}

impl<C: CheckpointStrategy> GeluOps for Autodiff<Flex, C> {
    fn gelu_of(rows: FloatTensor<Self>) -> FloatTensor<Self> {
        let (rows, node) = rows.into_parts();
        let rows = rows.to_contiguous();
        match Gelu.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::UnTracked(prep) => prep.finish(Flex::gelu_of(rows)),
            OpsKind::Tracked(prep) => prep.finish(rows.clone(), Flex::gelu_of(rows)),
        }
    }
}

#[derive(Debug)]
struct Gelu;

impl Backward<Flex, 1> for Gelu {
    type State = FloatTensor<Flex>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let rows = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, grads, |cotangents| {
            changed(cotangents, |g| {
                let parts = entries::<f32>(&rows).par_chunks(TASK).zip(g.par_chunks_mut(TASK));
                parts.for_each(|(x, g)| pulp::Arch::new().dispatch(Slopes(x, g)));
            })
        });
    }
}

/// Replaces x by x Φ(x).
struct Values<'a>(&'a mut [f32]);

impl pulp::WithSimd for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        for x in self.0 {
            *x *= distribution(*x, exp_f32(-0.5 * *x * *x));
        }
    }
}

/// Replaces g by g (Φ(x) + x φ(x)).
struct Slopes<'a>(&'a [f32], &'a mut [f32]);

impl pulp::WithSimd for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        // 1/√(2π)
        const DENSITY_AT_0: f32 = 0.398_942_3;
        for (&x, g) in self.0.iter().zip(self.1) {
            let power = exp_f32(-0.5 * x * x);
            *g *= distribution(x, power) + x * DENSITY_AT_0 * power;
        }
    }
}

/// Φ(x), given exp(−x²/2): erfc(z) = (a₁t + … + a₅t⁵) exp(−z²), t = 1/(1 + pz), z = |x|/√2, to 1.5e-7
/// (Abramowitz and Stegun 7.1.26).
#[inline(always)]
fn distribution(x: f32, power: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * FRAC_1_SQRT_2 * x.abs());
    let sum = -1.453_152 + t * 1.061_405_4;
    let sum = t * (0.254_829_6 + t * (-0.284_496_74 + t * (1.421_413_7 + t * sum)));
    let tail = 0.5 * sum * power;
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn of(values: &[f32], f: impl Fn(Tensor<2>) -> Tensor<2>) -> (Vec<f32>, Vec<f32>) {
        let device = Device::flex().autodiff();
        let x = Tensor::<1>::from_floats(values, &device).reshape([1, values.len()]);
        let x = x.detach().require_grad();
        let y = f(x.clone());
        let slopes = x.grad(&y.clone().sum().backward()).unwrap();
        (y.into_data().try_to_vec().unwrap(), slopes.into_data().try_to_vec().unwrap())
    }

    /// From −20 to 20, and more than one task; beside burn's, by the error function of libm.
    #[test]
    fn values_and_slopes_are_those_of_the_composed_form() {
        let n = TASK + 77;
        let values: Vec<f32> = (0..n).map(|i| 40.0 * i as f32 / n as f32 - 20.0).collect();
        let ((y, slopes), (own_y, own_slopes)) = (of(&values, activation::gelu), of(&values, gelu));
        for i in 0..n {
            // The error function is off by 1.5e-7, half of which is 0.63 ε, and a few roundings.
            let bound = 3.0 * f32::EPSILON * values[i].abs();
            assert!((y[i] - own_y[i]).abs() <= bound, "{} at {}", own_y[i], values[i]);
            let bound = 6.0 * f32::EPSILON;
            assert!(
                (slopes[i] - own_slopes[i]).abs() <= bound,
                "{} at {}",
                own_slopes[i],
                values[i]
            );
        }
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        let (y, _) = of(&[f32::NAN, f32::INFINITY, -3.0e38], gelu);
        assert!(y[0].is_nan() && y[1] == f32::INFINITY && y[2] == 0.0, "{y:?}");
    }
}
