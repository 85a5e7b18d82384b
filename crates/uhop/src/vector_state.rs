//! Clean vector registers after a matrix product: the one module with `unsafe` code.
//!
//! The product kernels end with the upper halves of the vector registers in use. Every later
//! instruction of the older SSE encoding, which is what a portable build and libm consist of, then
//! waits for a merge with those halves: `exp` was measured 30 times slower on an AVX-512 machine
//! until the registers were cleared.

/// Zeroes the upper halves of the vector registers; nothing to do where there are none.
#[cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "an instruction that the compiler does not emit by itself")
)]
pub fn clear() {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx") {
        // SAFETY: the processor has AVX, the only requirement. The compiler knows that the
        // instruction overwrites the upper halves and keeps no live value in them across it.
        unsafe { std::arch::x86_64::_mm256_zeroupper() }
    }
}

#[cfg(target_arch = "x86_64")]
#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use crate::feature_map::LinearMap;
    use crate::product::product;
    use crate::threads::Threads;

    /// Whether the upper halves of the first 16 vector registers are in use, if the processor can
    /// say so.
    #[expect(unsafe_code, reason = "reads a status register")]
    fn upper_halves_in_use() -> Option<bool> {
        use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
        const AVX_AND_AVX512_HALVES: u64 = (1 << 2) | (1 << 6);
        let has_xsave = __cpuid(1).ecx & (1 << 27) != 0;
        let tells_use = __cpuid(0).eax >= 0xD && __cpuid_count(0xD, 1).eax & (1 << 2) != 0;
        #[target_feature(enable = "xsave")]
        fn in_use() -> u64 {
            // SAFETY: called only where index 1 exists.
            unsafe { _xgetbv(1) }
        }
        // SAFETY: the operating system has enabled XSAVE, and the processor knows index 1.
        (has_xsave && tells_use).then(|| unsafe { in_use() } & AVX_AND_AVX512_HALVES != 0)
    }

    #[test]
    fn products_and_factorisations_leave_the_registers_clean() {
        let works: [fn(); 2] = [
            || {
                let ones = Array2::<f32>::ones((64, 64));
                assert_eq!(product(ones.view(), ones.view())[[0, 0]], 64.0);
            },
            || assert_eq!(LinearMap::<f64>::orthogonal(64, 64, 0).unwrap().dim(), 64),
        ];
        // A processor may report halves in use that are clear.
        super::clear();
        if upper_halves_in_use() != Some(false) {
            eprintln!("skipped: this processor does not tell which registers it uses");
            return;
        }
        // One thread, so that the registers read are those that the work used.
        let thread = Threads::new(1).unwrap();
        for work in works {
            let in_use = thread.install(|| {
                work();
                upper_halves_in_use()
            });
            assert_eq!(in_use, Some(false));
        }
    }
}
