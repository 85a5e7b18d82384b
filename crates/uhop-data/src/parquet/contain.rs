//! Panics of the decoder as errors: no bytes of a file may end the program.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IS_DECODING: Cell<bool> = const { Cell::new(false) };
}

/// True on a thread while it decodes a Parquet file: a panic then is about the file and becomes an
/// error.
///
/// A panic hook that talks to users should stay silent while this holds.
///
/// # Example
///
/// ```
/// let report = std::panic::take_hook();
/// std::panic::set_hook(Box::new(move |panic| {
///     if !uhop_data::parquet::is_decoding() {
///         report(panic);
///     }
/// }));
/// assert!(!uhop_data::parquet::is_decoding());
/// ```
pub fn is_decoding() -> bool {
    IS_DECODING.get()
}

/// Runs `decode`, or returns nothing when it panics; what it worked on is then of no use any more.
pub(super) fn contained<T>(decode: impl FnOnce() -> T) -> Option<T> {
    IS_DECODING.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(decode));
    IS_DECODING.set(false);
    outcome.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_nothing_and_leaves_no_trace() {
        assert_eq!(contained(is_decoding), Some(true));
        assert_eq!(contained(|| -> u8 { panic!("on purpose") }), None);
        assert!(!is_decoding());
    }
}
