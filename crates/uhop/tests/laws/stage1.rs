//! Laws of stage1.
