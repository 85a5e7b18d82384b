//! Rows of small integers and their inner products with others, in integers.

#[cfg(target_arch = "x86_64")]
use super::vnni;

/// Rows of a group: their products are computed together, one a lane.
pub(super) const GROUP: usize = 64;
/// Entries of a row that lie side by side: what one instruction multiplies and adds.
pub(super) const QUAD: usize = 4;
/// Longer rows could overflow the sums: 255·128·65,536 < 2³¹.
pub(crate) const MAX_WIDTH: usize = 1 << 16;
/// What is added to a code of −127…127 to store it without a sign, as the instruction wants.
const ORIGIN: u8 = 128;

/// Rows of integers from −127 to 127. `[group][quad][row in the group][entry in the quad]`, the last
/// group and the last quad of each row filled with zeros.
#[derive(Debug)]
pub(super) struct Codes {
    entries: Vec<u8>,
    n_quads: usize,
}

/// The other factors: rows of integers from −127 to 127, one after another.
#[derive(Debug)]
pub(super) struct Factors {
    /// Quads of each row, the last filled with zeros.
    entries: Vec<[i8; QUAD]>,
    /// What a product would be too large by, because codes are stored from `ORIGIN`.
    excess: Vec<i32>,
    n_quads: usize,
}

impl Codes {
    /// Zeros, `[n_rows, width]`.
    ///
    /// # Panics
    /// When rows are longer than `MAX_WIDTH`.
    pub(super) fn zeros(n_rows: usize, width: usize) -> Self {
        assert!(width <= MAX_WIDTH, "rows of {width} entries could overflow");
        let n_quads = width.div_ceil(QUAD);
        let entries = vec![ORIGIN; n_rows.div_ceil(GROUP) * GROUP * n_quads * QUAD];
        Self { entries, n_quads }
    }

    /// The groups, each to be filled by [`set_row`].
    pub(super) fn groups_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.entries.chunks_exact_mut(GROUP * self.n_quads * QUAD)
    }

    /// Products with all factors: those of factor `i` and the rows of some groups are
    /// `products[i * stride..][..n_groups * GROUP]`.
    pub(super) fn products(
        &self,
        groups: std::ops::Range<usize>,
        factors: &Factors,
        rows: std::ops::Range<usize>,
        products: &mut [i32],
    ) {
        debug_assert_eq!(self.n_quads, factors.n_quads);
        let stride = groups.len() * GROUP;
        let bytes = GROUP * self.n_quads * QUAD;
        for (i, group) in groups.enumerate() {
            let group = &self.entries[group * bytes..][..bytes];
            let products = &mut products[i * GROUP..];
            let factors = (
                &factors.entries[rows.start * self.n_quads..rows.end * self.n_quads],
                &factors.excess[rows.clone()],
            );
            multiply(group, factors, products, stride);
        }
    }
}

/// The factors of some rows, and what their products are too large by.
type Rows<'a> = (&'a [[i8; QUAD]], &'a [i32]);

/// Products of the rows of one group, by the fastest means that the processor has.
fn multiply(group: &[u8], factors: Rows<'_>, products: &mut [i32], stride: usize) {
    #[cfg(target_arch = "x86_64")]
    if vnni::multiply(group, factors, products, stride) {
        return;
    }
    portable(group, factors, products, stride);
}

fn portable(group: &[u8], (factors, excess): Rows<'_>, products: &mut [i32], stride: usize) {
    let (quads, _) = group.as_chunks::<{ GROUP * QUAD }>();
    for (i, &excess) in excess.iter().enumerate() {
        let mut sums = [-excess; GROUP];
        for (codes, factor) in quads.iter().zip(&factors[i * quads.len()..]) {
            let factor = factor.map(i32::from);
            for (sum, codes) in sums.iter_mut().zip(codes.as_chunks::<QUAD>().0) {
                for (&code, factor) in codes.iter().zip(factor) {
                    *sum += i32::from(code) * factor;
                }
            }
        }
        products[i * stride..][..GROUP].copy_from_slice(&sums);
    }
}

/// Stores one row of a group.
pub(super) fn set_row(group: &mut [u8], row: usize, codes: &[i8]) {
    for (quad, codes) in codes.chunks(QUAD).enumerate() {
        for (j, &code) in codes.iter().enumerate() {
            group[(quad * GROUP + row) * QUAD + j] = code.cast_unsigned() ^ ORIGIN;
        }
    }
}

impl Factors {
    /// Rows of one length.
    pub(super) fn new(rows: &[Vec<i8>]) -> Self {
        let n_quads = rows.first().map_or(0, |row| row.len().div_ceil(QUAD));
        let mut entries = vec![[0; QUAD]; rows.len() * n_quads];
        for (i, row) in rows.iter().enumerate() {
            for (quad, part) in row.chunks(QUAD).enumerate() {
                entries[i * n_quads + quad][..part.len()].copy_from_slice(part);
            }
        }
        let sum = |row: &Vec<i8>| row.iter().map(|&code| i32::from(code)).sum::<i32>();
        let excess = rows.iter().map(|row| i32::from(ORIGIN) * sum(row)).collect();
        Self { entries, excess, n_quads }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes_of(rows: &[Vec<i8>]) -> Codes {
        let mut codes = Codes::zeros(rows.len(), rows[0].len());
        for (group, rows) in codes.groups_mut().zip(rows.chunks(GROUP)) {
            for (i, row) in rows.iter().enumerate() {
                set_row(group, i, row);
            }
        }
        codes
    }

    fn naive(u: &[i8], v: &[i8]) -> i32 {
        u.iter().zip(v).map(|(&u, &v)| i32::from(u) * i32::from(v)).sum()
    }

    fn rows(n: usize, width: usize) -> impl Strategy<Value = Vec<Vec<i8>>> {
        prop::collection::vec(prop::collection::vec(-127_i8..=127, width), n)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// The fastest means, the portable one and the definition agree, for any remainder of
        /// groups, quads and factors.
        #[test]
        fn products_are_inner_products(
            (codes, factors, from) in (1usize..140, 1usize..30, 1usize..20).prop_flat_map(
                |(n, width, m)| (rows(n, width), rows(m, width), 0..m)
            ),
        ) {
            let (packed, other) = (codes_of(&codes), Factors::new(&factors));
            let n_groups = codes.len().div_ceil(GROUP);
            let stride = n_groups * GROUP;
            let mut products = vec![0; (factors.len() - from) * stride];
            packed.products(0..n_groups, &other, from..factors.len(), &mut products);
            let mut last = vec![0; products.len()];
            let bytes = packed.entries.len() / n_groups;
            for group in 0..n_groups {
                let of = (&other.entries[from * other.n_quads..], &other.excess[from..]);
                portable(&packed.entries[group * bytes..][..bytes], of,
                    &mut last[group * GROUP..], stride);
            }
            prop_assert_eq!(&last, &products);
            for (i, factor) in factors[from..].iter().enumerate() {
                for (j, code) in codes.iter().enumerate() {
                    prop_assert_eq!(products[i * stride + j], naive(code, factor));
                }
                for j in codes.len()..stride {
                    prop_assert_eq!(products[i * stride + j], 0);
                }
            }
        }
    }

    #[test]
    fn the_longest_rows_do_not_overflow() {
        for sign in [-127_i8, 127] {
            let (codes, factor) = (vec![vec![sign; MAX_WIDTH]], vec![vec![127_i8; MAX_WIDTH]]);
            let mut products = vec![0; GROUP];
            codes_of(&codes).products(0..1, &Factors::new(&factor), 0..1, &mut products);
            assert_eq!(products[0], i32::from(sign) * 127 * (1 << 16));
        }
    }
}
