//! Products of rows whose heads lie side by side.

use burn::nn::Linear;
use burn::tensor::Tensor;

use crate::flex;

/// β ⟨q, k⟩ in each head, β one for all heads or one for each: `[batch, n_states, n_heads·d]` and
/// `[batch, n_patterns, n_heads·d]` → `[batch, n_heads, n_states, n_patterns]`.
pub(crate) fn scores(q: Tensor<3>, k: Tensor<3>, n_heads: usize, beta: &[f64]) -> Tensor<4> {
    flex::heads::scores(&q, &k, n_heads, beta)
        .unwrap_or_else(|| composed_scores(q, k, n_heads, beta))
}

/// Σ p v in each head: `[batch, n_heads, n_states, n_patterns]` and `[batch, n_patterns, n_heads·d]` →
/// `[batch, n_states, n_heads·d]`.
pub(crate) fn readout(weights: Tensor<4>, values: Tensor<3>) -> Tensor<3> {
    flex::heads::readout(&weights, &values).unwrap_or_else(|| composed_readout(weights, values))
}

fn composed_scores(q: Tensor<3>, k: Tensor<3>, n_heads: usize, beta: &[f64]) -> Tensor<4> {
    let scores = apart(q, n_heads).matmul(apart(k, n_heads).swap_dims(2, 3));
    match beta {
        [beta] => scores * *beta,
        betas => {
            let options = (&scores.device(), scores.dtype());
            scores * Tensor::<1>::from_data(betas, options).reshape([1, n_heads, 1, 1])
        }
    }
}

fn composed_readout(weights: Tensor<4>, values: Tensor<3>) -> Tensor<3> {
    let [batch, n_heads, n_states, _] = weights.dims();
    let [_, _, width] = values.dims();
    weights.matmul(apart(values, n_heads)).swap_dims(1, 2).reshape([batch, n_states, width])
}

/// `[batch, n, n_heads·d]` → `[batch, n_heads, n, d]`.
fn apart(rows: Tensor<3>, n_heads: usize) -> Tensor<4> {
    let [batch, n, width] = rows.dims();
    rows.reshape([batch, n, n_heads, width / n_heads]).swap_dims(1, 2)
}

/// A linear map of every row. As one product of two matrices: the gradient of W as a batch of
/// products would cost more than all the rest.
pub(crate) fn linear(map: &Linear, rows: Tensor<3>) -> Tensor<3> {
    let [batch, n, width] = rows.dims();
    let rows = map.forward(rows.reshape([batch * n, width]));
    let [_, width] = rows.dims();
    rows.reshape([batch, n, width])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn numbers<const D: usize>(shape: [usize; D], seed: usize) -> Tensor<D> {
        let data = TensorData::new(flex::numbers(shape.iter().product(), seed), shape);
        Tensor::from_data(data, &Device::flex().autodiff())
    }

    fn entries<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    /// A product of both kinds and its gradients, of a loss that is no sum of it.
    fn of<const A: usize, const B: usize, const C: usize>(
        product: impl Fn(Tensor<A>, Tensor<B>) -> Tensor<C>,
        left: [usize; A],
        right: [usize; B],
    ) -> [Vec<f32>; 3] {
        let (left, right) = (numbers(left, 1).require_grad(), numbers(right, 2).require_grad());
        let result = product(left.clone(), right.clone());
        let gradients = (result.clone() * numbers(result.dims(), 3)).sum().backward();
        let of_left = left.grad(&gradients).unwrap();
        let of_right = right.grad(&gradients).unwrap();
        [entries(result), entries(of_left), entries(of_right)]
    }

    /// Sums of `n_terms` products, each of numbers up to `beta` and rounded.
    fn must_agree(own: &[Vec<f32>; 3], composed: &[Vec<f32>; 3], n_terms: usize, beta: f32) {
        let bound = 2.0 * (n_terms as f32).powi(2) * beta * f32::EPSILON;
        for (own, composed) in own.iter().zip(composed) {
            assert_eq!(own.len(), composed.len());
            for (a, b) in own.iter().zip(composed) {
                assert!((a - b).abs() <= bound, "{a} {b}");
            }
        }
    }

    /// Batch, heads, states, patterns, entries of a head.
    const SHAPES: [[usize; 5]; 5] =
        [[1, 1, 1, 1, 1], [2, 3, 5, 4, 2], [3, 2, 1, 17, 8], [2, 4, 33, 20, 16], [1, 2, 300, 3, 4]];

    #[test]
    fn scores_and_gradients_are_those_of_the_composed_form() {
        for [batch, n_heads, n_states, n_patterns, dim] in SHAPES {
            let (left, right) =
                ([batch, n_states, n_heads * dim], [batch, n_patterns, n_heads * dim]);
            let of_each: Vec<f64> = (0..n_heads).map(|i| 0.5 + i as f64).collect();
            for beta in [&of_each[..1], &of_each] {
                let own = of(|q, k| scores(q, k, n_heads, beta), left, right);
                let composed = of(|q, k| composed_scores(q, k, n_heads, beta), left, right);
                let n_terms = dim.max(n_states).max(n_patterns);
                must_agree(&own, &composed, n_terms, of_each[n_heads - 1] as f32);
            }
        }
    }

    #[test]
    fn readouts_and_gradients_are_those_of_the_composed_form() {
        for [batch, n_heads, n_states, n_patterns, dim] in SHAPES {
            let left = [batch, n_heads, n_states, n_patterns];
            let right = [batch, n_patterns, n_heads * dim];
            let own = of(readout, left, right);
            let composed = of(composed_readout, left, right);
            must_agree(&own, &composed, dim.max(n_states).max(n_patterns), 1.0);
        }
    }

    /// Entries that do not lie row after row, of what is given and of the gradients.
    #[test]
    fn any_layout_is_read() {
        type Product<A, B, C> = fn(A, B) -> C;
        let turned = |q: Tensor<3>| q.swap_dims(1, 2);
        let forms: [Product<_, _, _>; 2] =
            [|q, k| scores(q, k, 2, &[1.0]), |q, k| composed_scores(q, k, 2, &[1.0])];
        let [own, composed] = forms.map(|form| {
            of(|q, k| form(turned(q), turned(k)).swap_dims(2, 3), [2, 6, 3], [2, 6, 5])
        });
        must_agree(&own, &composed, 6, 1.0);
        // Without the last column, as where there is a zero pattern.
        let forms: [Product<_, _, _>; 2] = [readout, composed_readout];
        let [own, composed] = forms.map(|form| {
            of(|p: Tensor<4>, v| turned(form(p.narrow(3, 0, 5), v)), [2, 3, 4, 6], [2, 5, 6])
        });
        must_agree(&own, &composed, 6, 1.0);
    }

    #[test]
    fn one_factor_may_be_given() {
        let (q, k) = (numbers([2, 4, 6], 1).require_grad(), numbers([2, 5, 6], 2));
        let gradients = scores(q.clone(), k.clone(), 2, &[1.0]).sum().backward();
        let of_q = entries(q.grad(&gradients).unwrap());
        let (q, k) = (numbers([2, 4, 6], 1).require_grad(), k.require_grad());
        let gradients = scores(q.clone(), k.clone(), 2, &[1.0]).sum().backward();
        assert_eq!(entries(q.grad(&gradients).unwrap()), of_q);
        let of_k = entries(k.grad(&gradients).unwrap());
        let k = numbers([2, 5, 6], 2).require_grad();
        let gradients = scores(numbers([2, 4, 6], 1), k.clone(), 2, &[1.0]).sum().backward();
        assert_eq!(entries(k.grad(&gradients).unwrap()), of_k);
    }

    #[test]
    fn nothing_is_read_out_of_nothing() {
        let device = Device::flex();
        let none = readout(Tensor::zeros([2, 1, 3, 0], &device), Tensor::zeros([2, 0, 4], &device));
        assert_eq!(entries(none), vec![0.0; 24]);
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_threads() {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let scores = of(|q, k| scores(q, k, 2, &[0.3]), [3, 300, 16], [3, 11, 16]);
                (scores, of(readout, [3, 2, 300, 11], [3, 11, 16]))
            })
        };
        assert_eq!(with(1), with(3));
    }
}
