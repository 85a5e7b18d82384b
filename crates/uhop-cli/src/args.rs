//! The arguments as typed, checked by their types; no file is touched here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
