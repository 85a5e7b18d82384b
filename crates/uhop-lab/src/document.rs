//! The report of an experiment: its rows as charts and tables, and how they came about.

use crate::data::NOT_RUN_ON;
use crate::error::Result;
use crate::examples;
use crate::measure::BAYES;
use crate::report::{
    Axis as ChartAxis, Chart, Column, Document, Point, Role, Scale, Section, Series, Table,
};
use crate::run::{Finished, Run};
use crate::spec::{Axis, Contender, Defect, Protocol, Spec};
use crate::summary::{
    Cell, Correlation, NEGLIGIBLE, Spread, Summary, correlations, short, summaries,
};

/// Below this error a curve is drawn linearly, so that 0 has a place.
const LINEAR_BELOW: f64 = 0.01;

/// Models that a chart can tell apart.
const MOST_MODELS: usize = 12;

/// The report of a finished run; `command` is the line that made it.
///
/// ```no_run
/// # use std::num::NonZeroUsize;
/// # use std::ops::ControlFlow;
/// # use uhop_lab::{DataSet, Run, Spec, Specification as _};
/// # let spec = Spec::shipped("noise")?.quick();
/// # let (data, out) = ([DataSet::sample()], std::path::Path::new("results"));
/// let run = Run { spec: &spec, data: &data, out, jobs: NonZeroUsize::MIN };
/// let finished = run.run(&|_| ControlFlow::Continue(()))?;
/// let document = uhop_lab::document(&run, &finished, "uhop experiment run noise --quick")?;
/// assert_eq!(document.title(), spec.title);
/// # Ok::<(), uhop_lab::Error>(())
/// ```
///
/// # Errors
/// [`is_input`](crate::Error::is_input) for images that are neither grey nor RGB.
pub fn document(run: &Run<'_>, finished: &Finished, command: &str) -> Result<Document> {
    let spec = run.spec;
    let summaries = summaries(spec, &finished.rows);
    let correlations = correlations(spec, &finished.rows);
    let mut document = Document::new(&spec.title, lead(spec, &summaries))?
        .made_by(command)
        .with_fact("seeds", format!("0 to {}", spec.seeds - 1))
        .with_fact("memory sets", finished.tasks.to_string())
        .with_fact("rows", finished.rows.len().to_string());
    for data in run.data {
        document = document.with_fact(data.name(), data.provenance());
    }
    for missing in spec.missing(run.data) {
        document = document.with_fact(missing.name(), NOT_RUN_ON);
    }
    for (dataset, n_patterns) in &finished.left_out {
        let why = format!("{n_patterns} patterns of {dataset}: it has not as many images");
        document = document.with_fact("left out", why);
    }
    document = document.with_section(method(spec)?)?;
    for data in run.data {
        let mut section = Section::new(data.name())?;
        let of_data = |summary: &&Summary| summary.dataset == data.name();
        for (i, summary) in summaries.iter().filter(of_data).enumerate() {
            section = section.with(chart(spec, summary, i)?).with(table(spec, summary)?);
        }
        for grid in examples::grids(spec, data, &finished.shown)? {
            section = section.with(grid);
        }
        document = document.with_section(section)?;
    }
    if !correlations.is_empty() {
        document = document.with_section(losses(&correlations)?)?;
    }
    Ok(document)
}

/// What was found, in a sentence: which U-Hop is best, and which other that is told as little. At the far end of the axis,
/// or in the midst of levels, whose ends say nothing: without noise all is recalled, and with enough of it nothing.
fn lead(spec: &Spec, summaries: &[Summary]) -> String {
    let Some(summary) =
        spec.protocol.last().and_then(|last| summaries.iter().find(|s| s.protocol == last.name))
    else {
        return spec.title.clone();
    };
    let n = summary.columns.len();
    let column = if spec.axis == Axis::Level { n / 2 } else { n.saturating_sub(1) };
    let at = |name: &str| {
        let line = summary.lines.iter().find(|line| line.contender == name)?;
        line.cells.get(column)?.map(|cell| cell.error.median)
    };
    let smallest = |what: &str, wanted: fn(&Contender) -> bool| {
        let (name, error) = spec
            .contenders
            .iter()
            .filter(|contender| wanted(contender))
            .filter_map(|contender| Some((contender.to_string(), at(&contender.to_string())?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(format!("{what} ({name}) {}", short(error)))
    };
    let place = summary.columns.get(column).copied().unwrap_or_default();
    let place = format!(
        "{}, protocol {}, {} {place}",
        summary.setting(),
        summary.protocol,
        unit(spec.axis)
    );
    let found = [
        smallest("the best U-Hop", |contender| contender.is_uhop()),
        smallest("the best other that is told nothing of the corruption", |contender| {
            !contender.is_uhop() && !contender.is_told()
        }),
        at(BAYES).map(|error| format!("the Bayes limit {}", short(error))),
    ];
    let found: Vec<String> = found.into_iter().flatten().collect();
    format!("Median errors for {place}: {}.", found.join(", "))
}

fn method(spec: &Spec) -> Result<Section> {
    let steps = spec.stage1.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let stage1 = format!(
        "Stage I: {steps} steps of gradient descent from a standard normal W of {}, at rate {} on \
         the average loss and {} on the max loss. An image of 784 numbers counts as recalled with an \
         error of at most {}, others in proportion.{}",
        spec.stage1
            .dim_features
            .map_or("as many rows as columns".to_owned(), |n| format!("{n} rows")),
        spec.stage1.average_rate,
        spec.stage1.max_rate,
        spec.recall_threshold,
        spec.stage1.batches()
    );
    let limit = format!(
        "The Bayes limit is the posterior mean: the recall with the smallest expected squared error \
         of all functions of the memory and the query, for a query of any stored pattern with the \
         same probability and the exact likelihood of the corruption (a half mask: the survivors \
         agree; noise folded and clamped: the density of |x+n| below 1 and its mass at 1, pixel by \
         pixel; noise of a given norm: exactly that distance, and folded, as if its pixels were independent; an occluded half: the other half \
         agrees; a mask, salt and pepper: the probability, pixel by pixel, that what the query has was \
         kept, or put in its place). It is an expectation: over few queries a recall may have less by chance. Ratios to it are \
         given where it is at least {NEGLIGIBLE}."
    );
    let mut section = Section::new("Method")?.with(spec.method.clone()).with(stage1).with(limit);
    let columns = vec![Column::text("protocol"), Column::text("defects"), Column::text("β")];
    let rows = spec.protocol.iter().map(|protocol| {
        let defects = protocol.defects.iter().map(ToString::to_string).collect::<Vec<_>>();
        let defects = if defects.is_empty() { "none".to_owned() } else { defects.join(", ") };
        vec![protocol.name.clone(), defects, beta(spec, protocol)]
    });
    section = section.with(Table::new("How contenders were run.", columns, rows.collect())?);
    let mut defects: Vec<Defect> =
        spec.protocol.iter().flat_map(|protocol| protocol.defects.iter().copied()).collect();
    defects.sort();
    defects.dedup();
    if !defects.is_empty() {
        let columns = vec![Column::text("defect of the released code"), Column::text("what it is")];
        let rows = defects.iter().map(|defect| vec![defect.to_string(), defect.means().to_owned()]);
        section = section.with(Table::new("The defects.", columns, rows.collect())?);
    }
    let columns = vec![Column::text("contender"), Column::text("scores"), Column::text("weights")];
    let rows = spec.contenders.iter().map(|contender| {
        let (scores, weights) = contender.means();
        vec![contender.to_string(), scores.to_owned(), weights.to_owned()]
    });
    section = section.with(Table::new("What is compared.", columns, rows.collect())?);
    Ok(section)
}

fn beta(spec: &Spec, protocol: &Protocol) -> String {
    if let Some(tuned) = protocol.tuned {
        return format!(
            "the best of {} from {} to {}, and on beyond both ends for as long as the error does not \
             rise, or all the way if the limit has the least, on up to {} queries of another seed \
             (of an occlusion, which has but one query for a pattern, on these: in hindsight)",
            tuned.points, tuned.from, tuned.to, tuned.queries
        );
    }
    let others: Vec<String> =
        spec.betas.iter().map(|(contender, beta)| format!("{beta} for {contender}")).collect();
    if others.is_empty() { "1".to_owned() } else { format!("1; {}", others.join(", ")) }
}

fn unit(axis: Axis) -> &'static str {
    match axis {
        Axis::NPatterns => "patterns stored",
        Axis::Level => "level",
        Axis::Steps => "steps of Stage I",
    }
}

fn chart(spec: &Spec, summary: &Summary, i: usize) -> Result<Chart> {
    let scale = if spec.axis == Axis::Level { Scale::Linear } else { Scale::Log };
    let x = ChartAxis::new(unit(spec.axis), scale)?;
    let y = ChartAxis::new("error", Scale::SymmetricLog { linear_below: LINEAR_BELOW })?;
    let mut n_models = 0;
    let mut series = Vec::new();
    let mut left_out = Vec::new();
    for line in &summary.lines {
        let points = summary.columns.iter().zip(&line.cells).filter_map(|(&x, cell)| {
            let Spread { lower, median, upper } = cell.as_ref()?.error;
            Some(Point { x, y: median, low: lower, high: upper })
        });
        let role = match line.contender.as_str() {
            BAYES => Role::Floor,
            name if name == Contender::Query.to_string() => Role::Reference,
            _ => Role::Model,
        };
        n_models += usize::from(role == Role::Model);
        if role == Role::Model && n_models > MOST_MODELS {
            left_out.push(line.contender.as_str());
        } else {
            series.push(Series::new(&line.contender, role, points.collect())?);
        }
    }
    let mut name = format!("{}-{}-{}-{i}", summary.dataset, summary.corruption, summary.protocol);
    if name.len() > 64 {
        name = format!("{}-{i}", summary.dataset);
    }
    let title = format!("{}, protocol {}", summary.setting(), summary.protocol);
    let mut caption = "Sum of squared differences of an image; medians over the seeds, bands from \
                       quartile to quartile."
        .to_owned();
    if !left_out.is_empty() {
        caption += &format!(" In the table only: {}.", left_out.join(", "));
    }
    Ok(Chart::new(name, title, caption, x, y, series)?)
}

fn table(spec: &Spec, summary: &Summary) -> Result<Table> {
    let mut columns = vec![Column::text(unit(spec.axis))];
    columns.extend(summary.columns.iter().map(|place| Column::number(place.to_string())));
    let rows = summary.lines.iter().map(|line| {
        let cells = line.cells.iter().map(|c| c.as_ref().map_or_else(|| "–".to_owned(), cell));
        std::iter::once(line.contender.clone()).chain(cells).collect()
    });
    let caption = format!(
        "{}, protocol {}: median error (quartiles), × the Bayes limit.",
        summary.setting(),
        summary.protocol
    );
    Ok(Table::new(caption, columns, rows.collect())?)
}

fn cell(cell: &Cell) -> String {
    let Spread { lower, median, upper } = cell.error;
    let mut text = format!("{} ({} to {})", short(median), short(lower), short(upper));
    if let Some(ratio) = cell.ratio {
        text += &format!(" ×{}", short(ratio));
    }
    text
}

fn losses(correlations: &[Correlation]) -> Result<Section> {
    let columns = vec![
        Column::text("contender"),
        Column::text("setting"),
        Column::text("protocol"),
        Column::number("rank correlation"),
    ];
    let rows = correlations
        .iter()
        .map(|of| vec![of.contender.clone(), of.setting.clone(), of.protocol.clone(), of.shown()]);
    let caption = "Spearman's rank correlation of loss and error over the steps of each memory set: median of the seeds \
         (quartiles).";
    Ok(Section::new("Loss and error")?.with(Table::new(caption, columns, rows.collect())?))
}
