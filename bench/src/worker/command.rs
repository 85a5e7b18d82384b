//! What the worker is asked: one JSON object a line, told apart by its field `do`.

use std::path::PathBuf;

use serde::Deserialize;
use uhop_nn::SeparationConfig;
use uhop_nn::vision::Contender;

/// A request. Arrays, and the memories and maps made of them, are known by the names given here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Command {
    /// Reads an `.npy` file as f32 rows.
    Load { array: String, path: PathBuf },
    /// Names the first rows of an array, which both share.
    First { array: String, of: String, n_rows: usize },
    /// Drops an array or memory.
    Forget { name: String },
    /// Stores an array under a model.
    Memory {
        memory: String,
        patterns: String,
        similarity: SimilarityName,
        separation: SeparationName,
        beta: f64,
    },
    /// Makes the compact copy of a memory, and names the memory that has it.
    Screen { memory: String, of: String },
    /// Recalls all queries together.
    Retrieve {
        memory: String,
        queries: String,
        max_steps: usize,
        repetitions: usize,
        result: Option<PathBuf>,
    },
    /// Recalls one query after the other: a time for each.
    RetrieveSingly { memory: String, queries: String, result: Option<PathBuf> },
    /// The loss of Stage I at W, and its gradient, which is the result.
    Loss {
        patterns: String,
        map: String,
        over: LossName,
        repetitions: usize,
        result: Option<PathBuf>,
    },
    /// Steps of gradient descent from W; W after them is the result.
    Learn {
        patterns: String,
        map: String,
        over: LossName,
        steps: usize,
        rate: f64,
        repetitions: usize,
        result: Option<PathBuf>,
    },
    /// The scores of all queries against all patterns: a matrix product.
    Scores { memory: String, queries: String, repetitions: usize, result: Option<PathBuf> },
    /// A · Bᵀ of two arrays: a matrix product.
    Product { a: String, b: String, repetitions: usize, result: Option<PathBuf> },
    /// Makes a Hopfield layer and its optimizer; `tokens` are rows, those of a sample after each other. The
    /// parameters are written as one row: matrices `[inputs, outputs]`, each before its bias.
    Layer {
        trainee: String,
        tokens: String,
        n_samples: usize,
        n_heads: usize,
        separation: SeparationConfig,
        parameters: PathBuf,
    },
    /// Makes the fair image classifier for rows of 32 × 32 pixels in three channels.
    Classifier { trainee: String, images: String, model: Contender, parameters: PathBuf },
    /// One training step after the other: forward, backward, Adam. Readouts or scores of the last one.
    Step { trainee: String, repetitions: usize, result: Option<PathBuf> },
    /// Reads an array from memory, once a repetition.
    Stream { array: String, repetitions: usize },
}

/// A similarity; that of a kernel names the array of its W.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SimilarityName {
    Dot,
    Cosine,
    Euclidean,
    Manhattan,
    Kernel(String),
}

/// A separation, with α or k.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SeparationName {
    Softmax,
    Entmax(f64),
    TopK(usize),
}

/// What Stage I minimises.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LossName {
    Average,
    Max,
}
