//! The energy contribution as a report.

use super::{Cell, Line, Row, Spec, lines, shown};
use crate::report::{
    self, Axis, Chart, Column, Document, Point, Role, Scale, Section, Series, Table,
};
use crate::spec::Contender;

/// Below this difference a curve is drawn linearly, so that 0 has a place.
const LINEAR_BELOW: f64 = 0.01;

/// Charts of the difference for each separation, and tables of difference and ratio.
///
/// # Errors
/// None for rows of this specification.
pub fn document(
    spec: &Spec,
    provenance: &str,
    found: &[Row],
    command: &str,
) -> report::Result<Document> {
    let lead = "How much the other memories add to the energy of a query, beside its own memory.";
    let lines = lines(spec, found);
    let stage1 = format!(
        "Algorithm 1: rate {} on the average loss, {} on the max loss, rows of W of length 1.{}",
        spec.stage1.average_rate,
        spec.stage1.max_rate,
        spec.stage1.batches()
    );
    let mut section = Section::new("E(target) − E(all)")?;
    for (name, title, alpha) in [
        ("difference-softmax", "Softmax", 1.0),
        ("difference-entmax", "1.5-entmax", 1.5),
        ("difference-sparsemax", "Sparsemax", 2.0),
    ] {
        let names = with_alpha(spec, alpha);
        let here =
            lines.iter().filter(|line| names.contains(&line.contender) && is_drawn(spec, line));
        let here: Vec<&Line> = here.collect();
        if !here.is_empty() {
            section = section.with(chart(spec, (name, title), &here)?);
        }
    }
    let caption = "E(target) − E(all), mean over the queries, median over the seeds, against the number \
                   of stored patterns.";
    let difference = |cell: &Cell| shown(cell.difference.median);
    section = section.with(table(spec, caption, &lines, difference)?);
    let caption = "E(target)/E(all), mean over the queries whose E(all) is not near 0, median over the seeds. \
                   Read the difference instead.";
    let ratio =
        |cell: &Cell| cell.ratio.map_or_else(|| "–".to_owned(), |ratio| shown(ratio.median));
    let mut ratios = Section::new("E(target)/E(all)")?.with(table(spec, caption, &lines, ratio)?);
    let caption = "Queries that the ratio is of, in percent, median over the seeds.";
    let share = |cell: &Cell| format!("{:.0}", 100.0 * cell.ratio_share.median);
    ratios = ratios.with(table(spec, caption, &lines, share)?);
    Document::new(&*spec.title, lead)?
        .made_by(command)
        .with_fact("data", provenance)
        .with_fact("seeds", format!("0 to {}", spec.seeds - 1))
        .with_fact("β", spec.beta.to_string())
        .with_fact("Stage I", stage1)
        .with_section(Section::new("Method")?.with(spec.method.clone()))?
        .with_section(section)?
        .with_section(ratios)
}

/// The names of the models whose separation has this α.
fn with_alpha(spec: &Spec, alpha: f64) -> Vec<String> {
    let has = |contender: &&Contender| {
        contender.parts().and_then(|parts| parts.separation.alpha()) == Some(alpha)
    };
    spec.contenders.iter().filter(has).map(ToString::to_string).collect()
}

/// Of the steps the first and the last: more are hard to tell apart.
fn is_drawn(spec: &Spec, line: &Line) -> bool {
    let ends = [spec.stage1.steps.first(), spec.stage1.steps.last()];
    line.steps.is_none_or(|steps| ends.iter().flatten().any(|&&end| end as u64 == steps))
}

fn chart(spec: &Spec, (name, title): (&str, &str), lines: &[&Line]) -> report::Result<Chart> {
    let series = lines.iter().map(|line| {
        let cells = spec.n_patterns.iter().zip(&line.cells);
        let points = cells.filter_map(|(&n, cell)| {
            let spread = cell.as_ref()?.difference;
            Some(Point { x: n as f64, y: spread.median, low: spread.lower, high: spread.upper })
        });
        Series::new(line.name(), Role::Model, points.collect())
    });
    let x = Axis::new("stored patterns", Scale::Log)?;
    let y = Axis::new("E(target) − E(all)", Scale::SymmetricLog { linear_below: LINEAR_BELOW })?;
    Chart::new(
        name,
        format!("{title}: what the other memories add"),
        "Mean over the queries; median and quartiles over the seeds.",
        x,
        y.including(0.0)?,
        series.collect::<report::Result<_>>()?,
    )
}

fn table(
    spec: &Spec,
    caption: &str,
    lines: &[Line],
    shown: impl Fn(&Cell) -> String,
) -> report::Result<Table> {
    let mut columns = vec![Column::text("model")];
    columns.extend(spec.n_patterns.iter().map(|n| Column::number(n.to_string())));
    let cells = |line: &Line| {
        let cells = line.cells.iter();
        let cells = cells.map(|cell| cell.as_ref().map_or_else(|| "–".to_owned(), &shown));
        std::iter::once(line.name()).chain(cells).collect()
    };
    Table::new(caption, columns, lines.iter().map(cells).collect())
}
