//! Where states come to rest: at a pattern, at a mixture of several, or nowhere that is told apart.

use ndarray::{ArrayView1, ArrayView2};

/// Where a state comes to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rest {
    /// At this pattern.
    Pattern(usize),
    /// At this mixture.
    Mixture(usize),
    /// It had not come to rest, or did at a mixture beyond those told apart.
    Elsewhere,
}

/// Mixtures that are told apart.
const MOST: usize = 64;

/// Where each state rests, and the mixtures from the largest basin on.
///
/// `rested` are the last states and `settled` says which of them had come to rest. Two places are the same when
/// they are no farther apart than `radius`.
pub(super) fn rests(
    patterns: ArrayView2<'_, f64>,
    rested: ArrayView2<'_, f64>,
    settled: &[bool],
    radius: f64,
) -> (Vec<Rest>, Vec<[f64; 2]>) {
    let mut found: Vec<([f64; 2], usize)> = Vec::new();
    let mut rests = Vec::with_capacity(settled.len());
    for (state, &is_settled) in rested.outer_iter().zip(settled) {
        let near = |place: ArrayView1<'_, f64>| distance(state, place) <= radius;
        rests.push(if let Some(i) = patterns.outer_iter().position(near) {
            Rest::Pattern(i)
        } else if !is_settled {
            Rest::Elsewhere
        } else if let Some(i) = found.iter().position(|(place, _)| near(place.into())) {
            found[i].1 += 1;
            Rest::Mixture(i)
        } else if found.len() < MOST {
            found.push(([state[0], state[1]], 1));
            Rest::Mixture(found.len() - 1)
        } else {
            Rest::Elsewhere
        });
    }
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(found[i].1));
    let mut places = vec![0; found.len()];
    order.iter().enumerate().for_each(|(place, &i)| places[i] = place);
    for rest in &mut rests {
        if let Rest::Mixture(i) = rest {
            *i = places[*i];
        }
    }
    (rests, order.into_iter().map(|i| found[i].0).collect())
}

pub(super) fn distance(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    (&a - &b).mapv(|x| x * x).sum().sqrt()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn states_are_told_apart_by_where_they_rest() {
        let patterns = array![[1.0, 0.0], [0.0, 1.0]];
        let rested = array![
            [0.0, 1.0],
            [0.2, 0.2],
            [0.5, 0.5],
            [0.5, 0.501],
            [1.001, 0.0],
            [0.7, 0.7],
            [0.0, 0.999],
        ];
        let settled = [true, true, true, true, true, false, false];
        let (rests, mixtures) = rests(patterns.view(), rested.view(), &settled, 0.01);
        // The mixture with more states comes first; a state at a pattern is at it, settled or not.
        let expected = [
            Rest::Pattern(1),
            Rest::Mixture(1),
            Rest::Mixture(0),
            Rest::Mixture(0),
            Rest::Pattern(0),
            Rest::Elsewhere,
            Rest::Pattern(1),
        ];
        assert_eq!(rests, expected);
        assert_eq!(mixtures, [[0.5, 0.5], [0.2, 0.2]]);
    }

    #[test]
    fn no_more_mixtures_are_told_apart_than_can_be_compared() {
        let patterns = array![[-1.0, 0.0]];
        let rested = Array2::from_shape_fn((100, 2), |(i, _)| i as f64);
        let (rests, mixtures) = rests(patterns.view(), rested.view(), &[true; 100], 0.01);
        assert_eq!(mixtures.len(), MOST);
        assert_eq!(rests.iter().filter(|rest| **rest == Rest::Elsewhere).count(), 100 - MOST);
    }
}
