//! What is there already where a file is to be written. Nothing that may be a memory is replaced by something else.

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use uhop::saved::is_memory;
use uhop_data::{Kind, safetensors, store};

/// What a new file would replace.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum There {
    /// No file.
    Nothing,
    /// What is surely no memory, or is written into, not replaced: a folder, a pipe, a device.
    Other,
    Memory,
    /// It may be a memory. Says which file it is and why that is not known.
    Unclear(String),
}

/// What is at a place, behind links: a writer follows them.
pub(crate) fn there(path: &Path) -> There {
    let target = match path.canonicalize() {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return There::Nothing,
        Err(error) if is_named_memory(path) => {
            return There::Unclear(format!("{}: cannot read: {error}", path.display()));
        }
        // The writer finds the same and says so.
        Err(_) => return There::Nothing,
    };
    if !target.is_file() {
        return There::Other;
    }
    let journal = journal(&target);
    let has_journal = journal.symlink_metadata().is_ok();
    let is_named = is_named_memory(path) || is_named_memory(&target);
    match store::read(path).and_then(|snapshot| snapshot.base_bytes()) {
        Ok(bytes) if is_memory(&bytes) => There::Memory,
        Ok(_) if has_journal => There::Unclear(format!(
            "{}: beside it is {}, as only memories have",
            path.display(),
            journal.display()
        )),
        Ok(bytes) if is_named && !is_surely_none(&bytes) => {
            There::Unclear(format!("{}: its header is damaged", path.display()))
        }
        Err(error) if is_named || has_journal => There::Unclear(error.to_string()),
        Ok(_) | Err(_) => There::Other,
    }
}

fn is_named_memory(path: &Path) -> bool {
    Kind::of(path).ok() == Some(Kind::Safetensors)
}

/// Where the changes of a memory are.
fn journal(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".journal");
    name.into()
}

/// Whether bytes that do not claim to be a memory never were one: nothing, or a safetensors file of another
/// program. One flipped bit takes the claim away, but not also the word of who made it.
fn is_surely_none(bytes: &[u8]) -> bool {
    // No header that is read is longer.
    const LONGEST: usize = 1 << 25;
    const MADE_BY: &[u8] = br#"created_by\":\"uhop"#;
    let header = &bytes[..bytes.len().min(LONGEST)];
    let is_ours = || header.windows(MADE_BY.len()).any(|window| window == MADE_BY);
    bytes.is_empty() || (safetensors::check(Cursor::new(bytes)).is_ok() && !is_ours())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ndarray::array;
    use uhop::saved::SavedMemory;
    use uhop::{Memory, Model, Patterns};

    use super::*;

    fn memory() -> Vec<u8> {
        let patterns = Patterns::new(array![[1.0_f32, 0.0], [0.0, 1.0]]).unwrap();
        let memory = Memory::new(patterns, Model::dense(1.0).unwrap()).unwrap();
        SavedMemory::new(memory).to_bytes().unwrap()
    }

    /// Whichever bit of it is flipped, and wherever it ends, a memory is not taken for something else.
    #[test]
    fn a_damaged_memory_is_never_another_file() {
        let is_kept = |bytes: &[u8]| is_memory(bytes) || !is_surely_none(bytes);
        let good = memory();
        for (position, bit) in (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut damaged = good.clone();
            damaged[position] ^= 1 << bit;
            assert!(is_kept(&damaged), "byte {position}, bit {bit}");
        }
        for n in 1..good.len() {
            assert!(is_kept(&good[..n]), "{n} bytes");
        }
    }

    #[test]
    fn what_is_no_memory_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert_eq!(there(&at("none.safetensors")), There::Nothing);
        let rows = uhop_data::Matrix::from(array![[1.0_f32]]);
        safetensors::write(at("rows.safetensors"), &rows).unwrap();
        fs::write(at("empty.safetensors"), "").unwrap();
        fs::write(at("text.npy"), "text").unwrap();
        fs::create_dir(at("folder.safetensors")).unwrap();
        for name in ["rows.safetensors", "empty.safetensors", "text.npy", "folder.safetensors"] {
            assert_eq!(there(&at(name)), There::Other, "{name}");
        }
        // Whatever it is called.
        fs::write(at("renamed.npy"), memory()).unwrap();
        assert_eq!(there(&at("renamed.npy")), There::Memory);
        // Only memories have one.
        fs::write(at("rows.safetensors.journal"), "").unwrap();
        assert!(matches!(there(&at("rows.safetensors")), There::Unclear(_)));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_what_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("m.safetensors"), memory()).unwrap();
        fs::write(at("d.safetensors"), "damaged").unwrap();
        std::os::unix::fs::symlink("m.safetensors", at("link.npy")).unwrap();
        std::os::unix::fs::symlink("d.safetensors", at("link")).unwrap();
        std::os::unix::fs::symlink("loop.safetensors", at("loop.safetensors")).unwrap();
        assert_eq!(there(&at("link.npy")), There::Memory);
        assert!(matches!(there(&at("link")), There::Unclear(_)));
        assert!(matches!(there(&at("loop.safetensors")), There::Unclear(_)));
    }
}
