//! Laws of theory.
