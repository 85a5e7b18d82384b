//! Files of the known data sets from the Hugging Face hub, kept in its cache.
//!
//! Only with the feature `hub`. Fetched are the files of one split at a pinned revision, into the
//! cache that Python's `huggingface_hub` uses too: a file that is there is not fetched again.
//!
//! | data set | repository | revision |
//! | --- | --- | --- |
//! | `mnist` | `ylecun/mnist` | `77f3279092a1c1579b2250db8eafed0ad422088c` |
//! | `cifar10` | `uoft-cs/cifar10` | `0b2714987fa478483af9968de7c934580d0bb9a2` |
//! | `cifar100` | `uoft-cs/cifar100` | `aadb3af77e9048adbea6b47c21a81e47dd092ae5` |
//! | `tiny-imagenet` | `zh-plus/tiny-imagenet` | `5a77092c28e51558c5586e9c5eb71a7e17a5e43f` |
//!
//! # Checksums
//!
//! Beside every file is a file `NAME.sha256`, as `sha256sum` writes it, made when the file is first
//! used. Every use compares the file with it, with the checksum that is known for the revision (of all
//! but Tiny ImageNet), and with the one by which the hub's cache names it.
//!
//! # Network
//!
//! Only [`Hub::fetch`] uses it, without credentials, and only for files that are not in the cache.
//! Connections follow the `ALL_PROXY`, `HTTPS_PROXY` and `HTTP_PROXY` of the environment. A download
//! that was interrupted is resumed, and one that hears nothing for a while is given up.

mod download;
mod known;
mod problem;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::api::sync::ApiBuilder;
use hf_hub::{Cache, Repo, RepoType};
use sha2::{Digest, Sha256};

use crate::datasets::{Dataset, Split};
use crate::{Error, OutputFile, Result};
pub use download::Download;
use known::Known;
pub(crate) use problem::{ArgumentProblem, Problem};

/// Bytes read at a time.
const CHUNK: usize = 1 << 16;

const ENDPOINT: &str = "https://huggingface.co";

/// How long a download waits for what comes next, be it a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// The hub, and the folder in which its files are kept.
///
/// # Example
///
/// ```no_run
/// use uhop_data::datasets::{Dataset, Split};
/// use uhop_data::hub::{Download, Hub};
///
/// let show = |download: Download<'_>| eprintln!("{} of {} bytes", download.done, download.all);
/// let folder = Hub::from_env()?.fetch(Dataset::Cifar10, Split::Test, show)?;
/// let images = Dataset::Cifar10.load(folder, Split::Test, None)?;
/// assert_eq!(images.provenance().code(), "exact");
/// # Ok::<(), uhop_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    cache: PathBuf,
    endpoint: String,
    patience: Duration,
}

impl Hub {
    /// The hub at its own address, with a cache in this folder, made if missing.
    ///
    /// # Example
    ///
    /// ```
    /// use uhop_data::hub::Hub;
    ///
    /// let hub = Hub::new("cache").with_endpoint("http://localhost:8080");
    /// assert_ne!(hub, Hub::new("cache"));
    /// ```
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), endpoint: ENDPOINT.to_owned(), patience: PATIENCE }
    }

    /// The hub as the environment says: its address in `HF_ENDPOINT`, the cache in `HF_HUB_CACHE`, or
    /// in `hub` inside of `HF_HOME`, or in `.cache/huggingface/hub` of the home folder.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) when none of these names a folder.
    ///
    /// # Example
    ///
    /// See [`Hub`].
    pub fn from_env() -> Result<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let cache = variable("HF_HUB_CACHE")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(variable("HF_HOME")?).join("hub")))
            .or_else(|| Some(std::env::home_dir()?.join(".cache/huggingface/hub")));
        let hub = Self::new(cache.ok_or_else(|| Error::argument(ArgumentProblem::NoCache))?);
        match variable("HF_ENDPOINT").and_then(|endpoint| endpoint.into_string().ok()) {
            Some(endpoint) => Ok(hub.with_endpoint(endpoint)),
            None => Ok(hub),
        }
    }

    /// The same at another address, such as that of a mirror.
    ///
    /// # Example
    ///
    /// See [`Hub::new`].
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = endpoint.into().trim_end_matches('/').to_owned();
        self
    }

    /// The same with another patience: a download that hears nothing for so long, be it because nobody
    /// answers, is given up. 30 seconds unless said.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::Duration;
    /// use uhop_data::hub::Hub;
    ///
    /// assert_ne!(Hub::new("cache").with_patience(Duration::from_secs(5)), Hub::new("cache"));
    /// ```
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The folder for [`Dataset::load`], with the files of a split in it: those that are not there
    /// are fetched, and `show` is told how far that is.
    ///
    /// # Errors
    ///
    /// [`is_io`](Error::is_io) when a file is not there and cannot be fetched: the message says from
    /// where it would come and where to put it; also when the cache cannot be read or written.
    /// [`is_format`](Error::is_format) when a checksum is another one; what has just been fetched is
    /// removed then, and older files are left.
    ///
    /// # Example
    ///
    /// See [`Hub`].
    pub fn fetch(
        &self,
        dataset: Dataset,
        split: Split,
        show: impl FnMut(Download<'_>),
    ) -> Result<PathBuf> {
        let known = Known::of(dataset, split);
        let repo = Repo::with_revision(
            known.repository.to_owned(),
            RepoType::Dataset,
            known.revision.to_owned(),
        );
        let folder = Cache::new(self.cache.clone()).repo(repo.clone()).pointer_path(known.revision);
        let path = folder.join(known.file);
        if path.exists() {
            verify(&path, known.sha256)?;
            return Ok(folder);
        }
        let cause = match self.download(repo, known.file, show) {
            // The answer names its revision: another one has its file elsewhere in the cache.
            Ok(fetched) => format!("it came as {}", fetched.display()),
            Err(cause) => cause,
        };
        // Not by the outcome: the client also complains of a link that was there before its file.
        if !path.exists() {
            let url = format!(
                "{}/datasets/{}/resolve/{}/{}",
                self.endpoint, known.repository, known.revision, known.file
            );
            let cause = cause.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200);
            let failed = Problem::NotFetched { url, cause: cause.collect() };
            return Err(Error::io(io::Error::other(failed)).at(path));
        }
        if let Err(error) = verify(&path, known.sha256) {
            // What it points to first, while it says where that is.
            if let Ok(blob) = fs::canonicalize(&path) {
                let _ = fs::remove_file(blob);
            }
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(folder)
    }

    fn download(
        &self,
        repo: Repo,
        file: &'static str,
        show: impl FnMut(Download<'_>),
    ) -> Result<PathBuf, String> {
        let api = ApiBuilder::from_cache(Cache::new(self.cache.clone()))
            .with_endpoint(self.endpoint.clone())
            .with_token(None)
            .build()
            .map_err(|error| error.to_string())?;
        download::watched(api.repo(repo), file, self.patience, show)
    }
}

/// Errors unless a file is what is known of it; what nobody knew is written beside it.
fn verify(path: &Path, known: Option<&str>) -> Result<()> {
    let found = sha256(path).map_err(|error| Error::io(error).at(path))?;
    let beside = beside(path);
    let recorded = match fs::read_to_string(&beside) {
        Ok(text) => Some(text.split_whitespace().next().unwrap_or_default().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io(error).at(beside)),
    };
    for expected in [known.map(str::to_owned), name_of_blob(path), recorded.clone()] {
        if let Some(expected) = expected
            && expected != found
        {
            let expected = crate::bytes::quoted_up_to(&expected, found.len());
            return Err(Error::format(Problem::Checksum { found, expected }).at(path));
        }
    }
    if recorded.is_none() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut file = OutputFile::create(&beside)?;
        writeln!(file, "{found}  {name}").map_err(|error| Error::write(error).at(&beside))?;
        file.commit()?;
    }
    Ok(())
}

/// `NAME.sha256`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".sha256");
    path.with_file_name(name)
}

/// The checksum by which the cache names what the path links to.
fn name_of_blob(path: &Path) -> Option<String> {
    let target = fs::read_link(path).ok()?;
    let name = target.file_name()?.to_str()?;
    let is_checksum = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_checksum.then(|| name.to_owned())
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => hash.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
