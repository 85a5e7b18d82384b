//! Operations of burn's CPU backend with a backward pass of their own, where composing tensor operations
//! costs many passes over memory by one thread.

mod gelu;
pub(crate) mod heads;
mod norm;

use burn::backend::tensor::FloatTensor;
use burn::backend::{DispatchDevice, Flex};
use burn::tensor::{DType, Element, Tensor, TensorData};
use rayon::prelude::*;

pub(crate) use gelu::gelu;
pub(crate) use norm::layer_norm;

/// Entries that one task works on: an eighth of the second-level cache.
const TASK: usize = 1 << 15;

/// Whether a tensor is on the CPU.
pub(crate) fn is_here<const D: usize>(tensor: &Tensor<D>) -> bool {
    matches!(tensor.device().inner().as_dispatch(), DispatchDevice::Flex(_))
}

/// Whether the operations for `f32` can take it.
fn takes<const D: usize>(tensor: &Tensor<D>) -> bool {
    is_here(tensor) && tensor.dtype() == DType::F32
}

/// The entries of a tensor, row after row.
pub(crate) fn entries<T: Element + bytemuck::Pod>(tensor: &FloatTensor<Flex>) -> &[T] {
    let (start, end) = tensor.layout().contiguous_offsets().expect("kept in this layout");
    &tensor.storage()[start..end]
}

/// The tensor with its entries, row after row, changed; in place where nobody else holds it.
pub(crate) fn changed<T: Element + bytemuck::Pod + Send + Sync>(
    tensor: FloatTensor<Flex>,
    change: impl FnOnce(&mut [T]),
) -> FloatTensor<Flex> {
    let is_shared = !tensor.is_unique() && tensor.layout().contiguous_offsets().is_some();
    let mut data = if is_shared { copy::<T>(&tensor) } else { tensor.into_data() };
    change(data.as_mut_slice().expect("callers know what it is made of"));
    FloatTensor::<Flex>::from_data(data)
}

/// A copy made by all threads, which burn's is not.
fn copy<T: Element + bytemuck::Pod + Send + Sync>(tensor: &FloatTensor<Flex>) -> TensorData {
    let copy: Vec<T> = entries(tensor).par_iter().with_min_len(TASK).copied().collect();
    TensorData::new(copy, tensor.layout().shape().clone())
}

/// Entries to be written over, first touched by all threads.
fn zeros(n: usize) -> Vec<f32> {
    (0..n).into_par_iter().with_min_len(TASK).map(|_| 0.0).collect()
}

/// Numbers from −1 to 1 without a pattern that fits rows; the device's generator is everybody's.
#[cfg(test)]
pub(crate) fn numbers(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.0 - 1.0).collect()
}
