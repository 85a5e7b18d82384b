//! The one error type: opaque, with predicates, and a message that says what, where and what next.

/// A `Result` whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a layer refused its configuration or its input.
///
/// ```
/// use uhop_nn::HopfieldConfig;
///
/// let error = HopfieldConfig::new(10).with_heads(3).init(&Default::default()).unwrap_err();
/// assert!(error.is_configuration());
/// assert_eq!(
///     error.to_string(),
///     "Hopfield: dim is 10, which 3 heads do not divide; choose n_heads among its divisors, or set head_dim",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Kind>);

impl Error {
    /// The configuration has no meaning, whatever the input.
    pub fn is_configuration(&self) -> bool {
        matches!(*self.0, Kind::Configuration { .. } | Kind::Core(_))
    }

    /// Two tensors, or a tensor and the configuration, disagree about a shape.
    ///
    /// ```
    /// use burn::tensor::Tensor;
    /// use uhop_nn::{HopfieldConfig, HopfieldInput};
    ///
    /// let device = Default::default();
    /// let layer = HopfieldConfig::new(4).init(&device)?;
    /// let input = HopfieldInput::among(Tensor::zeros([1, 2, 5], &device));
    /// assert!(layer.forward(input).unwrap_err().is_shape_mismatch());
    /// # Ok::<(), uhop_nn::Error>(())
    /// ```
    pub fn is_shape_mismatch(&self) -> bool {
        matches!(*self.0, Kind::Shape { .. })
    }

    pub(crate) fn configuration(layer: &'static str, problem: impl Into<String>) -> Self {
        Self(Box::new(Kind::Configuration { layer, problem: problem.into() }))
    }

    pub(crate) fn shape(
        layer: &'static str,
        what: &'static str,
        shape: &[usize],
        need: impl Into<String>,
    ) -> Self {
        Self(Box::new(Kind::Shape { layer, what, shape: shape.to_vec(), need: need.into() }))
    }
}

impl From<uhop::Error> for Error {
    fn from(error: uhop::Error) -> Self {
        Self(Box::new(Kind::Core(error)))
    }
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
enum Kind {
    #[error("{layer}: {problem}")]
    Configuration { layer: &'static str, problem: String },
    #[error("{layer}: {what} have shape {shape:?}; {need}")]
    Shape { layer: &'static str, what: &'static str, shape: Vec<usize>, need: String },
    #[error(transparent)]
    Core(uhop::Error),
}
