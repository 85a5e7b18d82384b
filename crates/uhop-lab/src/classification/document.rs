//! The table of accuracies and the curves of learning, as reports.

use super::data::Data;
use super::published;
use super::row::Row;
use super::spec::Spec;
use super::summary::{Line, MeanSpread, lines};
use crate::data::NOT_RUN_ON;
use crate::report::{
    self, Axis, Chart, Column, Document, Point, Role, Scale, Section, Series, Table,
};
use crate::summary::Spread;

/// A table of accuracies for each data set, with the authors' numbers beside ours.
///
/// # Errors
/// None for rows of this specification.
pub fn table_document(
    spec: &Spec,
    data: &[Data],
    found: &[Row],
    command: &str,
) -> report::Result<Document> {
    let lead =
        "Image classification by Hopfield layers: what separation changes, and what it does not.";
    let mut document = start(spec, data, lead, command)?;
    for set in data {
        let here: Vec<Line> =
            lines(found).into_iter().filter(|line| line.dataset == set.name()).collect();
        if !here.is_empty() {
            let section = Section::new(set.name())?.with(table(set, &here)?);
            document = document.with_section(section)?;
        }
    }
    Ok(document)
}

/// Accuracy and loss against epochs, for each data set and setup.
///
/// # Errors
/// None for rows of this specification.
pub fn curves_document(
    spec: &Spec,
    data: &[Data],
    found: &[Row],
    command: &str,
) -> report::Result<Document> {
    let lead = "How fast Hopfield layers learn to classify images, with separation and without.";
    let mut document = start(spec, data, lead, command)?;
    for (number, (set, setup)) in sections(data, found).into_iter().enumerate() {
        let here: Vec<&Row> =
            found.iter().filter(|row| row.dataset == set.name() && row.setup == setup).collect();
        let mut section = Section::new(format!("{}: {setup}", set.name()))?;
        for curve in &CURVES {
            section = section.with(chart(number, curve, &here)?);
        }
        let own: Vec<Line> = lines(found)
            .into_iter()
            .filter(|line| line.dataset == set.name() && line.setup == setup)
            .collect();
        document = document.with_section(section.with(table(set, &own)?))?;
    }
    Ok(document)
}

fn start(spec: &Spec, data: &[Data], lead: &str, command: &str) -> report::Result<Document> {
    let mut document = Document::new(&*spec.title, lead)?.made_by(command);
    for set in data {
        document = document.with_fact(set.name(), set.provenance());
    }
    for missing in spec.missing(data) {
        document = document.with_fact(missing.name(), NOT_RUN_ON);
    }
    document
        .with_fact("seeds", format!("0 to {}", spec.seeds - 1))
        .with_section(Section::new("Method")?.with(spec.method.clone()))
}

/// Data sets and setups, in the order of the rows.
fn sections<'a>(data: &'a [Data], found: &[Row]) -> Vec<(&'a Data, String)> {
    let mut sections: Vec<(&Data, String)> = Vec::new();
    for set in data {
        for row in found.iter().filter(|row| row.dataset == set.name()) {
            if !sections.iter().any(|(own, setup)| own.name() == set.name() && *setup == row.setup)
            {
                sections.push((set, row.setup.clone()));
            }
        }
    }
    sections
}

fn table(set: &Data, lines: &[Line]) -> report::Result<Table> {
    let caption = format!(
        "Accuracy in percent, mean and standard deviation over the seeds: the largest of all epochs on \
         training and test images, and after the last epoch on test images. Authors: largest training / \
         largest test accuracy of their table, where it is not in doubt. Data: {}.",
        set.provenance()
    );
    let heads = [
        "seeds",
        "epochs",
        "parameters",
        "task updates",
        "separation updates",
        "separation loss",
        "train, best",
        "test, best",
        "test, last",
        "authors",
        "minutes a seed",
    ];
    let mut columns = vec![Column::text("setup"), Column::text("model")];
    columns.extend(heads.map(Column::number));
    let row = |line: &Line| {
        let authors = match line.setup.starts_with("published") {
            true => published::accuracies(&line.dataset, &line.contender),
            false => None,
        };
        vec![
            line.setup.clone(),
            line.contender.clone(),
            line.seeds.to_string(),
            line.epochs.to_string(),
            line.n_parameters.to_string(),
            line.updates.0.to_string(),
            line.updates.1.to_string(),
            line.separation_loss.map_or_else(none, |loss| format!("{:.2}", loss.mean)),
            line.best_train.shown(),
            line.best_test.shown(),
            line.last_test.shown(),
            authors.map_or_else(none, |(train, test)| format!("{train} / {test}")),
            format!("{:.1}", line.seconds.mean / 60.0),
        ]
    };
    Table::new(caption, columns, lines.iter().map(row).collect())
}

fn none() -> String {
    "–".to_owned()
}

/// What is drawn against epochs: its name, its title, its axis, its values.
struct Curve {
    name: &'static str,
    title: &'static str,
    axis: &'static str,
    value: fn(&Row) -> Option<f64>,
}

const CURVES: [Curve; 4] = [
    Curve {
        name: "train-accuracy",
        title: "Training accuracy",
        axis: "accuracy in percent",
        value: |row| row.train_accuracy.map(|share| 100.0 * share),
    },
    Curve {
        name: "test-accuracy",
        title: "Test accuracy",
        axis: "accuracy in percent",
        value: |row| row.test_accuracy.map(|share| 100.0 * share),
    },
    Curve {
        name: "train-loss",
        title: "Training loss",
        axis: "cross-entropy",
        value: |row| row.train_loss,
    },
    Curve {
        name: "test-loss",
        title: "Test loss",
        axis: "cross-entropy",
        value: |row| row.test_loss,
    },
];

fn chart(number: usize, curve: &Curve, rows: &[&Row]) -> report::Result<Chart> {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.contender.as_str()) {
            names.push(&row.contender);
        }
    }
    let series = names.into_iter().map(|name| {
        let own: Vec<&&Row> = rows.iter().filter(|row| row.contender == name).collect();
        let mut epochs: Vec<u64> =
            own.iter().filter(|row| (curve.value)(row).is_some()).map(|row| row.epoch).collect();
        epochs.sort_unstable();
        epochs.dedup();
        let point = |epoch: u64| {
            let at = own.iter().filter(|row| row.stage == "task" && row.epoch == epoch);
            let values: Vec<f64> = at.filter_map(|row| (curve.value)(row)).collect();
            let spread = Spread::of(&values)?;
            Some(Point { x: epoch as f64, y: spread.median, low: spread.lower, high: spread.upper })
        };
        Series::new(name, Role::Model, epochs.into_iter().filter_map(point).collect())
    });
    Chart::new(
        format!("{}-{}", curve.name, number + 1),
        curve.title,
        "Median and quartiles over the seeds.",
        Axis::new("epoch", Scale::Linear)?.including(0.0)?,
        Axis::new(curve.axis, Scale::Linear)?,
        series.collect::<report::Result<_>>()?,
    )
}

/// Lines as texts for a terminal: setup, model, seeds, parameters, accuracies, minutes a seed.
pub fn shown(line: &Line) -> [String; 8] {
    let spread = MeanSpread::shown;
    [
        line.setup.clone(),
        line.contender.clone(),
        line.seeds.to_string(),
        line.n_parameters.to_string(),
        spread(&line.best_train),
        spread(&line.best_test),
        spread(&line.last_test),
        format!("{:.1}", line.seconds.mean / 60.0),
    ]
}
