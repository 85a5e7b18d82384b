//! Operations of burn's CPU backend with a backward pass of their own, where composing tensor operations
//! costs many passes over memory by one thread.

mod gelu;
mod norm;

use burn::backend::tensor::FloatTensor;
use burn::backend::{DispatchDevice, Flex};
use burn::tensor::{DType, Element, Tensor};

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
pub(crate) fn changed<T: Element>(
    tensor: FloatTensor<Flex>,
    change: impl FnOnce(&mut [T]),
) -> FloatTensor<Flex> {
    let mut data = tensor.into_data();
    change(data.as_mut_slice().expect("callers know what it is made of"));
    FloatTensor::<Flex>::from_data(data)
}
