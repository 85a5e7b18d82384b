//! A device of `f64`, numbers from a seed, and comparisons.

use std::sync::OnceLock;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};

/// The CPU, with `f64` unless a tensor says otherwise.
pub(crate) fn device() -> Device {
    static CONFIGURED: OnceLock<()> = OnceLock::new();
    CONFIGURED.get_or_init(|| {
        Device::flex().configure(FloatDType::F64).expect("the first use of the device");
    });
    Device::flex()
}

/// `n` numbers between −1 and 1 (SplitMix64).
pub(crate) fn numbers(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0..n).map(|_| (next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0).collect()
}

pub(crate) fn tensor<const D: usize>(
    data: Vec<f64>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(data, shape), device)
}

pub(crate) fn random<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    tensor(numbers(seed, shape.iter().product()), shape, device)
}

pub(crate) fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.to_data().iter::<f64>().collect()
}

/// The largest difference, at most `tolerance` times the largest expected value or 1.
#[track_caller]
pub(crate) fn assert_close(what: &str, actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{what}: as many values");
    let size = expected.iter().fold(1.0_f64, |size, x| size.max(x.abs()));
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= tolerance * size, "{what}: entry {i} is {a:e}, expected {e:e}");
    }
}

#[track_caller]
pub(crate) fn assert_equal<const D: usize>(
    what: &str,
    actual: &Tensor<D>,
    expected: &Tensor<D>,
    tolerance: f64,
) {
    assert_eq!(actual.dims(), expected.dims(), "{what}");
    assert_close(what, &values(actual), &values(expected), tolerance);
}
