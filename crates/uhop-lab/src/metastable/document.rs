//! Metastable states as a report.

use super::{Spec, States};
use crate::report::{self, Column, Document, Section, Table};

/// What a published notebook shows for 60,000 digits: separation, β, and the shares of the sizes from 0
/// to 3, in percent, where it gives them. Its patterns carry the ten numbers of a one-hot label as
/// well, and it makes 128 updates.
const NOTEBOOK: [(&str, f64, [Option<f64>; 4]); 9] = [
    ("softmax", 0.1, [Some(88.8), Some(1.3), Some(0.4), Some(0.1)]),
    ("1.5-entmax", 0.1, [Some(0.0), Some(78.9), Some(5.5), Some(2.1)]),
    ("sparsemax", 0.1, [Some(0.0), Some(92.6), Some(4.4), Some(1.6)]),
    ("softmax", 1.0, [None, Some(98.6), None, None]),
    ("1.5-entmax", 1.0, [None, Some(100.0), None, None]),
    ("sparsemax", 1.0, [None, Some(100.0), None, None]),
    ("softmax", 10.0, [None, Some(100.0), None, None]),
    ("1.5-entmax", 10.0, [None, Some(100.0), None, None]),
    ("sparsemax", 10.0, [None, Some(100.0), None, None]),
];

/// A table of shares for each β, and the published ones beside them.
///
/// # Errors
/// None for rows of this specification.
pub fn document(
    spec: &Spec,
    provenance: &str,
    found: &[States],
    command: &str,
) -> report::Result<Document> {
    let lead =
        "How many patterns share the weight where queries come to rest, by separation and β.";
    let n_patterns = found.first().map_or(0, |row| row.n_patterns);
    let n_queries = found.first().map_or(0, |row| row.n_queries);
    let mut document = Document::new(&*spec.title, lead)?
        .made_by(command)
        .with_fact("data", provenance)
        .with_fact("patterns", n_patterns.to_string())
        .with_fact("queries", n_queries.to_string())
        .with_fact("updates", spec.steps.to_string())
        .with_section(Section::new("Method")?.with(spec.method.clone()))?;
    for &beta in &spec.betas {
        let here: Vec<&States> = found.iter().filter(|row| row.beta == beta).collect();
        let section = Section::new(format!("β = {beta}"))?.with(table(spec, beta, &here)?);
        document = document.with_section(section)?;
    }
    document.with_section(Section::new("As published")?.with(published()?))
}

fn table(spec: &Spec, beta: f64, rows: &[&States]) -> report::Result<Table> {
    let caption = format!("Queries by the size of their state at β = {beta}, in percent.");
    let mut columns = vec![Column::text("separation")];
    columns.extend((0..=spec.sizes).map(|size| Column::number(size.to_string())));
    columns.push(Column::number(format!("over {}", spec.sizes)));
    columns.push(Column::number("largest"));
    let cells = |row: &&States| {
        let shares = row.shares.iter().map(|share| format!("{:.1}", 100.0 * share));
        std::iter::once(row.separation.clone())
            .chain(shares)
            .chain(std::iter::once(row.largest.to_string()))
            .collect()
    };
    Table::new(caption, columns, rows.iter().map(cells).collect())
}

fn published() -> report::Result<Table> {
    let caption = "Percent of queries in the notebook of Hopfield-Fenchel-Young networks (Santos, Niculae, \
                   McNamee, Martins 2024): 60,000 digits with a one-hot label appended to each, 128 updates. \
                   Not the same experiment: to be compared in direction.";
    let mut columns = vec![Column::text("separation"), Column::number("β")];
    columns.extend((0..4).map(|size| Column::number(size.to_string())));
    let cells = |&(separation, beta, shares): &(&str, f64, [Option<f64>; 4])| {
        let shares =
            shares.map(|share| share.map_or_else(|| "–".to_owned(), |s| format!("{s:.1}")));
        [separation.to_owned(), beta.to_string()].into_iter().chain(shares).collect()
    };
    Table::new(caption, columns, NOTEBOOK.iter().map(cells).collect())
}
