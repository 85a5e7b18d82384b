//! Every way in which bytes fail to be the `.npz` file they should be.

use crate::bytes::quoted;
use crate::npy;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(
        "not a complete npz file: found no end of a zip archive; \
         check that this is the right file, or copy it again"
    )]
    NoEnd,
    #[error("the zip directory is damaged: {detail}; copy or download the file again")]
    Directory { detail: &'static str },
    #[error(
        "the zip directory takes {found} bytes, expected at most {limit}; \
         save the one array that is needed by itself"
    )]
    DirectorySize { found: u64, limit: u64 },
    #[error("the npz file has no member that ends in .npy; save an array with numpy.savez")]
    Empty,
    #[error("the npz file has several members, found {found}; name the one to read")]
    Several { found: String },
    #[error("the npz file has no member {}, found {found}", quoted(name))]
    Missing { name: String, found: String },
    #[error("the npz file has two members {}, expected one; save the file again", quoted(name))]
    Twice { name: String },
    #[error("member {} is encrypted; save it without a password", quoted(name))]
    Encrypted { name: String },
    #[error(
        "member {} uses compression method {method}, expected 0 (stored) or 8 (deflated); \
         save it with numpy.savez_compressed",
        quoted(name)
    )]
    Method { name: String, method: u16 },
    #[error(
        "member {} cannot hold {n_bytes} bytes in {n_compressed} bytes of the file; \
         the directory is damaged or forged",
        quoted(name)
    )]
    Size { name: String, n_bytes: u64, n_compressed: u64 },
    #[error("member {} is damaged ({detail}); copy or download the file again", quoted(name))]
    Damaged { name: String, detail: String },
    #[error("member {}: {problem}", quoted(name))]
    Member { name: String, problem: npy::Problem },
}
