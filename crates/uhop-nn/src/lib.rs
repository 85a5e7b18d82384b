//! Hopfield layers for [burn](https://burn.dev).
