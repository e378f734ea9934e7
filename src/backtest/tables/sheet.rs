//! One look for every table: a title line, a header, numbers to the right.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ColumnConstraint, Table, Width, presets};

/// Longest line of a text column before it is wrapped.
const TEXT_WIDTH: u16 = 72;

/// How a column is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Col {
    /// Short text, to the left.
    Left,
    /// Numbers, to the right.
    Right,
    /// Long text, wrapped.
    Text,
}

/// A titled table under construction.
pub(super) struct Sheet {
    title: String,
    table: Table,
    columns: Vec<Col>,
}

impl Sheet {
    pub(super) fn new(title: impl Into<String>, columns: &[(&str, Col)]) -> Sheet {
        let mut table = Table::new();
        table.force_no_tty().load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(columns.iter().map(|(name, _)| *name));
        Sheet { title: title.into(), table, columns: columns.iter().map(|(_, col)| *col).collect() }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) -> &mut Sheet {
        self.table.add_row(cells);
        self
    }

    pub(super) fn print(mut self, out: &mut impl Write) -> io::Result<()> {
        for (i, col) in self.columns.iter().enumerate() {
            let Some(column) = self.table.column_mut(i) else { continue };
            match col {
                Col::Left => {}
                Col::Right => {
                    column.set_cell_alignment(CellAlignment::Right);
                }
                Col::Text => {
                    column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(TEXT_WIDTH)));
                }
            }
        }
        writeln!(out, "\n{}\n{}", self.title, self.table.trim_fmt())
    }
}
