//! From arguments to the library's parts: files read, options turned into models.

use std::fs;
use std::io;
use std::path::Path;

use ndarray::Array2;
use uhop::saved::{AnyMemory, Ids, is_memory};
use uhop::{Memory, Model, Patterns, Scalar, Separation, Similarity};
use uhop_data::image_folder::{self, Colour, Shape};
use uhop_data::store::{self, Snapshot};
use uhop_data::{Kind, Matrix, ReadOptions, idx, npy, parquet};

use crate::args::{CorruptionArgs, ModelArgs, ReadArgs, SimilarityArg};
use crate::damage;
use crate::failure::Failure;

/// Bytes of the numbers that a batch holds, unless a single row takes more.
const BATCH_BYTES: usize = 1 << 26;

/// Rows of a batch, unless they are too long for [`BATCH_BYTES`].
const BATCH_ROWS: usize = 1024;

/// A file of any kind, open to be read in batches.
pub(crate) struct Input {
    pub(crate) rows: uhop_data::Rows,
    pub(crate) kind: Kind,
    /// The shape of an image, if that is what the rows are or the options make of them.
    pub(crate) images: Option<Shape>,
}

/// Opens a file of any kind; `-` is .npy from stdin.
pub(crate) fn open(path: &Path, args: &ReadArgs) -> Result<Input, Failure> {
    let (rows, kind) = if path == Path::new("-") {
        (uhop_data::Rows::from_npy(io::stdin(), "<stdin>")?, Kind::Npy)
    } else {
        let kind = kind_of(path)?;
        let rows = match stored(path, kind, args)? {
            Some(matrix) => uhop_data::Rows::from_matrix(matrix),
            None => kind.open(path, &options(args)).map_err(member_hint)?,
        };
        (rows, kind)
    };
    Ok(Input { images: images_of(path, rows.images(), args)?, rows, kind })
}

/// The shape of the images of a file, or what the options make of its rows. Folders and Parquet files are
/// read in the size asked for; IDX files have their own.
fn images_of(path: &Path, own: Option<Shape>, args: &ReadArgs) -> Result<Option<Shape>, Failure> {
    match (own, args.size) {
        (Some(own), Some(size)) if size != (own.width, own.height) => {
            let message = format!(
                "{}: its images are {}x{}, and --size {}x{} does not resize those of an IDX file",
                path.display(),
                own.width,
                own.height,
                size.0,
                size.1
            );
            let hint = "write them to a folder with `uhop convert`, and read that with --size";
            Err(Failure::user(message).hint(hint))
        }
        _ => Ok(own.or(shape(args))),
    }
}

/// Refuses stdin as more than one of the files that are read: only one of them would get it.
pub(crate) fn check_stdin(files: &[(&str, Option<&Path>)]) -> Result<(), Failure> {
    let stdin = Some(Path::new("-"));
    let mut named = files.iter().filter(|(_, path)| *path == stdin).map(|(name, _)| name);
    match (named.next(), named.next()) {
        (Some(one), Some(other)) => {
            let message = format!("{one} and {other} are both stdin");
            Err(Failure::user(message).hint("give a file for one of them"))
        }
        _ => Ok(()),
    }
}

/// What makes rows of so many numbers those that are expected, where images differ in their colour alone.
pub(crate) fn colour_hint(
    args: &ReadArgs,
    images: Option<Shape>,
    (found, expected): (usize, usize),
) -> Option<&'static str> {
    let of_colours = Colour::Rgb.n_values();
    match images?.colour {
        Colour::Rgb if found == expected.saturating_mul(of_colours) => Some("add --grey"),
        Colour::Grey if args.grey && found.saturating_mul(of_colours) == expected => {
            Some("leave out --grey")
        }
        _ => None,
    }
}

/// The kind of a file to be read. A name of no kind may be one that was mistyped.
fn kind_of(path: &Path) -> Result<Kind, Failure> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failure::user(format!("{}: cannot read: {error}", path.display())))
        }
        _ => Ok(Kind::of(path)?),
    }
}

/// How many rows to hold at a time when each takes this many numbers in all.
pub(crate) fn batch_rows(n_numbers: usize) -> usize {
    (BATCH_BYTES / n_numbers.saturating_mul(8).max(1)).clamp(1, BATCH_ROWS)
}

/// The rows of a file, and the shape of an image if that is what they are.
pub(crate) struct Rows {
    pub(crate) matrix: Matrix,
    pub(crate) images: Option<Shape>,
    /// Those of the files of a folder.
    pub(crate) names: Option<Vec<String>>,
}

/// The rows of a file of any kind; `-` is .npy from stdin.
pub(crate) fn rows(path: &Path, args: &ReadArgs) -> Result<Rows, Failure> {
    let plain = |matrix| Rows { matrix, images: shape(args), names: None };
    if path == Path::new("-") {
        return Ok(plain(npy::parse(io::stdin().lock()).map_err(|error| error.at("<stdin>"))?));
    }
    let options = options(args);
    let kind = kind_of(path)?;
    if let Some(matrix) = stored(path, kind, args)? {
        return Ok(plain(matrix));
    }
    match kind {
        Kind::Images => {
            let folder = image_folder::read(path, &options.images)?;
            let (images, names) = (Some(folder.shape()), Some(folder.names().to_vec()));
            Ok(Rows { matrix: folder.into_matrix(), images, names })
        }
        Kind::Idx => {
            let idx = idx::read(path)?;
            let images = images_of(path, idx.image_shape(), args)?;
            let matrix = idx.into_matrix().map_err(|error| error.at(path))?;
            Ok(Rows { images, ..plain(matrix) })
        }
        Kind::Parquet => {
            let (matrix, own) = parquet::read(path, &options).map_err(member_hint)?;
            Ok(Rows { images: images_of(path, own, args)?, ..plain(matrix) })
        }
        kind => Ok(plain(kind.read(path, &options).map_err(member_hint)?)),
    }
}

/// The patterns or values of a memory file as it is now, with the changes in its journal. Nothing where the
/// file is no memory, or it is not clear which rows: then it is read as any other.
fn stored(path: &Path, kind: Kind, args: &ReadArgs) -> Result<Option<Matrix>, Failure> {
    if kind != Kind::Safetensors {
        return Ok(None);
    }
    let snapshot = store::read(path)?;
    let bytes = snapshot.base_bytes()?;
    if !is_memory(&bytes) {
        return Ok(None);
    }
    match args.member.as_deref() {
        None | Some("patterns" | "values") => {}
        Some(_) if snapshot.records().len() == 0 => return Ok(None),
        Some(member) => {
            let message = format!(
                "{}: {member} is without the changes in the journal of this memory",
                path.display()
            );
            let hint = "write it as one file first, by --compact of the next add or remove";
            return Err(Failure::user(message).hint(hint));
        }
    }
    let member = args.member.as_deref();
    Ok(match memory_of(path, bytes, &snapshot, AnyMemory::from_bytes)? {
        AnyMemory::F32(saved) => rows_in(saved.memory(), member),
        AnyMemory::F64(saved) => rows_in(saved.memory(), member),
    })
}

/// The patterns or the values, which must be named where there are both.
fn rows_in<T: Scalar>(memory: &Memory<T>, member: Option<&str>) -> Option<Matrix>
where
    Matrix: From<Array2<T>>,
{
    let rows = match (member, memory.is_auto_associative()) {
        (None, true) | (Some("patterns"), _) => memory.patterns(),
        (Some("values"), false) => memory.values(),
        _ => return None,
    };
    Some(Matrix::from(rows.view().to_owned()))
}

fn options(args: &ReadArgs) -> ReadOptions<'_> {
    let images = image_folder::ReadOptions { size: args.size, colour: colour(args) };
    ReadOptions { member: args.member.as_deref(), images }
}

/// A file that cannot be read, with a next step when it holds several matrices.
fn member_hint(error: uhop_data::Error) -> Failure {
    let several = error.is_ambiguous();
    Failure::from(error).hint_if(several, "choose one with --member NAME")
}

/// Refuses --member where none of the files has members.
pub(crate) fn check_member(args: &ReadArgs, files: &[&Path]) -> Result<(), Failure> {
    let has_members =
        |path: &&Path| matches!(Kind::of(path), Ok(Kind::Npz | Kind::Safetensors | Kind::Parquet));
    if args.member.is_none() || files.iter().any(has_members) {
        return Ok(());
    }
    let message =
        "--member has no meaning: only .npz, .safetensors and .parquet files have members";
    Err(Failure::user(message.to_owned()).hint("leave it out"))
}

/// Refuses --size and --grey where no file can hold images, and no damage is of a part of them.
pub(crate) fn check_images(
    args: &ReadArgs,
    files: &[&Path],
    damage: Option<&CorruptionArgs>,
) -> Result<(), Failure> {
    let option = match args {
        ReadArgs { size: Some(_), .. } => "--size",
        ReadArgs { grey: true, .. } => "--grey",
        _ => return Ok(()),
    };
    let holds_numbers = |path: &&Path| {
        let kind = if **path == *"-" { Ok(Kind::Npy) } else { Kind::of(path) };
        matches!(kind, Ok(Kind::Npy | Kind::Npz | Kind::Safetensors | Kind::Csv))
    };
    let is_of_a_part =
        damage.is_some_and(|damage| damage.occlude || damage.occlude_region.is_some());
    if is_of_a_part || !files.iter().all(holds_numbers) {
        return Ok(());
    }
    let message = format!("{option} has no meaning: none of the files can hold images");
    Err(Failure::user(message).hint("leave it out"))
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
    Patterns(Rows),
}

/// A memory file, opened as the caller says, or patterns in any kind of file; `-` is patterns from stdin.
pub(crate) fn source(path: &Path, args: &ReadArgs, open: Open) -> Result<Source, Failure> {
    if path != Path::new("-") && kind_of(path)? == Kind::Safetensors {
        let snapshot = store::read(path)?;
        let bytes = snapshot.base_bytes()?;
        if is_memory(&bytes) {
            let memory = memory_of(path, bytes, &snapshot, open)?;
            return Ok(Source::Memory(Box::new(memory)));
        }
    }
    Ok(Source::Patterns(rows(path, args)?))
}

/// A memory file, checked.
pub(crate) fn memory(path: &Path) -> Result<AnyMemory, Failure> {
    must_be_memory(path)?;
    memory_in(path, &store::read(path)?)
}

/// The name must be that of a memory file.
pub(crate) fn must_be_memory(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        let message = format!("{} is a folder, not a memory file", path.display());
        return Err(Failure::user(message).hint("name a file that ends in .safetensors"));
    }
    if Kind::of(path).ok() == Some(Kind::Safetensors) {
        return Ok(());
    }
    let message =
        format!("{} is not a memory file, whose name ends in .safetensors", path.display());
    Err(Failure::user(message).hint("make one of patterns with `uhop fit`"))
}

/// The memory in one version of a file, checked, with the changes in its journal.
pub(crate) fn memory_in(path: &Path, snapshot: &Snapshot) -> Result<AnyMemory, Failure> {
    memory_of(path, snapshot.base_bytes()?, snapshot, AnyMemory::from_bytes)
}

/// How the bytes of a memory file become a memory.
pub(crate) type Open = fn(store::Bytes) -> uhop::Result<AnyMemory>;

fn memory_of(
    path: &Path,
    base: store::Bytes,
    snapshot: &Snapshot,
    open: Open,
) -> Result<AnyMemory, Failure> {
    open(base)
        .and_then(|memory| memory.with_records(snapshot.records().map(<[u8]>::to_vec)))
        .map_err(|error| at(path, &error))
}

/// Rows checked as patterns; the error says which file.
pub(crate) fn patterns<T: Scalar>(path: &Path, rows: Array2<T>) -> Result<Patterns<T>, Failure> {
    Patterns::new(rows).map_err(|error| at(path, &error))
}

/// The lines of a text file of ids, none of them blank, without the byte order mark that editors on Windows
/// begin it with.
pub(crate) fn lines(path: &Path) -> Result<Vec<String>, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::user(format!("cannot read {}: {error}", path.display())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if let Some(blank) = text.lines().position(|line| line.trim().is_empty()) {
        let message = format!("{}: line {} is blank, not an id", path.display(), blank + 1);
        return Err(Failure::user(message).hint("remove the line, or write an id on it"));
    }
    Ok(text.lines().map(str::to_owned).collect())
}

/// Ids, one a line: integers if every line is one, names otherwise, and names in any case beside
/// ids that are names.
pub(crate) fn ids(path: &Path, beside: Option<&Ids>) -> Result<Ids, Failure> {
    let lines = lines(path)?;
    // "007" and "+7" are names: as integers they would not come back as they were given.
    let integers =
        lines.iter().map(|line| line.parse().ok().filter(|n: &i64| n.to_string() == *line));
    match integers.collect() {
        Some(integers) if !beside.is_some_and(Ids::are_names) => Ids::numbers(integers),
        _ => Ids::names(lines),
    }
    .map_err(|error| at(path, &error))
}

/// `model` with the parts that the options set, for patterns of `dim` numbers, which may be `images`.
pub(crate) fn model<T: Scalar>(
    model: Model<T>,
    args: &ModelArgs,
    images: Option<Shape>,
    dim: usize,
) -> Result<Model<T>, Failure> {
    let channel = damage::channel(args, images, dim)?.map(Similarity::Channel);
    let similarity = channel.unwrap_or_else(|| match args.similarity {
        // With it there was a channel.
        None | Some(SimilarityArg::Channel) => model.similarity().clone(),
        Some(SimilarityArg::Dot) => Similarity::Dot,
        Some(SimilarityArg::Cosine) => Similarity::Cosine,
        Some(SimilarityArg::Euclidean) => Similarity::Euclidean,
        Some(SimilarityArg::Manhattan) => Similarity::Manhattan,
    });
    // The parser lets one of them through.
    let separation = if let Some(alpha) = args.alpha {
        Separation::entmax(alpha)?
    } else if let Some(gamma) = args.normmax {
        Separation::normmax(gamma)?
    } else if let Some(k) = args.top {
        Separation::top_k(k)?
    } else if let Some(degree) = args.polynomial {
        Separation::polynomial(degree)?
    } else {
        model.separation()
    };
    let named = args.polynomial.is_some() || args.similarity.is_some();
    let model = Model::new(similarity, separation, args.beta.unwrap_or(model.beta()))?;
    if named && model.lacks_a_zero() {
        let message = format!(
            "a polynomial weighs by what scores are above 0, and those of {} similarity have no such place",
            model.similarity().name()
        );
        return Err(Failure::user(message).hint("use dot or cosine with it, or another separation"));
    }
    Ok(model)
}

/// An error of the library about the content of a file.
pub(crate) fn at(path: &Path, error: &uhop::Error) -> Failure {
    Failure::user(format!("{}: {error}", path.display()))
}
