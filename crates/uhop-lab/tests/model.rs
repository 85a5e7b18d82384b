//! What the document model refuses, each in one line that says what was expected.

use uhop_lab::report::{
    Axis, Chart, Column, Document, Field, Frame, Image, ImageGrid, Point, Result, Role, Scale,
    Section, Series, Table,
};

fn refused<T>(result: Result<T>, message: &str) {
    let error = result.err().unwrap_or_else(|| panic!("not refused: {message}"));
    assert_eq!(error.to_string(), message);
    assert!(!error.is_io() && !message.contains('\n'));
}

fn axis(scale: Scale) -> Axis {
    Axis::new("a", scale).expect("a label")
}

fn series(name: &str, role: Role, y: f64) -> Series {
    Series::new(name, role, vec![Point::at(1.0, y)]).expect("a point")
}

fn chart(name: &str, scale: Scale, series: Vec<Series>) -> Result<Chart> {
    Chart::new(name, "Title", "Caption.", axis(Scale::Linear), axis(scale), series)
}

#[test]
fn empty_text_is_refused() {
    refused(Document::new("Title", "\t"), "document: its lead is empty; give it one");
    refused(Section::new(""), "section: its title is empty; give it one");
    refused(Axis::new(" ", Scale::Linear), "axis: its label is empty; give it one");
    refused(Series::new("", Role::Floor, vec![]), "series: its name is empty; give it one");
    refused(Table::new("", vec![], vec![]), "table: its caption is empty; give it one");
}

#[test]
fn names_that_are_no_file_stems_are_refused() {
    let one = || vec![series("s", Role::Model, 1.0)];
    for name in ["", "a.b", "../a", "a/b", "A", "-a", "a b", "ä", &"a".repeat(65)] {
        let error = chart(name, Scale::Linear, one()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("chart `{name}`: its name becomes a file's")),
            "{error}"
        );
    }
    for name in ["a", "noise-0_5", "2d", &"a".repeat(64)] {
        assert!(chart(name, Scale::Linear, one()).is_ok(), "{name}");
    }
}

#[test]
fn figures_of_one_name_are_refused() {
    let figure = || chart("a", Scale::Linear, vec![series("s", Role::Model, 1.0)]).unwrap();
    let section = || Section::new("S").unwrap().with(figure());
    let message = "document: two figures are named `a`; names become files, give each its own";
    let document = || Document::new("T", "L.").unwrap();
    refused(document().with_section(section().with(figure())), message);
    refused(document().with_section(section()).unwrap().with_section(section()), message);
}

#[test]
fn numbers_without_a_place_are_refused() {
    for bad in [f64::NAN, f64::INFINITY, -1e101] {
        let error = Series::new("s", Role::Model, vec![Point::at(bad, 1.0)]).unwrap_err();
        assert!(error.to_string().starts_with("series `s`: x is "), "{error}");
    }
    let message = "chart `a`, series `s`: low 0 has no place on a logarithmic axis; give numbers above 0 \
                   or a symmetric logarithm";
    refused(chart("a", Scale::Log, vec![series("s", Role::Model, 0.0)]), message);
    let symmetric = Scale::SymmetricLog { linear_below: 0.1 };
    assert!(chart("a", symmetric, vec![series("s", Role::Model, 0.0)]).is_ok());
    assert!(Axis::new("a", Scale::SymmetricLog { linear_below: -1.0 }).is_err());
    assert!(axis(Scale::Linear).including(f64::NAN).is_err());
}

#[test]
fn points_out_of_order_and_bands_beside_their_line_are_refused() {
    let points = vec![Point::at(2.0, 1.0), Point::at(2.0, 1.0)];
    refused(
        Series::new("s", Role::Model, points),
        "series `s`: x goes from 2 to 2; sort the points by x, one at each x",
    );
    let point = Point { x: 1.0, y: 5.0, low: 6.0, high: 7.0 };
    refused(
        Series::new("s", Role::Model, vec![point]),
        "series `s`: at x = 1 the band from 6 to 7 does not hold y = 5; give low ≤ y ≤ high",
    );
}

#[test]
fn more_series_than_can_be_told_apart_are_refused() {
    let many = |role: Role, n: usize| -> Vec<Series> {
        (0..n).map(|i| series(&i.to_string(), role, 1.0)).collect()
    };
    for (role, most, what) in [
        (Role::Floor, 1, "1 floor"),
        (Role::Model, 12, "12 models"),
        (Role::Reference, 4, "4 references"),
    ] {
        assert!(chart("a", Scale::Linear, many(role, most)).is_ok());
        let message = format!("chart `a`: at most {what} expected, {} found", most + 1);
        refused(chart("a", Scale::Linear, many(role, most + 1)), &message);
    }
    refused(chart("a", Scale::Linear, vec![]), "chart `a`: a series expected, none found");
    let twins = vec![series("s", Role::Model, 1.0), series("s", Role::Floor, 1.0)];
    refused(
        chart("a", Scale::Linear, twins),
        "chart `a`: series of different names expected, two `s` found",
    );
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    refused(Table::new("T", vec![], vec![]), "table `T`: a column expected, 0 found");
    let row = vec!["a".to_owned(), "b".to_owned()];
    refused(
        Table::new("T", vec![Column::text("a")], vec![row]),
        "table `T`, row 1: 1 cells expected, 2 found",
    );
    refused(
        Image::grey(0, 3, vec![]),
        "image of 0 × 3: sides of 1 to 16384 pixels expected, 0 × 3 found",
    );
    assert!(Image::grey(usize::MAX, usize::MAX, vec![]).is_err());
    assert!(Image::grey_of(1, 1, &[f32::NAN]).is_err());
    let label = || vec!["a".to_owned()];
    let two = || vec!["a".to_owned(), "b".to_owned()];
    let images = vec![Image::grey(1, 1, vec![0]).unwrap(), Image::grey(1, 2, vec![0, 0]).unwrap()];
    refused(
        ImageGrid::new("g", "Caption.", two(), label(), images),
        "image grid `g`: images of 1 × 1 expected, one of 1 × 2 found",
    );
    assert!(ImageGrid::new("g", "Caption.", vec![], label(), vec![]).is_err());
    let frame = || Frame::new(("x", 0.0, 1.0), ("y", 0.0, 1.0)).unwrap();
    refused(
        Field::categories("f", "T", "C.", frame(), 2, two(), vec![0, 2]),
        "field `f`: cells of 0 to 1 expected, 2 found",
    );
    assert!(Field::scalar("f", "T", "C.", frame(), 0, "E", vec![]).is_err());
    assert!(Field::scalar("f", "T", "C.", frame(), 1, "E", vec![f64::NAN]).is_err());
    assert!(Frame::new(("x", 1.0, 1.0 + 1e-10), ("y", 0.0, 1.0)).is_err());
    let field = Field::scalar("f", "T", "C.", frame(), 1, "E", vec![0.0]).unwrap();
    refused(
        field.with_points("p", vec![(f64::NAN, 0.0)]),
        "field `f`: points in 0 to 1, 0 to 1 expected, (NaN, 0) found",
    );
}
