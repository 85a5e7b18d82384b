//! Laws of retrieval.
