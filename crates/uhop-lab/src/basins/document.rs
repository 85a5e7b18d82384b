//! The landscapes as a report.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Landscape, Rest, Spec};
use crate::report::{self, Column, Document, Field, Frame, MAX_CATEGORIES, Section, Table};

/// Basins and energies of every landscape, as pictures, and a table of what is stored.
///
/// # Errors
/// None for landscapes of this specification.
pub fn document(spec: &Spec, landscapes: &[Landscape], command: &str) -> report::Result<Document> {
    let lead = "What a learned linear map changes in the plane, and what it cannot.";
    let mut document = Document::new(&*spec.title, lead)?;
    let model = format!("{}-entmax, β = {}", spec.alpha, spec.beta);
    document = document
        .made_by(command)
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
                   patterns, mixtures at which others rest, and the separation loss.";
    let columns = [
        Column::text("similarity"),
        Column::number("stored"),
        Column::number("states at a pattern"),
        Column::number("mixtures"),
        Column::number("loss"),
    ];
    let mut rows = Vec::new();
    for landscape in landscapes {
        let at_one = landscape.basins.iter().filter(|rest| matches!(rest, Rest::Pattern(_)));
        let at_one = at_one.count() as f64;
        let share = 100.0 * at_one / landscape.basins.len() as f64;
        rows.push(vec![
            landscape.what.clone(),
            format!(
                "{} of {}",
                landscape.stored.iter().filter(|s| **s).count(),
                spec.patterns.len()
            ),
            format!("{share:.1} %"),
            landscape.mixtures.len().to_string(),
            landscape.loss.map_or_else(|| "–".to_owned(), |loss| format!("{loss:.3}")),
        ]);
    }
    Table::new(caption, columns.to_vec(), rows)
}

fn frame(spec: &Spec) -> report::Result<Frame> {
    Frame::new(("x₁", -spec.reach, spec.reach), ("x₂", -spec.reach, spec.reach))
}

/// The patterns on a field, those that are stored and the others, and the mixtures.
fn with_patterns(spec: &Spec, landscape: &Landscape, mut field: Field) -> report::Result<Field> {
    for (name, stored) in [("stored", true), ("not stored", false)] {
        let all = spec.patterns.iter().zip(&landscape.stored);
        let points: Vec<(f64, f64)> =
            all.filter(|(_, is)| **is == stored).map(|(&[x, y], _)| (x, y)).collect();
        field = field.with_points(name, points)?;
    }
    field.with_points("mixture", landscape.mixtures.iter().map(|&[x, y]| (x, y)).collect())
}

fn basins(spec: &Spec, landscape: &Landscape, i: usize) -> report::Result<Field> {
    let (names, cells) = categories(spec, landscape);
    let field = Field::categories(
        format!("basins-{i}"),
        format!("Basins of attraction: {}", landscape.what),
        "The pattern or mixture at which the update comes to rest, from every state.",
        frame(spec)?,
        spec.cells,
        names,
        cells,
    )?;
    with_patterns(spec, landscape, field)
}

/// The names of the basins and the place of each cell among them: patterns, mixtures, and one for the smallest of
/// both where there are more than can be told apart by colour.
fn categories(spec: &Spec, landscape: &Landscape) -> (Vec<String>, Vec<usize>) {
    let patterns = (0..spec.patterns.len()).map(Rest::Pattern);
    let mut shown: Vec<Rest> =
        patterns.chain((0..landscape.mixtures.len()).map(Rest::Mixture)).collect();
    let has_others = landscape.basins.contains(&Rest::Elsewhere);
    if shown.len() + usize::from(has_others) > MAX_CATEGORIES {
        let mut sizes: BTreeMap<Rest, usize> = BTreeMap::new();
        landscape.basins.iter().for_each(|&rest| *sizes.entry(rest).or_default() += 1);
        shown.sort_by_key(|rest| Reverse(sizes.get(rest).copied().unwrap_or(0)));
        shown.truncate(MAX_CATEGORIES - 1);
        shown.sort_unstable();
    }
    let mut names: Vec<String> = shown.iter().map(|&rest| name(landscape, rest)).collect();
    let places: BTreeMap<Rest, usize> = shown.into_iter().zip(0..).collect();
    let others = places.len();
    let cells: Vec<usize> =
        landscape.basins.iter().map(|rest| places.get(rest).copied().unwrap_or(others)).collect();
    if cells.contains(&others) {
        names.push("elsewhere".to_owned());
    }
    (names, cells)
}

fn name(landscape: &Landscape, rest: Rest) -> String {
    match rest {
        Rest::Pattern(i) => format!("pattern {}", i + 1),
        Rest::Mixture(i) => {
            let [x, y] = landscape.mixtures[i];
            format!("mixture at {x:.2}, {y:.2}").replace('-', "−")
        }
        Rest::Elsewhere => "elsewhere".to_owned(),
    }
}

fn energies(spec: &Spec, landscape: &Landscape, i: usize) -> report::Result<Field> {
    let field = Field::scalar(
        format!("energy-{i}"),
        format!("Energy: {}", landscape.what),
        "E_K, which the update never raises, and lines of the same energy.",
        frame(spec)?,
        spec.cells,
        "E",
        landscape.energies.clone(),
    )?;
    with_patterns(spec, landscape, field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basins::landscapes;
    use crate::spec::Specification as _;

    /// More places to rest at than colours: the largest basins have one of their own, and all a report.
    #[test]
    fn a_report_is_made_of_any_number_of_basins() {
        let mut spec = Spec::shipped().unwrap().quick();
        (spec.beta, spec.steps) = (200.0, vec![1]);
        spec.patterns = (0..30)
            .map(|i| f64::from(i) * std::f64::consts::TAU / 30.0)
            .map(|angle| [angle.cos(), angle.sin()])
            .collect();
        let found = landscapes(&spec).unwrap();
        assert_eq!(found[0].stored, [true; 30]);
        assert_eq!(categories(&spec, &found[0]).0.len(), MAX_CATEGORIES);
        for landscape in &found {
            let (names, cells) = categories(&spec, landscape);
            let own = MAX_CATEGORIES - 1;
            assert!(names.get(own).is_none_or(|name| name == "elsewhere"), "{names:?}");
            let size = |i: usize| cells.iter().filter(|&&cell| cell == i).count();
            let smallest = (0..own).map(size).min();
            for (&rest, &cell) in landscape.basins.iter().zip(&cells) {
                if cell < own {
                    assert_eq!(name(landscape, rest), names[cell]);
                } else {
                    let here = landscape.basins.iter().filter(|other| **other == rest).count();
                    assert!(rest == Rest::Elsewhere || Some(here) <= smallest, "{rest:?}");
                }
            }
        }
        document(&spec, &found, "uhop experiment run basins").unwrap();
    }
}
