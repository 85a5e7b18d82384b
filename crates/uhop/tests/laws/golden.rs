//! Laws of golden.
