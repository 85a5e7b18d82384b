//! A simulated writer is stopped at every operation, and the disk loses whatever it may lose.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::files::Files as _;
use super::place::Place;
use super::problem::Problem;
use super::reading::{self, contents};
use super::replacement;
use super::simulation::{Cuts, Fault, Loss, Simulation};
use super::writing::Holder;

/// The base and its records; nothing when there is no file.
type State = Option<(Vec<u8>, Vec<Vec<u8>>)>;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u8>),
    Compact(Vec<u8>),
    /// Close and open again.
    Reopen,
    /// Replace without a lock or a journal; only where no writer is used.
    Replace(Vec<u8>),
}

fn append(record: &str) -> Step {
    Step::Append(record.into())
}

fn compact(base: &str) -> Step {
    Step::Compact(base.into())
}

impl Step {
    fn apply(&self, state: &State) -> State {
        match self {
            Self::Append(record) => {
                let (base, mut records) = state.clone().unwrap();
                records.push(record.clone());
                Some((base, records))
            }
            Self::Compact(base) | Self::Replace(base) => Some((base.clone(), Vec::new())),
            Self::Reopen => state.clone(),
        }
    }
}

/// The state before the first step and after each step.
fn states(steps: &[Step]) -> Vec<State> {
    let mut states = vec![None];
    for step in steps {
        states.push(step.apply(&states[states.len() - 1]));
    }
    states
}

/// First version, records of several sizes, compactions, an earlier version brought back, the same
/// version written again.
fn history() -> Vec<Step> {
    vec![
        compact("first"),
        append("one"),
        append(""),
        append("a longer record, longer than the 32 bytes that frame it"),
        Step::Reopen,
        append("four"),
        compact("second"),
        // The version that the last journal belonged to.
        compact("first"),
        compact("third, without records in between"),
        append("five"),
        compact("second"),
        append("six"),
        append("seven"),
        compact("second"),
        Step::Reopen,
        append("eight"),
        compact("first"),
        append("nine"),
        Step::Reopen,
        append("ten"),
        compact(""),
        append("eleven"),
        compact("last"),
        append("twelve"),
        append("thirteen"),
    ]
}

/// Larger than the buffer between the closure and the file.
fn large_history() -> Vec<Step> {
    let large = |seed: u8| (0..150_000_u32).map(|i| (i % 251) as u8 ^ seed).collect::<Vec<_>>();
    vec![
        Step::Compact(large(0)),
        Step::Append(large(1)),
        Step::Append(b"small".to_vec()),
        Step::Compact(large(2)),
    ]
}

fn path() -> PathBuf {
    PathBuf::from("folder/memory")
}

fn place() -> Place {
    Place::new(&path(), path()).unwrap()
}

/// Runs the steps until one fails; returns how many succeeded, and the failure.
fn run(process: &Simulation, steps: &[Step]) -> (usize, Option<Problem>) {
    let mut writer = None;
    for (done, step) in steps.iter().enumerate() {
        if let Err(problem) = run_step(process, &mut writer, step) {
            return (done, Some(problem));
        }
    }
    (steps.len(), None)
}

fn run_step(
    process: &Simulation,
    writer: &mut Option<Holder<Simulation>>,
    step: &Step,
) -> Result<(), Problem> {
    if let Step::Replace(base) = step {
        return replacement::replace(process, &place(), |out| out.write_all(base));
    }
    if matches!(step, Step::Reopen) {
        *writer = None;
    }
    let writer = match writer {
        Some(writer) => writer,
        None => writer.insert(Holder::open(process.clone(), place())?),
    };
    match step {
        Step::Append(record) => writer.append(record).map(drop),
        Step::Compact(base) => writer.compact(|out| out.write_all(base)),
        Step::Reopen | Step::Replace(_) => Ok(()),
    }
}

/// What a reader finds. A missing file is a state, every other failure is not.
fn read(process: &Simulation) -> State {
    match reading::read(process, &place()) {
        Ok(view) => {
            let base = contents(process, &view.base).unwrap();
            let records = view.payloads.iter().map(|range| view.journal[range.clone()].to_vec());
            Some((base, records.collect()))
        }
        Err(Problem::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(problem) => panic!("{problem}"),
    }
}

/// Every disk that can be found after the process stopped where it did.
fn aftermaths(stopped: &Simulation) -> Vec<(String, Simulation)> {
    let mut found = vec![("only the process stopped".to_owned(), stopped.after_kill())];
    for kept in 0..stopped.n_name_sets() {
        for loss in Loss::ALL {
            let disk = stopped.after_power_failure(loss, kept);
            found.push((format!("content {loss:?}, names {kept:b}"), disk));
        }
    }
    found
}

const LATER: &str = "later";

/// What is written after a recovery.
fn later(state: &State) -> Step {
    if state.is_some() { append(LATER) } else { compact(LATER) }
}

/// Reads, recovers, writes on. The disk holds one of the `allowed` states, still does after the
/// recovery, and keeps what is written then, whatever happens to the machine afterwards.
fn check_recovery(disk: &Simulation, allowed: &[State], context: &str) {
    let state = read(&disk.process());
    assert!(allowed.contains(&state), "{context}: found {state:?}, expected one of {allowed:?}");

    let mut writer = None;
    let process = disk.process();
    run_step(&process, &mut writer, &Step::Reopen).unwrap_or_else(|p| panic!("{context}: {p}"));
    assert_eq!(read(&disk.process()), state, "{context}: changed by the recovery");
    let left = disk.names().into_iter().filter(|name| name.extension() == Some("new".as_ref()));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<PathBuf>::new(), "{context}: left behind");

    let step = later(&state);
    run_step(&process, &mut writer, &step).unwrap_or_else(|p| panic!("{context}: {p}"));
    for (what, disk) in aftermaths(disk) {
        assert_eq!(read(&disk), step.apply(&state), "{context}, later {what}");
    }
}

/// The same, with the recovery itself stopped at every point.
fn check_stopped_recovery(disk: &Simulation, allowed: &[State], context: &str) -> usize {
    let state = read(&disk.process());
    let step = later(&state);
    let steps = [Step::Reopen, step.clone()];
    let whole = disk.after_kill();
    assert_eq!(run(&whole, &steps).0, 2);
    let points = whole.kill_points(Cuts::Some);
    for &point in &points {
        let process = disk.after_kill().with_fault(point);
        let (done, _) = run(&process, &steps);
        // Until the file is open nothing has been promised; from then on what was seen stays.
        let mut allowed = if done == 0 { allowed.to_vec() } else { vec![state.clone()] };
        if done == 1 {
            allowed.push(step.apply(&state));
        }
        assert!(process.is_dead(), "{point:?} is after the last operation");
        for (what, disk) in aftermaths(&process) {
            let found = read(&disk);
            assert!(
                allowed.contains(&found),
                "{context}, then {point:?}, {what}: found {found:?}, expected one of {allowed:?}"
            );
        }
    }
    points.len()
}

/// Stops the steps at every point. Returns the number of points and of disks looked at.
fn check_every_stop(steps: &[Step], cuts: Cuts, recoveries: bool) -> (usize, usize) {
    let whole = Simulation::new();
    assert_eq!(run(&whole, steps).0, steps.len());
    let states = states(steps);
    assert_eq!(read(&whole.process()), states[steps.len()]);

    let points = whole.kill_points(cuts);
    let mut n_disks = 0;
    for &point in &points {
        let process = Simulation::new().with_fault(point);
        let (done, _) = run(&process, steps);
        assert!(process.is_dead(), "{point:?} is after the last operation");
        let allowed = &states[done..states.len().min(done + 2)];
        for (what, disk) in aftermaths(&process) {
            let context = format!("{point:?} in step {done}, {what}");
            if recoveries {
                n_disks += check_stopped_recovery(&disk, allowed, &context);
            }
            check_recovery(&disk, allowed, &context);
            n_disks += 1;
        }
    }
    (points.len(), n_disks)
}

#[test]
fn every_stop_of_a_writer_and_of_its_recovery_leaves_the_state_before_or_after() {
    let (n_points, n_disks) = check_every_stop(&history(), Cuts::Some, true);
    assert!(n_points >= 200, "{n_points} kill points");
    assert!(n_disks >= 25_000, "{n_disks} disks");
}

#[test]
fn every_stop_at_every_byte_leaves_the_state_before_or_after() {
    let (n_points, n_disks) = check_every_stop(&history(), Cuts::Every, false);
    assert!(n_points >= 900, "{n_points} kill points");
    assert!(n_disks >= 10_000, "{n_disks} disks");
}

#[test]
fn every_stop_while_large_files_are_written_leaves_the_state_before_or_after() {
    let (n_points, _) = check_every_stop(&large_history(), Cuts::Some, false);
    assert!(n_points >= 40, "{n_points} kill points");
}

#[test]
fn every_stop_of_a_replacement_leaves_the_old_file_or_the_new() {
    let steps: Vec<Step> =
        ["old", "", "new", "old"].iter().map(|base| Step::Replace((*base).into())).collect();
    let whole = Simulation::new();
    assert_eq!(run(&whole, &steps).0, steps.len());
    let states = states(&steps);
    for point in whole.kill_points(Cuts::Some) {
        let process = Simulation::new().with_fault(point);
        let (done, _) = run(&process, &steps);
        for (what, disk) in aftermaths(&process) {
            let found = read(&disk);
            let allowed = &states[done..states.len().min(done + 2)];
            assert!(allowed.contains(&found), "{point:?}, {what}: {found:?}");
        }
    }
}

#[test]
fn a_finished_history_survives_every_power_failure() {
    let steps = history();
    let states = states(&steps);
    for done in 0..=steps.len() {
        let process = Simulation::new();
        run(&process, &steps[..done]);
        for (what, disk) in aftermaths(&process) {
            check_recovery(&disk, &states[done..=done], &format!("after {done} steps, {what}"));
        }
    }
}

/// Operations fail and the process goes on: one operation, a few, or all from then on.
#[test]
fn every_failing_operation_is_an_error_and_leaves_the_state_before_or_after() {
    let steps = history();
    let whole = Simulation::new();
    run(&whole, &steps);
    let changes = whole.changes();
    let mut faults = Vec::new();
    for (at, n_bytes) in changes.iter().enumerate() {
        let kind = io::ErrorKind::StorageFull;
        faults.extend([1, 2, 3, usize::MAX].map(|n| Fault::Fail { at, n, kind }));
        let cuts = n_bytes.map_or(0..0, |n| 0..n);
        faults.extend(cuts.step_by(7).map(|written| Fault::Full { at, written }));
    }
    let states = states(&steps);
    let mut n_unnoticed = 0;
    for fault in faults {
        let process = Simulation::new().with_fault(fault);
        let mut writer = None;
        let mut state = None;
        for (i, step) in steps.iter().enumerate() {
            match run_step(&process, &mut writer, step) {
                Ok(()) => {
                    state = step.apply(&state);
                    assert_eq!(read(&process.process()), state, "{fault:?}, step {i} went well");
                }
                Err(problem) => {
                    let text = problem.to_string();
                    assert!(text.starts_with("folder/memory: cannot "), "{text}");
                    assert!(text.contains("no storage space"), "{text}");
                    assert!(!text.contains('\n'), "{text}");
                    let found = read(&process.process());
                    let after = step.apply(&state);
                    if text.contains("what was stored is unchanged") {
                        assert_eq!(found, state, "{fault:?} in step {i}: {text}");
                        for (what, disk) in aftermaths(&process) {
                            assert_eq!(read(&disk), state, "{fault:?} in step {i}, {what}: {text}");
                        }
                    }
                    assert!(
                        found == state || found == after,
                        "{fault:?} in step {i}: found {found:?}: {text}"
                    );
                    // What else this writer is asked for, it keeps its promises or refuses.
                    let more = later(&found);
                    let went_on = run_step(&process, &mut writer, &more).is_ok();
                    let now = read(&process.process());
                    if went_on {
                        assert_eq!(now, more.apply(&found), "{fault:?} in step {i}");
                    }
                    drop(writer.take());
                    let allowed = [found.clone(), more.apply(&found), state.clone(), after];
                    for (what, disk) in aftermaths(&process) {
                        let context = format!("{fault:?} in step {i}, {what}");
                        if went_on {
                            check_recovery(&disk, std::slice::from_ref(&now), &context);
                        } else {
                            check_recovery(&disk, &allowed, &context);
                        }
                    }
                    break;
                }
            }
            if i + 1 == steps.len() {
                // Only what can be made up for later may fail without an error.
                n_unnoticed += 1;
                assert_eq!(read(&process.process()), states[steps.len()]);
            }
        }
    }
    assert!(n_unnoticed > 0, "removing a void journal may fail");
}

#[test]
fn a_failed_replacement_leaves_the_old_file_and_no_other() {
    let old = Simulation::new();
    run(&old, &[Step::Replace(b"old".to_vec())]);
    let whole = old.after_kill();
    run(&whole, &[Step::Replace(b"new".to_vec())]);
    let n_changes = whole.changes().len();
    assert_eq!(n_changes, 5, "create, write, flush, rename, flush the folder");
    for at in 0..n_changes {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::PermissionDenied] {
            let process = old.after_kill().with_fault(Fault::Fail { at, n: 1, kind });
            let problem = run(&process, &[Step::Replace(b"new".to_vec())]).1.unwrap();
            let expected = if at + 1 < n_changes { "old" } else { "new" };
            assert_eq!(read(&process), Some((expected.into(), vec![])), "{problem}");
            assert_eq!(process.names(), [path()], "{problem}");
        }
    }
}

#[test]
fn a_closure_that_panics_leaves_the_old_file_and_no_other() {
    let process = Simulation::new();
    run(&process, &[Step::Replace(b"old".to_vec())]);
    let panics = std::panic::AssertUnwindSafe(|| {
        replacement::replace(&process, &place(), |_| panic!("on purpose"))
    });
    std::panic::catch_unwind(panics).unwrap_err();
    assert_eq!(read(&process), Some((b"old".to_vec(), vec![])));
    assert_eq!(process.names(), [path()]);
}

/// A reader sees one version whatever a writer does between two of its operations.
#[test]
fn a_reader_interrupted_anywhere_by_any_steps_sees_one_version() {
    let steps = history();
    let states = states(&steps);
    let mut n_runs = 0;
    for start in 1..steps.len() {
        for end in start + 1..=steps.len().min(start + 4) {
            for operation in 0.. {
                let disk = Simulation::new();
                run(&disk, &steps[..start]);
                let (writer, between) = (disk.process(), steps[start..end].to_vec());
                let n_between = between.len();
                let reader = disk.process().interrupted_at(operation, move || {
                    assert_eq!(run(&writer, &between).0, n_between);
                });
                let found = read(&reader);
                assert!(states[start..=end].contains(&found), "{start}..{end} at {operation}");
                n_runs += 1;
                if operation >= reader.n_operations() {
                    break;
                }
            }
        }
    }
    assert!(n_runs >= 400, "{n_runs} runs");
}

/// A reader sees one version between any two operations of a writer.
#[test]
fn a_reader_between_any_two_operations_of_a_writer_sees_one_version() {
    let steps = history();
    let states = states(&steps);
    let whole = Simulation::new();
    run(&whole, &steps);
    for operation in 0..whole.n_operations() {
        let disk = Simulation::new();
        let found = Rc::new(RefCell::new(None));
        let (reader, result) = (disk.process(), Rc::clone(&found));
        let writer = disk.process().interrupted_at(operation, move || {
            *result.borrow_mut() = Some(read(&reader));
        });
        let mut open = None;
        for (i, step) in steps.iter().enumerate() {
            run_step(&writer, &mut open, step).unwrap();
            if let Some(found) = found.borrow_mut().take() {
                assert!(states[i..=i + 1].contains(&found), "operation {operation}: {found:?}");
            }
        }
    }
}

#[test]
fn a_reader_that_is_overtaken_starts_again() {
    let disk = Simulation::new();
    run(&disk, &[Step::Replace(b"old".to_vec())]);
    let undisturbed = disk.process();
    read(&undisturbed);
    let writer = disk.process();
    // Between opening the base and looking whether it is still in place.
    let reader = disk.process().interrupted_at(1, move || {
        run(&writer, &[Step::Replace(b"new".to_vec())]);
    });
    assert_eq!(read(&reader), Some((b"new".to_vec(), vec![])));
    assert!(reader.n_operations() > undisturbed.n_operations());
}

#[test]
fn a_reader_that_is_overtaken_each_time_gives_up() {
    let disk = Simulation::new();
    run(&disk, &[Step::Replace(b"old".to_vec())]);
    let writer = disk.process();
    // Without a journal an attempt opens the base, looks for a journal, looks at the base again.
    let reader = disk.process().interrupted(move |number| {
        if number % 3 == 2 {
            run(&writer, &[Step::Replace(number.to_string().into_bytes())]);
        }
    });
    let problem = reading::read(&reader, &place()).err().unwrap();
    assert!(problem.is_busy());
    assert_eq!(
        problem.to_string(),
        "folder/memory: the file was replaced during each of 10 attempts to read it; \
         try again when it is written less often"
    );
    assert_eq!(reader.n_operations(), 30);
}

#[test]
fn a_second_writer_is_refused_and_the_first_goes_on() {
    let disk = Simulation::new();
    let mut first = Holder::open(disk.process(), place()).unwrap();
    first.compact(|out| out.write_all(b"base")).unwrap();
    let refused = Holder::open(disk.process(), place()).err().unwrap();
    assert!(refused.is_busy());
    assert_eq!(
        refused.to_string(),
        "folder/memory: another process is writing to this file (it holds folder/memory.lock); \
         try again when it has finished"
    );
    first.append(b"record").unwrap();
    drop(first);
    assert_eq!(Holder::open(disk.process(), place()).unwrap().journal_size().0, 1);
}

#[test]
fn leftovers_of_others_are_not_touched() {
    let disk = Simulation::new();
    let like = path();
    let kept = [
        ".memory.0123456789abcdef.tmp",
        ".memory.0123456789abcde.new",
        ".memory2.0123456789abcdef.new",
        ".memory.0123456789abcdeg.new",
        "memory.new",
    ];
    for name in kept.iter().copied().chain([".memory.0123456789abcdef.new"]) {
        disk.create(&Path::new("folder").join(name), &like).unwrap();
    }
    Holder::open(disk.process(), place()).unwrap();
    let mut names: Vec<_> =
        disk.names().iter().map(|p| p.file_name().unwrap().to_owned()).collect();
    names.retain(|name| name != "memory.lock");
    let mut expected: Vec<std::ffi::OsString> = kept.iter().map(Into::into).collect();
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn a_journal_without_its_base_extends_nothing() {
    let disk = Simulation::new();
    run(&disk, &[compact("base"), append("record")]);
    disk.remove(&path()).unwrap();
    assert_eq!(read(&disk), None);
    let after = disk.after_kill();
    assert_eq!(run(&after, &[compact("base")]).0, 1);
    assert_eq!(read(&after), Some((b"base".to_vec(), vec![])));
}
