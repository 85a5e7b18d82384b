//! The capacities as a report.

use uhop::capacity::{code_separation, dense_capacity};

use super::spec::{Bound, Points};
use super::{Largest, Row, Spec, largest};
use crate::error::{Error, Result};
use crate::report::{
    self, Axis, Chart, Column, Document, Point, Role, Scale, Section, Series, Table,
};

/// A chart and a table of the largest memories for each β, the bounds, and the codes.
///
/// # Errors
/// None for rows of this specification.
pub fn document(spec: &Spec, rows: &[Row], command: &str) -> Result<Document> {
    let lead = "How many random patterns a memory recalls, how many theory promises, and how far apart Stage I \
                pushes points on a sphere.";
    let queries =
        format!("pattern with noise of norm {}, {} updates", spec.noise_norm, spec.updates);
    let recalled = format!(
        "a cosine of at least {} for a share of {} of the queries, up to {} patterns",
        spec.cosine, spec.share, spec.limit
    );
    let stage1 = format!(
        "average loss, t = 2, {} steps of Adam at rate {}, rows normalised",
        spec.stage1.steps, spec.stage1.rate
    );
    let mut document = Document::new(&*spec.title, lead)?
        .made_by(command)
        .with_fact("query", queries)
        .with_fact("recalled", recalled)
        .with_fact("Stage I", stage1)
        .with_fact("seeds", spec.seeds.to_string())
        .with_section(Section::new("Method")?.with(spec.method.clone()))?;
    let found = largest(spec, rows);
    for (i, &beta) in spec.betas.iter().enumerate() {
        let here: Vec<&Largest> = found.iter().filter(|one| one.beta == beta).collect();
        let section = Section::new(format!("Random patterns, β = {beta}"))?
            .with(chart(spec, i, beta, &here)?)
            .with(memories(spec, beta, &here)?)
            .with(failures(spec, beta, &here)?);
        document = document.with_section(section)?;
    }
    let bounds = Section::new("What the dense model is promised")?.with(bounds(spec)?);
    let codes = Section::new("Spherical codes in three dimensions")?.with(codes(spec, rows)?);
    Ok(document.with_section(bounds)?.with_section(codes)?)
}

/// Those of each contender, in the order of their first.
fn contenders<'a>(found: &[&'a Largest]) -> Vec<(&'a str, Vec<&'a Largest>)> {
    let mut all: Vec<(&str, Vec<&Largest>)> = Vec::new();
    for &one in found {
        match all.iter_mut().find(|(name, _)| *name == one.contender) {
            Some((_, of)) => of.push(one),
            None => all.push((&one.contender, vec![one])),
        }
    }
    all
}

fn chart(spec: &Spec, i: usize, beta: f64, found: &[&Largest]) -> report::Result<Chart> {
    let series = contenders(found).into_iter().map(|(name, of)| {
        let point = |one: &&Largest| Point {
            x: one.dim as f64,
            y: one.n_patterns.median,
            low: one.n_patterns.lower,
            high: one.n_patterns.upper,
        };
        Series::new(name, Role::Model, of.iter().map(point).collect())
    });
    let mut series = series.collect::<report::Result<Vec<_>>>()?;
    let limit = spec.dims.iter().map(|&dim| Point::at(dim as f64, spec.limit as f64));
    series.push(Series::new("largest tried", Role::Reference, limit.collect())?);
    Chart::new(
        format!("capacity-{i}"),
        format!("Largest memory recalled, β = {beta}"),
        "Median and quartiles over the seeds. A line at the largest memory tried could go on above.",
        Axis::new("dimension d", Scale::Log)?,
        Axis::new("patterns M", Scale::Log)?.including(1.0)?,
        series,
    )
}

fn memories(spec: &Spec, beta: f64, found: &[&Largest]) -> report::Result<Table> {
    let caption = format!(
        "Largest memory recalled at effective β = {beta}: median (quartiles) over the seeds; ≥ where it is the \
         largest tried."
    );
    let mut columns = vec![Column::text("contender")];
    columns.extend(spec.dims.iter().map(|dim| Column::number(format!("d = {dim}"))));
    let cell = |one: &&Largest| {
        let n = one.n_patterns;
        let most = if n.median >= spec.limit as f64 { "≥ " } else { "" };
        format!("{most}{} ({} to {})", n.median, n.lower, n.upper)
    };
    let line = |(name, of): (&str, Vec<&Largest>)| {
        std::iter::once(name.to_owned()).chain(of.iter().map(cell)).collect()
    };
    Table::new(caption, columns, contenders(found).into_iter().map(line).collect())
}

fn failures(spec: &Spec, beta: f64, found: &[&Largest]) -> report::Result<Table> {
    let caption = format!(
        "Smallest memory tried that is not recalled, at effective β = {beta}: median over the seeds. Where it is below \
         the largest one recalled, larger memories are recalled and smaller ones are not."
    );
    let mut columns = vec![Column::text("contender")];
    columns.extend(spec.dims.iter().map(|dim| Column::number(format!("d = {dim}"))));
    let cell = |one: &&Largest| one.fails_from.map_or_else(|| "–".to_owned(), |n| n.to_string());
    let line = |(name, of): (&str, Vec<&Largest>)| {
        std::iter::once(name.to_owned()).chain(of.iter().map(cell)).collect()
    };
    Table::new(caption, columns, contenders(found).into_iter().map(line).collect())
}

fn bounds(spec: &Spec) -> Result<Table> {
    let caption = "The bound √p·c^((d−1)/4) on the number of random patterns of norm K√(d−1) that are stored with \
                   probability 1 − p (Ramsauer et al. 2021). Below 2 nothing is promised.";
    let columns =
        ["β", "K", "d", "p", "c", "printed in the paper, c ≥", "patterns"].map(Column::number);
    let mut lines = Vec::new();
    for &Bound { beta, radius_factor, dim, failure, printed } in &spec.bounds {
        let found = dense_capacity(beta, radius_factor, dim, failure)
            .map_err(|error| Error::memory("a bound", error))?;
        let printed = printed.map_or_else(|| "–".to_owned(), |c| format!("{c:.4}"));
        let (c, n) = (format!("{:.4}", found.base), found.ln_n_patterns.exp());
        let n = if n < 1e6 { format!("{n:.3}") } else { format!("{n:.2e}") };
        let places = [beta.to_string(), radius_factor.to_string(), dim.to_string()];
        lines.push(places.into_iter().chain([failure.to_string(), c, printed, n]).collect());
    }
    Ok(Table::new(caption, columns.to_vec(), lines)?)
}

fn codes(spec: &Spec, rows: &[Row]) -> Result<Table> {
    let caption = format!(
        "Smallest angle between two points, in degrees: the best of {} random starts, the best that there is \
         (Tammes), and the bounds by covering and packing. t doubles {} times from 2, {} steps of Adam each.",
        spec.codes.starts,
        spec.codes.stages - 1,
        spec.codes.steps
    );
    let heads =
        ["points", "found", "best", "found/best", "starts within 1 %", "at least", "at most"];
    let mut lines = Vec::new();
    for &Points { n_points, tammes } in &spec.codes.points {
        let of = |row: &&Row| row.table == "code" && row.n_patterns == Some(n_points as u64);
        let angles: Vec<f64> = rows.iter().filter(of).map(|row| row.value).collect();
        let best = angles.iter().copied().fold(0.0, f64::max);
        let near = angles.iter().filter(|&&angle| angle >= 0.99 * tammes).count();
        let limits =
            code_separation(n_points, 3).map_err(|error| Error::memory("a code", error))?;
        let degrees = |separation: f64| format!("{:.2}", (1.0 - separation).acos().to_degrees());
        lines.push(vec![
            n_points.to_string(),
            format!("{best:.4}"),
            format!("{tammes:.4}"),
            format!("{:.5}", best / tammes),
            format!("{near} of {}", angles.len()),
            degrees(limits.at_least),
            degrees(limits.at_most),
        ]);
    }
    Ok(Table::new(caption, heads.map(Column::number).to_vec(), lines)?)
}
