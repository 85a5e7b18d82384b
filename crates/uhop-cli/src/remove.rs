//! `uhop remove`: patterns out of a memory file.

use std::collections::HashSet;

use uhop::saved::{AnyMemory, Change, Ids, SavedMemory, StoredTensor};

use crate::args::{RemoveArgs, WhichArgs};
use crate::changing::Changing;
use crate::failure::Failure;
use crate::input;

pub(crate) fn run(args: &RemoveArgs) -> Result<(), Failure> {
    match Changing::open(&args.memory)? {
        (file, AnyMemory::F32(saved)) => remove(args, file, saved),
        (file, AnyMemory::F64(saved)) => remove(args, file, saved),
    }
}

fn remove<T: StoredTensor>(
    args: &RemoveArgs,
    file: Changing,
    saved: SavedMemory<T>,
) -> Result<(), Failure> {
    let rows = positions(args, &args.which, saved.ids())?;
    let refused = |error: &uhop::Error| input::at(&args.memory, error);
    let kept = file.keep(saved, Change::remove(rows), args.keep, "remove", refused)?;
    kept.show(args.output_args)
}

/// The rows that the arguments name.
fn positions(
    args: &RemoveArgs,
    which: &WhichArgs,
    ids: Option<&Ids>,
) -> Result<Vec<usize>, Failure> {
    let named = match &which.ids_from {
        Some(path) => input::lines(path)?,
        None => which.ids.clone(),
    };
    if named.is_empty() && which.ids_from.is_none() {
        return distinct(&which.rows);
    }
    match ids {
        Some(ids) => ids.positions(&named).map_err(|error| {
            let has_empty = named.iter().any(String::is_empty);
            let failure = input::at(&args.memory, &error);
            failure.hint_if(has_empty, "leave out the comma that has no id beside it")
        }),
        None => {
            let message = format!("{}: its patterns have no ids", args.memory.display());
            Err(Failure::user(message).hint("name them by their rows with --rows"))
        }
    }
}

/// The rows, none of them named twice: one of the two may be another one, mistyped.
fn distinct(rows: &[usize]) -> Result<Vec<usize>, Failure> {
    let mut seen = HashSet::new();
    match rows.iter().find(|&row| !seen.insert(row)) {
        None => Ok(rows.to_vec()),
        Some(row) => {
            let message = format!("--rows names row {row} twice; nothing was removed");
            Err(Failure::user(message).hint("name each row once"))
        }
    }
}
