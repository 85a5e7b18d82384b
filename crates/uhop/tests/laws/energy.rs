//! Laws of energy.
