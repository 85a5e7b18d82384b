use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use image::{ImageFormat, RgbImage};
use parquet::data_type::ByteArray;
use uhop_data::datasets::{Dataset, Split};
use uhop_data::hub::Hub;

use crate::parquet::{Leaf, encoded, file, plain};
use crate::support::*;

const REVISION: &str = "5a77092c28e51558c5586e9c5eb71a7e17a5e43f";
const FILE: &str = "data/valid-00000-of-00001-70d52db3c749a935.parquet";

/// A hub on this machine that answers every request with one file, as the real one does, under a name
/// for it. Its address, and the lines that it was asked.
fn serve(bytes: Vec<u8>, etag: &str, revision: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    serve_cut(bytes, etag, revision, usize::MAX)
}

/// The same, whose first answer of more than a byte breaks off after so many.
fn serve_cut(
    bytes: Vec<u8>,
    etag: &str,
    revision: &str,
    mut n_sent: usize,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(vec![]));
    let (log, etag, revision) = (Arc::clone(&asked), etag.to_owned(), revision.to_owned());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            log.lock().unwrap().push(lines.next().unwrap());
            let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let range = headers.iter().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                let range = value.strip_prefix("bytes=")?.split_once('-')?;
                name.eq_ignore_ascii_case("range").then_some(range)
            });
            let (start, end) = range.unwrap();
            let start: usize = start.parse().unwrap();
            let end = end.parse().map_or(bytes.len(), |end: usize| end + 1);
            let part = &bytes[start..end];
            write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\nx-repo-commit: {revision}\r\netag: \"{etag}\"\r\n\
                 content-range: bytes {start}-{}/{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                end - 1,
                bytes.len(),
                part.len()
            )
            .unwrap();
            if part.len() > n_sent {
                stream.write_all(&part[..n_sent]).unwrap();
                n_sent = usize::MAX;
            } else {
                stream.write_all(part).unwrap();
            }
        }
    });
    (address, asked)
}

/// Two images of Tiny ImageNet with labels.
fn images() -> Vec<u8> {
    let schema = "message m { optional group image { optional binary bytes; \
                  optional binary path (UTF8); } required int64 label; }";
    let image =
        |level| encoded(RgbImage::from_pixel(64, 64, image::Rgb([level; 3])), ImageFormat::Png);
    let bytes = [3, 200].map(|level| ByteArray::from(image(level)));
    let leaves = vec![
        Leaf::Bytes(bytes.to_vec(), vec![2; 2]),
        Leaf::Bytes(vec![], vec![1; 2]),
        Leaf::I64(vec![7, 199]),
    ];
    file(schema, plain(), vec![leaves])
}

fn snapshot(cache: &Path) -> PathBuf {
    cache.join("datasets--zh-plus--tiny-imagenet/snapshots").join(REVISION)
}

#[test]
fn files_are_fetched_once_and_then_compared() {
    let cache = tempfile::tempdir().unwrap();
    let cache = cache.path();
    let (address, asked) = serve(images(), "some-name", REVISION);
    let hub = Hub::new(cache).with_endpoint(address + "/");
    let fetch = || hub.fetch(Dataset::TinyImagenet, Split::Test, |_| {});
    let folder = fetch().unwrap();
    assert_eq!(folder, snapshot(cache));
    let read = Dataset::TinyImagenet.load(&folder, Split::Test, None).unwrap();
    assert_eq!(read.labels(), [7, 199]);
    let url = format!("GET /datasets/zh-plus/tiny-imagenet/resolve/{REVISION}/{FILE} HTTP/1.1");
    let n_asked = asked.lock().unwrap().len();
    assert!(n_asked > 0 && asked.lock().unwrap().iter().all(|line| *line == url));
    let path = folder.join(FILE);
    assert_eq!(fs::read(&path).unwrap(), images());

    // As `sha256sum` writes it.
    let beside = folder.join(format!("{FILE}.sha256"));
    let text = fs::read_to_string(&beside).unwrap();
    let (sum, name) = text.trim_end().split_once("  ").unwrap();
    assert_eq!((sum.len(), name), (64, path.file_name().unwrap().to_str().unwrap()));
    fetch().unwrap();
    assert_eq!(asked.lock().unwrap().len(), n_asked, "the network is not used again");

    let blob = fs::canonicalize(&path).unwrap();
    fs::write(&blob, b"damaged").unwrap();
    let error = fetch().unwrap_err();
    assert_says(&error, "damaged", &format!("expected \"{sum}\"; remove the file"));
    assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"damaged", "what was there is left");
    // The link may stay or go.
    for remove_link in [false, true] {
        fs::remove_file(&blob).unwrap();
        if remove_link {
            fs::remove_file(&path).unwrap();
        }
        fetch().unwrap();
    }
    assert_eq!(fs::read(&path).unwrap(), images());
    fs::write(&beside, "").unwrap();
    assert_says(&fetch().unwrap_err(), "empty checksum", "expected \"\"; remove");
}

/// A file put there by hand is as good.
#[test]
fn what_is_in_the_cache_needs_no_network() {
    let cache = tempfile::tempdir().unwrap();
    let path = snapshot(cache.path()).join(FILE);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, images()).unwrap();
    // Nobody listens at port 9 of this machine.
    let hub = Hub::new(cache.path()).with_endpoint("http://127.0.0.1:9");
    let folder = hub.fetch(Dataset::TinyImagenet, Split::Test, |_| {}).unwrap();
    assert!(Dataset::TinyImagenet.load(folder, Split::Test, None).is_ok());

    let error = hub.fetch(Dataset::TinyImagenet, Split::Train, |_| {}).unwrap_err();
    assert!(error.is_io(), "{error}");
    assert_one_line(&error, "offline");
    let text = error.to_string();
    let place = snapshot(cache.path()).join("data/train-00000-of-00001-1359597a978bc4fa.parquet");
    assert!(text.starts_with(place.to_str().unwrap()), "{text}");
    assert!(text.contains("http://127.0.0.1:9/datasets/zh-plus/tiny-imagenet/resolve/"), "{text}");
    assert!(text.ends_with("download that file by other means and put it here"), "{text}");
}

/// Checksums that are known, of the revision or by the hub's name for the file, are not met by others.
#[test]
fn other_files_are_refused_and_not_kept() {
    let cache = tempfile::tempdir().unwrap();
    let revision = "0b2714987fa478483af9968de7c934580d0bb9a2";
    let (address, _) = serve(b"not the file".to_vec(), "name", revision);
    let hub = Hub::new(cache.path()).with_endpoint(address);
    for _ in 0..2 {
        let error = hub.fetch(Dataset::Cifar10, Split::Test, |_| {}).unwrap_err();
        assert_says(&error, "pinned", "expected \"841389e6f2d64f28bf17310e430aebac20ec3ba");
    }
    let (address, _) = serve(images(), &"0123456789abcdef".repeat(4), REVISION);
    let hub = Hub::new(cache.path()).with_endpoint(address);
    let error = hub.fetch(Dataset::TinyImagenet, Split::Test, |_| {}).unwrap_err();
    assert_says(&error, "named", "expected \"0123456789abcdef");
    assert!(!snapshot(cache.path()).join(FILE).exists());
}

/// What is told of a download: every time more bytes, at last all of them.
#[test]
fn a_download_that_broke_off_is_resumed_and_tells_how_far_it_is() {
    let cache = tempfile::tempdir().unwrap();
    let (address, asked) = serve_cut(images(), "name", REVISION, 100);
    let hub = Hub::new(cache.path()).with_endpoint(address);
    let mut seen = Vec::new();
    let mut fetch = || {
        hub.fetch(Dataset::TinyImagenet, Split::Test, |download| {
            assert_eq!(download.file, FILE);
            assert_eq!(download.all, images().len() as u64);
            seen.push(download.done);
        })
    };
    let error = fetch().unwrap_err();
    assert!(error.is_io(), "{error}");
    assert_one_line(&error, "broken off");
    assert!(!snapshot(cache.path()).join(FILE).exists());
    let folder = fetch().unwrap();
    assert_eq!(fs::read(folder.join(FILE)).unwrap(), images());
    assert!(asked.lock().unwrap().len() >= 4);
    assert!(seen.is_sorted(), "the second goes on where the first ended: {seen:?}");
    assert!(seen.contains(&100) && seen.last() == Some(&(images().len() as u64)), "{seen:?}");
    let n_seen = seen.len();
    hub.fetch(Dataset::TinyImagenet, Split::Test, |_| panic!("nothing is downloaded")).unwrap();
    assert!(n_seen >= 2);
}

/// A hub that takes connections and says nothing is given up, with the line that says what to do.
#[test]
fn silence_is_not_waited_for() {
    let cache = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let patience = Duration::from_millis(50);
    let hub = Hub::new(cache.path()).with_endpoint(address).with_patience(patience);
    let error = hub.fetch(Dataset::TinyImagenet, Split::Test, |_| {}).unwrap_err();
    assert!(error.is_io(), "{error}");
    assert_one_line(&error, "silence");
    let text = error.to_string();
    assert!(text.starts_with(snapshot(cache.path()).join(FILE).to_str().unwrap()), "{text}");
    assert!(text.contains("failed (nothing came for 0.05 s); download that file"), "{text}");
    drop(listener);
}

#[test]
fn an_answer_without_sense_is_an_error() {
    let cache = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            assert!(lines.take_while(|line| !line.is_empty()).count() > 0);
            let answer = "HTTP/1.1 302 Found\r\nx-repo-commit: a\r\netag: a\r\n\
                          content-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let hub = Hub::new(cache.path()).with_endpoint(address);
    let error = hub.fetch(Dataset::TinyImagenet, Split::Test, |_| {}).unwrap_err();
    assert!(error.is_io() && error.to_string().contains("failed ("), "{error}");
}

#[test]
fn another_revision_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    let (address, _) = serve(images(), "name", &"f".repeat(40));
    let hub = Hub::new(cache.path()).with_endpoint(address);
    let error = hub.fetch(Dataset::TinyImagenet, Split::Test, |_| {}).unwrap_err();
    assert!(error.is_io() && error.to_string().contains("failed (it came as"), "{error}");
}
