//! Laws of similarity.
