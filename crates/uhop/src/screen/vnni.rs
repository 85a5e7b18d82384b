//! Integer products by the AVX-512 VNNI instruction, where the processor has it.

use std::arch::x86_64::{__m512i, _mm512_dpbusd_epi32, _mm512_set1_epi32};

use super::codes::{GROUP, QUAD};

/// Codes in a vector register: `ROWS` quads.
const BYTES: usize = 64;
/// Rows in a vector register, one a lane.
const ROWS: usize = BYTES / QUAD;
/// Registers that hold a quad of each row of a group.
const REGISTERS: usize = GROUP / ROWS;
/// Factors multiplied at a time: their sums fill 24 of the 32 registers.
const FACTORS: usize = 6;

/// As `codes::portable`; `false`, and nothing done, where the processor lacks the instruction.
#[expect(unsafe_code, reason = "instructions that only some processors have")]
pub(super) fn multiply(
    group: &[u8],
    (factors, excess): (&[[i8; QUAD]], &[i32]),
    products: &mut [i32],
    stride: usize,
) -> bool {
    if !std::arch::is_x86_feature_detected!("avx512f")
        || !std::arch::is_x86_feature_detected!("avx512vnni")
    {
        return false;
    }
    let n_quads = group.len() / (GROUP * QUAD);
    for (i, excess) in excess.chunks(FACTORS).enumerate() {
        let factors = &factors[i * FACTORS * n_quads..];
        let products = &mut products[i * FACTORS * stride..];
        // SAFETY: the processor has both features that the functions are compiled for, their only
        // requirement. They read and write through slices, checked.
        unsafe {
            match excess {
                [] => {}
                &[a] => tile([a], group, factors, products, stride),
                &[a, b] => tile([a, b], group, factors, products, stride),
                &[a, b, c] => tile([a, b, c], group, factors, products, stride),
                &[a, b, c, d] => tile([a, b, c, d], group, factors, products, stride),
                &[a, b, c, d, e] => tile([a, b, c, d, e], group, factors, products, stride),
                &[a, b, c, d, e, f, ..] => {
                    tile([a, b, c, d, e, f], group, factors, products, stride);
                }
            }
        }
    }
    true
}

/// Products of a group with `N` factors.
#[target_feature(enable = "avx512f,avx512vnni")]
fn tile<const N: usize>(
    excess: [i32; N],
    group: &[u8],
    factors: &[[i8; QUAD]],
    products: &mut [i32],
    stride: usize,
) {
    let (quads, _) = group.as_chunks::<{ GROUP * QUAD }>();
    let n_quads = quads.len();
    let factors: [&[[i8; QUAD]]; N] = std::array::from_fn(|i| &factors[i * n_quads..][..n_quads]);
    let mut sums = excess.map(|excess| [_mm512_set1_epi32(-excess); REGISTERS]);
    for (k, codes) in quads.iter().enumerate() {
        let (registers, _) = codes.as_chunks::<BYTES>();
        let codes: [__m512i; REGISTERS] =
            std::array::from_fn(|r| bytemuck::must_cast(registers[r]));
        for (sums, factor) in sums.iter_mut().zip(factors) {
            let factor = _mm512_set1_epi32(i32::from_ne_bytes(factor[k].map(i8::cast_unsigned)));
            for (sum, codes) in sums.iter_mut().zip(codes) {
                *sum = _mm512_dpbusd_epi32(*sum, codes, factor);
            }
        }
    }
    for (i, sums) in sums.into_iter().enumerate() {
        let products = &mut products[i * stride..][..GROUP];
        for (products, sum) in products.as_chunks_mut::<ROWS>().0.iter_mut().zip(sums) {
            *products = bytemuck::must_cast(sum);
        }
    }
}
