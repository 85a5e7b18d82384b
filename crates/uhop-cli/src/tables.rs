//! Tables of numbers for a terminal.

use comfy_table::{CellAlignment, LineStyle, Table, presets};

/// An empty table with rules above, below and under its header.
pub(crate) fn ruled() -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table
}

/// Its text, all columns but the first to the right.
pub(crate) fn right_aligned(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}
