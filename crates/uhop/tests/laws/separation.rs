//! Laws of separation.
