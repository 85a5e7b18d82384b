//! `uhop train`: models whose layers are associative memories.

mod classify;
mod curves;
mod live;

pub(crate) use classify::table;

use crate::args::{TrainArgs, TrainVerb};
use crate::failure::Failure;

pub(crate) fn run(args: &TrainArgs) -> Result<(), Failure> {
    uhop_nn::train::keep_freed_memory();
    match &args.verb {
        TrainVerb::Classify(args) => classify::run(args),
    }
}
