//! `uhop experiment`: measurements of the lab, listed and run.

#[cfg(feature = "hub")]
pub(crate) mod fetch;
mod list;
mod run;
mod show;
mod table;
mod whole;

use crate::args::{ExperimentArgs, ExperimentVerb};
use crate::failure::Failure;

pub(crate) fn run(args: &ExperimentArgs) -> Result<(), Failure> {
    match &args.verb {
        ExperimentVerb::List(args) => list::run(args),
        ExperimentVerb::Show(args) => show::run(args),
        ExperimentVerb::Run(args) => run::run(args),
    }
}
