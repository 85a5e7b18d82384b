//! The one error type: opaque, with predicates, and a message that says what, where and what next.

use std::fmt;

/// A `Result` whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation refused its input.
///
/// The type is opaque so that a new reason is not a breaking change: ask with the `is_*`
/// predicates, show with `Display`. Every message names the operation, the offending value or both
/// shapes, and what would be accepted.
///
/// ```
/// use ndarray::array;
/// use uhop::Patterns;
///
/// let error = Patterns::new(array![[1.0, f64::NAN]]).unwrap_err();
/// assert!(error.is_non_finite());
/// assert_eq!(
///     error.to_string(),
///     "patterns: entry [0, 1] of the patterns is NaN; every entry must be finite",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Kind>);

impl Error {
    /// Two arrays that must agree in a dimension do not.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns};
    ///
    /// let memory = Memory::new(Patterns::new(array![[1.0, 0.0]])?, Model::dense(1.0)?)?;
    /// assert!(memory.weights(array![[1.0]].view()).unwrap_err().is_shape_mismatch());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn is_shape_mismatch(&self) -> bool {
        matches!(*self.0, Kind::Shape { .. })
    }

    /// An input, or a score computed from finite inputs, is NaN or infinite.
    ///
    /// ```
    /// assert!(uhop::Patterns::new(ndarray::array![[f32::INFINITY]]).unwrap_err().is_non_finite());
    /// ```
    pub fn is_non_finite(&self) -> bool {
        matches!(*self.0, Kind::NonFinite { .. } | Kind::Overflow { .. })
    }

    /// What was computed from finite inputs is not finite.
    pub(crate) fn is_overflow(&self) -> bool {
        matches!(*self.0, Kind::Overflow { .. })
    }

    /// An array has no rows or no columns, or too few rows for the operation.
    ///
    /// ```
    /// let none = ndarray::Array2::<f32>::zeros((0, 3));
    /// assert!(uhop::Patterns::new(none).unwrap_err().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        matches!(*self.0, Kind::Empty { .. })
    }

    /// A parameter lies outside its domain, such as `alpha < 1` or `beta <= 0`.
    ///
    /// ```
    /// assert!(uhop::Separation::entmax(0.5).unwrap_err().is_out_of_domain());
    /// ```
    pub fn is_out_of_domain(&self) -> bool {
        matches!(*self.0, Kind::Domain { .. })
    }

    /// The parts are valid but the combination has no meaning, such as the energy of a memory
    /// whose update descends none.
    ///
    /// ```
    /// use ndarray::array;
    /// use uhop::{Memory, Model, Patterns, Similarity};
    ///
    /// let manhattan = Model::dense(1.0)?.with_similarity(Similarity::Manhattan);
    /// let memory = Memory::new(Patterns::new(array![[1.0, 0.0]])?, manhattan)?;
    /// assert!(memory.energy(array![[1.0, 0.0]].view()).unwrap_err().is_unsupported());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn is_unsupported(&self) -> bool {
        matches!(*self.0, Kind::Unsupported { .. })
    }

    /// Stage I left the finite numbers: its learning rate is too large for the data.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use ndarray::array;
    /// use uhop::stage1::{Optimizer, Params, SeparationLoss, learn};
    /// use uhop::{LinearMap, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0_f32, 0.0], [0.0, 1.0]])?;
    /// let raw = SeparationLoss::max().raw_features();
    /// let params = Params::new(raw, Optimizer::gradient_descent(1e30)?, 10)?;
    /// let result = learn(&patterns, LinearMap::identity(2)?, &params, |_| ControlFlow::Continue(()));
    /// assert!(result.unwrap_err().is_diverged());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    pub fn is_diverged(&self) -> bool {
        matches!(*self.0, Kind::Diverged { .. })
    }

    /// The bytes of a file are not what they should be: another format, damage, or a newer version.
    ///
    /// ```
    /// use uhop::saved::AnyMemory;
    ///
    /// assert!(AnyMemory::from_bytes(b"not a memory").unwrap_err().is_malformed());
    /// ```
    pub fn is_malformed(&self) -> bool {
        matches!(*self.0, Kind::Malformed { .. })
    }

    pub(crate) fn malformed(what: String) -> Self {
        Self(Box::new(Kind::Malformed { what: one_line(&what) }))
    }

    pub(crate) fn shape(
        operation: &'static str,
        (left, left_shape): (&'static str, &[usize]),
        (right, right_shape): (&'static str, &[usize]),
        rule: &'static str,
    ) -> Self {
        Self(Box::new(Kind::Shape {
            operation,
            left,
            left_shape: Shape(left_shape.to_vec()),
            right,
            right_shape: Shape(right_shape.to_vec()),
            rule,
        }))
    }

    pub(crate) fn non_finite(
        operation: &'static str,
        what: &'static str,
        index: &[usize],
        value: f64,
    ) -> Self {
        Self(Box::new(Kind::NonFinite { operation, what, index: Shape(index.to_vec()), value }))
    }

    pub(crate) fn overflow(operation: &'static str, what: String, scalar: &'static str) -> Self {
        Self(Box::new(Kind::Overflow { operation, what, scalar }))
    }

    pub(crate) fn empty(
        operation: &'static str,
        what: &'static str,
        shape: &[usize],
        need: &'static str,
    ) -> Self {
        Self(Box::new(Kind::Empty { operation, what, shape: Shape(shape.to_vec()), need }))
    }

    pub(crate) fn domain(
        operation: &'static str,
        parameter: &'static str,
        value: impl fmt::Display,
        domain: impl Into<String>,
    ) -> Self {
        let value = one_line(&value.to_string());
        Self(Box::new(Kind::Domain { operation, parameter, value, domain: domain.into() }))
    }

    pub(crate) fn unsupported(operation: &'static str, reason: String) -> Self {
        Self(Box::new(Kind::Unsupported { operation, reason }))
    }

    pub(crate) fn diverged(step: usize, what: &'static str) -> Self {
        Self(Box::new(Kind::Diverged { step, what }))
    }
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
enum Kind {
    #[error(
        "{operation}: {left} of shape {left_shape} do not fit {right} of shape {right_shape}; {rule}"
    )]
    Shape {
        operation: &'static str,
        left: &'static str,
        left_shape: Shape,
        right: &'static str,
        right_shape: Shape,
        rule: &'static str,
    },
    #[error("{operation}: entry {index} of {what} is {value}; every entry must be finite")]
    NonFinite { operation: &'static str, what: &'static str, index: Shape, value: f64 },
    #[error(
        "{operation}: {what} is too large for {scalar}; scale the data down{}",
        if *scalar == "f64" { "" } else { " or use f64" }
    )]
    Overflow { operation: &'static str, what: String, scalar: &'static str },
    #[error("{operation}: {what} has shape {shape}; {need}")]
    Empty { operation: &'static str, what: &'static str, shape: Shape, need: &'static str },
    #[error("{operation}: {parameter} is {value}; it must be {domain}")]
    Domain { operation: &'static str, parameter: &'static str, value: String, domain: String },
    #[error("memory file: {what}")]
    Malformed { what: String },
    #[error("{operation}: {reason}")]
    Unsupported { operation: &'static str, reason: String },
    #[error("stage1: {what} is no longer finite after step {step}; use a smaller learning rate")]
    Diverged { step: usize, what: &'static str },
}

#[derive(Debug, Clone, PartialEq)]
struct Shape(Vec<usize>);

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A text with names from a file in it, in one line: control characters are escaped, and the middle
/// of a long text is left out, so that what is wrong and what to do stay.
fn one_line(text: &str) -> String {
    const START: usize = 300;
    const END: usize = 180;
    let position = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let n_chars = text.chars().count();
    let (start, gap, end) = if n_chars <= START + END {
        (text, "", "")
    } else {
        (&text[..position(START)], " ... ", &text[position(n_chars - END)..])
    };
    let mut line = String::new();
    for c in start.chars().chain(gap.chars()).chain(end.chars()) {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// The value of a real parameter that must be finite and above 0.
pub(crate) fn positive(
    operation: &'static str,
    parameter: &'static str,
    value: f64,
) -> Result<f64> {
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(Error::domain(operation, parameter, value, "finite and greater than 0"))
    }
}
