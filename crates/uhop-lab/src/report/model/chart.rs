//! Charts: series of points over two axes.

use std::collections::BTreeSet;

use super::{LARGEST, Problem, check_name, check_number, check_text};
use crate::report::Result;

/// How many series of role [`Role::Model`] one chart can tell apart.
const MAX_MODELS: usize = 12;
/// How many series of role [`Role::Reference`] one chart can tell apart.
const MAX_REFERENCES: usize = 4;

/// Series of points, each a line with its markers and quartiles.
///
/// # Example
///
/// ```
/// use uhop_lab::report::{Axis, Chart, Point, Role, Scale, Series};
///
/// let points = vec![Point::at(10.0, 0.5), Point { x: 100.0, y: 9.0, low: 7.0, high: 12.0 }];
/// let dense = Series::new("dense", Role::Model, points)?;
/// let x = Axis::new("stored patterns", Scale::Log)?;
/// let y = Axis::new("mean error", Scale::Linear)?.including(0.0)?;
/// let chart = Chart::new("size", "Error against memory size", "Half mask.", x, y, vec![dense])?;
/// assert_eq!(chart.name(), "size");
/// # Ok::<(), uhop_lab::report::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    name: String,
    title: String,
    caption: String,
    x: Axis,
    y: Axis,
    series: Vec<Series>,
}

/// An axis: its label, with the unit if there is one, and its scale.
///
/// # Example
///
/// ```
/// use uhop_lab::report::{Axis, Scale};
///
/// let axis = Axis::new("noise level", Scale::Linear)?;
/// assert_eq!(axis.label(), "noise level");
/// # Ok::<(), uhop_lab::report::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    label: String,
    scale: Scale,
    including: Vec<f64>,
}

/// How a number becomes a place on an axis.
///
/// # Example
///
/// ```
/// use uhop_lab::report::Scale;
///
/// assert_ne!(Scale::Linear, Scale::SymmetricLog { linear_below: 1e-3 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// In proportion.
    Linear,
    /// By the logarithm; numbers above 0 only.
    Log,
    /// By the logarithm of the magnitude above `linear_below`, in proportion under it, so that 0 and
    /// negative numbers have a place. From 0 to `linear_below` is as long as a factor of 10.
    SymmetricLog {
        /// The magnitude where the logarithm starts, above 0.
        linear_below: f64,
    },
}

/// A line of points with its place in the legend.
///
/// # Example
///
/// ```
/// use uhop_lab::report::{Point, Role, Series};
///
/// let floor = Series::new("Bayes limit", Role::Floor, vec![Point::at(1.0, 48.0)])?;
/// assert_eq!(floor.points().len(), 1);
/// # Ok::<(), uhop_lab::report::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    name: String,
    role: Role,
    points: Vec<Point>,
}

/// What a series is, which decides how it is drawn.
///
/// # Example
///
/// ```
/// use uhop_lab::report::Role;
///
/// assert_ne!(Role::Floor, Role::Reference);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The best that is possible: a thick neutral line. At most one in a chart.
    Floor,
    /// What is compared: a colour, a marker and a dash of its own. At most 12 in a chart.
    Model,
    /// A bound or a published number: a thin neutral line. At most 4 in a chart.
    Reference,
}

/// A number with its spread at one place: median and quartiles.
///
/// # Example
///
/// ```
/// use uhop_lab::report::Point;
///
/// assert_eq!(Point::at(1.0, 2.0), Point { x: 1.0, y: 2.0, low: 2.0, high: 2.0 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// The median.
    pub y: f64,
    /// The lower quartile, at most `y`.
    pub low: f64,
    /// The upper quartile, at least `y`.
    pub high: f64,
}

impl Point {
    /// A number without spread.
    ///
    /// # Example
    ///
    /// ```
    /// assert_eq!(uhop_lab::report::Point::at(1.0, 2.0).high, 2.0);
    /// ```
    pub fn at(x: f64, y: f64) -> Self {
        Self { x, y, low: y, high: y }
    }
}

impl Axis {
    /// An axis that reaches over what is drawn.
    ///
    /// # Errors
    ///
    /// An empty label; a symmetric logarithm that does not start between 1e-100 and 1e100.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::{Axis, Scale};
    ///
    /// assert!(Axis::new("noise level", Scale::SymmetricLog { linear_below: 0.0 }).is_err());
    /// ```
    pub fn new(label: impl Into<String>, scale: Scale) -> Result<Self> {
        let label = label.into();
        check_text("axis", "label", &label)?;
        if let Scale::SymmetricLog { linear_below } = scale {
            check_on(&format!("axis `{label}`"), "linear_below", linear_below, Scale::Log)?;
        }
        Ok(Self { label, scale, including: Vec::new() })
    }

    /// The axis made to reach at least to `value`.
    ///
    /// # Errors
    ///
    /// A value that has no place on the axis.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::{Axis, Scale};
    ///
    /// assert!(Axis::new("share", Scale::Linear)?.including(0.0)?.including(1.0).is_ok());
    /// assert!(Axis::new("share", Scale::Log)?.including(0.0).is_err());
    /// # Ok::<(), uhop_lab::report::Error>(())
    /// ```
    pub fn including(mut self, value: f64) -> Result<Self> {
        check_on(&format!("axis `{}`", self.label), "the value included", value, self.scale)?;
        self.including.push(value);
        Ok(self)
    }

    /// The text beside the axis.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// How numbers become places.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// What the axis reaches over, whatever is drawn.
    pub(crate) fn included(&self) -> &[f64] {
        &self.including
    }
}

impl Series {
    /// A line through `points`, which are sorted by x.
    ///
    /// # Errors
    ///
    /// An empty name; no point; a number that is not finite or beyond ±1e100; x that does not increase;
    /// a spread that does not hold its y.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::{Point, Role, Series};
    ///
    /// let error = Series::new("dense", Role::Model, vec![Point::at(1.0, f64::NAN)]).unwrap_err();
    /// assert!(error.to_string().starts_with("series `dense`: y is NaN"));
    /// ```
    pub fn new(name: impl Into<String>, role: Role, points: Vec<Point>) -> Result<Self> {
        let name = name.into();
        check_text("series", "name", &name)?;
        let part = format!("series `{name}`");
        if points.is_empty() {
            let (expected, found) = ("a point".to_owned(), "none".to_owned());
            return Err(Problem::Count { part, expected, found }.into());
        }
        for point in &points {
            let Point { x, y, low, high } = *point;
            for (what, value) in [("x", x), ("y", y), ("low", low), ("high", high)] {
                check_number(&part, what, value)?;
            }
            if !(low <= y && y <= high) {
                return Err(Problem::Band { part, x, y, low, high }.into());
            }
        }
        if let Some(pair) = points.windows(2).find(|pair| pair[0].x >= pair[1].x) {
            return Err(Problem::Order { part, before: pair[0].x, after: pair[1].x }.into());
        }
        Ok(Self { name, role, points })
    }

    /// The name in the legend.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the series is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The points by increasing x, at least one.
    pub fn points(&self) -> &[Point] {
        &self.points
    }
}

impl Chart {
    /// A chart with the file stem `name`.
    ///
    /// # Errors
    ///
    /// A name that is no file stem; an empty title or caption; no series, two of one name or more than
    /// their [`Role`] allows; a number that has no place on its axis.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_lab::report::{Axis, Chart, Point, Role, Scale, Series};
    ///
    /// let series = vec![Series::new("dense", Role::Model, vec![Point::at(0.0, 1.0)])?];
    /// let x = Axis::new("noise level", Scale::Log)?;
    /// let y = Axis::new("mean error", Scale::Linear)?;
    /// let error = Chart::new("noise", "Noise", "Half mask.", x, y, series).unwrap_err();
    /// assert!(error.to_string().starts_with("chart `noise`, series `dense`: x 0 has no place"));
    /// # Ok::<(), uhop_lab::report::Error>(())
    /// ```
    pub fn new(
        name: impl Into<String>,
        title: impl Into<String>,
        caption: impl Into<String>,
        x: Axis,
        y: Axis,
        series: Vec<Series>,
    ) -> Result<Self> {
        let (name, title, caption) = (name.into(), title.into(), caption.into());
        check_name("chart", &name)?;
        let part = format!("chart `{name}`");
        check_text(&*part, "title", &title)?;
        check_text(&*part, "caption", &caption)?;
        check_series(&part, &series)?;
        for one in &series {
            let part = format!("{part}, series `{}`", one.name);
            for point in &one.points {
                check_on(&part, "x", point.x, x.scale)?;
                for (what, value) in [("low", point.low), ("y", point.y), ("high", point.high)] {
                    check_on(&part, what, value, y.scale)?;
                }
            }
        }
        Ok(Self { name, title, caption, x, y, series })
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

    /// The horizontal axis.
    pub fn x(&self) -> &Axis {
        &self.x
    }

    /// The vertical axis.
    pub fn y(&self) -> &Axis {
        &self.y
    }

    /// The series, in the order of the legend.
    pub fn series(&self) -> &[Series] {
        &self.series
    }
}

/// At least one, names of their own, and no more of a role than can be told apart.
fn check_series(part: &str, series: &[Series]) -> Result<(), Problem> {
    let count = |expected: &str, found: String| Problem::Count {
        part: part.to_owned(),
        expected: expected.to_owned(),
        found,
    };
    if series.is_empty() {
        return Err(count("a series", "none".to_owned()));
    }
    let mut names = BTreeSet::new();
    for one in series {
        if !names.insert(&one.name) {
            return Err(count("series of different names", format!("two `{}`", one.name)));
        }
    }
    for (role, most, what) in [
        (Role::Floor, 1, "at most 1 floor"),
        (Role::Model, MAX_MODELS, "at most 12 models"),
        (Role::Reference, MAX_REFERENCES, "at most 4 references"),
    ] {
        let found = series.iter().filter(|one| one.role == role).count();
        if found > most {
            return Err(count(what, found.to_string()));
        }
    }
    Ok(())
}

/// Whether the number has a place on an axis of this scale.
fn check_on(part: &str, what: &'static str, value: f64, scale: Scale) -> Result<(), Problem> {
    check_number(part, what, value)?;
    if scale == Scale::Log && value < 1.0 / LARGEST {
        return Err(Problem::NotPositive { part: part.to_owned(), what, value });
    }
    Ok(())
}
