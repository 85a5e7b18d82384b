//! What is compared: a way of comparing patterns, a separation, and whether Stage I comes first.

use std::fmt;

use serde::{Deserialize, Serialize};
use uhop::Separation;

/// One of the models compared, by the name that specifications and rows give it.
///
/// | name | scores | weights |
/// |---|---|---|
/// | `query` | none: the corrupted query is its own recall | |
/// | `dense` | ⟨ξ,x⟩ | softmax |
/// | `sparse` | ⟨ξ,x⟩ | sparsemax |
/// | `entmax-1.5` | ⟨ξ,x⟩ | 1.5-entmax |
/// | `polynomial-10` | ⟨ξ,x⟩ | polynomial of degree 10, normalised |
/// | `l2` | −‖ξ−x‖ | softmax |
/// | `squared-euclidean` | −½‖ξ−x‖² | softmax |
/// | `manhattan` | −‖ξ−x‖₁ | softmax |
/// | `cosine` | ⟨ξ,x⟩ / (‖ξ‖‖x‖) | softmax |
/// | `uhop-dense-average`, `uhop-dense-max` | ⟨Φξ,Φx⟩, Φ learned by the loss named | softmax |
/// | `uhop-sparse-average`, `uhop-sparse-max` | the same | sparsemax |
/// | `channel` | ln P(x \| ξ) by the corruption that made the queries | softmax |
/// | `denoised`, `denoised-mix` | ⟨ξ,Wx⟩ + b, W and b learned to name the sources of copies that were corrupted so, or by the usual mix | softmax |
/// | `whitened` | ⟨Wξ,Wx⟩, W by ridge whitening with the λ that recalls other copies best | softmax |
/// | `auto`, `auto-mix` | what [`uhop::choose`] chooses for copies that were corrupted so, or by the usual mix | softmax at the β it chooses |
/// | `dense-matched-average`, `dense-matched-max` | ⟨ξ,x⟩ | softmax at the effective β of `uhop-dense-…` |
///
/// The matched ones have the temperature of U-Hop and nothing of what it learned: whatever
/// U-Hop gains over them is not a matter of temperature. `channel`, `whitened`, `denoised` and
/// `auto` know what the others do not: which corruption it is.
///
/// ```
/// use uhop_lab::Contender;
///
/// assert_eq!(Contender::Entmax15.to_string(), "entmax-1.5");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
#[allow(missing_docs, reason = "the table says what each is")]
pub enum Contender {
    Query,
    Dense,
    Sparse,
    #[serde(rename = "entmax-1.5")]
    Entmax15,
    #[serde(rename = "polynomial-10")]
    Polynomial10,
    L2,
    SquaredEuclidean,
    Manhattan,
    Cosine,
    UhopDenseAverage,
    UhopDenseMax,
    UhopSparseAverage,
    UhopSparseMax,
    Channel,
    Whitened,
    Denoised,
    DenoisedMix,
    Auto,
    AutoMix,
    DenseMatchedAverage,
    DenseMatchedMax,
}

/// A loss of Stage I.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loss {
    Average,
    Max,
}

/// How a contender compares a pattern with a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Comparison {
    Dot,
    L2,
    SquaredEuclidean,
    Manhattan,
    Cosine,
    Features(Loss),
    Channel,
    Whitened,
    Denoised,
    DenoisedMix,
    Auto,
    AutoMix,
}

impl Comparison {
    pub(crate) fn is_distance(self) -> bool {
        matches!(self, Self::L2 | Self::SquaredEuclidean | Self::Manhattan)
    }

    /// Whether queries are mapped by what was learned otherwise than by Stage I.
    pub(crate) fn has_map_of_its_own(self) -> bool {
        matches!(
            self,
            Self::Whitened | Self::Denoised | Self::DenoisedMix | Self::Auto | Self::AutoMix
        )
    }
}

/// Where a contender's β comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beta {
    /// The specification, or tuning.
    Free,
    /// It would change nothing.
    None,
    /// The effective β of dense U-Hop with this loss.
    Matched(Loss),
    /// Chosen together with the similarity.
    Chosen,
}

/// The parts of a contender that recalls anything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parts {
    pub(crate) comparison: Comparison,
    pub(crate) separation: Separation,
    pub(crate) beta: Beta,
}

const DEGREE: u32 = 10;

impl Contender {
    /// Its parts; nothing for the query itself.
    pub(crate) fn parts(self) -> Option<Parts> {
        use Comparison::{
            Auto, AutoMix, Channel, Cosine, Denoised, DenoisedMix, Dot, Features, L2, Manhattan,
            SquaredEuclidean, Whitened,
        };

        let entmax = || Separation::entmax(1.5).expect("1.5 is in the domain of alpha");
        let polynomial = || Separation::polynomial(DEGREE).expect("a degree above 0");
        let (comparison, separation, beta) = match self {
            Self::Query => return None,
            Self::Dense => (Dot, Separation::softmax(), Beta::Free),
            Self::Sparse => (Dot, Separation::sparsemax(), Beta::Free),
            Self::Entmax15 => (Dot, entmax(), Beta::Free),
            Self::Polynomial10 => (Dot, polynomial(), Beta::None),
            Self::L2 => (L2, Separation::softmax(), Beta::Free),
            Self::SquaredEuclidean => (SquaredEuclidean, Separation::softmax(), Beta::Free),
            Self::Manhattan => (Manhattan, Separation::softmax(), Beta::Free),
            Self::Cosine => (Cosine, Separation::softmax(), Beta::Free),
            Self::UhopDenseAverage => (Features(Loss::Average), Separation::softmax(), Beta::Free),
            Self::UhopDenseMax => (Features(Loss::Max), Separation::softmax(), Beta::Free),
            Self::UhopSparseAverage => {
                (Features(Loss::Average), Separation::sparsemax(), Beta::Free)
            }
            Self::UhopSparseMax => (Features(Loss::Max), Separation::sparsemax(), Beta::Free),
            Self::Channel => (Channel, Separation::softmax(), Beta::Free),
            Self::Whitened => (Whitened, Separation::softmax(), Beta::Free),
            Self::Denoised => (Denoised, Separation::softmax(), Beta::Free),
            Self::DenoisedMix => (DenoisedMix, Separation::softmax(), Beta::Free),
            Self::Auto => (Auto, Separation::softmax(), Beta::Chosen),
            Self::AutoMix => (AutoMix, Separation::softmax(), Beta::Chosen),
            Self::DenseMatchedAverage => (Dot, Separation::softmax(), Beta::Matched(Loss::Average)),
            Self::DenseMatchedMax => (Dot, Separation::softmax(), Beta::Matched(Loss::Max)),
        };
        Some(Parts { comparison, separation, beta })
    }

    /// Whether its map is one that Stage I learned.
    pub(crate) fn is_uhop(self) -> bool {
        self.parts().is_some_and(|parts| matches!(parts.comparison, Comparison::Features(_)))
    }

    /// Whether it knows which corruption it is.
    pub(crate) fn is_told(self) -> bool {
        matches!(self, Self::Channel | Self::Whitened | Self::Denoised | Self::Auto)
    }

    /// Its scores and weights, for a report.
    pub(crate) fn means(self) -> (&'static str, &'static str) {
        let dot = "⟨ξ,x⟩";
        match self {
            Self::Query => ("none: the corrupted query is its own recall", "none"),
            Self::Dense => (dot, "softmax"),
            Self::Sparse => (dot, "sparsemax"),
            Self::Entmax15 => (dot, "1.5-entmax"),
            Self::Polynomial10 => (dot, "polynomial of degree 10, normalised"),
            Self::L2 => ("−‖ξ−x‖", "softmax"),
            Self::SquaredEuclidean => ("−½‖ξ−x‖²", "softmax"),
            Self::Manhattan => ("−‖ξ−x‖₁", "softmax"),
            Self::Cosine => ("⟨ξ,x⟩/(‖ξ‖‖x‖)", "softmax"),
            Self::UhopDenseAverage => ("⟨Φξ,Φx⟩, Φ learned by the average loss", "softmax"),
            Self::UhopDenseMax => ("⟨Φξ,Φx⟩, Φ learned by the max loss", "softmax"),
            Self::UhopSparseAverage => ("⟨Φξ,Φx⟩, Φ learned by the average loss", "sparsemax"),
            Self::UhopSparseMax => ("⟨Φξ,Φx⟩, Φ learned by the max loss", "sparsemax"),
            Self::Channel => (
                "ln P(x | ξ) of the corruption, which it is told",
                "softmax: the posterior at β = 1",
            ),
            Self::Whitened => (
                "⟨Wξ,Wx⟩, W by ridge whitening, λ chosen on other copies corrupted alike",
                "softmax",
            ),
            Self::Denoised => {
                ("⟨ξ,Wx⟩ + b, learned to name the sources of copies corrupted alike", "softmax")
            }
            Self::DenoisedMix => (
                "⟨ξ,Wx⟩ + b, learned to name the sources of copies corrupted in several usual ways",
                "softmax",
            ),
            Self::Auto => ("chosen on copies corrupted alike", "softmax at the β chosen with it"),
            Self::AutoMix => (
                "chosen on copies corrupted in several usual ways",
                "softmax at the β chosen with it",
            ),
            Self::DenseMatchedAverage => {
                (dot, "softmax at the effective β of U-Hop with the average loss")
            }
            Self::DenseMatchedMax => (dot, "softmax at the effective β of U-Hop with the max loss"),
        }
    }

    /// The degree when the weights are a polynomial.
    pub(crate) fn degree(self) -> Option<i32> {
        (self == Self::Polynomial10).then_some(DEGREE as i32)
    }

    /// The loss by which the map is learned that this contender needs.
    pub(crate) fn loss(self) -> Option<Loss> {
        match self.parts()? {
            Parts { comparison: Comparison::Features(loss), .. }
            | Parts { beta: Beta::Matched(loss), .. } => Some(loss),
            _ => None,
        }
    }
}

impl Loss {
    /// Dense U-Hop with this loss.
    pub(crate) fn dense(self) -> Contender {
        match self {
            Self::Average => Contender::UhopDenseAverage,
            Self::Max => Contender::UhopDenseMax,
        }
    }
}

/// The name that specifications and rows use.
impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
