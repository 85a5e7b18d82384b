//! The arguments as typed, checked by their types; no file is touched here.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use uhop_data::datasets::Dataset;
use uhop_nn::train::DeviceName;
use uhop_nn::vision::Contender;

use crate::numbers::{
    above_zero, count, degree, digits, epochs, from_zero, jobs, number, seed, seeds, threads, width,
};

/// Associative memory: store patterns, recall each from a damaged or partial copy.
#[derive(Debug, Parser)]
#[command(
    name = "uhop",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Without a command, `uhop` runs the demo and takes its options:\n  \
                  uhop --seed 7   is   uhop demo --seed 7\n\n\
                  Exit codes:\n  \
                  0    done\n  \
                  1    bad input: what to change is on stderr\n  \
                  2    a fault of uhop\n  \
                  130  interrupted by Ctrl-C, 143 by SIGTERM: older files are intact"
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
    /// Store real handwritten digits, damage copies of them, recall these with each model.
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
    ///
    /// By the losses `whitening` and `denoising` it learns to recall damaged copies of the patterns: of the
    /// corruption that is named, as for `uhop corrupt`, or of several if none is. Without --beta they also choose β.
    ///
    /// Where it is known how queries will be damaged, --similarity channel and that corruption (such as
    /// --noise 0.7) recall with the smallest mean error that there is. --auto tries all similarities and shows
    /// how well each recalls.
    Fit(Box<FitArgs>),

    /// Add patterns to a memory file.
    ///
    /// They are stored behind those that are there. A feature map stays as it was learned, but for that of
    /// whitening, which is made anew. To a memory whose map denoising has learned none can be added. The
    /// change goes to a journal beside the file (MEMORY.journal), and into the file itself when the file is
    /// small or the journal has grown to a quarter of it.
    Add(AddArgs),

    /// Remove patterns from a memory file, by their ids or rows.
    ///
    /// The patterns behind them move up. As with `add`, the change goes to the journal beside the
    /// file or into the file itself.
    Remove(RemoveArgs),

    /// Recall queries from a memory file, or from any file of patterns.
    ///
    /// From a memory file the model is the one stored; options change parts of it for this run.
    /// From a file of patterns it is the dense model unless options say otherwise.
    Retrieve(Box<RetrieveArgs>),

    /// Show what is in a memory file and what the theory promises for it.
    ///
    /// Separations, the closest pair, the error bound, exact-recall certificates and a suggested β.
    /// The work grows with the patterns examined times the patterns stored, so that of a large
    /// memory a sample is examined; the output says how many.
    Inspect(InspectArgs),

    /// Write the rows of a file as another kind of file.
    ///
    /// Images hold numbers from 0 to 1: what is a little outside becomes black or white, and numbers above 2, as
    /// those from 0 to 255, are refused.
    Convert(ConvertArgs),

    /// Damage patterns, to have queries to recall.
    ///
    /// Row i of the output depends on the seed, on i and on row i of the input only. It is computed
    /// in single precision.
    Corrupt(CorruptArgs),

    /// Write the built-in handwritten digits to a file, to try the other verbs on.
    ///
    /// They are the first 1,000 test images of MNIST: grey, 28 x 28 pixels, values from 0 to 1.
    Sample(SampleArgs),

    /// Measure memory models against each other, on real images or the built-in digits.
    ///
    /// Every experiment is a specification that comes with the program: which memories, which
    /// corruptions, which models, run as published, as the paper says, and as well as each can be.
    /// Beside them stands the Bayes limit, the smallest error that any recall can have.
    Experiment(ExperimentArgs),

    /// Train models whose layers are associative memories, with the separation loss of U-Hop.
    Train(TrainArgs),

    /// Print the completion script of a shell.
    #[command(after_help = COMPLETIONS_HELP)]
    Completions(CompletionsArgs),

    /// Print the manual page of uhop, or write the pages of all verbs.
    #[command(after_help = "To read the page:  uhop man | man -l -")]
    Man(ManArgs),
}

/// What to read of a file, and how to read images.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reading options")]
pub(crate) struct ReadArgs {
    /// The member of an .npz file, tensor of a .safetensors file or column of a .parquet file
    /// [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) member: Option<String>,

    /// Size of images, such as 28x28: images are resized to it when read, and rows are taken for
    /// images of it when written [default: as they are]
    #[arg(long, value_name = "WxH", value_parser = size, allow_hyphen_values = true)]
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
    /// The file to read: .npy, .npz, .safetensors, .csv, .parquet, IDX, or a folder of images; `-` reads .npy
    /// from stdin
    #[arg(value_name = "INPUT")]
    pub(crate) input: PathBuf,

    /// The file to write: .npy, .npz, .safetensors, .csv, IDX, or a new folder of images (ending in /), which
    /// hold numbers from 0 to 1; `-` writes .npy to stdout
    #[arg(value_name = "OUTPUT")]
    pub(crate) output: PathBuf,

    #[command(flatten)]
    pub(crate) read: ReadArgs,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// `uhop experiment`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExperimentArgs {
    #[command(subcommand)]
    pub(crate) verb: ExperimentVerb,
}

/// What to do with experiments.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ExperimentVerb {
    /// List the experiments.
    List(ExperimentListArgs),

    /// Print the specification of an experiment.
    ///
    /// It is TOML: write it to a file, change it, and run it by `uhop experiment run NAME --spec FILE`.
    Show(ExperimentShowArgs),

    /// Run an experiment and write its rows and its report.
    ///
    /// Writes rows.csv and rows.parquet, one row a measurement, and report.html with the pictures it
    /// shows as PNG and SVG; prints medians over the seeds. Finished tasks, such as memory sets, are kept in rows.jsonl as they come: after Ctrl-C or a
    /// crash the same command goes on from them, and one with more seeds adds to them.
    Run(Box<ExperimentRunArgs>),
}

/// `uhop experiment list`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExperimentListArgs {
    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// `uhop experiment show`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExperimentShowArgs {
    /// The experiment, one that `uhop experiment list` names
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// `uhop experiment run`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExperimentRunArgs {
    /// The experiment, one that `uhop experiment list` names, or the name in FILE
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The folder of the data sets, each in a folder of its name: mnist, cifar10, cifar100,
    /// tiny-imagenet [default: the built-in digits]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// Fetch the data sets from the Hugging Face hub into its cache, those that are not there yet
    #[cfg(feature = "hub")]
    #[arg(long, conflicts_with = "data")]
    pub(crate) fetch: bool,

    /// The folder for the results, made if missing [default: uhop-NAME]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Memory sets for each size, by the seeds 0 to K-1 [default: as the specification says]
    #[arg(long, value_name = "K", value_parser = seeds, allow_hyphen_values = true)]
    pub(crate) seeds: Option<usize>,

    /// A smaller experiment: fewer seeds and sizes, fewer steps of Stage I
    #[arg(long)]
    pub(crate) quick: bool,

    /// Tasks worked on at once [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = jobs, allow_hyphen_values = true)]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// The specification, in place of the one that comes with the program
    #[arg(long, value_name = "FILE")]
    pub(crate) spec: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// `uhop train`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrainArgs {
    #[command(subcommand)]
    pub(crate) verb: TrainVerb,
}

/// What to train.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TrainVerb {
    /// Train image classifiers of Hopfield layers, with separation or without.
    ///
    /// An image becomes patches, which are associated with each other and with a class token. Models: `dense`
    /// (softmax), `entmax15` and `sparse` (sparsemax); with a feature map that the task alone teaches
    /// (`map-dense`, …); and U-Hop, whose feature map also learns to separate the patches of each image
    /// (`uhop-dense`, …).
    ///
    /// Without --data they learn from 800 of the 1,000 built-in digits and are tested on the rest, in seconds.
    ///
    /// Writes rows.csv and rows.parquet, one row an epoch, and a checkpoint for each model and seed, made anew after
    /// each epoch; prints accuracies over the seeds. After Ctrl-C or a crash the same command with --resume goes
    /// on from the checkpoints, to the same numbers as without the interruption.
    Classify(Box<TrainClassifyArgs>),
}

/// `uhop train classify`.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrainClassifyArgs {
    /// The images [default: the built-in digits]
    #[arg(long, value_name = "NAME", value_parser = dataset)]
    pub(crate) data: Option<Dataset>,

    /// The folder of the data sets, each in a folder of its name: mnist, cifar10, cifar100,
    /// tiny-imagenet
    #[arg(long, value_name = "DIR", requires = "data")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Fetch the images from the Hugging Face hub into its cache, if they are not there yet
    #[cfg(feature = "hub")]
    #[arg(long, requires = "data", conflicts_with = "data_dir")]
    pub(crate) fetch: bool,

    /// The models, separated by commas: dense, entmax15, sparse, each also with map- or uhop- before it
    #[arg(long, value_name = "MODEL", value_delimiter = ',', default_value = "dense,uhop-dense",
          value_parser = contender)]
    pub(crate) model: Vec<Contender>,

    /// How models and training are [default: fair; small for the built-in digits]
    #[arg(long, value_enum)]
    pub(crate) preset: Option<PresetArg>,

    /// Trainings of each model, by the seeds 0 to K-1
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = seeds,
          allow_hyphen_values = true)]
    pub(crate) seeds: usize,

    /// Passes over the images [default: 25; 12 for small]
    #[arg(long, value_name = "N", value_parser = epochs, allow_hyphen_values = true)]
    pub(crate) epochs: Option<NonZeroUsize>,

    /// Passes on the separation loss before the training, for U-Hop of the published preset [default: 50]
    #[arg(long, value_name = "N", value_parser = epochs, allow_hyphen_values = true)]
    pub(crate) stage1_epochs: Option<NonZeroUsize>,

    /// The rate of steps on the separation loss, for U-Hop [default: 1; 0.1 for published]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = number)]
    pub(crate) stage1_rate: Option<f64>,

    /// Width of a token, which the heads must divide: 8 but for published [default: 512; 128 for small]
    #[arg(long, value_name = "D", value_parser = width, allow_hyphen_values = true)]
    pub(crate) dim: Option<NonZeroUsize>,

    /// Height and width of a patch, which must divide those of the images [default: as the preset says]
    #[arg(long, value_name = "PIXELS", value_parser = count, allow_hyphen_values = true)]
    pub(crate) patch_size: Option<NonZeroUsize>,

    /// Learn from the first N images [default: all]
    #[arg(long, value_name = "N", value_parser = count, allow_hyphen_values = true)]
    pub(crate) train_images: Option<NonZeroUsize>,

    /// Test on the first N images [default: all]
    #[arg(long, value_name = "N", value_parser = count, allow_hyphen_values = true)]
    pub(crate) test_images: Option<NonZeroUsize>,

    /// How gradients of the task become steps [default: adam]
    #[arg(long, value_enum)]
    pub(crate) optimizer: Option<TrainOptimizerArg>,

    /// What adamw shrinks weights by, times the rate [default: 0.01]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = number)]
    pub(crate) weight_decay: Option<f64>,

    /// The rate of the first epoch; it falls as a cosine [default: 0.001]
    #[arg(long, value_name = "X", allow_hyphen_values = true, value_parser = number)]
    pub(crate) rate: Option<f64>,

    /// Where to train: cpu, or cuda or wgpu where the program was built with them
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = device)]
    pub(crate) device: DeviceName,

    /// The folder for rows and checkpoints, made if missing
    #[arg(long, value_name = "DIR", default_value = "uhop-train")]
    pub(crate) out: PathBuf,

    /// Go on from the checkpoints in the folder; models and seeds without one start anew
    #[arg(long)]
    pub(crate) resume: bool,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// How models and training are.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum PresetArg {
    /// As the released code: patches of 32 x 32 pixels, one layer, all separation before the training
    Published,
    /// 64 patches, a transformer block, as many parameters moved as often by every model
    Fair,
    /// As fair, with 4 patches and narrow, for the built-in digits
    Small,
}

/// How gradients of the task become steps.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum TrainOptimizerArg {
    /// Without decay
    Adam,
    /// With weights that shrink beside it
    Adamw,
}

/// The name of a known data set.
fn dataset(name: &str) -> Result<Dataset, String> {
    name.parse().map_err(|error: uhop_data::Error| error.to_string())
}

/// The name of a device.
fn device(name: &str) -> Result<DeviceName, String> {
    name.parse().map_err(|error: uhop_nn::train::Error| error.to_string())
}

/// The name of a classifier.
fn contender(name: &str) -> Result<Contender, String> {
    name.parse().map_err(|error: uhop_nn::train::Error| error.to_string())
}

/// Where shells look for completions.
const COMPLETIONS_HELP: &str = "\
To install it:
  bash  uhop completions bash > ~/.local/share/bash-completion/completions/uhop
  zsh   uhop completions zsh > a folder of $fpath, as _uhop
  fish  uhop completions fish > ~/.config/fish/completions/uhop.fish";

/// `uhop completions`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: Shell,
}

/// `uhop man`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ManArgs {
    /// Write uhop.1 and a page for each verb to this folder, made if missing
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// `uhop corrupt`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CorruptArgs {
    /// The patterns, in any kind of file; `-` reads .npy from stdin
    #[arg(value_name = "PATTERNS", requires = "CorruptionArgs")]
    pub(crate) patterns: PathBuf,

    /// Where to write the damaged copies, a folder (ending in /) for images; `-` writes .npy to
    /// stdout
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,

    /// Seed of the mask or the noise
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = seed,
          allow_hyphen_values = true)]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) corruption: CorruptionArgs,

    #[command(flatten)]
    pub(crate) read: ReadArgs,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// The damage: one of these.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Corruption, one of")]
#[group(multiple = false)]
pub(crate) struct CorruptionArgs {
    /// Set each number to 0 with probability 1/2 and double the others, as published; images end at
    /// full intensity
    #[arg(long)]
    pub(crate) half_mask: bool,

    /// Set each number to 0 with this probability and leave the others
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true, value_parser = number)]
    pub(crate) mask: Option<f64>,

    /// Set each number to 0 or 1 with this probability, either as likely, and leave the others
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true, value_parser = number)]
    pub(crate) salt_and_pepper: Option<f64>,

    /// Add Gaussian noise of this standard deviation to values from 0 to 1; results below 0 change
    /// sign, those above 1 become 1
    #[arg(long, value_name = "STD", allow_hyphen_values = true, value_parser = number)]
    pub(crate) noise: Option<f64>,

    /// Add Gaussian noise of this Euclidean norm to each row: a random direction, always as far
    #[arg(long, value_name = "NORM", allow_hyphen_values = true, value_parser = number)]
    pub(crate) noise_norm: Option<f64>,

    /// Add Gaussian noise of this Euclidean norm to each row of values from 0 to 1; results below 0 change sign,
    /// those above 1 become 1
    #[arg(long, value_name = "NORM", allow_hyphen_values = true, value_parser = number)]
    pub(crate) folded_noise_norm: Option<f64>,

    /// Set the lower half of each image to 0
    #[arg(long)]
    pub(crate) occlude: bool,

    /// Set a rectangle of each image to 0: its width and height, and where its left upper corner is, from that
    /// of the image
    #[arg(long, value_name = "WxH+X+Y", value_parser = region, allow_hyphen_values = true)]
    pub(crate) occlude_region: Option<Region>,
}

/// A rectangle of an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Region {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) left: usize,
    pub(crate) top: usize,
}

/// A size and a place, such as 10x5+0+3.
fn region(text: &str) -> Result<Region, String> {
    let parts = || {
        let (size, place) = text.split_once('+')?;
        let ((width, height), (left, top)) = (size.split_once('x')?, place.split_once('+')?);
        Some(Region {
            width: width.parse().ok()?,
            height: height.parse().ok()?,
            left: left.parse().ok()?,
            top: top.parse().ok()?,
        })
    };
    // Sums with them cannot overflow.
    let is_small = |region: &Region| {
        let Region { width, height, left, top } = *region;
        [width, height, left, top].iter().all(|&n| n <= u32::MAX as usize)
    };
    parts().filter(is_small).ok_or_else(|| {
        "give width and height and the place of the left upper corner, such as 10x5+0+3".to_owned()
    })
}

/// `uhop sample`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SampleArgs {
    /// The file to write: .npy, .npz, .safetensors, .csv, IDX, or a new folder of images (ending in /);
    /// `-` writes .npy to stdout
    #[arg(value_name = "OUTPUT")]
    pub(crate) output: PathBuf,

    /// How many digits, from the first: 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 1000,
          value_parser = digits, allow_hyphen_values = true)]
    pub(crate) count: usize,

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
    #[arg(long, value_name = "BETA", allow_hyphen_values = true, value_parser = number)]
    pub(crate) beta: Option<f64>,

    /// α of α-entmax: 1 softmax, 2 sparsemax [default: 1]
    #[arg(long, value_name = "ALPHA", allow_hyphen_values = true, group = "separation",
          value_parser = number)]
    pub(crate) alpha: Option<f64>,

    /// γ of γ-normmax, above 1: sparse, and scores count for less the more patterns share the weight
    #[arg(long, value_name = "GAMMA", allow_hyphen_values = true, group = "separation",
          value_parser = number)]
    pub(crate) normmax: Option<f64>,

    /// Softmax of the K best scores only
    #[arg(long, value_name = "K", group = "separation", value_parser = above_zero,
          allow_hyphen_values = true)]
    pub(crate) top: Option<usize>,

    /// The normalised polynomial of degree N; β then changes nothing
    #[arg(long, value_name = "N", group = "separation", value_parser = degree,
          allow_hyphen_values = true)]
    pub(crate) polynomial: Option<u32>,

    /// How queries are damaged, for the channel similarity, and in `fit` for whitening and denoising.
    #[command(flatten)]
    pub(crate) corruption: Option<CorruptionArgs>,
}

/// A similarity without a feature map that is learned.
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
    /// ln P(x | ξ) under the corruption that is named, so that at β = 1 softmax recalls the posterior mean
    Channel,
}

/// `uhop fit`.
#[derive(Debug, Clone, Args)]
pub(crate) struct FitArgs {
    /// The patterns: .npy, .npz, .safetensors, .csv, .parquet, IDX, or a folder of images; `-` reads .npy from
    /// stdin
    #[arg(value_name = "PATTERNS")]
    pub(crate) patterns: PathBuf,

    /// The memory file to write, named .safetensors
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

    /// Choose similarity, λ and β by the recall of damaged copies: of the corruption that is named, or of a mix of
    /// several
    #[arg(long, group = "learns", conflicts_with_all = ["similarity", "beta", "separation"])]
    pub(crate) auto: bool,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) stage1: Stage1Args,

    #[command(flatten)]
    pub(crate) compute: ComputeArgs,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// `uhop add`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AddArgs {
    /// The memory file to change
    #[arg(value_name = "MEMORY")]
    pub(crate) memory: PathBuf,

    /// The patterns to add: .npy, .npz, .safetensors, .csv, .parquet, IDX, or a folder of images; `-` reads .npy
    /// from stdin
    #[arg(value_name = "PATTERNS")]
    pub(crate) patterns: PathBuf,

    /// A value for each added pattern, for a memory that has values
    #[arg(long, value_name = "FILE")]
    pub(crate) values: Option<PathBuf>,

    /// An id for each added pattern, for a memory that has ids: a text file with one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) ids: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) keep: KeepArgs,

    #[command(flatten)]
    pub(crate) read: ReadArgs,

    #[command(flatten)]
    pub(crate) compute: ComputeArgs,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// `uhop remove`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RemoveArgs {
    /// The memory file to change
    #[arg(value_name = "MEMORY")]
    pub(crate) memory: PathBuf,

    #[command(flatten)]
    pub(crate) which: WhichArgs,

    #[command(flatten)]
    pub(crate) keep: KeepArgs,

    #[command(flatten)]
    pub(crate) compute: ComputeArgs,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// The patterns to remove.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichArgs {
    /// Ids of the patterns, separated by commas
    #[arg(long, value_name = "ID", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) ids: Vec<String>,

    /// Ids of the patterns: a text file with one a line
    #[arg(long, value_name = "FILE")]
    pub(crate) ids_from: Option<PathBuf>,

    /// Rows of the patterns, counted from 0, separated by commas
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = from_zero,
          allow_hyphen_values = true)]
    pub(crate) rows: Vec<usize>,
}

/// How a change is kept.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct KeepArgs {
    /// Write the changed memory as one file now, and end the journal
    #[arg(long)]
    pub(crate) compact: bool,
}

/// Stage I.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Stage I options")]
pub(crate) struct Stage1Args {
    /// Learn a feature map W by this loss
    #[arg(long, value_enum, group = "learns", conflicts_with = "similarity")]
    pub(crate) loss: Option<LossArg>,

    /// Steps of learning [default: 100; 200 for denoising]
    ///
    /// A step of the max loss moves two patterns apart, so that large memories need many: 2,000 photographs of
    /// 32x32 took about 2,000 steps.
    #[arg(long, value_name = "N", requires = "loss", value_parser = above_zero,
          allow_hyphen_values = true)]
    pub(crate) steps: Option<usize>,

    /// Patterns that a step sees, drawn anew for each; for the average loss of large memories [default:
    /// all], and for denoising, damaged copies [default: 256]
    ///
    /// For the average loss the pairs of a sample of patterns are held out and never push; their loss is
    /// reported. About 1,024 is a good size: the steps cost the same whatever the number of patterns.
    #[arg(long, value_name = "N", requires = "loss", value_parser = above_zero,
          allow_hyphen_values = true)]
    pub(crate) batch: Option<usize>,

    /// How W moves along the gradient [default: gradient-descent; adam for denoising]
    #[arg(long, value_enum, requires = "loss")]
    pub(crate) optimizer: Option<OptimizerArg>,

    /// Rate of the steps [default: 10 for the max loss, 1 for the average loss; 0.01 for adam, 0.1 for
    /// denoising]
    #[arg(long, value_name = "RATE", requires = "loss", allow_hyphen_values = true,
          value_parser = number)]
    pub(crate) rate: Option<f64>,

    /// Stop when a step changes the loss by at most this; with --batch, when 20 steps change that of the
    /// held-out pairs by at most this
    #[arg(long, value_name = "X", requires = "loss", allow_hyphen_values = true,
          value_parser = number)]
    pub(crate) tolerance: Option<f64>,

    /// Rows of W [default: the length of a pattern]
    #[arg(long, value_name = "D", requires = "loss", value_parser = above_zero,
          allow_hyphen_values = true)]
    pub(crate) features: Option<usize>,

    /// Leave the rows of W as learned instead of normalising them
    #[arg(long, requires = "loss")]
    pub(crate) keep_rows: bool,

    /// λ of whitening, the variance of the noise in queries relative to the mean square of their entries
    /// [default: the best for damaged copies of the patterns]
    #[arg(long, value_name = "LAMBDA", requires = "loss", allow_hyphen_values = true,
          value_parser = number)]
    pub(crate) lambda: Option<f64>,

    /// Seed of the random start of W, of the batches and of the damage
    #[arg(long, value_name = "N", default_value_t = 0, requires = "learns", value_parser = seed,
          allow_hyphen_values = true)]
    pub(crate) seed: u64,
}

/// What Stage I minimises.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum LossArg {
    /// Every pair of patterns pushes
    Average,
    /// The closest pair pushes
    Max,
    /// Patterns become orthogonal, in closed form; made anew when they are added or removed
    Whitening,
    /// Damaged copies of patterns are told apart; once it has learned, patterns cannot be added
    Denoising,
}

/// A rule that turns gradients into steps.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum OptimizerArg {
    /// W ← W − rate·∇L, as in U-Hop's Algorithm 1
    GradientDescent,
    /// Adam: every entry moves by about the rate
    Adam,
}

/// `uhop retrieve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RetrieveArgs {
    /// A memory file, or patterns in any kind of file; `-` reads them as .npy from stdin
    #[arg(value_name = "MEMORY")]
    pub(crate) memory: PathBuf,

    /// The queries, in any kind of file; `-` reads .npy from stdin
    #[arg(value_name = "QUERIES")]
    pub(crate) queries: PathBuf,

    /// Where to write what is recalled, a folder (ending in /) for images, whose numbers are from 0 to 1; a name
    /// without an ending gets the kind of the queries; `-` writes .npy to stdout
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,

    /// Where to write the weights of the last update too: n_queries × n_patterns numbers of 4 or 8
    /// bytes, even where most are 0
    #[arg(long, value_name = "OUT")]
    pub(crate) weights: Option<PathBuf>,

    /// Which numbers of the queries were observed, in any kind of file: 1 or 0 for each, or one row for all
    /// queries; what was not observed may be anything, NaN too, and does not matter
    ///
    /// The first update compares the observed numbers alone, and recalls all; further ones compare all. Not for
    /// memories with feature maps.
    #[arg(long, value_name = "FILE")]
    pub(crate) observed: Option<PathBuf>,

    /// Updates of each query, at most
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = above_zero,
          allow_hyphen_values = true)]
    pub(crate) max_steps: usize,

    /// Stop a query before --max-steps when an update moves it by no more than this
    #[arg(long, value_name = "DISTANCE", requires = "max_steps", allow_hyphen_values = true,
          value_parser = number)]
    pub(crate) tolerance: Option<f64>,

    /// Do not compare the numbers in the memory file with their checksums, so that a large one
    /// opens at once
    #[arg(long)]
    pub(crate) trust: bool,

    #[command(flatten)]
    pub(crate) read: ReadArgs,

    #[command(flatten)]
    pub(crate) model: ModelArgs,

    #[command(flatten)]
    pub(crate) compute: ComputeArgs,

    #[command(flatten)]
    pub(crate) output_args: OutputArgs,
}

/// `uhop inspect`.
#[derive(Debug, Clone, Args)]
pub(crate) struct InspectArgs {
    /// The memory file, as `uhop fit` writes it
    #[arg(value_name = "MEMORY")]
    pub(crate) memory: PathBuf,

    /// Examine only N patterns, drawn at random (the same in every run), each against all the others
    /// [default: all of up to 10000 patterns; of more, as many as make 10^8 pairs]
    #[arg(long, value_name = "N", value_parser = count, allow_hyphen_values = true)]
    pub(crate) sample: Option<NonZeroUsize>,

    #[command(flatten)]
    pub(crate) compute: ComputeArgs,

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
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = seed,
          allow_hyphen_values = true)]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) compute: ComputeArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How a verb computes; shared by those that do.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Computing options")]
pub(crate) struct ComputeArgs {
    /// Threads; results do not depend on their number [default: as the variable RAYON_NUM_THREADS
    /// says, or one for each core]
    #[arg(long, value_name = "N", value_parser = threads, allow_hyphen_values = true)]
    pub(crate) threads: Option<usize>,
}

/// How a verb speaks; shared by all verbs.
#[derive(Debug, Clone, Copy, Default, Args)]
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
