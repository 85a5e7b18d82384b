//! `uhop add`: patterns into a memory file.

use std::collections::HashSet;
use std::path::Path;

use ndarray::Array2;
use uhop::Similarity;
use uhop::saved::{AnyMemory, Change, Ids, Learning, SavedMemory, StoredTensor};
use uhop_data::Matrix;

use crate::args::AddArgs;
use crate::changing::Changing;
use crate::console::Console;
use crate::failure::Failure;
use crate::input::{self, Rows};
use crate::precision;

pub(crate) fn run(args: &AddArgs) -> Result<(), Failure> {
    let mut files = vec![args.patterns.as_path()];
    files.extend(args.values.as_deref());
    let (patterns, values) = (Some(args.patterns.as_path()), args.values.as_deref());
    input::check_stdin(&[("the patterns", patterns), ("--values", values)])?;
    input::check_member(&args.read, &files)?;
    input::check_images(&args.read, &files, None)?;
    // Read before the file is locked: they may come slowly, through a pipe.
    let rows = input::rows(&args.patterns, &args.read)?;
    match Changing::open(&args.memory)? {
        (file, AnyMemory::F32(saved)) => add(args, file, saved, rows, Matrix::into_f32),
        (file, AnyMemory::F64(saved)) => add(args, file, saved, rows, Matrix::into_f64),
    }
}

fn add<T: StoredTensor>(
    args: &AddArgs,
    file: Changing,
    saved: SavedMemory<T>,
    Rows { matrix, images, .. }: Rows,
    into_t: fn(Matrix) -> Array2<T>,
) -> Result<(), Failure> {
    let dims = (matrix.dim(), saved.memory().patterns().dim());
    let hint = input::colour_hint(&args.read, images, dims);
    let rows = precision::rows(&args.patterns, matrix, into_t)?;
    let mut change = Change::add(input::patterns(&args.patterns, rows)?);
    if let Some(path) = &args.values {
        let values = precision::rows(path, input::rows(path, &args.read)?.matrix, into_t)?;
        change = change
            .with_values(input::patterns(path, values)?)
            .map_err(|error| input::at(path, &error))?;
    }
    if let Some(path) = &args.ids {
        let ids = input::ids(path, saved.ids())?;
        must_be_new(args, path, &ids, saved.ids())?;
        change = change.with_ids(ids).map_err(|error| input::at(path, &error))?;
    }
    let note = match (saved.memory().model().similarity(), saved.learning()) {
        (Similarity::Kernel(_), Some(Learning::Whitening { .. })) => {
            Some("the feature map is whitened anew, with the added patterns; β stays")
        }
        (Similarity::Kernel(_), _) => {
            Some("the feature map stays as it was learned, without the added patterns")
        }
        _ => None,
    };
    let refused = |error: &uhop::Error| {
        let (patterns, memory) = (args.patterns.display(), args.memory.display());
        let failure = Failure::user(format!("{patterns} into {memory}: {error}"));
        failure.hint_if(hint.is_some(), hint.unwrap_or_default())
    };
    let kept = file.keep(saved, change, args.keep, "add", refused)?;
    if let Some(note) = note {
        Console::new(args.output_args).note(note);
    }
    kept.show(args.output_args)
}

/// Refuses ids that stored patterns have, and says in which file they are.
fn must_be_new(
    args: &AddArgs,
    path: &Path,
    added: &Ids,
    stored: Option<&Ids>,
) -> Result<(), Failure> {
    let texts = |ids: &Ids| -> Vec<String> { (0..ids.len()).filter_map(|i| ids.get(i)).collect() };
    let stored: HashSet<String> = stored.map(texts).unwrap_or_default().into_iter().collect();
    match texts(added).into_iter().find(|id| stored.contains(id)) {
        None => Ok(()),
        Some(id) => {
            let memory = args.memory.display();
            let message = format!("{}: a pattern of {memory} has the id {id:?}", path.display());
            Err(Failure::user(message).hint("give each pattern an id of its own"))
        }
    }
}
