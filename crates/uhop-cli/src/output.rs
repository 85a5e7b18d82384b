//! Rows to a file of any kind.

use std::io;
use std::path::Path;

use uhop_data::image_folder::Shape;
use uhop_data::{Kind, Matrix, WriteOptions, npy};

use crate::args::OutputArgs;
use crate::failure::Failure;
use crate::interrupt;

/// Whether the output is stdout.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Refuses a name that cannot be written before any work is done for it.
pub(crate) fn check(path: &Path, args: OutputArgs) -> Result<(), Failure> {
    if path != Path::new("-") {
        Kind::of(path)?;
    } else if args.json {
        let message = "--json and an output of - both write to stdout".to_owned();
        return Err(Failure::user(message).hint("write the output to a file"));
    }
    Ok(())
}

/// Writes rows as the kind that the path says; `-` is .npy to stdout.
pub(crate) fn write(path: &Path, matrix: &Matrix, images: Option<Shape>) -> Result<(), Failure> {
    if is_stdout(path) {
        interrupt::partial();
        return match npy::write_to(io::stdout().lock(), matrix) {
            Err(error) if is_closed(&error) => Err(Failure::Closed),
            other => Ok(other.map_err(|error| error.at("<stdout>"))?),
        };
    }
    let kind = Kind::of(path)?;
    match kind {
        Kind::Images => interrupt::partial(),
        _ => interrupt::hold(),
    }
    let written = kind.write(path, matrix, &WriteOptions { images, names: None });
    let no_shape = kind == Kind::Images && images.is_none();
    written.map_err(|error| {
        Failure::from(error).hint_if(no_shape, "say which with --size WxH, and --grey if so")
    })
}

/// Whether whoever read stdout went away.
fn is_closed(error: &uhop_data::Error) -> bool {
    let source = std::error::Error::source(error);
    source
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe)
}
