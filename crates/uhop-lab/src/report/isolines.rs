//! Isolines of a grid of numbers, by marching squares.

use std::collections::BTreeMap;

/// A line from sample to sample; closed where the last point is the first.
pub(super) type Line = Vec<(f64, f64)>;

/// The edge between a sample and the next one to the right, or up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    row: usize,
    column: usize,
    is_upright: bool,
}

/// Numbers at the centres of cells, and on the border, which lines reach so, those of straight continuation.
struct Samples<'a> {
    values: &'a [f64],
    n_columns: usize,
    n_rows: usize,
}

/// Where `values`, row by row from the lowest y, pass through `level`: on every line one side is at least `level`,
/// the other below. Places are shares of the width and the height, from the lower left corner.
pub(super) fn isolines(values: &[f64], n_columns: usize, level: f64) -> Vec<Line> {
    let samples = Samples { values, n_columns, n_rows: values.len() / n_columns };
    let mut links: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
    for row in 0..=samples.n_rows {
        for column in 0..=samples.n_columns {
            for [from, to] in samples.links(row, column, level).into_iter().flatten() {
                links.entry(from).or_default().push(to);
                links.entry(to).or_default().push(from);
            }
        }
    }
    // Lines that end at the border first: what is left is closed.
    let ends: Vec<Edge> = links.iter().filter(|(_, to)| to.len() == 1).map(|(&e, _)| e).collect();
    let mut lines = Vec::new();
    for start in ends {
        lines.extend(follow(&mut links, start));
    }
    while let Some(&start) = links.keys().next() {
        lines.extend(follow(&mut links, start).map(|mut line| {
            line.push(start);
            line
        }));
    }
    let place = |edge: Edge| samples.crossing(edge, level);
    lines.into_iter().map(|line| line.into_iter().map(place).collect()).collect()
}

/// Takes the line from `start` on; nothing where it was taken from its other end.
fn follow(links: &mut BTreeMap<Edge, Vec<Edge>>, start: Edge) -> Option<Vec<Edge>> {
    let mut next = links.remove(&start)?;
    let mut line = vec![start];
    while let Some((edge, others)) =
        next.iter().find_map(|&edge| Some((edge, links.remove(&edge)?)))
    {
        line.push(edge);
        next = others;
    }
    Some(line)
}

impl Samples<'_> {
    fn value(&self, row: usize, column: usize) -> f64 {
        let columns = taps(column, self.n_columns);
        let rows = taps(row, self.n_rows);
        let at = |row: usize, column: usize| self.values[row * self.n_columns + column];
        let of_row = |row| columns.iter().map(|&(i, weight)| weight * at(row, i)).sum::<f64>();
        rows.iter().map(|&(row, weight)| weight * of_row(row)).sum()
    }

    /// Of the square whose lower left sample this is, the pairs of edges that a line joins.
    fn links(&self, row: usize, column: usize, level: f64) -> [Option<[Edge; 2]>; 2] {
        let corners = [(0, 0), (0, 1), (1, 1), (1, 0)]
            .map(|(up, right)| self.value(row + up, column + right));
        let is_above = corners.map(|value| value >= level);
        let edge = |up: usize, right: usize, is_upright| Edge {
            row: row + up,
            column: column + right,
            is_upright,
        };
        // Each between a corner and the next.
        let edges = [edge(0, 0, false), edge(0, 1, true), edge(1, 0, false), edge(0, 0, true)];
        let crossed: Vec<Edge> =
            (0..4).filter(|&i| is_above[i] != is_above[(i + 1) % 4]).map(|i| edges[i]).collect();
        match crossed[..] {
            [from, to] => [Some([from, to]), None],
            [lower, right, upper, left] => {
                // A saddle: the middle belongs to the two corners on its side.
                let middle = corners.iter().map(|value| value / 4.0).sum::<f64>();
                if (middle >= level) == is_above[0] {
                    [Some([lower, right]), Some([upper, left])]
                } else {
                    [Some([left, lower]), Some([right, upper])]
                }
            }
            _ => [None, None],
        }
    }

    /// Where an edge passes through the level, as shares.
    fn crossing(&self, edge: Edge, level: f64) -> (f64, f64) {
        let Edge { row, column, is_upright } = edge;
        let (up, right) = (usize::from(is_upright), usize::from(!is_upright));
        let (from, to) = (self.value(row, column), self.value(row + up, column + right));
        let share = (level - from) / (to - from);
        let place = |i: usize, step: usize, n: usize| {
            let at = |i: usize| (i as f64 - 0.5).clamp(0.0, n as f64) / n as f64;
            at(i) + share * (at(i + step) - at(i))
        };
        (place(column, right, self.n_columns), place(row, up, self.n_rows))
    }
}

/// The cells, of `n` along a side, that make sample `i`, and their weights: half a cell beyond the outermost two.
fn taps(i: usize, n: usize) -> [(usize, f64); 2] {
    match i {
        0 if n > 1 => [(0, 1.5), (1, -0.5)],
        i if i > n && n > 1 => [(n - 1, 1.5), (n - 2, -0.5)],
        i => [(i.saturating_sub(1).min(n - 1), 1.0), (0, 0.0)],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grids() -> impl Strategy<Value = (Vec<f64>, usize)> {
        (1_usize..7, 1_usize..7).prop_flat_map(|(n_columns, n_rows)| {
            // Whole numbers, so that levels are met exactly, too.
            let values =
                prop::collection::vec((-3_i32..=3).prop_map(f64::from), n_columns * n_rows);
            (values, Just(n_columns))
        })
    }

    proptest! {
        /// A line ends at the border or in itself.
        #[test]
        fn lines_end_at_the_border_or_in_themselves(
            (values, n_columns) in grids(), level in prop::sample::select(vec![-1.5, 0.0, 1.0]),
        ) {
            for line in isolines(&values, n_columns, level) {
                prop_assert!(line.len() >= 2);
                let (first, last) = (line[0], line[line.len() - 1]);
                let on_border = |(x, y): (f64, f64)| [x, y].iter().any(|&c| c == 0.0 || c == 1.0);
                prop_assert!(first == last || (on_border(first) && on_border(last)), "{line:?}");
            }
        }

        /// Between two neighbours there is one point of the lines if they are on two sides, and none else.
        #[test]
        fn lines_part_what_is_above_from_what_is_below(
            (values, n_columns) in grids(), level in prop::sample::select(vec![-1.5, 0.5]),
        ) {
            let n_rows = values.len() / n_columns;
            let mut points = Vec::new();
            for line in isolines(&values, n_columns, level) {
                // Once where a line is closed.
                let is_closed = line[0] == line[line.len() - 1];
                points.extend(line[usize::from(is_closed)..].iter().map(|&(x, y)| {
                    (x * n_columns as f64 - 0.5, y * n_rows as f64 - 0.5)
                }));
            }
            let is_above = |column: usize, row: usize| values[row * n_columns + column] >= level;
            let mut n_crossed = 0;
            for (column, row) in (0..n_columns).flat_map(|i| (0..n_rows).map(move |j| (i, j))) {
                for (across, up) in [(1, 0), (0, 1)] {
                    if column + across == n_columns || row + up == n_rows {
                        continue;
                    }
                    let is_crossed = is_above(column, row) != is_above(column + across, row + up);
                    let between = |&&(x, y): &&(f64, f64)| {
                        // Never at a sample: numbers are whole and the level is not.
                        let (x, y) = (x - column as f64, y - row as f64);
                        let (along, beside) = if across == 1 { (x, y) } else { (y, x) };
                        beside.abs() < 1e-9 && (0.01..0.99).contains(&along)
                    };
                    prop_assert_eq!(points.iter().filter(between).count(), usize::from(is_crossed));
                    n_crossed += usize::from(is_crossed);
                }
            }
            let within = |&&(x, y): &&(f64, f64)| {
                (-1e-9..n_columns as f64 - 1.0 + 1e-9).contains(&x)
                    && (-1e-9..n_rows as f64 - 1.0 + 1e-9).contains(&y)
            };
            prop_assert_eq!(points.iter().filter(within).count(), n_crossed);
        }

        /// Of a plane, straight lines at the very place.
        #[test]
        fn isolines_of_a_plane_are_straight(across in -2.0..2.0f64, up in 0.1..2.0f64, level in -1.0..1.0f64) {
            let n = 8;
            let place = |i: usize| (i as f64 + 0.5) / n as f64;
            let values: Vec<f64> =
                (0..n * n).map(|i| across * place(i % n) + up * place(i / n)).collect();
            for (x, y) in isolines(&values, n, level).into_iter().flatten() {
                // Some roundings of numbers up to 4, and of differences of an eighth of the slope.
                prop_assert!((across * x + up * y - level).abs() < 64.0 * f64::EPSILON, "{x} {y}");
            }
        }
    }

    /// The middle of a saddle decides which two corners are joined.
    #[test]
    fn the_middle_of_a_saddle_joins_the_corners_on_its_side() {
        // High at two corners: with a high middle the lines part the low corners off, each alone.
        let lines = isolines(&[3.0, 0.0, 0.0, 3.0], 2, 1.0);
        assert_eq!(lines.len(), 2);
        for line in lines {
            let is_lower_right = line.iter().all(|(x, y)| x > y);
            let is_upper_left = line.iter().all(|(x, y)| x < y);
            assert!(is_lower_right || is_upper_left, "{line:?}");
        }
        let lines = isolines(&[3.0, 0.0, 0.0, 3.0], 2, 2.0);
        for line in lines {
            let is_lower_left = line.iter().all(|(x, y)| x + y < 1.0);
            let is_upper_right = line.iter().all(|(x, y)| x + y > 1.0);
            assert!(is_lower_left || is_upper_right, "{line:?}");
        }
    }
}
