//! `uhop experiment show`: a specification, to be changed and run.

use crate::args::{ExperimentShowArgs, OutputArgs};
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn run(args: &ExperimentShowArgs) -> Result<(), Failure> {
    Console::new(OutputArgs::default()).data(uhop_lab::specification(&args.name)?)
}
