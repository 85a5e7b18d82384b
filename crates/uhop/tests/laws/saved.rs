//! Laws of the saved file: what is written is read, and nothing damaged is.

use std::ops::ControlFlow;
use std::process::Command;

use ndarray::Array2;
use uhop::saved::{AnyMemory, Decision, Ids, Learning, SavedMemory, StoredTensor};
use uhop::stage1::{
    Batches, Denoising, Optimizer, Params, SeparationLoss, denoise, distances, learn, whiten,
};
use uhop::{LinearMap, Memory, Model, Patterns, Separation, Similarity, choose};

use crate::channel::{channels, pictures};
use crate::common::{biased, normal, similarities, stored};

/// Files of past versions, written once and kept.
const VERSION_1: &[u8] = include_bytes!("../golden/memory-v1.safetensors");
const LEARNED_VERSION_1: &[u8] = include_bytes!("../golden/memory-learned-v1.safetensors");
const VERSION_2: &[u8] = include_bytes!("../golden/memory-v2.safetensors");
const VERSION_3: &[u8] = include_bytes!("../golden/memory-v3.safetensors");
const CHANNEL_VERSION_3: &[u8] = include_bytes!("../golden/memory-channel-v3.safetensors");

fn f32_of(memory: AnyMemory) -> Option<SavedMemory<f32>> {
    match memory {
        AnyMemory::F32(memory) => Some(memory),
        AnyMemory::F64(_) => None,
    }
}

fn f64_of(memory: AnyMemory) -> Option<SavedMemory<f64>> {
    match memory {
        AnyMemory::F64(memory) => Some(memory),
        AnyMemory::F32(_) => None,
    }
}

fn separations() -> Vec<Separation> {
    let mut all: Vec<_> = [1.0, 1.2345678901234567, 1.5, 2.0, 30.0]
        .map(|alpha| Separation::entmax(alpha).unwrap())
        .to_vec();
    all.push(Separation::normmax(0.1 + 1.2).unwrap());
    all.extend([Separation::top_k(2).unwrap(), Separation::polynomial(10).unwrap()]);
    all
}

/// Everything a file can hold, in every combination with the rest left out.
fn examples<T: StoredTensor>() -> Vec<SavedMemory<T>> {
    let patterns = stored(&normal::<T>(3, 4, 1));
    let mut all = Vec::new();
    for similarity in similarities::<T>(4, 6) {
        for separation in separations() {
            let model = Model::new(similarity.clone(), separation, 0.1 + 0.2).unwrap();
            all.push(SavedMemory::new(Memory::new(patterns.clone(), model).unwrap()));
        }
    }
    let memory = Memory::new(patterns.clone(), Model::dense(0.3).unwrap()).unwrap();
    let choice = choose(&patterns, None, 3, |rows, _| rows.to_owned()).unwrap();
    let corruption = "none, \"twice\"".to_owned();
    let decision = Decision { corruption, seed: u64::MAX, tried: choice.tried };
    all.push(SavedMemory::new(memory).with_decision(decision));
    let model = Model::sparse(1.0).unwrap().with_similarity(biased(3, 4, 6));
    all.push(SavedMemory::new(Memory::new(patterns.clone(), model).unwrap()));
    for channel in channels(4) {
        let memory = Memory::new(stored(&pictures::<T>(3, 4, 7)), Model::bayes(channel)).unwrap();
        all.push(SavedMemory::new(memory));
    }
    let memory = || Memory::new(patterns.clone(), Model::dense(1.0).unwrap()).unwrap();
    let values = stored(&normal::<T>(3, 7, 2));
    all.push(SavedMemory::new(memory().with_values(values).unwrap()));
    let numbers = Ids::numbers(vec![i64::MIN, -1, i64::MAX]).unwrap();
    let names = Ids::names(["", "ünïcode", "a\nb"].map(String::from).to_vec()).unwrap();
    for ids in [numbers, names] {
        all.push(SavedMemory::new(memory()).with_ids(ids).unwrap());
    }
    let optimizers = [
        Optimizer::gradient_descent(0.5).unwrap(),
        Optimizer::published_decay(1.0).unwrap(),
        Optimizer::adam(0.01).unwrap(),
    ];
    for (loss, optimizer) in
        [SeparationLoss::average(), SeparationLoss::max().raw_features().with_t(0.3).unwrap()]
            .into_iter()
            .flat_map(|loss| optimizers.map(|optimizer| (loss, optimizer)))
    {
        let params = Params::new(loss, optimizer, 3).unwrap().with_tolerance(1e-30).unwrap();
        let params = if all.len() % 2 == 0 { params } else { params.keep_rows() };
        let params = match params.clone().with_batches(Batches::new(2, 9).unwrap()) {
            Ok(batched) if all.len() % 3 != 0 => batched,
            _ => params, // batches are for the average loss
        };
        let start = LinearMap::random_normal(5, 4, 3).unwrap();
        let report = learn(&patterns, start, &params, |_| ControlFlow::Continue(())).unwrap();
        let model = Model::sparse(2.0).unwrap().with_feature_map(report.map);
        let learning = Learning::Separation {
            params,
            seed: Some(u64::MAX),
            losses: report.losses,
            held_out: report.held_out,
            stop: report.stop,
        };
        let saved = SavedMemory::new(Memory::new(patterns.clone(), model).unwrap());
        all.push(saved.with_learning(learning));
    }
    let whitened = Model::dense(0.5).unwrap().with_feature_map(whiten(&patterns, 0.3).unwrap());
    let memory = Memory::new(patterns.clone(), whitened).unwrap();
    all.push(SavedMemory::new(memory).with_learning(Learning::Whitening { ridge: 0.3 }));
    let params = Denoising::new(Optimizer::adam(0.1).unwrap(), 3, 7).unwrap();
    let start = distances(&patterns, 1.0).unwrap();
    let go = |_| ControlFlow::Continue(());
    let report = denoise(&patterns, start, &params, |rows, _| rows.to_owned(), go).unwrap();
    let model = Model::dense(1.0).unwrap().with_similarity(Similarity::Asymmetric(report.map));
    let (losses, stop) = (report.losses, report.stop);
    let saved = SavedMemory::new(Memory::new(patterns, model).unwrap());
    all.push(saved.with_learning(Learning::Denoising { params, losses, stop }));
    all
}

fn what_is_written_is_read<T: StoredTensor>(scalar: fn(AnyMemory) -> Option<SavedMemory<T>>) {
    for written in examples::<T>() {
        let bytes = written.to_bytes().unwrap();
        let read =
            scalar(AnyMemory::from_bytes(bytes.clone()).unwrap()).expect("the scalar written");
        let (a, b) = (written.memory(), read.memory());
        assert_eq!(a.model(), b.model());
        assert_eq!(a.patterns(), b.patterns());
        assert_eq!(a.values(), b.values());
        assert_eq!(a.is_auto_associative(), b.is_auto_associative());
        assert_eq!(written.ids(), read.ids());
        assert_eq!(written.learning(), read.learning());
        assert_eq!(written.decision(), read.decision());
        assert_eq!(read.to_bytes().unwrap(), bytes, "equal memories give equal bytes");
    }
}

#[test]
fn what_is_written_is_read_bit_for_bit() {
    what_is_written_is_read::<f32>(f32_of);
    what_is_written_is_read::<f64>(f64_of);
}

/// Files of before there was a most.
#[test]
fn a_record_of_more_queries_than_a_step_may_have_is_read() {
    let patterns = stored(&normal::<f64>(3, 4, 1));
    let params = Denoising::new(Optimizer::adam(0.1).unwrap(), 3, 7).unwrap();
    let params = params.with_queries(70_000).unwrap();
    let map = distances(&patterns, 1.0).unwrap();
    let model = Model::dense(1.0).unwrap().with_similarity(Similarity::Asymmetric(map));
    let stop = uhop::stage1::StopReason::MaxSteps;
    let learning = Learning::Denoising { params, losses: vec![1.0], stop };
    let saved =
        SavedMemory::new(Memory::new(patterns, model).unwrap()).with_learning(learning.clone());
    let read = f64_of(AnyMemory::from_bytes(saved.to_bytes().unwrap()).unwrap()).unwrap();
    assert_eq!(read.learning(), Some(&learning));
}

/// A record that is not of its memory, or features that a file would make much of, in time for another copy.
#[test]
fn what_would_not_be_read_is_not_written() {
    let saved = |model| {
        let patterns = stored(&normal::<f64>(3, 4, 1));
        SavedMemory::new(Memory::new(patterns, model).unwrap())
    };
    let refused = |saved: SavedMemory<f64>, why: &str| {
        let error = saved.to_bytes().unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    };
    let dense = || Model::dense(1.0).unwrap();
    let square = || dense().with_feature_map(LinearMap::new(Array2::eye(4)).unwrap());
    let whitening = |ridge| Learning::Whitening { ridge };
    assert!(saved(square()).with_learning(whitening(0.5)).to_bytes().is_ok());
    refused(saved(dense()).with_learning(whitening(0.5)), "whitening");
    refused(saved(square()).with_learning(whitening(f64::NAN)), "description");
    refused(saved(square()).with_learning(whitening(-1.0)), "ridge");
    let params = Params::new(SeparationLoss::max(), Optimizer::adam(0.1).unwrap(), 1).unwrap();
    let learning = Learning::Separation {
        params,
        seed: None,
        losses: vec![0.0, f64::INFINITY],
        held_out: Vec::new(),
        stop: uhop::stage1::StopReason::MaxSteps,
    };
    refused(saved(square()).with_learning(learning), "description");
    let patterns = stored(&Array2::from_shape_fn((4096, 1), |(i, _)| i as f64));
    let wide = dense().with_feature_map(LinearMap::new(Array2::ones((4096, 1))).unwrap());
    let memory = Memory::new(patterns, wide).unwrap();
    refused(SavedMemory::new(memory), "4096 features of 4096 patterns");
}

/// A small file with every kind of tensor.
fn small() -> Vec<u8> {
    let patterns = Patterns::new(ndarray::array![[1.0_f32, 0.5], [0.25, 2.0]]).unwrap();
    let map = LinearMap::new(ndarray::array![[1.0, 0.0], [0.5, 1.0], [0.0, 2.0]]).unwrap();
    let model = Model::entmax(1.5, 2.0).unwrap().with_feature_map(map);
    let values = Patterns::new(ndarray::array![[7.0], [9.0]]).unwrap();
    let memory = Memory::new(patterns, model).unwrap().with_values(values).unwrap();
    let ids = Ids::names(vec!["seven".into(), "nine".into()]).unwrap();
    SavedMemory::new(memory).with_ids(ids).unwrap().to_bytes().unwrap()
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = small();
    for length in 0..bytes.len() {
        assert!(
            AnyMemory::from_bytes(bytes[..length].to_vec()).unwrap_err().is_malformed(),
            "{length}"
        );
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(AnyMemory::from_bytes(longer).unwrap_err().is_malformed());
}

#[test]
fn every_flipped_bit_is_an_error() {
    let bytes = small();
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1 << bit;
            let error = AnyMemory::from_bytes(damaged).expect_err("a checksum is wrong");
            let text = error.to_string();
            assert!(!text.contains(char::is_control), "byte {position}, bit {bit}: {text:?}");
        }
    }
}

/// A file whose first byte is anywhere.
struct At(usize, Vec<u8>);

impl AsRef<[u8]> for At {
    fn as_ref(&self) -> &[u8] {
        &self.1[self.0..]
    }
}

/// Numbers are used where they are, or copied where they are not aligned: nobody can tell.
#[test]
fn the_place_of_the_bytes_in_memory_does_not_matter() {
    let bytes = small();
    for offset in 0..16 {
        let moved = At(offset, [&vec![0; offset][..], &bytes].concat());
        let read = f32_of(AnyMemory::from_bytes(moved).unwrap()).unwrap();
        assert_eq!(read.to_bytes().unwrap(), bytes, "offset {offset}");
    }
}

/// Without reading the rows, damage in them is not found, and all other damage is.
#[test]
fn a_trusted_file_is_checked_but_for_its_rows() {
    let bytes = small();
    let rows = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut passed = 0;
    for position in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1;
        if AnyMemory::from_trusted_bytes(damaged).is_ok() {
            assert!(position >= rows, "byte {position} of the header");
            passed += 1;
        }
    }
    // Four numbers of patterns and two of values.
    assert_eq!(passed, 4 * 6);
    // What is not finite shows when it is used.
    let patterns = Patterns::new(ndarray::array![[1.5_f32]]).unwrap();
    let memory = Memory::new(patterns, Model::dense(1.0).unwrap()).unwrap();
    let mut bytes = SavedMemory::new(memory).to_bytes().unwrap();
    let at = bytes.len() - 4;
    bytes[at..].copy_from_slice(&f32::NAN.to_le_bytes());
    let read = f32_of(AnyMemory::from_trusted_bytes(bytes).unwrap()).unwrap();
    let query = ndarray::array![[1.0_f32]];
    let one_step = uhop::Dynamics::one_step();
    assert!(read.memory().retrieve(query.view(), &one_step).unwrap_err().is_non_finite());
}

#[test]
fn other_files_are_refused_with_a_reason() {
    let refused = |bytes: &[u8]| AnyMemory::from_bytes(bytes.to_vec()).unwrap_err().to_string();
    let header = |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat();
    assert!(refused(b"").starts_with("memory file: cannot read it as safetensors"));
    assert!(refused(&header("{}")).contains("no `uhop` entry"));
    assert!(refused(&u64::MAX.to_le_bytes()).contains("safetensors"));
    // Rows that no file can hold: refused by its length, before anything is allocated.
    let huge =
        r#"{"patterns":{"dtype":"F32","shape":[1152921504606846976,4],"data_offsets":[0,16]}}"#;
    assert!(refused(&[header(huge), vec![0; 16]].concat()).contains("safetensors"));
    let entry = |description: &str| {
        let metadata = serde_json::json!({ "__metadata__": { "uhop": description } });
        header(&metadata.to_string())
    };
    assert!(refused(&entry("not json")).contains("description cannot be read"));
    let newer = refused(&entry(r#"{"version":4,"anything":[]}"#));
    assert!(newer.contains("version 4") && newer.contains("use a newer uhop"), "{newer}");
    let unknown = refused(&entry(r#"{"version":1,"surprise":true}"#));
    assert!(unknown.contains("surprise"), "{unknown}");
}

#[test]
fn files_of_version_1_stay_readable() {
    let read = f32_of(AnyMemory::from_bytes(VERSION_1).unwrap()).expect("written in f32");
    let memory = read.memory();
    assert_eq!(memory.patterns().view(), ndarray::array![[1.0, 0.5], [0.25, 2.0]]);
    assert_eq!(memory.values().view(), ndarray::array![[7.0], [9.0]]);
    assert_eq!(memory.model().separation(), Separation::entmax(1.5).unwrap());
    assert_eq!(memory.model().beta(), 2.0);
    let Similarity::Kernel(map) = memory.model().similarity() else { panic!("a kernel") };
    assert_eq!(map.weight(), ndarray::array![[1.0, 0.0], [0.5, 1.0], [0.0, 2.0]]);
    assert_eq!(read.ids().and_then(|ids| ids.get(1)).as_deref(), Some("nine"));
}

/// Learned from the same four patterns, all of them a step and then three a step.
#[test]
fn files_of_versions_1_and_2_tell_how_they_were_learned() {
    let learned = |bytes: &'static [u8]| {
        let read = f64_of(AnyMemory::from_bytes(bytes).unwrap()).expect("written in f64");
        read.learning().cloned().unwrap()
    };
    let params = |max_steps| {
        let optimizer = Optimizer::gradient_descent(0.5).unwrap();
        Params::new(SeparationLoss::average(), optimizer, max_steps).unwrap()
    };
    let of = |learning| match learning {
        Learning::Separation { params, seed, losses, held_out, .. } => {
            (params, seed, losses, held_out)
        }
        other => panic!("a separation loss, not {other:?}"),
    };
    let (found, seed, losses, held_out) = of(learned(LEARNED_VERSION_1));
    assert_eq!(found, params(3));
    assert_eq!((seed, losses.len()), (Some(7), 4));
    assert_eq!(held_out, []);
    let (found, seed, losses, held_out) = of(learned(VERSION_2));
    let three = Batches::new(3, 7).unwrap();
    assert_eq!(found, params(25).with_batches(three).unwrap());
    assert_eq!((seed, losses.len()), (Some(7), 26));
    let steps: Vec<usize> = held_out.iter().map(|held_out| held_out.step).collect();
    assert_eq!(steps, [0, 20, 25]);
}

/// Two maps and a bias for each of the two patterns.
#[test]
fn files_of_version_3_hold_two_maps() {
    let read = f32_of(AnyMemory::from_bytes(VERSION_3).unwrap()).expect("written in f32");
    assert_eq!(read.memory().patterns().view(), ndarray::array![[1.0, 0.5], [0.25, 2.0]]);
    let Similarity::Asymmetric(map) = read.memory().model().similarity() else {
        panic!("two maps")
    };
    assert_eq!(map.keys().weight(), ndarray::array![[1.0, 0.0], [0.5, 1.0], [0.0, 2.0]]);
    assert_eq!(map.queries().weight(), ndarray::array![[0.0, 1.0], [1.0, 0.25], [4.0, 0.0]]);
    assert_eq!(map.bias(), Some(ndarray::array![-0.5, 3.0].view()));
}

#[test]
fn files_of_version_3_hold_a_channel() {
    let read = f64_of(AnyMemory::from_bytes(CHANNEL_VERSION_3).unwrap()).expect("written in f64");
    assert_eq!(read.memory().patterns().view(), ndarray::array![[0.0, 0.5], [1.0, 0.25]]);
    let channel = uhop::Channel::folded_gaussian(0.7).unwrap();
    assert_eq!(read.memory().model(), &Model::bayes(channel));
}

/// As many hidden entries in a row as a digest has digits, and more.
#[test]
fn a_memory_that_hides_many_entries_is_read_back() {
    let visible: Vec<bool> = (0..200).map(|entry| entry < 40).collect();
    let channel = uhop::Channel::occlusion(visible).unwrap();
    let patterns = stored(&Array2::from_shape_fn((3, 200), |(i, j)| (i * j % 7) as f32));
    let memory = Memory::new(patterns, Model::bayes(channel)).unwrap();
    let bytes = SavedMemory::new(memory.clone()).to_bytes().unwrap();
    let read = f32_of(AnyMemory::from_bytes(bytes).unwrap()).expect("written in f32");
    assert_eq!(read.memory().model(), memory.model());
}

#[test]
fn python_reads_it_with_three_lines() {
    let folder = std::env::temp_dir().join(format!("uhop-saved-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("memory.safetensors"), small()).unwrap();
    let script = "
try:
    import numpy
    from safetensors.numpy import load_file
except ImportError:
    print('skipped'); raise SystemExit
tensors = load_file('memory.safetensors')
print(tensors['patterns'].tolist(), tensors['feature_map.weight'].shape)
";
    let output = Command::new("python3").arg("-c").arg(script).current_dir(&folder).output();
    std::fs::remove_dir_all(&folder).unwrap();
    match output {
        Ok(output) if output.stdout.starts_with(b"skipped") => {
            eprintln!("skipped: python3 has no safetensors");
        }
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(text.trim(), "[[1.0, 0.5], [0.25, 2.0]] (3, 2)");
        }
        Err(_) => eprintln!("skipped: there is no python3"),
    }
}

#[test]
fn ids_must_match_and_differ() {
    let memory = Memory::new(stored(&Array2::<f64>::eye(2)), Model::dense(1.0).unwrap()).unwrap();
    let three = Ids::numbers(vec![1, 2, 3]).unwrap();
    assert!(SavedMemory::new(memory).with_ids(three).unwrap_err().is_shape_mismatch());
    let twice = Ids::names(vec!["a".into(), "b".into(), "a".into()]).unwrap_err();
    assert!(twice.is_out_of_domain() && twice.to_string().contains("id a"), "{twice}");
}
