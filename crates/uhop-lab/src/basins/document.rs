//! The landscapes as a report.

use super::{Landscape, Spec};
use crate::report::{self, Column, Document, Field, Frame, Section, Table};

/// Basins and energies of every landscape, as pictures, and a table of what is stored.
///
/// # Errors
/// None for landscapes of this specification.
pub fn document(spec: &Spec, landscapes: &[Landscape], command: &str) -> report::Result<Document> {
    let lead = "What a learned linear map changes in the plane, and what it cannot.";
    let mut document = Document::new(&*spec.title, lead)?;
    let model = format!("{}-entmax, β = {}", spec.alpha, spec.beta);
    document = document
        .with_fact("command", command)
        .with_fact("version", concat!("uhop ", env!("CARGO_PKG_VERSION")))
        .with_fact("model", model)
        .with_fact("Stage I", format!("average loss, gradient descent at rate {}", spec.rate))
        .with_fact("grid", format!("{0} × {0} states", spec.cells))
        .with_section(Section::new("Method")?.with(spec.method.clone()))?
        .with_section(Section::new("What is stored")?.with(table(spec, landscapes)?))?;
    for (i, landscape) in landscapes.iter().enumerate() {
        let mut section = Section::new(&*landscape.what)?;
        for field in [basins(spec, landscape, i)?, energies(spec, landscape, i)?] {
            section = section.with(field);
        }
        document = document.with_section(section)?;
    }
    Ok(document)
}

fn table(spec: &Spec, landscapes: &[Landscape]) -> report::Result<Table> {
    let caption = "Patterns that rest at themselves, states of the grid that rest at one of the \
                   patterns, and the separation loss.";
    let columns = [
        Column::text("similarity"),
        Column::number("stored"),
        Column::number("states at a pattern"),
        Column::number("loss"),
    ];
    let mut rows = Vec::new();
    for landscape in landscapes {
        let at_one = landscape.basins.iter().flatten().count() as f64;
        let share = 100.0 * at_one / landscape.basins.len() as f64;
        rows.push(vec![
            landscape.what.clone(),
            format!(
                "{} of {}",
                landscape.stored.iter().filter(|s| **s).count(),
                spec.patterns.len()
            ),
            format!("{share:.1} %"),
            landscape.loss.map_or_else(|| "–".to_owned(), |loss| format!("{loss:.3}")),
        ]);
    }
    Table::new(caption, columns.to_vec(), rows)
}

fn frame(spec: &Spec) -> report::Result<Frame> {
    Frame::new(("x₁", -spec.reach, spec.reach), ("x₂", -spec.reach, spec.reach))
}

/// The patterns on a field, those that are stored and the others.
fn with_patterns(spec: &Spec, landscape: &Landscape, mut field: Field) -> report::Result<Field> {
    for (name, stored) in [("stored", true), ("not stored", false)] {
        let all = spec.patterns.iter().zip(&landscape.stored);
        let points: Vec<(f64, f64)> =
            all.filter(|(_, is)| **is == stored).map(|(&[x, y], _)| (x, y)).collect();
        if !points.is_empty() {
            field = field.with_points(name, points)?;
        }
    }
    Ok(field)
}

fn basins(spec: &Spec, landscape: &Landscape, i: usize) -> report::Result<Field> {
    let mut names: Vec<String> =
        (1..=spec.patterns.len()).map(|pattern| format!("pattern {pattern}")).collect();
    names.push("a mixture".to_owned());
    let cells = landscape.basins.iter().map(|basin| basin.unwrap_or(spec.patterns.len()));
    let field = Field::categories(
        format!("basins-{i}"),
        format!("Basins of attraction: {}", landscape.what),
        "The pattern at which the update comes to rest, from every state.",
        frame(spec)?,
        spec.cells,
        names,
        cells.collect(),
    )?;
    with_patterns(spec, landscape, field)
}

fn energies(spec: &Spec, landscape: &Landscape, i: usize) -> report::Result<Field> {
    let field = Field::scalar(
        format!("energy-{i}"),
        format!("Energy: {}", landscape.what),
        "E_K, which the update never raises.",
        frame(spec)?,
        spec.cells,
        "E",
        landscape.energies.clone(),
    )?;
    with_patterns(spec, landscape, field)
}
