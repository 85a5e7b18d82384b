//! What was found, in words.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::histogram::bars;
use super::{EPSILON, Found};
use crate::words::counted;

/// Columns of the text.
const WIDTH: usize = 80;
/// Columns of the labels.
const LABEL: usize = 14;

pub(super) fn text(found: &Found) -> String {
    let document = &found.document;
    let mut text = contents(found);
    if document.n_patterns == 1 {
        text.push_str(&item("recall", "every query recalls the one pattern"));
        return text;
    }
    if document.n_sampled < document.n_patterns {
        let line = format!(
            "{} drawn at random, each compared with all the others; what follows is about \
             what was drawn (--sample N examines more)",
            counted(document.n_sampled, "pattern")
        );
        text.push_str(&item("sampled", &line));
    }
    text.push_str(&promises(found));
    text.push_str(&separations(found));
    text
}

/// What is stored, and under which model.
fn contents(found: &Found) -> String {
    let document = &found.document;
    let is_kernel = document.similarity == "kernel";
    let ids = if document.has_ids { "with ids" } else { "without ids" };
    let mut text = item(
        "patterns",
        &format!("{} × {}, {}, {ids}", document.n_patterns, document.dim, document.scalar),
    );
    if found.has_values {
        let line = format!(
            "of length {}, recalled instead of the patterns; errors below are of patterns",
            document.dim_out
        );
        text.push_str(&item("values", &line));
    }
    let model = format!(
        "{} similarity, {}, β = {}",
        document.similarity, document.separation, document.beta
    );
    text.push_str(&item("model", &model));
    if let Some(channel) = &document.channel {
        text.push_str(&item("channel", channel));
    }
    if let Some(choice) = &document.choice {
        text.push_str(&item("chosen", &choice.line()));
    }
    if let (Some(dim_features), false) = (document.dim_features, is_kernel) {
        let bias =
            if document.has_bias { "with a bias for each pattern" } else { "without biases" };
        let mut line = format!(
            "of {dim_features} × {}, one for patterns and one for queries, {bias}",
            document.dim
        );
        if let (Some("denoising"), Some(steps)) = (document.stage1_loss, document.stage1_steps) {
            let _ = write!(line, ", learned in {} of denoising", counted(steps, "step"));
        }
        text.push_str(&item("feature maps", &line));
    } else if let Some(dim_features) = document.dim_features {
        let mut map = format!("W of {dim_features} × {}", document.dim);
        if document.stage1_loss == Some("whitening") {
            map.push_str(", of whitening");
        } else if let (Some(steps), Some(loss)) = (document.stage1_steps, document.last_loss) {
            let (steps, loss) = (counted(steps, "step"), number(loss));
            let _ = write!(map, ", learned in {steps} of Stage I, last loss {loss}");
        }
        text.push_str(&item("feature map", &map));
    }
    if let (Some(beta), Some(temperature)) = (document.effective_beta, document.temperature) {
        let temperature = number(temperature);
        let line = if is_kernel {
            let beta = number(beta);
            format!("{temperature}; 1 over the effective β, β·tr(WᵀW)/{} = {beta}", document.dim)
        } else {
            format!("{temperature}; 1/β")
        };
        text.push_str(&item("temperature", &line));
    }
    text
}

/// What the theory promises.
fn promises(found: &Found) -> String {
    let document = &found.document;
    let n = document.n_sampled;
    let space = if document.similarity == "kernel" { "features" } else { "patterns" };
    let mut text = String::new();
    if let Some(pair) = &document.closest_pair {
        let names = match (&pair.first_id, &pair.second_id) {
            (Some(first), Some(second)) => {
                format!("{} and {}", first.escape_debug(), second.escape_debug())
            }
            _ => format!("rows {} and {}, counted from 0", pair.first, pair.second),
        };
        let line = match pair.distance {
            Some(0.0) => format!("{names}; the same {space}"),
            Some(distance) => format!("{names}; {} apart as {space}", number(distance)),
            None => format!("{names}; further apart than can be told"),
        };
        text.push_str(&item("closest pair", &line));
    }
    if let Some(radius) = document.radius {
        let most = if n < document.n_patterns { "at most " } else { "" };
        let line = format!("{most}{}, half the distance of the closest pair", number(radius));
        text.push_str(&item("radius", &line));
    }
    let line = match document.bounded {
        Some(bounded) => format!(
            "{} (median) for one step from anywhere within the radius; below {}, the largest error \
             there is, for {}",
            document.error_bound.map_or_else(|| "above 1e308".to_owned(), number),
            number(found.trivial_error_bound),
            of(bounded, n),
        ),
        None => format!("none: {}", words_of(found.no_bound.as_deref())),
    };
    text.push_str(&item("error bound", &line));
    let line = match document.certified {
        Some(certified) => format!("{} come back exactly from themselves", of(certified, n)),
        None if document.separation == "softmax" => {
            "none: under softmax every pattern keeps some weight".to_owned()
        }
        None => format!("none is known for {}", document.separation),
    };
    text.push_str(&item("certificate", &line));
    let line = format!(
        "{} patterns in effect share the weight at a stored one (mean)",
        number(document.perplexity),
    );
    text.push_str(&item("perplexity", &line));
    text.push_str(&item("suggested β", &suggestion(found)));
    text
}

/// The suggested β, and what it does.
fn suggestion(found: &Found) -> String {
    let document = &found.document;
    if found.no_beta.is_some() {
        return format!("none: {}", words_of(found.no_beta.as_deref()));
    }
    let reachable = count(document.separable, document.n_sampled);
    let patterns = counted(reachable, "pattern");
    let reach = format!("the {patterns} with Δ\u{a0}>\u{a0}0");
    let does = |whom: &str| match document.certified {
        Some(_) => format!("certifies {whom}"),
        None => format!("gives {whom} weight {} at themselves", 1.0 - EPSILON),
    };
    match (document.suggested_beta, document.suggested_beta_half) {
        (Some(0.0), _) => "any: no other pattern has much weight".to_owned(),
        (Some(all), Some(half)) => {
            format!("{} {}, {} half of them", number(all), does(&reach), number(half))
        }
        (None, Some(half)) => {
            let whom = format!("half of {reach}");
            format!("{} {}; for all of them β would overflow", number(half), does(&whom))
        }
        _ if reachable == 0 => "none: no pattern has Δ\u{a0}>\u{a0}0".to_owned(),
        _ => "none: β would overflow".to_owned(),
    }
}

/// Δ under the dot product and under the memory's own similarity, in numbers and bars.
fn separations(found: &Found) -> String {
    let document = &found.document;
    let own = match document.similarity {
        "kernel" => "kernel Δ^Φ".to_owned(),
        other => format!("{other} Δ"),
    };
    let mut rows = Vec::new();
    if document.similarity != "dot" {
        rows.extend(found.dot_separations.as_ref().map(|dot| ("dot Δ".to_owned(), dot)));
    }
    rows.push((own, &found.separations));
    let mut text = String::from(
        "\nSeparation: the score of a pattern with itself, less the best score of another.\n\n",
    );
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", "smallest", "median", "largest", "above 0"]);
    for (name, sorted) in &rows {
        let above = sorted.iter().filter(|&&separation| separation > 0.0).count();
        table.add_row([
            name.clone(),
            number(sorted[0]),
            number(sorted[sorted.len() / 2]),
            number(sorted[sorted.len() - 1]),
            format!("{above} of {}", sorted.len()),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    text.push_str(&table.trim_fmt());
    text.push('\n');
    for (name, sorted) in &rows {
        let _ = write!(text, "\n{name}, patterns:\n{}", bars(sorted));
    }
    let unreachable = document.n_sampled - count(document.separable, document.n_sampled);
    if unreachable > 0 {
        let have = if document.n_sampled == 1 { "has" } else { "have" };
        let line = format!(
            "{unreachable} of {} {have} Δ\u{a0}≤\u{a0}0 under this similarity. {} No β can make such a \
             pattern stand out. {}",
            counted(document.n_sampled, "pattern"),
            cause(document.similarity),
            remedy(document.similarity),
        );
        let _ = write!(text, "\n{}", wrapped(&line, 0));
    }
    text
}

/// Why another pattern can score as high at ξ as ξ itself.
fn cause(similarity: &str) -> &'static str {
    match similarity {
        "dot" => "Each is stored more than once, or a pattern of larger norm scores higher at it.",
        "kernel" => {
            "Each has a twin with the same features, or one whose features have a larger norm \
             scores higher at it."
        }
        "cosine" => "Each has the direction of another pattern.",
        // Made for damaged queries: ξ as it is need not score highest at itself.
        "asymmetric" | "channel" => "Asked for as it is, another scores as high at it or higher.",
        _ => "Each is stored more than once.",
    }
}

fn remedy(similarity: &str) -> &'static str {
    match similarity {
        "dot" => {
            "Try --similarity euclidean or cosine, or learn a feature map: `uhop fit --loss max`."
        }
        "kernel" => "Try more steps of Stage I, the other loss, or --similarity euclidean.",
        "cosine" => "Try --similarity euclidean, or remove the copies.",
        "asymmetric" | "channel" => {
            "Queries with the damage that this similarity is for may still be recalled: ask some."
        }
        _ => "Remove the copies.",
    }
}

/// A library's reason without the operation that it starts with.
fn words_of(reason: Option<&str>) -> &str {
    let reason = reason.unwrap_or("not known");
    reason.split_once(": ").map_or(reason, |(_, words)| words)
}

fn count(share: f64, n: usize) -> usize {
    (share * n as f64).round() as usize
}

/// "7 of 9 patterns (77.8 %)".
fn of(share: f64, n: usize) -> String {
    format!("{} of {} ({:.1}\u{a0}%)", count(share, n), counted(n, "pattern"), 100.0 * share)
}

/// Four digits.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e8).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = (3.0 - size.log10().floor()).max(0.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A label and a sentence beside it, on as many lines as it takes.
fn item(label: &str, sentence: &str) -> String {
    let wrapped = wrapped(sentence, LABEL);
    format!("{label:<LABEL$}{}", wrapped.trim_start())
}

/// Words in lines of at most [`WIDTH`] columns, each after `indent` blanks. A no-break space becomes
/// a plain one.
fn wrapped(sentence: &str, indent: usize) -> String {
    let mut text = String::new();
    let mut column = WIDTH;
    for word in sentence.split(' ') {
        let length = word.chars().count();
        if column + 1 + length > WIDTH {
            let line_end = if text.is_empty() { "" } else { "\n" };
            let _ = write!(text, "{line_end}{:indent$}{word}", "");
            column = indent + length;
        } else {
            let _ = write!(text, " {word}");
            column += 1 + length;
        }
    }
    text.push('\n');
    text.replace('\u{a0}', " ")
}
