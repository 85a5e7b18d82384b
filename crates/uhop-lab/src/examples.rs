//! Pictures of a few patterns: stored, corrupted, and as each contender recalls them.

use ndarray::{ArrayView1, s};

use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::measure::{BAYES, posterior_mean};
use crate::recall::{Cell, Entry, MemorySet};
use crate::report::{Image, ImageGrid};
use crate::seeds::{Use, seed_of};
use crate::spec::{Contender, Protocol, Spec};

/// Patterns shown.
const SHOWN: usize = 5;

/// A grid for each corruption, at its middle level: the first memory set of the middle size under
/// the last protocol.
///
/// # Errors
/// [`is_stopped`](Error::is_stopped) when asked to stop.
pub(crate) fn grids(
    spec: &Spec,
    data: &DataSet,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<ImageGrid>> {
    let fitting: Vec<usize> =
        spec.n_patterns.iter().copied().filter(|&n| n <= data.n_images()).collect();
    let (Some(&n_patterns), Some(protocol)) =
        (fitting.get(fitting.len() / 2), spec.protocol.last())
    else {
        return Ok(Vec::new());
    };
    let patterns = data.draw(n_patterns, seed_of(0, Use::Memory))?;
    let mut set = MemorySet::new(spec, &patterns, 0, keep_going);
    let n_queries = spec.queries.unwrap_or(n_patterns).min(n_patterns);
    let shown = SHOWN.min(n_queries);
    let contenders: Vec<Contender> =
        spec.contenders.iter().copied().filter(|c| takes_part(*c, protocol)).collect();
    let mut grids = Vec::new();
    for (i, corruption) in spec.corruption.iter().enumerate() {
        let levels = corruption.levels();
        let level = levels[levels.len() / 2];
        let damage = corruption.kind.at(level, data.lines())?;
        let stored = patterns.view();
        let stored = stored.slice(s![..n_queries, ..]);
        let mut cell = Cell::new(&mut set, damage, (n_queries, n_queries))?;
        let limit = posterior_mean(&patterns, cell.queries(), (corruption.kind, level), data)?;
        let mut columns = vec![
            ("stored".to_owned(), stored.to_owned()),
            ("query".to_owned(), cell.queries().to_owned()),
            (BAYES.to_owned(), limit.retrieved),
        ];
        for &contender in &contenders {
            if !keep_going() {
                return Err(Error::stopped(0, 0));
            }
            let steps = spec.stage1.steps.last().copied().unwrap_or(1);
            let recalled = cell.recall(Entry { protocol, contender, steps })?;
            columns.push((contender.to_string(), recalled.retrieved));
        }
        let images = (0..shown)
            .flat_map(|row| columns.iter().map(move |(_, images)| image(data, images.row(row))))
            .collect::<Result<_>>()?;
        let caption = format!(
            "{n_patterns} patterns of {} stored, {} {level}, protocol {}, seed 0: what was stored, \
             the query, and what each recalls.",
            data.name(),
            corruption.kind,
            protocol.name,
        );
        let names = columns.iter().map(|(name, _)| name.clone()).collect();
        let rows = (1..=shown).map(|row| row.to_string()).collect();
        grids.push(ImageGrid::new(
            format!("{}-images-{i}", data.name()),
            caption,
            names,
            rows,
            images,
        )?);
    }
    Ok(grids)
}

fn takes_part(contender: Contender, protocol: &Protocol) -> bool {
    // The query has a column of its own.
    contender != Contender::Query && !protocol.without.contains(&contender)
}

fn image(data: &DataSet, values: ArrayView1<'_, f32>) -> Result<Image> {
    let (height, width, channels) = data.image_shape();
    let samples = values.iter().map(|x| (x.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
    match channels {
        1 => Ok(Image::grey(height, width, samples)?),
        3 => Ok(Image::rgb(height, width, samples)?),
        n => Err(Error::data(data.name(), format!("pictures have 1 or 3 channels, found {n}"))),
    }
}
