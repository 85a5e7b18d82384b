//! Memory that a training gives back and takes again at every step: the module of this crate with `unsafe`
//! code.

/// Asks the C library to keep memory that is freed for the next step, instead of giving it back to the
/// system and taking it page by page again: a tenth of the time of a step of the fair classifier on two
/// cores.
///
/// A setting of the whole process, for the start of programs that train: memory that was once used for
/// tensors of up to 1 GiB then stays with the process. Does something on Linux with the GNU C library,
/// and nothing elsewhere.
///
/// ```standalone_crate
/// uhop_nn::train::keep_freed_memory();
/// # #[cfg(all(target_os = "linux", target_env = "gnu"))] {
/// # let resident = || {
/// #     let status = std::fs::read_to_string("/proc/self/status").unwrap();
/// #     let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
/// #     line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
/// # };
/// # let before = resident();
/// # drop(std::hint::black_box(vec![1_u8; 200 << 20]));
/// # assert!(resident() - before > 100 << 20, "{before} {}", resident());
/// # }
/// ```
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    gnu::keep_freed_memory();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod gnu {
    use libc::{M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int};

    /// Blocks up to this are cut from the heap, which is kept; larger ones are mapped and unmapped. The
    /// second is what older versions allow.
    const LARGEST: [c_int; 2] = [1 << 30, 32 << 20];

    pub(super) fn keep_freed_memory() {
        if LARGEST.into_iter().any(|bytes| set(M_MMAP_THRESHOLD, bytes)) {
            set(M_TRIM_THRESHOLD, c_int::MAX);
        }
    }

    #[expect(unsafe_code, reason = "a setting of the C library")]
    fn set(parameter: c_int, value: c_int) -> bool {
        // SAFETY: mallopt takes two integers and refuses by its result what it does not know. It writes
        // single words under the lock of the allocator; a thread that allocates meanwhile reads the one
        // before or after, both of which are valid at any time.
        unsafe { libc::mallopt(parameter, value) == 1 }
    }
}
