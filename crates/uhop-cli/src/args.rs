//! The arguments as typed, checked by their types; no file is touched here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Associative memory: store patterns, recall each from a damaged or partial copy.
#[derive(Debug, Parser)]
#[command(
    name = "uhop",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Without a command, `uhop` runs the demo and takes its options:\n  \
                  uhop --seed 7   is   uhop demo --seed 7"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,

    #[command(flatten)]
    pub(crate) demo: DemoArgs,
}

/// One verb, one file.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Store real handwritten digits, remove half of the pixels of queries, recall with each model.
    ///
    /// Draws 500 of 1,000 built-in MNIST test digits, stores the first 100 and then all 500, and
    /// gives every memory model the same queries: each pixel removed with probability 1/2 and the
    /// survivors doubled, as in the published experiments. One update step. U-Hop first learns its
    /// feature map (Stage I) on half of the stored digits by the max loss, as published; one row
    /// shows the average loss on all of them instead.
    ///
    /// Prints a table and writes it as demo.csv beside demo.png, a picture of ten digits stored,
    /// damaged and recalled.
    Demo(DemoArgs),

    /// Store patterns in a memory file, after learning a feature map if asked to.
    ///
    /// Without --loss the memory is a plain one. With it, Stage I of U-Hop learns W from the
    /// patterns, and the memory compares features instead of patterns.
    Fit(Box<FitArgs>),

    /// Recall queries from a memory file, or from any file of patterns.
    ///
    /// From a memory file the model is the one stored; options change parts of it for this run.
    /// From a file of patterns it is the dense model unless options say otherwise.
    Retrieve(Box<RetrieveArgs>),

    /// Show what is in a memory file and what the theory promises for it.
    Inspect(InspectArgs),

    /// Write the rows of a file as another kind of file.
    Convert(ConvertArgs),
}

/// What to read of a file, and how to read images.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reading options")]
pub(crate) struct ReadArgs {
    /// The member of an .npz file or tensor of a .safetensors file [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) member: Option<String>,

    /// Size of images, such as 28x28: those of a folder are resized to it, rows are written in it
    /// [default: as they are]
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub(crate) size: Option<(u32, u32)>,

    /// Images in grey, not in colour
    #[arg(long)]
    pub(crate) grey: bool,
}

/// A width and a height, both above 0.
fn size(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match parts {
        Some((width, height)) if width > 0 && height > 0 => Ok((width, height)),
        _ => Err("give width and height above 0, such as 28x28".to_owned()),
    }
}

/// `uhop convert`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConvertArgs {
    /// The file to read: .npy, .npz, .safetensors, .csv, IDX, or a folder of images; `-` is .npy
    #[arg(value_name = "INPUT")]
    pub(crate) input: PathBuf,

    /// The file to write: .npy, .npz, .safetensors, .csv, or a new folder of images; `-` is .npy
    #[arg(value_name = "OUTPUT")]
    pub(crate) output: PathBuf,

    #[command(flatten)]
    pub(crate) read: ReadArgs,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// The model, as far as the command line sets it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model options")]
pub(crate) struct ModelArgs {
    /// How patterns are compared [default: dot]
    #[arg(long, value_enum)]
    pub(crate) similarity: Option<SimilarityArg>,

    /// β, the factor on the scores [default: 1]
    #[arg(long, value_name = "BETA", allow_negative_numbers = true)]
    pub(crate) beta: Option<f64>,

    /// α of α-entmax: 1 softmax, 2 sparsemax [default: 1]
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true, group = "separation")]
    pub(crate) alpha: Option<f64>,

    /// Softmax of the K best scores only
    #[arg(long, value_name = "K", group = "separation")]
    pub(crate) top: Option<usize>,

    /// The normalised polynomial of degree N; β then changes nothing
    #[arg(long, value_name = "N", group = "separation")]
    pub(crate) polynomial: Option<u32>,
}

/// A similarity without a feature map.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum SimilarityArg {
    /// ⟨ξ,x⟩
    Dot,
    /// ⟨ξ,x⟩ / (‖ξ‖‖x‖)
    Cosine,
    /// −½‖ξ−x‖²
    Euclidean,
    /// −‖ξ−x‖₁
    Manhattan,
}

/// `uhop fit`.
#[derive(Debug, Clone, Args)]
pub(crate) struct FitArgs {
    /// The patterns: .npy, .npz, .safetensors, .csv, IDX, or a folder of images
    #[arg(value_name = "PATTERNS")]
    pub(crate) patterns: PathBuf,

    /// The memory file to write
    #[arg(short, long, value_name = "MEMORY")]
    pub(crate) output: PathBuf,

    /// Values to recall instead of the patterns, one a pattern
    #[arg(long, value_name = "FILE")]
    pub(crate) values: Option<PathBuf>,

    /// Ids of the patterns: a text file with one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) ids: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) read: ReadArgs,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) stage1: Stage1Args,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// Stage I.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Stage I options")]
pub(crate) struct Stage1Args {
    /// Learn a feature map by this loss
    #[arg(long, value_enum, conflicts_with = "similarity")]
    pub(crate) loss: Option<LossArg>,

    /// Steps of learning
    #[arg(long, value_name = "N", default_value_t = 100, requires = "loss")]
    pub(crate) steps: usize,

    /// Rate of gradient descent [default: 10 for the max loss, 1 for the average loss]
    #[arg(long, value_name = "RATE", requires = "loss", allow_negative_numbers = true)]
    pub(crate) rate: Option<f64>,

    /// Rows of W [default: the length of a pattern]
    #[arg(long, value_name = "D", requires = "loss")]
    pub(crate) features: Option<usize>,

    /// Leave the rows of W as learned instead of normalising them
    #[arg(long, requires = "loss")]
    pub(crate) keep_rows: bool,

    /// Seed of the random start of W
    #[arg(long, value_name = "N", default_value_t = 0, requires = "loss")]
    pub(crate) seed: u64,
}

/// A separation loss.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum LossArg {
    /// Every pair of patterns pushes
    Average,
    /// The closest pair pushes
    Max,
}

/// `uhop retrieve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RetrieveArgs {
    /// A memory file, or patterns in any kind of file
    #[arg(value_name = "MEMORY")]
    pub(crate) memory: PathBuf,

    /// The queries; `-` reads .npy from stdin
    #[arg(value_name = "QUERIES")]
    pub(crate) queries: PathBuf,

    /// Where to write what is recalled, a folder (ending in /) for images; a name without an ending
    /// gets the kind of the queries; `-` writes .npy to stdout
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,

    /// Where to write the weights of the last update too: n_queries × n_patterns numbers of 4 or 8
    /// bytes, even where most are 0
    #[arg(long, value_name = "OUT")]
    pub(crate) weights: Option<PathBuf>,

    /// Updates of each query, at most
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) max_steps: usize,

    /// Stop a query when an update moves it by no more than this
    #[arg(long, value_name = "DISTANCE", allow_negative_numbers = true)]
    pub(crate) tolerance: Option<f64>,

    #[command(flatten)]
    pub(crate) read: ReadArgs,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// `uhop inspect`.
#[derive(Debug, Clone, Args)]
pub(crate) struct InspectArgs {
    /// The memory file
    #[arg(value_name = "MEMORY")]
    pub(crate) memory: PathBuf,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// What the demo can vary.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Demo options")]
pub(crate) struct DemoArgs {
    /// The folder for demo.csv and demo.png, made if missing
    #[arg(long, value_name = "DIR", default_value = "uhop-demo")]
    pub(crate) out: PathBuf,

    /// Seed of the digits drawn, the pixels removed and Stage I's random start
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How a verb speaks; shared by all verbs.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output options")]
pub(crate) struct OutputArgs {
    /// Print one JSON object instead of text (schema: docs/json.md)
    #[arg(long)]
    pub(crate) json: bool,

    /// Print nothing on stderr but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Do not draw progress bars
    #[arg(long)]
    pub(crate) no_progress: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_demo_needs_no_verb() {
        let bare = Cli::try_parse_from(["uhop", "--seed", "7", "--json"]).unwrap();
        assert!(bare.verb.is_none());
        assert_eq!((bare.demo.seed, bare.demo.output.json), (7, true));
        let named = Cli::try_parse_from(["uhop", "demo", "--seed", "7"]).unwrap();
        assert!(matches!(named.verb, Some(Verb::Demo(demo)) if demo.seed == 7));
    }
}
