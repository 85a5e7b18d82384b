//! Laws of changes: a memory with its journal is the memory that a plain list would be.

use ndarray::{Array2, Axis, array};
use proptest::prelude::*;
use uhop::saved::{AnyMemory, Change, Ids, Learning, SavedMemory, StoredTensor};
use uhop::stage1::whiten;
use uhop::{AsymmetricMap, LinearMap, Memory, Model, Patterns, Similarity};

use crate::common::normal;

/// Records of version 1, written once and kept: two patterns added with values and names, and the
/// rows 0 and 2 removed.
const ADD_VERSION_1: &[u8] = include_bytes!("../golden/change-add-v1.safetensors");
const REMOVE_VERSION_1: &[u8] = include_bytes!("../golden/change-remove-v1.safetensors");

/// One pattern of the plain list: all that belongs to it follows from its number.
fn patterns<T: StoredTensor>(numbers: &[i64]) -> Patterns<T> {
    let rows = Array2::from_shape_fn((numbers.len(), 3), |(row, column)| {
        T::narrow(numbers[row] as f64 + 0.25 * column as f64)
    });
    Patterns::new(rows).unwrap()
}

fn values<T: StoredTensor>(numbers: &[i64]) -> Patterns<T> {
    let rows =
        Array2::from_shape_fn((numbers.len(), 1), |(row, _)| T::narrow(-numbers[row] as f64));
    Patterns::new(rows).unwrap()
}

#[derive(Debug, Clone, Copy)]
enum WithIds {
    None,
    Numbers,
    Names,
}

fn ids(numbers: &[i64], kind: WithIds) -> Option<Ids> {
    match kind {
        WithIds::None => None,
        WithIds::Numbers => Some(Ids::numbers(numbers.to_vec()).unwrap()),
        WithIds::Names => {
            Some(Ids::names(numbers.iter().map(|n| format!("no. {n}")).collect()).unwrap())
        }
    }
}

fn saved<T: StoredTensor>(numbers: &[i64], with_values: bool, kind: WithIds) -> SavedMemory<T> {
    let memory = Memory::new(patterns(numbers), Model::sparse(0.5).unwrap()).unwrap();
    let memory = if with_values { memory.with_values(values(numbers)).unwrap() } else { memory };
    match ids(numbers, kind) {
        Some(ids) => SavedMemory::new(memory).with_ids(ids).unwrap(),
        None => SavedMemory::new(memory),
    }
}

fn add<T: StoredTensor>(numbers: &[i64], with_values: bool, kind: WithIds) -> Change<T> {
    let mut change = Change::add(patterns(numbers));
    if with_values {
        change = change.with_values(values(numbers)).unwrap();
    }
    match ids(numbers, kind) {
        Some(ids) => change.with_ids(ids).unwrap(),
        None => change,
    }
}

/// The plain list after some steps, and the changes that say the same. A step adds as many as it
/// says, or removes what a rule picks.
fn play<T: StoredTensor>(
    n_first: usize,
    steps: &[(bool, usize)],
    with_values: bool,
    kind: WithIds,
) -> (Vec<i64>, Vec<Change<T>>) {
    let mut list: Vec<i64> = (0..n_first as i64).collect();
    let mut next = n_first as i64;
    let mut changes = Vec::new();
    for &(adds, n) in steps {
        if adds {
            let numbers: Vec<i64> = (next..next + n as i64).collect();
            next += n as i64;
            changes.push(add(&numbers, with_values, kind));
            list.extend(numbers);
        } else {
            // Every row whose position and n agree, but never all.
            let mut rows: Vec<usize> = (0..list.len()).filter(|row| row % (n + 1) == n).collect();
            rows.truncate(list.len() - 1);
            for &row in rows.iter().rev() {
                list.remove(row);
            }
            // The order in which they are named is of no account.
            rows.reverse();
            changes.push(Change::remove(rows));
        }
    }
    (list, changes)
}

fn assert_equal<T: StoredTensor>(left: &SavedMemory<T>, right: &SavedMemory<T>) {
    assert_eq!(left.to_bytes().unwrap(), right.to_bytes().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn changes_are_those_of_a_plain_list(
        n_first in 1usize..5,
        steps in prop::collection::vec((any::<bool>(), 1usize..4), 0..8),
        with_values: bool,
        kind in prop::sample::select(vec![WithIds::None, WithIds::Numbers, WithIds::Names]),
    ) {
        let (list, changes) = play::<f32>(n_first, &steps, with_values, kind);
        let start = || {
            let numbers: Vec<i64> = (0..n_first as i64).collect();
            saved::<f32>(&numbers, with_values, kind)
        };
        let expected = saved::<f32>(&list, with_values, kind);
        assert_equal(&start().with_changes(&changes).unwrap(), &expected);
        let one_by_one = changes.iter().fold(start(), |saved, change| {
            saved.with_changes(std::slice::from_ref(change)).unwrap()
        });
        assert_equal(&one_by_one, &expected);
        // Through the bytes of a file and its journal.
        let records: Vec<_> = changes.iter().map(|change| change.to_bytes().unwrap()).collect();
        let file = start().to_bytes().unwrap();
        let read = AnyMemory::from_bytes(file).unwrap().with_records(records).unwrap();
        let AnyMemory::F32(read) = read else { panic!("written in f32") };
        assert_equal(&read, &expected);
    }

    #[test]
    fn a_change_is_read_as_it_was_written(
        numbers in prop::collection::vec(any::<i64>(), 1..5), with_values: bool,
        rows in prop::collection::vec(0usize..1 << 40, 0..5),
    ) {
        let distinct: std::collections::BTreeSet<i64> = numbers.into_iter().collect();
        let numbers: Vec<i64> = distinct.into_iter().collect();
        for kind in [WithIds::None, WithIds::Numbers, WithIds::Names] {
            let change = add::<f64>(&numbers, with_values, kind);
            prop_assert_eq!(Change::from_bytes(change.to_bytes().unwrap()).unwrap(), change);
        }
        let change = Change::<f32>::remove(rows);
        prop_assert_eq!(Change::from_bytes(change.to_bytes().unwrap()).unwrap(), change);
    }
}

#[test]
fn changes_that_do_not_fit_are_errors_that_say_why() {
    let refused =
        |saved: SavedMemory<f64>, change: Change<f64>| saved.with_changes(&[change]).unwrap_err();
    let plain = || saved::<f64>(&[0, 1], false, WithIds::None);
    let full = || saved::<f64>(&[0, 1], true, WithIds::Numbers);
    let narrow = Change::add(Patterns::new(array![[1.0, 2.0]]).unwrap());
    let error = refused(plain(), narrow);
    assert!(error.is_shape_mismatch());
    assert!(error.to_string().contains("[1, 2]") && error.to_string().contains("[2, 3]"));
    let error = refused(plain(), add(&[2], true, WithIds::None));
    assert!(error.is_out_of_domain() && error.to_string().contains("values is given"), "{error}");
    let error = refused(full(), add(&[2], true, WithIds::None));
    assert!(error.is_out_of_domain() && error.to_string().contains("ids is missing"), "{error}");
    let error = refused(full(), add(&[2], true, WithIds::Names));
    assert!(error.to_string().contains("integers in one and names in the other"), "{error}");
    let error = refused(full(), add(&[2, 1], true, WithIds::Numbers));
    assert!(error.is_out_of_domain() && error.to_string().contains("id 1"), "{error}");
    let error = refused(plain(), Change::remove(vec![0, 2]));
    assert!(error.to_string().contains("a row is 2; it must be from 0 to 1"), "{error}");
    assert!(refused(plain(), Change::remove(vec![0, 1, 1])).is_empty());
    // An id is free again after its pattern was removed, in the same go as well.
    let again = [Change::remove(vec![1]), add(&[1], true, WithIds::Numbers)];
    assert!(full().with_changes(&again).is_ok());
    // Top-k needs its k patterns.
    let top_two = Model::new(uhop::Similarity::Dot, uhop::Separation::top_k(2).unwrap(), 1.0);
    let memory = Memory::new(patterns(&[0, 1]), top_two.unwrap()).unwrap();
    assert!(refused(SavedMemory::new(memory), Change::remove(vec![0])).is_out_of_domain());
    let two = Patterns::new(array![[1.0], [2.0]]).unwrap();
    let three = Ids::numbers(vec![1, 2, 3]).unwrap();
    assert!(Change::add(two.clone()).with_ids(three).unwrap_err().is_shape_mismatch());
    assert!(Change::add(patterns(&[1])).with_values(two).unwrap_err().is_shape_mismatch());
}

/// A bias belongs to its pattern: it goes with it, and an added pattern would have none.
#[test]
fn a_bias_goes_with_its_pattern() {
    let identity = || LinearMap::<f64>::identity(3).unwrap();
    let two = || AsymmetricMap::new(identity(), identity()).unwrap();
    let with = |map, numbers: &[i64]| {
        let model = Model::dense(1.0).unwrap().with_similarity(Similarity::Asymmetric(map));
        SavedMemory::new(Memory::new(patterns(numbers), model).unwrap())
    };
    let biased = || with(two().with_bias(array![0.5, 1.5, 2.5]).unwrap(), &[3, 4, 5]);
    let changed = biased().with_changes(&[Change::remove(vec![1])]).unwrap();
    let expected = with(two().with_bias(array![0.5, 2.5]).unwrap(), &[3, 5]);
    assert_eq!(changed.to_bytes().unwrap(), expected.to_bytes().unwrap());
    let error = biased().with_changes(&[add(&[6], false, WithIds::None)]).unwrap_err();
    assert!(error.is_unsupported() && error.to_string().contains("fit it again"), "{error}");
    // What is removed again needs none; without a bias all is as for a kernel.
    let again = [add(&[6], false, WithIds::None), Change::remove(vec![3])];
    assert_eq!(biased().with_changes(&again).unwrap().to_bytes(), biased().to_bytes());
    let plain = with(two(), &[3]).with_changes(&[add(&[4], false, WithIds::None)]).unwrap();
    assert_eq!(plain.to_bytes().unwrap(), with(two(), &[3, 4]).to_bytes().unwrap());
}

#[test]
fn damaged_records_are_errors_or_other_changes_and_never_a_panic() {
    let changes = [add::<f32>(&[2, 3], true, WithIds::Names), Change::remove(vec![0, 1])];
    for record in changes.map(|change| change.to_bytes().unwrap()) {
        for length in 0..record.len() {
            let error = Change::<f32>::from_bytes(record[..length].to_vec()).unwrap_err();
            assert!(error.is_malformed(), "{length}: {error}");
        }
        for position in 0..record.len() {
            for bit in 0..8 {
                let mut damaged = record.clone();
                damaged[position] ^= 1 << bit;
                // The journal's checksums find the damage; what they let through must be harmless.
                if let Ok(change) = Change::<f32>::from_bytes(damaged) {
                    let memory = saved::<f32>(&[0, 1, 5], true, WithIds::Names);
                    let _ = memory.with_changes(&[change]);
                }
            }
        }
        // A record of a memory of the other precision, unless it holds no numbers of it.
        let other = Change::<f64>::from_bytes(record.clone());
        assert_eq!(other.is_ok(), record.windows(6).any(|bytes| bytes == b"remove"));
    }
    let memory = saved::<f32>(&[0], false, WithIds::None).to_bytes().unwrap();
    let error = Change::<f32>::from_bytes(memory).unwrap_err();
    assert!(error.to_string().contains("no `uhop_change` entry"), "{error}");
}

#[test]
fn numbers_in_added_patterns_must_be_finite() {
    let record = Change::add(Patterns::new(array![[1.5_f32]]).unwrap()).to_bytes().unwrap();
    let one_and_a_half = 1.5_f32.to_le_bytes();
    let at = record.windows(4).position(|bytes| bytes == one_and_a_half).unwrap();
    let mut infinite = record;
    infinite[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    assert!(Change::<f32>::from_bytes(infinite).unwrap_err().is_non_finite());
}

#[test]
fn records_of_version_1_stay_readable() {
    let add_read = Change::<f32>::from_bytes(ADD_VERSION_1).unwrap();
    assert_eq!(add_read, add(&[7, 9], true, WithIds::Names));
    let remove_read = Change::<f32>::from_bytes(REMOVE_VERSION_1).unwrap();
    assert_eq!(remove_read, Change::remove(vec![0, 2]));
    let newer = REMOVE_VERSION_1.to_vec();
    let at = newer.windows(12).position(|bytes| bytes == br#"version\":1,"#).unwrap();
    let mut newer = newer;
    newer[at + 10] = b'2';
    let error = Change::<f32>::from_bytes(newer).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
}

/// The map of whitening is a function of the patterns: after changes it is that of a refit, bit for bit.
#[test]
fn a_whitened_memory_is_whitened_anew() {
    let ridge = 0.1;
    let whitened = |patterns: Patterns<f32>| {
        let model = Model::dense(2.0).unwrap().with_feature_map(whiten(&patterns, ridge).unwrap());
        let memory = Memory::new(patterns, model).unwrap();
        SavedMemory::new(memory).with_learning(Learning::Whitening { ridge })
    };
    let rows = |range: std::ops::Range<usize>| {
        Patterns::new(normal(12, 5, 3).slice(ndarray::s![range, ..]).to_owned()).unwrap()
    };
    let changes = [Change::add(rows(8..12)), Change::remove(vec![0, 2])];
    let changed = whitened(rows(0..8)).with_changes(&changes).unwrap();
    let left = normal::<f32>(12, 5, 3).select(Axis(0), &[1, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    let refit = whitened(Patterns::new(left).unwrap());
    assert_eq!(changed.memory().model(), refit.memory().model());
    assert_eq!(changed.to_bytes().unwrap(), refit.to_bytes().unwrap());
    // Through a file and a journal too.
    let AnyMemory::F32(read) = AnyMemory::from_bytes(whitened(rows(0..8)).to_bytes().unwrap())
        .unwrap()
        .with_records(changes.map(|change| change.to_bytes().unwrap()))
        .unwrap()
    else {
        panic!("written in f32")
    };
    assert_eq!(read.to_bytes().unwrap(), refit.to_bytes().unwrap());
    // What cannot be whitened cannot be left.
    let zeros = Change::add(Patterns::new(Array2::zeros((1, 5))).unwrap());
    let error = whitened(rows(0..1)).with_changes(&[zeros, Change::remove(vec![0])]).unwrap_err();
    assert!(error.is_unsupported(), "{error}");
}
