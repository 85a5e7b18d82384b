//! Rows to a file of any kind, batch by batch.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use uhop_data::image_folder::Shape;
use uhop_data::{Element, Kind, Matrix, RowSink, WriteOptions};

use crate::args::OutputArgs;
use crate::failure::Failure;
use crate::interrupt;
use crate::there::{There, there};

/// What docs/json.md describes of rows that were written.
#[derive(Serialize)]
pub(crate) struct Written {
    command: &'static str,
    version: &'static str,
    n_rows: usize,
    dim: usize,
    pub(crate) output: String,
}

impl Written {
    pub(crate) fn new(command: &'static str, (n_rows, dim): (usize, usize), path: &Path) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Self { command, version, n_rows, dim, output: path.display().to_string() }
    }
}

/// Whether the output is stdout.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Refuses a name that cannot be written before any work is done for it.
pub(crate) fn check(path: &Path, args: OutputArgs) -> Result<(), Failure> {
    if !is_stdout(path) {
        Kind::of(path)?;
    }
    check_place(path, args)
}

/// Refuses to replace a memory, whatever the name that it goes by, and what may be one.
fn check_place(path: &Path, args: OutputArgs) -> Result<(), Failure> {
    if is_stdout(path) {
        return check_stdout(args);
    }
    match there(path) {
        There::Nothing | There::Other => Ok(()),
        There::Memory => {
            let message = format!("{} is a memory, which these rows would replace", path.display());
            Err(Failure::user(message).hint("name another file, or remove it first"))
        }
        There::Unclear(reason) => Err(Failure::user(reason).hint(MAY_BE_A_MEMORY)),
    }
}

/// What to do about a file of which it is not known what it is.
pub(crate) const MAY_BE_A_MEMORY: &str =
    "it may be a memory, and nothing was written: name another file, or mend or move this one";

/// Refuses an output that is one of the files that are read, which it would replace.
pub(crate) fn check_apart(output: &Path, inputs: &[&Path]) -> Result<(), Failure> {
    match inputs.iter().find(|input| is_same(output, input)) {
        None => Ok(()),
        Some(input) => {
            let message = format!("{} is read, and the output would replace it", input.display());
            Err(Failure::user(message).hint("name another file for the output"))
        }
    }
}

/// Whether two names are of one file, which need not be there yet.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| -> Option<PathBuf> {
        if let Ok(place) = path.canonicalize() {
            return Some(place);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(folder.unwrap_or(Path::new(".")).canonicalize().ok()?.join(path.file_name()?))
    };
    !is_stdout(a) && !is_stdout(b) && (a == b || place(a).is_some_and(|a| Some(a) == place(b)))
}

/// Refuses a name as [`check`] does, but for one without an ending: see [`kind_like`].
pub(crate) fn check_like(path: &Path, args: OutputArgs) -> Result<(), Failure> {
    match path.extension() {
        Some(_) => check(path, args),
        None => check_place(path, args),
    }
}

fn check_stdout(args: OutputArgs) -> Result<(), Failure> {
    if args.json {
        let message = "--json and an output of - both write to stdout".to_owned();
        return Err(Failure::user(message).hint("write the output to a file"));
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

/// Writes rows as the kind that the path says; `-` is .npy to stdout.
pub(crate) fn write(
    path: &Path,
    matrix: &Matrix,
    images: Option<Shape>,
    names: Option<&[String]>,
) -> Result<(), Failure> {
    let kind = if is_stdout(path) { Kind::Npy } else { Kind::of(path)? };
    let row = (matrix.element(), matrix.dim());
    let options = WriteOptions { images, names, n_rows: Some(matrix.n_rows()) };
    let mut output = Output::create(path, kind, row, &options)?;
    output.write(matrix)?;
    output.commit()
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
        if is_stdout(path) {
            interrupt::partial();
            let sink = RowSink::npy(io::stdout(), "<stdout>", element, dim, options.n_rows);
            return sink.map(Self).map_err(failure);
        }
        interrupt::hold();
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
