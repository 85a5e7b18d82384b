//! From arguments to the library's parts: files read, options turned into models.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use ndarray::Array2;
use uhop::saved::{AnyMemory, Ids, is_memory};
use uhop::{Model, Patterns, Scalar, Separation, Similarity};
use uhop_data::image_folder::{self, Colour, Shape};
use uhop_data::{Kind, Matrix, ReadOptions, Rows, npy};

use crate::args::{ModelArgs, ReadArgs, SimilarityArg};
use crate::failure::Failure;

/// Bytes of the numbers that a batch holds, unless a single row takes more.
const BATCH_BYTES: usize = 1 << 26;

/// Rows of a batch, unless they are too long for [`BATCH_BYTES`].
const BATCH_ROWS: usize = 1024;

/// A file of any kind, open to be read in batches.
pub(crate) struct Input {
    pub(crate) rows: Rows,
    pub(crate) kind: Kind,
    /// The shape of an image, if that is what the rows are or the options make of them.
    pub(crate) images: Option<Shape>,
}

/// Opens a file of any kind; `-` is .npy from stdin.
pub(crate) fn open(path: &Path, args: &ReadArgs) -> Result<Input, Failure> {
    let (rows, kind) = if path == Path::new("-") {
        (Rows::from_npy(io::stdin(), "<stdin>")?, Kind::Npy)
    } else {
        let kind = Kind::of(path)?;
        (kind.open(path, &options(args)).map_err(member_hint)?, kind)
    };
    Ok(Input { images: rows.images().or(shape(args)), rows, kind })
}

/// How many rows to hold at a time when each takes this many numbers in all.
pub(crate) fn batch_rows(n_numbers: usize) -> usize {
    (BATCH_BYTES / n_numbers.saturating_mul(8).max(1)).clamp(1, BATCH_ROWS)
}

/// All rows of a file of any kind; `-` is .npy from stdin.
pub(crate) fn rows(path: &Path, args: &ReadArgs) -> Result<Matrix, Failure> {
    if path == Path::new("-") {
        return Ok(npy::parse(io::stdin().lock()).map_err(|error| error.at("<stdin>"))?);
    }
    Kind::of(path)?.read(path, &options(args)).map_err(member_hint)
}

fn options(args: &ReadArgs) -> ReadOptions<'_> {
    let images = image_folder::ReadOptions { size: args.size, colour: colour(args) };
    ReadOptions { member: args.member.as_deref(), images }
}

fn member_hint(error: uhop_data::Error) -> Failure {
    let several = error.is_ambiguous();
    Failure::from(error).hint_if(several, "choose one with --member NAME")
}

/// The shape that the options give to images.
fn shape(args: &ReadArgs) -> Option<Shape> {
    args.size.map(|(width, height)| Shape { width, height, colour: colour(args) })
}

fn colour(args: &ReadArgs) -> Colour {
    if args.grey { Colour::Grey } else { Colour::Rgb }
}

/// What a file given as a memory holds.
pub(crate) enum Source {
    Memory(Box<AnyMemory>),
    Patterns(Matrix),
}

/// A memory file, or patterns in any kind of file.
pub(crate) fn source(path: &Path, args: &ReadArgs) -> Result<Source, Failure> {
    if Kind::of(path)? == Kind::Safetensors {
        let bytes = bytes(path)?;
        if is_memory(&bytes) {
            return Ok(Source::Memory(Box::new(memory_in(path, &bytes)?)));
        }
    }
    Ok(Source::Patterns(rows(path, args)?))
}

/// A memory file.
pub(crate) fn memory(path: &Path) -> Result<AnyMemory, Failure> {
    if Kind::of(path).ok() != Some(Kind::Safetensors) {
        let message =
            format!("{} is not a memory file, whose name ends in .safetensors", path.display());
        return Err(Failure::user(message).hint("make one of patterns with `uhop fit`"));
    }
    memory_in(path, &bytes(path)?)
}

fn memory_in(path: &Path, bytes: &[u8]) -> Result<AnyMemory, Failure> {
    AnyMemory::from_bytes(bytes).map_err(|error| at(path, &error))
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| Failure::user(format!("cannot read {}: {error}", path.display())))?;
    Ok(bytes)
}

/// Rows checked as patterns; the error says which file.
pub(crate) fn patterns<T: Scalar>(path: &Path, rows: Array2<T>) -> Result<Patterns<T>, Failure> {
    Patterns::new(rows).map_err(|error| at(path, &error))
}

/// Ids, one a line: integers if every line is one, names otherwise.
pub(crate) fn ids(path: &Path) -> Result<Ids, Failure> {
    let text = String::from_utf8(bytes(path)?).map_err(|_| {
        Failure::user(format!("{} is not UTF-8 text; give one id a line", path.display()))
    })?;
    let lines: Vec<&str> = text.lines().collect();
    // "007" and "+7" are names: as integers they would not come back as they were given.
    let integers =
        lines.iter().map(|line| line.parse().ok().filter(|n: &i64| n.to_string() == **line));
    match integers.collect() {
        Some(integers) => Ids::numbers(integers),
        None => Ids::names(lines.into_iter().map(str::to_owned).collect()),
    }
    .map_err(|error| at(path, &error))
}

/// `model` with the parts that the options set.
pub(crate) fn model<T: Scalar>(model: Model<T>, args: &ModelArgs) -> Result<Model<T>, Failure> {
    let similarity = match args.similarity {
        None => model.similarity().clone(),
        Some(SimilarityArg::Dot) => Similarity::Dot,
        Some(SimilarityArg::Cosine) => Similarity::Cosine,
        Some(SimilarityArg::Euclidean) => Similarity::Euclidean,
        Some(SimilarityArg::Manhattan) => Similarity::Manhattan,
    };
    let separation = match (args.alpha, args.top, args.polynomial) {
        (Some(alpha), _, _) => Separation::entmax(alpha)?,
        (_, Some(k), _) => Separation::top_k(k)?,
        (_, _, Some(degree)) => Separation::polynomial(degree)?,
        (None, None, None) => model.separation(),
    };
    Ok(Model::new(similarity, separation, args.beta.unwrap_or(model.beta()))?)
}

/// An error of the library about the content of a file.
pub(crate) fn at(path: &Path, error: &uhop::Error) -> Failure {
    Failure::user(format!("{}: {error}", path.display()))
}
