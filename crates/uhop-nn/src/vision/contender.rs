//! The models that are compared, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::SeparationConfig;
use crate::train::Error;

/// A model by what its layers are: `dense`, `map-sparse`, `uhop-entmax15`, …
///
/// ```
/// use uhop_nn::vision::{Association, Contender, Map};
///
/// let contender: Contender = "uhop-sparse".parse()?;
/// assert_eq!(contender, Contender { association: Association::Sparse, map: Map::Separated });
/// assert_eq!(contender.to_string(), "uhop-sparse");
/// assert!("sparse-uhop".parse::<Contender>().is_err());
/// # Ok::<(), uhop_nn::train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Contender {
    /// How scores become weights.
    pub association: Association,
    /// Whether there is a Φ, and how it is learned.
    pub map: Map,
}

/// How scores become weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Association {
    /// Softmax.
    Dense,
    /// 1.5-entmax.
    Entmax15,
    /// Sparsemax.
    Sparse,
}

/// Whether there is a Φ, and how it is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// There is none.
    None,
    /// By the task loss alone.
    Task,
    /// By the task loss and the separation loss: U-Hop.
    Separated,
}

impl Contender {
    /// All of them, plain ones first.
    pub const ALL: [Self; 9] = {
        use Association::{Dense, Entmax15, Sparse};
        const fn of(association: Association, map: Map) -> Contender {
            Contender { association, map }
        }
        [
            of(Dense, Map::None),
            of(Entmax15, Map::None),
            of(Sparse, Map::None),
            of(Dense, Map::Task),
            of(Entmax15, Map::Task),
            of(Sparse, Map::Task),
            of(Dense, Map::Separated),
            of(Entmax15, Map::Separated),
            of(Sparse, Map::Separated),
        ]
    };

    /// The separation of its layers.
    pub fn separation(self) -> SeparationConfig {
        match self.association {
            Association::Dense => SeparationConfig::Softmax,
            Association::Entmax15 => SeparationConfig::Entmax { alpha: 1.5 },
            Association::Sparse => SeparationConfig::Sparsemax,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match (self.map, self.association) {
            (Map::None, Association::Dense) => "dense",
            (Map::None, Association::Entmax15) => "entmax15",
            (Map::None, Association::Sparse) => "sparse",
            (Map::Task, Association::Dense) => "map-dense",
            (Map::Task, Association::Entmax15) => "map-entmax15",
            (Map::Task, Association::Sparse) => "map-sparse",
            (Map::Separated, Association::Dense) => "uhop-dense",
            (Map::Separated, Association::Entmax15) => "uhop-entmax15",
            (Map::Separated, Association::Sparse) => "uhop-sparse",
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Contender {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|contender| contender.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::configuration(format!("there is no model {name:?}; choose one of {names}"))
        })
    }
}

impl TryFrom<String> for Contender {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl From<Contender> for String {
    fn from(contender: Contender) -> Self {
        contender.name().to_owned()
    }
}
