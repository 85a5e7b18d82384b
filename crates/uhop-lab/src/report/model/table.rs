//! Tables.

use super::{Problem, check_text};
use crate::report::Result;

/// A table; the first column names the rows.
///
/// # Example
///
/// ```
/// use uhop_lab::report::{Column, Table};
///
/// let columns = vec![Column::text("model"), Column::number("error")];
/// let rows = vec![vec!["dense".to_owned(), "27.9".to_owned()]];
/// let table = Table::new("Mean error.", columns, rows)?;
/// assert_eq!(table.rows().len(), 1);
/// # Ok::<(), uhop_lab::report::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// The head of a column, and whether what is under it is numbers, which are set flush right.
///
/// # Example
///
/// ```
/// use uhop_lab::report::Column;
///
/// assert_ne!(Column::text("model"), Column::number("model"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    head: String,
    is_number: bool,
}

impl Column {
    /// A column of words.
    pub fn text(head: impl Into<String>) -> Self {
        Self { head: head.into(), is_number: false }
    }

    /// A column of numbers.
    pub fn number(head: impl Into<String>) -> Self {
        Self { head: head.into(), is_number: true }
    }

    pub(crate) fn head(&self) -> &str {
        &self.head
    }

    pub(crate) fn is_number(&self) -> bool {
        self.is_number
    }
}

impl Table {
    /// A table of `rows`, each with one cell for each of `columns`.
    ///
    /// # Errors
    ///
    /// An empty caption, no column, or a row with more or fewer cells than there are columns.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::{Column, Table};
    ///
    /// let ragged = vec![vec!["dense".to_owned()]];
    /// let columns = vec![Column::text("model"), Column::number("error")];
    /// let error = Table::new("Mean error.", columns, ragged).unwrap_err();
    /// assert_eq!(error.to_string(), "table `Mean error.`, row 1: 2 cells expected, 1 found");
    /// ```
    pub fn new(
        caption: impl Into<String>,
        columns: Vec<Column>,
        rows: Vec<Vec<String>>,
    ) -> Result<Self> {
        let caption = caption.into();
        check_text("table", "caption", &caption)?;
        let wrong = |part: String, expected: &str, found: usize| Problem::Count {
            part,
            expected: expected.to_owned(),
            found: found.to_string(),
        };
        if columns.is_empty() {
            return Err(wrong(format!("table `{caption}`"), "a column", 0).into());
        }
        for (i, row) in rows.iter().enumerate() {
            if row.len() != columns.len() {
                let part = format!("table `{caption}`, row {}", i + 1);
                return Err(wrong(part, &format!("{} cells", columns.len()), row.len()).into());
            }
        }
        Ok(Self { caption, columns, rows })
    }

    /// What the table shows.
    pub fn caption(&self) -> &str {
        &self.caption
    }

    /// The columns from left to right.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The rows from top to bottom, each as long as there are columns.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }
}
