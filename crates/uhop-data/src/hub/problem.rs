//! What keeps files of the hub from being used.

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error(
        "it is not there, and fetching it from {url} failed ({cause}); download that file by other means \
         and put it here"
    )]
    NotFetched { url: String, cause: String },
    #[error("its SHA-256 is {found}, expected {expected}; remove the file to fetch it again")]
    Checksum { found: String, expected: String },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentProblem {
    #[error(
        "no folder for files of the hub: expected HF_HOME or a home folder; set HF_HOME to one"
    )]
    NoCache,
}
