use std::fs;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use uhop_data::Error;
use uhop_data::store::{self, Snapshot, Writer};

fn write(path: &Path, content: &str) -> Result<(), Error> {
    store::replace(path, |out| out.write_all(content.as_bytes()))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Every message is one line that starts with the path.
fn check_message(error: &Error, path: &Path) -> String {
    let text = error.to_string();
    assert!(text.starts_with(&format!("{}: ", path.display())), "{text}");
    assert!(!text.contains('\n'), "{text}");
    text
}

#[test]
fn a_replacement_leaves_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for content in ["first", "", "a longer third one"] {
        write(&path, content).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(names(folder.path()), ["file"]);
    }
}

#[test]
fn a_relative_path_and_a_name_that_is_not_utf8_work() {
    // The working folder of a test is that of its crate.
    let folder = tempfile::tempdir_in(".").unwrap();
    let relative = PathBuf::from(folder.path().file_name().unwrap()).join("file");
    write(&relative, "content").unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "content");

    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let path = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe"));
        let mut writer = Writer::create(&path).unwrap();
        writer.compact(|out| out.write_all(b"base")).unwrap();
        writer.append(b"record").unwrap();
        assert_eq!(store::read(&path).unwrap().records().len(), 1);
    }
}

#[test]
fn a_failed_closure_and_a_panicking_one_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, "old").unwrap();
    let large = vec![1; 1 << 20];
    let error = store::replace(&path, |out| {
        out.write_all(&large)?;
        Err(io::Error::other("no more"))
    })
    .unwrap_err();
    assert!(error.is_io());
    let text = check_message(&error, &path);
    assert!(text.ends_with(
        "cannot write its new version: no more; what was stored is unchanged; \
         try again or choose another folder"
    ));
    let panics = std::panic::catch_unwind(|| {
        let _ = store::replace(&path, |out| {
            out.write_all(&large).unwrap();
            panic!("on purpose")
        });
    });
    assert!(panics.is_err());
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn a_missing_folder_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/file");
    for error in [write(&path, "x").unwrap_err(), Writer::create(&path).unwrap_err()] {
        assert!(error.is_io());
        assert!(check_message(&error, &path).ends_with("; check that its folder exists"));
    }
    for error in [Writer::open(&path).unwrap_err(), store::read(&path).unwrap_err()] {
        assert!(error.is_io());
        assert!(check_message(&error, &path).ends_with("; check the path"));
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn folders_devices_and_paths_without_a_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = write(folder.path(), "x").unwrap_err();
    assert!(error.is_io());
    assert!(check_message(&error, folder.path()).contains("not a regular file"));
    assert!(store::read(folder.path()).unwrap_err().is_io());
    assert!(Writer::create(folder.path()).unwrap_err().is_io());
    for nameless in ["", "missing/.."] {
        assert!(write(Path::new(nameless), "x").unwrap_err().is_invalid_argument(), "{nameless:?}");
    }
    if cfg!(unix) {
        assert!(write(Path::new("/dev/null"), "x").unwrap_err().to_string().contains("device"));
    }
}

#[test]
fn a_file_marked_read_only_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, "old").unwrap();
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    for error in [write(&path, "new").unwrap_err(), Writer::open(&path).unwrap_err()] {
        assert!(error.is_io());
        assert!(check_message(&error, &path).contains("marked read-only"));
    }
    assert_eq!(store::read(&path).unwrap().base_bytes().unwrap()[..], *b"old");
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn only_one_writer_at_a_time_and_readers_always() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut first = Writer::create(&path).unwrap();
    first.compact(|out| out.write_all(b"base")).unwrap();
    let start = Instant::now();
    let error = Writer::open(&path).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(1), "at once");
    assert!(error.is_busy());
    let text = check_message(&error, &path);
    assert!(text.contains("file.lock"), "{text}");
    assert!(text.ends_with("; try again when it has finished"), "{text}");

    first.append(b"record").unwrap();
    assert_eq!(store::read(&path).unwrap().records().len(), 1);
    drop(first);
    assert!(path.with_file_name("file.lock").exists(), "the lock file stays");
    assert_eq!(Writer::open(&path).unwrap().n_records(), 1);
}

#[test]
fn a_writer_whose_file_was_replaced_refuses_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, "base").unwrap();
    let mut writer = Writer::open(&path).unwrap();
    writer.append(b"record").unwrap();
    write(&path, "other").unwrap();
    for error in [writer.append(b"lost").unwrap_err(), writer.compact(|_| Ok(())).unwrap_err()] {
        assert!(error.is_busy());
        assert!(check_message(&error, &path).ends_with("open it again and repeat the change"));
    }
    drop(writer);
    let mut writer = Writer::open(&path).unwrap();
    assert_eq!(writer.append(b"first").unwrap(), 1);
    assert_eq!(store::read(&path).unwrap().base_bytes().unwrap()[..], *b"other");
}

#[test]
fn a_damaged_journal_is_an_error_for_readers_and_writers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut writer = Writer::create(&path).unwrap();
    writer.compact(|out| out.write_all(b"base")).unwrap();
    for record in ["one", "two", "three"] {
        writer.append(record.as_bytes()).unwrap();
    }
    drop(writer);
    let journal = path.with_file_name("file.journal");
    let good = fs::read(&journal).unwrap();
    let second = 40 + 32 + "one".len();
    let mut damaged = good.clone();
    damaged[second + 25] ^= 1;
    fs::write(&journal, &damaged).unwrap();
    for error in [store::read(&path).unwrap_err(), Writer::open(&path).unwrap_err()] {
        assert!(error.is_format());
        let text = check_message(&error, &journal);
        assert!(text.contains(&format!("record 2 at byte {second} is unreadable")), "{text}");
    }
    assert_eq!(fs::read(&journal).unwrap(), damaged, "nothing was cut off");

    // The last record is a torn tail; the writer cuts it off and goes on.
    fs::write(&journal, &good[..good.len() - 1]).unwrap();
    assert_eq!(store::read(&path).unwrap().records().len(), 2);
    let mut writer = Writer::open(&path).unwrap();
    assert_eq!(writer.append(b"3").unwrap(), 3);
    let snapshot = store::read(&path).unwrap();
    assert_eq!(snapshot.records().collect::<Vec<_>>(), [&b"one"[..], b"two", b"3"]);
    assert_eq!(writer.n_journal_bytes(), fs::metadata(&journal).unwrap().len());
}

#[test]
fn a_journal_of_another_version_is_ignored_and_removed_by_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut writer = Writer::create(&path).unwrap();
    writer.compact(|out| out.write_all(b"base")).unwrap();
    writer.append(b"record").unwrap();
    drop(writer);
    write(&path, "other").unwrap();
    assert_eq!(store::read(&path).unwrap().records().len(), 0);
    assert!(path.with_file_name("file.journal").exists(), "a reader changes nothing");
    drop(Writer::open(&path).unwrap());
    assert_eq!(names(folder.path()), ["file", "file.lock"]);
    write(&path, "base").unwrap();
    assert_eq!(store::read(&path).unwrap().records().len(), 0, "it does not come back");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn permissions_are_kept_and_given_to_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, "old").unwrap();
        for permissions in [0o600, 0o640, 0o755, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(permissions)).unwrap();
            write(&path, "new").unwrap();
            assert_eq!(mode(&path), permissions);
            let mut writer = Writer::open(&path).unwrap();
            writer.append(b"record").unwrap();
            assert_eq!(mode(&path.with_file_name("file.journal")), permissions);
            writer.compact(|out| out.write_all(b"newer")).unwrap();
            assert_eq!(mode(&path), permissions);
        }
    }

    #[test]
    fn a_link_is_followed_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there");
        fs::create_dir(&there).unwrap();
        let (target, link) = (there.join("target"), folder.path().join("link"));
        write(&target, "old").unwrap();
        symlink("there/target", &link).unwrap();
        write(&link, "new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());

        // Both names are the same file: one lock, one journal.
        let mut writer = Writer::open(&link).unwrap();
        writer.append(b"record").unwrap();
        let error = Writer::open(&target).unwrap_err();
        assert!(error.is_busy());
        let error = Writer::open(&link).unwrap_err().to_string();
        assert!(error.contains("there/target.lock"), "{error}");
        assert_eq!(store::read(&target).unwrap().records().len(), 1);
        assert_eq!(store::read(&link).unwrap().records().len(), 1);
        assert_eq!(names(folder.path()), ["link", "there"]);
        assert_eq!(names(&there), ["target", "target.journal", "target.lock"]);
    }

    #[test]
    fn a_link_to_nothing_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("nothing", &link).unwrap();
        let error = write(&link, "x").unwrap_err();
        assert!(error.is_io());
        assert!(check_message(&error, &link).contains("a link to a file that does not exist"));
        assert_eq!(names(folder.path()), ["link"]);
    }

    #[test]
    fn a_hard_link_is_parted() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("file"), folder.path().join("other"));
        write(&path, "old").unwrap();
        fs::hard_link(&path, &other).unwrap();
        write(&path, "new").unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"old");
    }

    #[test]
    fn a_read_only_folder_is_an_error_and_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, "old").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
        if fs::write(folder.path().join("probe"), "").is_ok() {
            println!("skipped: this user may write to read-only folders");
            return;
        }
        for error in [write(&path, "new").unwrap_err(), Writer::open(&path).unwrap_err()] {
            assert!(error.is_io());
            let text = check_message(&error, &path);
            assert!(text.ends_with("; choose a folder in which you may create files"), "{text}");
        }
        assert_eq!(store::read(&path).unwrap().base_bytes().unwrap()[..], *b"old");
        assert_eq!(names(folder.path()), ["file"]);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A real limit on the size of files, which fails in the middle of a write as a full disk does.
    #[test]
    fn a_write_that_runs_out_of_space_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write(&path, "old").unwrap();
        Writer::open(&path).unwrap().append(b"record").unwrap();
        let status = Command::new("sh")
            // The signal is ignored, so that the write fails instead of ending the process.
            .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "store::unix::child_without_space", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
        let snapshot = store::read(&path).unwrap();
        assert_eq!(snapshot.base_bytes().unwrap()[..], *b"old");
        assert_eq!(snapshot.records().collect::<Vec<_>>(), [&b"record"[..], b"small"]);
        assert_eq!(names(folder.path()), ["file", "file.journal", "file.lock"]);
    }

    /// Runs in a process of its own, started by the test above; otherwise does nothing.
    #[test]
    fn child_without_space() {
        let Some(path) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
        let large = vec![7; 1 << 20];
        let mut writer = Writer::open(&path).unwrap();
        for error in [
            writer.compact(|out| out.write_all(&large)).unwrap_err(),
            writer.append(&large).unwrap_err(),
            store::replace(&path, |out| out.write_all(&large)).unwrap_err(),
        ] {
            assert!(error.is_io());
            let text = check_message(&error, &path);
            assert!(
                text.ends_with(
                    "; what was stored is unchanged; free some space or choose another disk"
                ),
                "{text}"
            );
        }
        // The writer took the failed record back and goes on.
        assert_eq!(writer.append(b"small").unwrap(), 2);
    }
}

/// Names the file for a test process that is started by another test.
const CHILD: &str = "UHOP_STORE_TEST_FILE";

/// A version that counts to `n`: the number, and bytes that show any mixture of two versions.
fn counted(n: u64) -> Vec<u8> {
    let mut bytes = n.to_le_bytes().to_vec();
    bytes.extend((0..20_000 + n % 1000).map(|i| (i ^ n) as u8));
    bytes
}

/// What a version counts to: its base counts to the number in it, each record to the next one.
fn count(snapshot: &Snapshot) -> u64 {
    let base = snapshot.base_bytes().unwrap();
    let mut n = u64::from_le_bytes(base[..8].try_into().unwrap());
    assert_eq!(base[..], counted(n), "the base is one version");
    for record in snapshot.records() {
        n += 1;
        assert_eq!(record, n.to_le_bytes(), "records follow each other");
    }
    n
}

/// Appends the next number, and compacts now and then.
fn count_on(writer: &mut Writer, n: u64) {
    writer.append(&n.to_le_bytes()).unwrap();
    if n.is_multiple_of(3) {
        writer.compact(|out| out.write_all(&counted(n))).unwrap();
    }
}

#[test]
fn readers_beside_a_writer_see_one_version_and_never_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut writer = Writer::create(&path).unwrap();
    writer.compact(|out| out.write_all(&counted(0))).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    match store::read(&path) {
                        Ok(snapshot) => {
                            let now = count(&snapshot);
                            assert!(now >= last, "{now} after {last}");
                            last = now;
                        }
                        Err(error) => assert!(error.is_busy(), "{error}"),
                    }
                }
            });
        }
        let start = Instant::now();
        for n in 1.. {
            count_on(&mut writer, n);
            if start.elapsed() > Duration::from_millis(700) {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// A process is killed again and again while it appends and compacts.
#[test]
fn a_killed_process_loses_nothing_it_was_told_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write_counted(&path);
    let start = Instant::now();
    let mut n_rounds = 0;
    let mut n_kept = 0;
    while n_rounds < 60 && start.elapsed() < Duration::from_secs(3) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::child_that_counts", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Wait for its first number, then a little, another while each time.
        let mut told = None;
        for line in lines.by_ref() {
            told = number(&line.unwrap());
            if told.is_some() {
                break;
            }
        }
        std::thread::sleep(Duration::from_micros(n_rounds * 271 % 9_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let rest = lines.map_while(Result::ok).filter_map(|line| number(&line));
        let told = rest.last().or(told).expect("it counted");

        let found = count(&store::read(&path).unwrap());
        assert!(found == told || found == told + 1, "found {found}, was told {told}");
        assert!(found >= n_kept);
        n_kept = found;
        // The lock of a killed process is free.
        drop(Writer::open(&path).unwrap());
        assert_eq!(count(&store::read(&path).unwrap()), found, "changed by the recovery");
        assert!(names(folder.path()).iter().all(|name| !name.ends_with(".new")));
        n_rounds += 1;
    }
    println!("{n_rounds} kills, {n_kept} numbers kept");
    assert!(n_rounds >= 10, "{n_rounds} rounds in {:?}", start.elapsed());
}

fn write_counted(path: &Path) {
    store::replace(path, |out| out.write_all(&counted(0))).unwrap();
}

/// The number in a line of the child, which shares its output with the test harness.
fn number(line: &str) -> Option<u64> {
    line.strip_prefix("kept ")?.strip_suffix('.')?.parse().ok()
}

/// Runs in a process of its own until it is killed; otherwise does nothing.
#[test]
fn child_that_counts() {
    let Some(path) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let mut writer = Writer::open(&path).unwrap();
    let start = count(&writer.snapshot().unwrap());
    let mut out = io::stdout().lock();
    for n in start + 1.. {
        count_on(&mut writer, n);
        // On a line of its own, whatever the harness wrote before. A closed pipe ends the loop.
        if write!(out, "\nkept {n}.\n").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}
