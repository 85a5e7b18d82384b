//! The page: one HTML file that needs no other.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::drawing::{Drawing, hex};
use super::model::{Block, Chart, Document, Role, Table};
use super::number;
use super::palette;
use super::text::visible;

/// The drawings of one figure, for a wide page and for a phone.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) wide: Drawing,
    pub(super) narrow: Drawing,
}

/// The most rows of the table under a chart.
const MOST_NUMBERS: usize = 500;

/// The whole page; `figures` by their names.
pub(super) fn page(document: &Document, figures: &BTreeMap<&str, Figure>) -> String {
    let anchors = anchors(document);
    let mut counts = Counts::default();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (visible(document.title())) }
                style { (PreEscaped(style())) }
            }
            body {
                main {
                    header {
                        h1 { (visible(document.title())) }
                        p.lead { (visible(document.lead())) }
                        @if !document.facts().is_empty() {
                            dl.facts {
                                @for (name, value) in document.facts() {
                                    div { dt { (visible(name)) } dd { (visible(value)) } }
                                }
                            }
                        }
                    }
                    @if document.sections().len() > 1 {
                        nav aria-label="Contents" {
                            h2 { "Contents" }
                            ol {
                                @for (section, anchor) in document.sections().iter().zip(&anchors) {
                                    li { a href={ "#" (anchor) } { (visible(section.title())) } }
                                }
                            }
                        }
                    }
                    @for (section, anchor) in document.sections().iter().zip(&anchors) {
                        section id=(anchor) {
                            h2 { (visible(section.title())) }
                            @for block in section.blocks() { (part(block, figures, &mut counts)) }
                        }
                    }
                }
            }
        }
    };
    page.into_string()
}

/// How many figures and tables there were.
#[derive(Default)]
struct Counts {
    n_figures: usize,
    n_tables: usize,
}

fn part(block: &Block, figures: &BTreeMap<&str, Figure>, counts: &mut Counts) -> Markup {
    let mut numbered = |name: &str, title: &str, caption: &str, rest: Markup| {
        counts.n_figures += 1;
        let figure = figures.get(name).expect("every figure was drawn");
        html! {
            figure id={ "figure-" (name) } {
                (PreEscaped(figure.wide.inline("wide", 1.0)))
                (PreEscaped(figure.narrow.inline("narrow", 1.3)))
                figcaption {
                    b { "Figure " (counts.n_figures) ". " (visible(title)) } " " (visible(caption))
                    (rest)
                }
            }
        }
    };
    match block {
        Block::Paragraph(text) => html! { p { (visible(text)) } },
        Block::Table(table) => {
            counts.n_tables += 1;
            html! {
                figure.table {
                    figcaption {
                        b { "Table " (counts.n_tables) ". " } (visible(table.caption()))
                    }
                    (scrolled(table))
                }
            }
        }
        Block::Chart(chart) => {
            let title = format!("{}.", chart.title().trim_end_matches('.'));
            numbered(chart.name(), &title, chart.caption(), numbers(chart))
        }
        Block::Images(grid) => numbered(grid.name(), "", grid.caption(), html! {}),
        Block::Field(field) => {
            let title = format!("{}.", field.title().trim_end_matches('.'));
            numbered(field.name(), &title, field.caption(), html! {})
        }
    }
}

/// A table in a box that scrolls on its own.
fn scrolled(table: &Table) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label=(visible(table.caption())) {
            table {
                thead {
                    tr {
                        @for column in table.columns() {
                            th scope="col" class=[column.is_number().then_some("number")] {
                                (visible(column.head()))
                            }
                        }
                    }
                }
                tbody {
                    @for row in table.rows() {
                        tr {
                            @for (i, (cell, column)) in row.iter().zip(table.columns()).enumerate() {
                                @let class = column.is_number().then_some("number");
                                @if i == 0 {
                                    th scope="row" class=[class] { (visible(cell)) }
                                } @else {
                                    td class=[class] { (visible(cell)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What a chart shows, as a table that opens; nothing where it would be too long to read.
fn numbers(chart: &Chart) -> Markup {
    if chart.series().iter().map(|series| series.points().len()).sum::<usize>() > MOST_NUMBERS {
        return html! {};
    }
    let role = |role: Role| match role {
        Role::Floor => " (floor)",
        Role::Model => "",
        Role::Reference => " (reference)",
    };
    html! {
        details {
            summary { "Numbers" }
            div.scroll role="region" tabindex="0" aria-label={ "Numbers of " (visible(chart.title())) } {
                table {
                    thead {
                        tr {
                            th scope="col" { "series" }
                            th.number scope="col" { (visible(chart.x().label())) }
                            th.number scope="col" { (visible(chart.y().label())) }
                            th.number scope="col" { "lower quartile" }
                            th.number scope="col" { "upper quartile" }
                        }
                    }
                    tbody {
                        @for series in chart.series() {
                            @for point in series.points() {
                                tr {
                                    th scope="row" { (visible(series.name())) (role(series.role())) }
                                    td.number { (number::exact(point.x)) }
                                    td.number { (number::measured(point.y)) }
                                    td.number { (number::measured(point.low)) }
                                    td.number { (number::measured(point.high)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// An identifier for each section, made of its title and unlike all others.
fn anchors(document: &Document) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let anchor = |title: &str| {
        let words: Vec<String> = title
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        // The prefix keeps it apart from figures, which begin otherwise.
        let plain = format!("section-{}", words.join("-"));
        let numbered = (2..).map(|i| format!("{plain}-{i}"));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|a| !taken.contains(a));
        let free = free.expect("there are more numbers than sections");
        taken.insert(free.clone());
        free
    };
    document.sections().iter().map(|section| section.title()).map(anchor).collect()
}

/// The style sheet: the colours by day and by night, then everything else.
fn style() -> String {
    let variables = |is_light: bool| {
        palette::inks().fold(String::new(), |mut list, ink| {
            let colour = if is_light { ink.light } else { ink.dark };
            let _ = write!(list, "--{}:{};", ink.variable, hex(colour));
            list
        })
    };
    let (light, dark) = (variables(true), variables(false));
    format!(
        ":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n\
         @media print{{:root{{{light}}}}}\n{}",
        include_str!("page.css")
    )
}
