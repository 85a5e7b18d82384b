//! Pictures of a few patterns: stored, corrupted, and as each contender recalls them.
//!
//! What was recalled is kept with the rows when they are measured: to learn the maps once more for a
//! few pictures may take minutes.

use base64::DecodeError;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ndarray::{ArrayView1, ArrayView2, s};
use serde::{Deserialize, Serialize};

use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::measure::BAYES;
use crate::report::{Image, ImageGrid};
use crate::rows::Row;
use crate::run::SetId;
use crate::seeds::{Use, seed_of};
use crate::spec::{Contender, CorruptionSpec, Spec};

/// Patterns shown.
const SHOWN: usize = 5;

/// A row, and what was recalled where the report shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measurement {
    #[serde(flatten)]
    pub(crate) row: Row,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shown: Option<Shown>,
}

/// The first images that were recalled, one after the other, as samples from 0 to 255.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Shown(Vec<u8>);

impl Shown {
    /// The first of these images.
    pub(crate) fn new(images: ArrayView2<'_, f32>) -> Self {
        let first = images.slice(s![..SHOWN.min(images.nrows()), ..]);
        Self(first.rows().into_iter().flat_map(samples).collect())
    }
}

impl From<Shown> for String {
    fn from(shown: Shown) -> Self {
        BASE64_STANDARD.encode(shown.0)
    }
}

impl TryFrom<String> for Shown {
    type Error = DecodeError;

    fn try_from(text: String) -> Result<Self, DecodeError> {
        BASE64_STANDARD.decode(text).map(Self)
    }
}

/// Whether the report shows what was recalled of a memory set under a corruption, at a level, by a
/// protocol (by its name) after so many steps of Stage I, if any.
pub(crate) fn is_shown(
    spec: &Spec,
    data: &DataSet,
    id: &SetId,
    (corruption, level): (&CorruptionSpec, f64),
    (protocol, steps): (&str, Option<usize>),
) -> bool {
    id.seed == 0
        && Some(id.n_patterns) == middle_size(spec, data)
        && level == middle_level(corruption)
        && (protocol == BAYES || spec.protocol.last().is_some_and(|last| last.name == protocol))
        && (steps.is_none() || steps == spec.stage1.steps.last().copied())
}

/// The middle one of the sizes that the data are enough for.
fn middle_size(spec: &Spec, data: &DataSet) -> Option<usize> {
    let fitting: Vec<usize> =
        spec.n_patterns.iter().copied().filter(|&n| n <= data.n_images()).collect();
    fitting.get(fitting.len() / 2).copied()
}

fn middle_level(corruption: &CorruptionSpec) -> f64 {
    let levels = corruption.levels();
    levels[levels.len() / 2]
}

/// A grid for each corruption, at its middle level: the first memory set of the middle size under
/// the last protocol. It has a column for what is [shown](is_shown) among the measurements.
///
/// # Errors
/// [`is_input`](Error::is_input) for images that are neither grey nor RGB.
pub(crate) fn grids(
    spec: &Spec,
    data: &DataSet,
    measurements: &[Measurement],
) -> Result<Vec<ImageGrid>> {
    let (Some(n_patterns), Some(protocol)) = (middle_size(spec, data), spec.protocol.last()) else {
        return Ok(Vec::new());
    };
    let patterns = data.draw(n_patterns, seed_of(0, Use::Memory))?;
    let asked = &patterns.view().slice_move(s![..spec.n_queries(n_patterns), ..]);
    let stored = Shown::new(asked.view());
    let n_shown = stored.0.len() / data.dim();
    let mut grids = Vec::new();
    for (i, corruption) in spec.corruption.iter().enumerate() {
        let (kind, level) = (corruption.kind, middle_level(corruption));
        let damage = kind.at(level, data.lines())?;
        let queries = Shown::new(damage.apply(asked.view(), seed_of(0, Use::Queries))?.view());
        let mut columns = vec![("stored", &stored), ("query", &queries)];
        columns.extend(measurements.iter().filter_map(|Measurement { row, shown }| {
            let is_of = row.dataset == data.name()
                && row.corruption == kind.to_string()
                && row.level == level
                // The query has a column of its own.
                && row.contender != Contender::Query.to_string();
            shown.as_ref().filter(|_| is_of).map(|shown| (row.contender.as_str(), shown))
        }));
        let images = (0..n_shown)
            .flat_map(|row| columns.iter().map(move |(_, shown)| shown.image(row, data)));
        let images = images.collect::<Result<_>>()?;
        let caption = format!(
            "{n_patterns} patterns of {} stored, {kind} {level}, protocol {}, seed 0: what was \
             stored, the query, and what each recalls.",
            data.name(),
            protocol.name,
        );
        let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let rows = (1..=n_shown).map(|row| row.to_string()).collect();
        let name = format!("{}-images-{i}", data.name());
        grids.push(ImageGrid::new(name, caption, names, rows, images)?);
    }
    Ok(grids)
}

impl Shown {
    fn image(&self, row: usize, data: &DataSet) -> Result<Image> {
        let Some(samples) = self.0.chunks_exact(data.dim()).nth(row).map(<[u8]>::to_vec) else {
            let problem = "a picture in rows.jsonl is not as it was written; remove it and the results \
                           beside it to start anew";
            return Err(Error::data(data.name(), problem));
        };
        let (height, width, channels) = data.image_shape();
        match channels {
            1 => Ok(Image::grey(height, width, samples)?),
            3 => Ok(Image::rgb(height, width, samples)?),
            n => Err(Error::data(data.name(), format!("pictures have 1 or 3 channels, found {n}"))),
        }
    }
}

fn samples(image: ArrayView1<'_, f32>) -> impl Iterator<Item = u8> {
    image.into_iter().map(|x| (x.clamp(0.0, 1.0) * 255.0).round() as u8)
}
