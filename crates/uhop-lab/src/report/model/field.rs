//! Fields: a number or a category at every place of a rectangle.

use super::{Problem, check_name, check_number, check_text, is_narrow};
use crate::report::Result;

/// How many categories, and groups of points, one field can tell apart.
pub(crate) const MAX_CATEGORIES: usize = 12;
/// The most cells along one side.
const MAX_CELLS: usize = 2_048;

/// A function of the plane on a grid of cells, with points on it: an energy landscape, or the basin
/// that each place belongs to.
///
/// # Example
///
/// ```
/// use uhop_lab::report::{Field, Frame};
///
/// let frame = Frame::new(("x₁", -1.0, 1.0), ("x₂", -1.0, 1.0))?;
/// let field = Field::scalar("energy", "Energy", "Before learning.", frame, 2, "E", vec![1.0, 0.0, 0.0, 1.0])?
///     .with_points("patterns", vec![(0.5, 0.5)])?;
/// assert_eq!(field.name(), "energy");
/// # Ok::<(), uhop_lab::report::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    name: String,
    title: String,
    caption: String,
    frame: Frame,
    n_columns: usize,
    cells: Cells,
    points: Vec<PointGroup>,
}

/// The rectangle that a field covers: label, lower and upper end of either axis.
///
/// # Example
///
/// ```
/// use uhop_lab::report::Frame;
///
/// assert!(Frame::new(("x₁", -1.0, 1.0), ("x₂", 1.0, 1.0)).is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub(crate) x: Span,
    pub(crate) y: Span,
}

/// One side of a [`Frame`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    pub(crate) label: String,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// What is at every place, row by row from the lowest y.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cells {
    Scalar { label: String, values: Vec<f64> },
    Categories { names: Vec<String>, cells: Vec<usize> },
}

/// Points of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PointGroup {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Frame {
    /// A rectangle from its horizontal and its vertical axis, each a label, a lower and an upper end.
    ///
    /// # Errors
    ///
    /// An empty label, an end that is not finite or beyond ±1e100, or a range that is empty.
    ///
    /// # Example
    ///
    /// ```
    /// assert!(uhop_lab::report::Frame::new(("a", 0.0, 1.0), ("b", 0.0, f64::NAN)).is_err());
    /// ```
    pub fn new(x: (&str, f64, f64), y: (&str, f64, f64)) -> Result<Self> {
        let span = |(label, low, high): (&str, f64, f64)| {
            check_text("axis", "label", label)?;
            let part = format!("axis `{label}`");
            check_number(&part, "its lower end", low)?;
            check_number(&part, "its upper end", high)?;
            if is_narrow(low, high) {
                return Err(Problem::Range { part, low, high });
            }
            Ok(Span { label: label.to_owned(), low, high })
        };
        Ok(Self { x: span(x)?, y: span(y)? })
    }
}

impl Field {
    /// A number in every cell; `values` row by row from the lowest y, each row of `n_columns` cells from
    /// the lowest x. `label` says what the numbers are.
    ///
    /// # Errors
    ///
    /// A name that is no file stem; an empty title, caption or label; no cell, rows that are not full,
    /// more than 2,048 cells along a side; a number that is not finite or beyond ±1e100.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::{Field, Frame};
    ///
    /// let frame = Frame::new(("x₁", -1.0, 1.0), ("x₂", -1.0, 1.0))?;
    /// let error = Field::scalar("e", "Energy", "Text.", frame, 2, "E", vec![0.0; 3]).unwrap_err();
    /// assert_eq!(error.to_string(), "field `e`: full rows of 2 cells expected, 3 cells found");
    /// # Ok::<(), uhop_lab::report::Error>(())
    /// ```
    pub fn scalar(
        name: impl Into<String>,
        title: impl Into<String>,
        caption: impl Into<String>,
        frame: Frame,
        n_columns: usize,
        label: impl Into<String>,
        values: Vec<f64>,
    ) -> Result<Self> {
        let (name, label) = (name.into(), label.into());
        let part = format!("field `{name}`");
        check_text(&*part, "label", &label)?;
        for &value in &values {
            check_number(&part, "a cell", value)?;
        }
        let cells = Cells::Scalar { label, values };
        Self::new(name, title.into(), caption.into(), frame, n_columns, cells)
    }

    /// A category in every cell, an index into `names`; `cells` as the values of [`scalar`](Self::scalar).
    ///
    /// # Errors
    ///
    /// As [`scalar`](Self::scalar), more than 12 names, or an index beyond them.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::{Field, Frame};
    ///
    /// let frame = Frame::new(("x₁", -1.0, 1.0), ("x₂", -1.0, 1.0))?;
    /// let names = vec!["first".to_owned(), "second".to_owned()];
    /// assert!(Field::categories("basins", "Basins", "Text.", frame, 2, names, vec![0, 1, 1, 2]).is_err());
    /// # Ok::<(), uhop_lab::report::Error>(())
    /// ```
    pub fn categories(
        name: impl Into<String>,
        title: impl Into<String>,
        caption: impl Into<String>,
        frame: Frame,
        n_columns: usize,
        names: Vec<String>,
        cells: Vec<usize>,
    ) -> Result<Self> {
        let name = name.into();
        let part = format!("field `{name}`");
        if !(1..=MAX_CATEGORIES).contains(&names.len()) {
            let expected = format!("1 to {MAX_CATEGORIES} categories");
            return Err(Problem::count(part, expected, names.len().to_string()).into());
        }
        for one in &names {
            check_text(&*part, "category name", one)?;
        }
        if let Some(cell) = cells.iter().find(|&&cell| cell >= names.len()) {
            let expected = format!("cells of 0 to {}", names.len() - 1);
            return Err(Problem::count(part, expected, cell.to_string()).into());
        }
        let cells = Cells::Categories { names, cells };
        Self::new(name, title.into(), caption.into(), frame, n_columns, cells)
    }

    fn new(
        name: String,
        title: String,
        caption: String,
        frame: Frame,
        n_columns: usize,
        cells: Cells,
    ) -> Result<Self> {
        check_name("field", &name)?;
        let part = format!("field `{name}`");
        check_text(&*part, "title", &title)?;
        check_text(&*part, "caption", &caption)?;
        let n_cells = cells.len();
        if n_columns == 0 || n_cells == 0 || !n_cells.is_multiple_of(n_columns) {
            let expected = format!("full rows of {n_columns} cells");
            return Err(Problem::count(part, expected, format!("{n_cells} cells")).into());
        }
        let n_rows = n_cells / n_columns;
        if n_rows.max(n_columns) > MAX_CELLS {
            let expected = format!("at most {MAX_CELLS} cells along a side");
            return Err(Problem::count(part, expected, format!("{n_rows} × {n_columns}")).into());
        }
        Ok(Self { name, title, caption, frame, n_columns, cells, points: Vec::new() })
    }

    /// Adds points of one kind, with a marker of their own and a name in the legend.
    ///
    /// # Errors
    ///
    /// An empty name, more than 12 kinds, or a point outside the frame.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::{Field, Frame};
    ///
    /// let frame = Frame::new(("x₁", -1.0, 1.0), ("x₂", -1.0, 1.0))?;
    /// let field = Field::scalar("e", "Energy", "Text.", frame, 1, "E", vec![0.0])?;
    /// assert!(field.with_points("patterns", vec![(0.0, 2.0)]).is_err());
    /// # Ok::<(), uhop_lab::report::Error>(())
    /// ```
    pub fn with_points(mut self, name: impl Into<String>, points: Vec<(f64, f64)>) -> Result<Self> {
        let name = name.into();
        let part = format!("field `{}`", self.name);
        check_text(&*part, "name of points", &name)?;
        if self.points.len() == MAX_CATEGORIES {
            let expected = format!("at most {MAX_CATEGORIES} kinds of points");
            return Err(Problem::count(part, expected, (MAX_CATEGORIES + 1).to_string()).into());
        }
        let Frame { x: across, y: up } = &self.frame;
        for &(x, y) in &points {
            if !(across.low..=across.high).contains(&x) || !(up.low..=up.high).contains(&y) {
                let expected = format!(
                    "points in {} to {}, {} to {}",
                    across.low, across.high, up.low, up.high
                );
                return Err(Problem::count(part, expected, format!("({x}, {y})")).into());
            }
        }
        self.points.push(PointGroup { name, points });
        Ok(self)
    }

    /// The stem of its files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line above it.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The text under it.
    pub fn caption(&self) -> &str {
        &self.caption
    }

    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    pub(crate) fn n_columns(&self) -> usize {
        self.n_columns
    }

    pub(crate) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(crate) fn points(&self) -> &[PointGroup] {
        &self.points
    }
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Self::Scalar { values, .. } => values.len(),
            Self::Categories { cells, .. } => cells.len(),
        }
    }
}
