//! Summaries as tables for a terminal.

use comfy_table::{CellAlignment, LineStyle, Table, presets};
use uhop_lab::{Axis, Cell, Correlation, Spec, Summary};

/// Every summary as a table under its title.
pub(crate) fn text(spec: &Spec, summaries: &[Summary]) -> String {
    let mut text = format!("{}\n", spec.title);
    text += "Median error over the seeds, and how many times the Bayes limit it is, where there is one.\n";
    for summary in summaries {
        text += &format!("\n{}\n{}\n", title(summary), table(spec.axis, summary));
    }
    text
}

fn title(summary: &Summary) -> String {
    let mut title = format!("{}, {}", summary.dataset, summary.corruption);
    if let Some(level) = summary.level {
        title += &format!(" {level}");
    }
    if let Some(n_patterns) = summary.n_patterns {
        title += &format!(", {n_patterns} patterns");
    }
    format!("{title}, protocol {}", summary.protocol)
}

fn table(axis: Axis, summary: &Summary) -> String {
    let unit = match axis {
        Axis::NPatterns => "patterns",
        Axis::Level => "level",
        _ => "steps",
    };
    let mut table = plain();
    let columns = summary.columns.iter().map(ToString::to_string);
    table.set_header(std::iter::once(unit.to_owned()).chain(columns));
    for line in &summary.lines {
        let cells = line.cells.iter().map(|c| c.as_ref().map_or_else(|| "–".to_owned(), cell));
        table.add_row(std::iter::once(line.contender.clone()).chain(cells));
    }
    right_aligned(table)
}

/// Loss and error, how far one follows the other.
pub(crate) fn correlations(correlations: &[Correlation]) -> String {
    if correlations.is_empty() {
        return String::new();
    }
    let mut table = plain();
    table.set_header(["contender", "data", "protocol", "rank correlation of loss and error"]);
    for of in correlations {
        let rank = of.rank.map_or_else(|| "–".to_owned(), |rank| format!("{rank:.2}"));
        table.add_row([of.contender.clone(), of.dataset.clone(), of.protocol.clone(), rank]);
    }
    format!("\n{}\n", right_aligned(table))
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table
}

fn right_aligned(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

fn cell(cell: &Cell) -> String {
    let error = number(cell.error.median);
    match cell.ratio {
        Some(ratio) => format!("{error} ×{}", number(ratio)),
        None => error,
    }
}

/// Three digits that count.
fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        size if size < 1e-3 => format!("{x:.0e}"),
        size if size < 0.1 => format!("{x:.4}"),
        size if size < 10.0 => format!("{x:.2}"),
        size if size < 100.0 => format!("{x:.1}"),
        size if size < 1e6 => format!("{x:.0}"),
        _ => format!("{x:.0e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (x, text) in [
            (0.0, "0"),
            (0.000_123, "1e-4"),
            (0.012_34, "0.0123"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (1234.5, "1234"),
            (1.5e9, "2e9"),
        ] {
            assert_eq!(number(x), text);
        }
    }
}
