//! A function of two numbers as a sum of few products, f(q, x) ≈ f(q₀, x) + Σ_r h_r(q)·g_r(x).
//!
//! Cross approximation with complete pivoting: where the residual is largest, its row and its column are
//! taken, whose product over the pivot agrees with it on both. It ends when no residual on a grid is above
//! the tolerance. Only rows and columns of the function are computed, so that between the points of
//! the grid they can be as fine as one likes.

/// Where a function is known: any index of a row or a column, the grid being every so many of them.
pub(super) struct Cross {
    /// g₁(x), g₂(x), … for every column, one column after the other.
    pub(super) columns: Vec<f64>,
    /// h₁(q), h₂(q), … for every row, one row after the other.
    pub(super) rows: Vec<f64>,
    pub(super) n_terms: usize,
}

/// The products that f less its row `base` takes, at most `most`.
pub(super) fn cross(
    f: impl Fn(usize, usize) -> f64,
    (n_rows, n_columns): (usize, usize),
    grid: (&[usize], &[usize]),
    base: usize,
    (tolerance, most): (f64, usize),
) -> Cross {
    let f = |row, column| f(row, column) - f(base, column);
    let mut residual: Vec<Vec<f64>> =
        grid.0.iter().map(|&row| grid.1.iter().map(|&column| f(row, column)).collect()).collect();
    let mut terms: Vec<Term> = Vec::new();
    while terms.len() < most {
        let (i, j) = pivot(&residual);
        let pivot = residual[i][j];
        if pivot.abs() <= tolerance {
            break;
        }
        let (row, column) = (grid.0[i], grid.1[j]);
        let rest = |row, column| {
            let known: f64 = terms.iter().map(|term| term.h[row] * term.g[column]).sum();
            f(row, column) - known
        };
        let h: Vec<f64> = (0..n_rows).map(|row| rest(row, column)).collect();
        let g: Vec<f64> = (0..n_columns).map(|column| rest(row, column) / pivot).collect();
        for (residuals, &row) in residual.iter_mut().zip(grid.0) {
            for (residual, &column) in residuals.iter_mut().zip(grid.1) {
                *residual -= h[row] * g[column];
            }
        }
        terms.push(Term { h, g });
    }
    let of_all = |at: usize, of: fn(&Term) -> &[f64]| terms.iter().map(move |term| of(term)[at]);
    Cross {
        columns: (0..n_columns).flat_map(|at| of_all(at, |term| &term.g)).collect(),
        rows: (0..n_rows).flat_map(|at| of_all(at, |term| &term.h)).collect(),
        n_terms: terms.len(),
    }
}

/// One product, h of every row and g of every column.
struct Term {
    h: Vec<f64>,
    g: Vec<f64>,
}

/// Where a matrix is largest in size.
fn pivot(matrix: &[Vec<f64>]) -> (usize, usize) {
    let mut largest = (0, 0);
    for (i, row) in matrix.iter().enumerate() {
        for (j, entry) in row.iter().enumerate() {
            if entry.abs() > matrix[largest.0][largest.1].abs() {
                largest = (i, j);
            }
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(n: usize) -> Vec<usize> {
        (0..n).collect()
    }

    #[test]
    fn a_sum_of_products_is_found_with_as_many_terms() {
        let f = |i: usize, j: usize| {
            let (x, y) = (i as f64 / 30.0, j as f64 / 20.0);
            3.0 * x * y + (x * x - 1.0) * y.cos() + y.exp()
        };
        let found = cross(f, (31, 21), (&all(31), &all(21)), 0, (1e-12, 9));
        assert_eq!(found.n_terms, 2); // The third is what row 0 has.
        for i in 0..31 {
            for j in 0..21 {
                let terms = (0..2).map(|r| found.rows[2 * i + r] * found.columns[2 * j + r]);
                let error = f(0, j) + terms.sum::<f64>() - f(i, j);
                assert!(error.abs() < 1e-12, "{i} {j} {error}");
            }
        }
    }

    #[test]
    fn what_does_not_change_takes_no_term() {
        let found = cross(|_, j| j as f64, (4, 5), (&all(4), &all(5)), 2, (0.0, 9));
        assert_eq!((found.n_terms, found.rows.len()), (0, 0));
    }

    #[test]
    fn no_more_terms_than_allowed() {
        let f = |i: usize, j: usize| if i == j { 1.0 } else { 0.0 };
        assert_eq!(cross(f, (9, 9), (&all(9), &all(9)), 0, (1e-3, 4)).n_terms, 4);
    }
}
