//! The Python package: its wheel, built and installed in an environment of its own, and its tests.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The package, and where everything that is made for it goes.
const PACKAGE: &str = "crates/uhop-python";
const MADE: &str = "target/python";

/// What `python3` must be able to do.
const ABLE: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";

/// How the step ended.
pub(crate) enum Ending {
    Passed,
    /// Why it could not be run.
    Skipped(String),
    Failed,
}

/// Builds the wheel in the profile of the tests and with the features of what they share, so that what is compiled for them
/// is there, and runs its tests.
pub(crate) fn run(root: &Path) -> io::Result<Ending> {
    let Some(python) = ["python3", "python"].into_iter().find(|name| is_able(name)) else {
        return Ok(Ending::Skipped("Python 3.10 or later with venv is not there".to_owned()));
    };
    let made = root.join(MADE);
    let programs = made.join("environment").join(if cfg!(windows) { "Scripts" } else { "bin" });
    if let Some(missing) = environment(root, &made, python, &programs)? {
        return Ok(Ending::Skipped(missing));
    }
    let wheels = made.join("wheels");
    if wheels.exists() {
        fs::remove_dir_all(&wheels)?;
    }
    let manifest = format!("{PACKAGE}/Cargo.toml");
    let build = [
        "--profile",
        "dev",
        "--features",
        "check",
        "--locked",
        "--quiet",
        "--manifest-path",
        &manifest,
        "--out",
    ];
    let maturin = |task: &str, out: &Path, options: &[&str]| {
        let mut command = Command::new(programs.join("maturin"));
        command.arg(task).args(build).arg(out).args(options).current_dir(root);
        command
    };
    let stubs = made.join("stubs");
    let python = programs.join("python");
    let pip = || {
        let mut command = Command::new(&python);
        command.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]).current_dir(root);
        command
    };
    let local = ["--compatibility", "linux", "--auditwheel", "skip", "--strip"];
    let local = if cfg!(target_os = "linux") { &local[..] } else { &[] };
    if !succeeds(&mut maturin("build", &wheels, local))?
        || !succeeds(&mut maturin("generate-stubs", &stubs, &[]))?
    {
        return Ok(Ending::Failed);
    }
    let Some(wheel) = only_file(&wheels)? else { return Ok(Ending::Failed) };
    let mut install = pip();
    install.args(["install", "--no-index", "--no-deps", "--force-reinstall"]).arg(wheel);
    if !succeeds(&mut install)? {
        return Ok(Ending::Failed);
    }
    let mut tests = Command::new(&python);
    tests
        .args(["-m", "pytest", PACKAGE])
        .env("UHOP_STUBS", &stubs)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("MPLBACKEND", "agg")
        .current_dir(root);
    Ok(if succeeds(&mut tests)? { Ending::Passed } else { Ending::Failed })
}

/// Makes the environment unless it is there with these very requirements; what is missing, if something is.
fn environment(
    root: &Path,
    made: &Path,
    python: &str,
    programs: &Path,
) -> io::Result<Option<String>> {
    let wanted = fs::read_to_string(root.join(PACKAGE).join("tests/requirements.txt"))?;
    let stamp = made.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return Ok(None);
    }
    fs::create_dir_all(made)?;
    let mut venv = Command::new(python);
    venv.args(["-m", "venv", "--clear"]).arg(made.join("environment"));
    if let Some(line) = failure_of(&mut venv)? {
        return Ok(Some(format!("no environment can be made: {line}")));
    }
    let mut install = Command::new(programs.join("python"));
    install
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(root.join(PACKAGE).join("tests/requirements.txt"));
    if let Some(line) = failure_of(&mut install)? {
        return Ok(Some(format!("its requirements cannot be installed: {line}")));
    }
    fs::write(stamp, wanted)?;
    Ok(None)
}

fn is_able(python: impl AsRef<OsStr>) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", ABLE]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn succeeds(command: &mut Command) -> io::Result<bool> {
    let status = command.status().map_err(|error| {
        let program = command.get_program().display();
        io::Error::new(error.kind(), format!("cannot start {program}: {error}"))
    })?;
    Ok(status.success())
}

/// The last line that a command wrote, if it failed.
fn failure_of(command: &mut Command) -> io::Result<Option<String>> {
    let output = command.output()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    Ok((!output.status.success()).then(|| last.trim().to_owned()))
}

fn only_file(folder: &Path) -> io::Result<Option<PathBuf>> {
    fs::read_dir(folder)?.next().map(|entry| Ok(entry?.path())).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_not_able() {
        assert!(!is_able("no-such-python"));
    }

    #[test]
    fn the_package_and_its_requirements_are_there() {
        let root = crate::workspace_root();
        for file in ["pyproject.toml", "tests/requirements.txt"] {
            assert!(root.join(PACKAGE).join(file).is_file(), "{file}");
        }
    }
}
