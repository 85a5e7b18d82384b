//! Summaries as tables for a terminal.

use uhop_lab::{Axis, Cell, Correlation, Spec, Summary, short};

use crate::tables;

/// Every summary as a table under its title.
pub(crate) fn text(spec: &Spec, summaries: &[Summary]) -> String {
    let mut text = format!("{}\n", spec.title);
    text += "Median error over the seeds, and how many times the Bayes limit it is, where there is one.\n";
    for summary in summaries {
        let (setting, protocol) = (summary.setting(), &summary.protocol);
        text += &format!("\n{setting}, protocol {protocol}\n{}\n", table(spec.axis, summary));
    }
    text
}

fn table(axis: Axis, summary: &Summary) -> String {
    let unit = match axis {
        Axis::NPatterns => "patterns",
        Axis::Level => "level",
        _ => "steps",
    };
    let mut table = tables::ruled();
    let columns = summary.columns.iter().map(ToString::to_string);
    table.set_header(std::iter::once(unit.to_owned()).chain(columns));
    for line in &summary.lines {
        let cells = line.cells.iter().map(|c| c.as_ref().map_or_else(|| "–".to_owned(), cell));
        table.add_row(std::iter::once(line.contender.clone()).chain(cells));
    }
    tables::right_aligned(table)
}

/// Loss and error, how far one follows the other.
pub(crate) fn correlations(correlations: &[Correlation]) -> String {
    if correlations.is_empty() {
        return String::new();
    }
    let mut table = tables::ruled();
    table.set_header(["contender", "setting", "protocol", "rank correlation of loss and error"]);
    for of in correlations {
        table.add_row([of.contender.clone(), of.setting.clone(), of.protocol.clone(), of.shown()]);
    }
    format!("\n{}\n", tables::right_aligned(table))
}

fn cell(cell: &Cell) -> String {
    let error = short(cell.error.median);
    match cell.ratio {
        Some(ratio) => format!("{error} ×{}", short(ratio)),
        None => error,
    }
}
