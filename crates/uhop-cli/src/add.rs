//! `uhop add`: patterns into a memory file.

use ndarray::Array2;
use uhop::Similarity;
use uhop::saved::{AnyMemory, Change, Learning, SavedMemory, StoredTensor};
use uhop_data::Matrix;

use crate::args::AddArgs;
use crate::changing::Changing;
use crate::console::Console;
use crate::failure::Failure;
use crate::input;

pub(crate) fn run(args: &AddArgs) -> Result<(), Failure> {
    let mut files = vec![args.patterns.as_path()];
    files.extend(args.values.as_deref());
    input::check_member(&args.read, &files)?;
    input::check_images(&args.read, &files, None)?;
    // Read before the file is locked: they may come slowly, through a pipe.
    let rows = input::rows(&args.patterns, &args.read)?.matrix;
    match Changing::open(&args.memory)? {
        (file, AnyMemory::F32(saved)) => add(args, file, saved, rows, Matrix::into_f32),
        (file, AnyMemory::F64(saved)) => add(args, file, saved, rows, Matrix::into_f64),
    }
}

fn add<T: StoredTensor>(
    args: &AddArgs,
    file: Changing,
    saved: SavedMemory<T>,
    rows: Matrix,
    into_t: fn(Matrix) -> Array2<T>,
) -> Result<(), Failure> {
    let mut change = Change::add(input::patterns(&args.patterns, into_t(rows))?);
    if let Some(path) = &args.values {
        let values = into_t(input::rows(path, &args.read)?.matrix);
        change = change.with_values(input::patterns(path, values)?)?;
    }
    if let Some(path) = &args.ids {
        change = change.with_ids(input::ids(path, saved.ids())?)?;
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
    let kept = file.keep(saved, change, args.keep, "add")?;
    if let Some(note) = note {
        Console::new(args.output_args).note(note);
    }
    kept.show(args.output_args)
}
