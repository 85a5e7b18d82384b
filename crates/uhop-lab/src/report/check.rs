//! What the tests of every kind of drawing share.

use proptest::prelude::*;
use roxmltree::{Document, Node};

use super::drawing::{Drawing, UNIT};
use super::text::{Weight, width};

/// Any text that a constructor takes, ordinary ones most often.
pub(super) fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ -~α-ω²₁≤<>&\"']{1,30}",
        1 => "[a-z]{60,90}",
        1 => any::<String>(),
    ]
    .prop_filter("text that is seen", |text| !text.trim().is_empty())
}

pub(super) fn number(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).expect(name).parse().expect(name)
}

/// The texts of a drawing that reach out of it.
pub(super) fn text_outside(drawing: &Drawing) -> Vec<String> {
    let svg = drawing.file();
    let tree = Document::parse(&svg).expect("the drawing is XML");
    let (total_width, total_height) = (drawing.size().0 * UNIT, drawing.size().1 * UNIT);
    let texts = tree.descendants().filter(|node| node.has_tag_name("text"));
    let is_outside = |text: &Node<'_, '_>| {
        let is_turned = text.attribute("transform").is_some();
        let (along, across) = if is_turned { ("y", "x") } else { ("x", "y") };
        let (length, breadth) =
            if is_turned { (total_height, total_width) } else { (total_width, total_height) };
        let (from, to) = extent(*text, along);
        let (middle, half) = (number(*text, across), number(*text, "font-size") / 2.0);
        from < -1.0 || to > length + 1.0 || middle < half - 1.0 || middle + half > breadth + 1.0
    };
    texts.filter(is_outside).map(|text| format!("{text:?} {:?}", text.text())).collect()
}

/// Where a line of text begins and ends, along the way it is written.
fn extent(node: Node<'_, '_>, along: &str) -> (f64, f64) {
    let is_bold = node.attribute("font-weight") == Some("bold");
    let weight = if is_bold { Weight::Bold } else { Weight::Regular };
    let length = width(node.text().unwrap_or("").trim(), number(node, "font-size"), weight);
    let at = number(node, along);
    let before = match node.attribute("text-anchor") {
        Some("middle") => 0.5,
        Some("end") => 1.0,
        _ => 0.0,
    };
    // Upwards where it is turned.
    let before = if along == "y" { 1.0 - before } else { before };
    (at - before * length, at + (1.0 - before) * length)
}
