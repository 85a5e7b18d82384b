//! Products of rows whose heads lie side by side.

use burn::nn::Linear;
use burn::tensor::Tensor;

/// ⟨q, k⟩ in each head: `[batch, n_states, n_heads·d]` and `[batch, n_patterns, n_heads·d]` →
/// `[batch, n_heads, n_states, n_patterns]`.
pub(crate) fn scores(q: Tensor<3>, k: Tensor<3>, n_heads: usize) -> Tensor<4> {
    apart(q, n_heads).matmul(apart(k, n_heads).swap_dims(2, 3))
}

/// Σ p v in each head: `[batch, n_heads, n_states, n_patterns]` and `[batch, n_patterns, n_heads·d]` →
/// `[batch, n_states, n_heads·d]`.
pub(crate) fn readout(weights: Tensor<4>, values: Tensor<3>) -> Tensor<3> {
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
