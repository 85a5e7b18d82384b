//! The two number types a memory can hold.

/// `f32` or `f64`: the type of the stored patterns.
///
/// Sealed: the dense products exist for these two. Matrices are kept and
/// multiplied in this type; everything that is summed along a row of scores (separations, losses,
/// energies, metrics) is computed in `f64` and rounded once.
pub trait Scalar: sealed::Sealed + ndarray::NdFloat {
    /// The name in error messages: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// Rounds an `f64` to this type.
    fn narrow(value: f64) -> Self;

    /// Widens to `f64`, without loss.
    fn widen(self) -> f64;
}

impl Scalar for f32 {
    const NAME: &'static str = "f32";

    fn narrow(value: f64) -> Self {
        value as f32
    }

    fn widen(self) -> f64 {
        f64::from(self)
    }
}

impl Scalar for f64 {
    const NAME: &'static str = "f64";

    fn narrow(value: f64) -> Self {
        value
    }

    fn widen(self) -> f64 {
        self
    }
}

mod sealed {
    /// Also the bridge to the matrix-product crate, which so stays out of the public interface.
    pub trait Sealed: faer::traits::RealField {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}
