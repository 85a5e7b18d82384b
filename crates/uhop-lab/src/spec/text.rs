//! Specifications as texts: read and checked, or refused in one line.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Problem;
use crate::error::{Error, Result};

/// What every specification begins with.
#[derive(Deserialize)]
struct Named {
    name: String,
}

/// What an experiment reads from TOML.
///
/// ```
/// use uhop_lab::{Spec, Specification as _};
///
/// let error = Spec::parse("name = 'a'\nseeds = 0\n", "a.toml").unwrap_err();
/// assert_eq!(error.to_string(), "a.toml:2: seeds: expected a whole number above 0, found 0");
/// ```
pub trait Specification: DeserializeOwned {
    /// What single values do not show: the key and what is wrong with it.
    fn contradiction(&self) -> Option<(&'static str, String)>;

    /// The same experiment, smaller, as the specification says.
    fn quick(&self) -> Self;

    /// The specification in a file, which has to be of this experiment.
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) when the file cannot be read, is of another experiment or no
    /// specification; the message names the file, the line and the key.
    fn read(path: &Path, experiment: &str) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|source| Error::read(path, source))?;
        let file = path.display().to_string();
        // Before its other keys, of which experiments of another kind have others.
        if let Ok(Named { name }) = toml::from_str(&text)
            && name != experiment
        {
            return Err(Problem::Another { file, name, experiment: experiment.to_owned() }.into());
        }
        Self::parse(&text, &file)
    }

    /// The specification in a text, which errors call `file`.
    ///
    /// # Errors
    /// [`is_input`](Error::is_input) unless it is a specification.
    fn parse(text: &str, file: &str) -> Result<Self> {
        let spec: Self = toml::from_str(text).map_err(|error| Problem::toml(file, text, &error))?;
        match spec.contradiction() {
            None => Ok(spec),
            Some((key, problem)) => Err(Problem::at_key(file, text, key, problem).into()),
        }
    }
}
