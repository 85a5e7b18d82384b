//! Rows to a file of any kind, batch by batch.

use std::io;
use std::path::Path;

use uhop_data::{Element, Kind, Matrix, RowSink, WriteOptions};

use crate::args::OutputArgs;
use crate::failure::Failure;

/// Refuses a name that cannot be written before any work is done for it.
pub(crate) fn check(path: &Path, args: OutputArgs) -> Result<(), Failure> {
    if path == Path::new("-") {
        if args.json {
            let message = "--json and an output of - both write to stdout".to_owned();
            return Err(Failure::user(message).hint("write the output to a file"));
        }
    } else if path.extension().is_some() {
        Kind::of(path)?;
    }
    Ok(())
}

/// The kind that the path says, and `like` for a name without an ending.
pub(crate) fn kind_like(path: &Path, like: Kind) -> Result<Kind, Failure> {
    match Kind::of(path) {
        Err(_) if path.extension().is_none() => Ok(like),
        other => Ok(other?),
    }
}

/// A file being written, which appears when it is complete.
pub(crate) struct Output(RowSink);

impl Output {
    /// Starts a file; `-` is .npy to stdout.
    pub(crate) fn create(
        path: &Path,
        kind: Kind,
        (element, dim): (Element, usize),
        options: &WriteOptions<'_>,
    ) -> Result<Self, Failure> {
        if path == Path::new("-") {
            let sink = RowSink::npy(io::stdout(), "<stdout>", element, dim, options.n_rows);
            return sink.map(Self).map_err(failure);
        }
        let no_shape = kind == Kind::Images && options.images.is_none();
        kind.create(path, element, dim, options).map(Self).map_err(|error| {
            Failure::from(error).hint_if(no_shape, "say which with --size WxH, and --grey if so")
        })
    }

    pub(crate) fn write(&mut self, batch: &Matrix) -> Result<(), Failure> {
        self.0.write(batch).map_err(failure)
    }

    pub(crate) fn commit(self) -> Result<(), Failure> {
        self.0.commit().map_err(failure)
    }
}

/// Whoever read a pipe may have gone away.
fn failure(error: uhop_data::Error) -> Failure {
    let source = std::error::Error::source(&error);
    let cause = source.and_then(|source| source.downcast_ref::<io::Error>());
    if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe) {
        return Failure::Closed;
    }
    Failure::from(error)
}
