//! Honest files that take the most memory for their size, against the multiple that is promised.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::files::{self, npy, npz, png, safetensors};
use crate::readers::{BUFFERS, READERS, alone, measured};

/// Large enough that the buffers of fixed size do not hide the multiple.
const SIZE: usize = 4 << 20;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The largest that memory grows to is just below the power of two at which room is doubled.
fn worst() -> Vec<(&'static str, &'static str, usize, Vec<u8>)> {
    let n = SIZE / 2 + 1;
    let bytes = vec![1; n];
    let u8s = npy("|u1", false, &format!("({n}, 1)"), &bytes);
    let fortran = npy("|u1", true, &format!("(3, {})", n / 3), &bytes[..n / 3 * 3]);
    let idx = files::idx(8, &[n as u32, 1], &bytes);
    let tensors: String = (0..20_000).map(|i| files::tensor(&format!("{i}"), "U8", 0)).collect();
    let tensors = format!("{{{}}}", tensors.trim_end_matches(','));
    let ones = format!(
        r#"{{"a":{{"dtype":"U8","shape":[1{}],"data_offsets":[0,1]}}}}"#,
        ",1".repeat(1 << 18)
    );
    vec![
        ("npy", "bytes", 12, u8s.clone()),
        ("npy", "bytes in Fortran order", 12, fortran.clone()),
        ("npz", "stored bytes", 4, npz("a.npy", 0, &u8s)),
        ("npz", "stored bytes in Fortran order", 8, npz("a.npy", 0, &fortran)),
        ("npz", "packed bytes", 4200, npz("a.npy", 8, &u8s)),
        ("npz", "packed bytes in Fortran order", 8400, npz("a.npy", 8, &fortran)),
        ("npz", "a directory and nothing else", 9, files::npz_of_names(33_000)),
        ("safetensors", "many empty tensors", 64, safetensors(&tensors, &[])),
        ("safetensors", "a shape of many ones", 64, safetensors(&ones, &[0])),
        ("csv", "digits", 16, "1\n".repeat(n).into_bytes()),
        ("csv", "digits in one line", 16, "1,".repeat(n).into_bytes()),
        ("idx", "bytes", 6, idx.clone()),
        ("idx", "packed bytes", 6 * 1032, gzip(&idx)),
        ("image", "one bit per pixel", 8256 * 32, png(1, 0, 2048, 2048)),
        ("image", "16 bits in four channels", 1032 * 4, png(16, 6, 512, 512)),
        ("journal", "empty records", 5, files::journal(4000)),
        ("journal", "one record", 5, files::journal_of(&[&bytes])),
    ]
}

#[test]
fn the_worst_files_stay_within_what_is_promised() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    for (format, name, multiple, bytes) in worst() {
        let path = folder.path().join("file");
        fs::write(&path, &bytes).unwrap();
        for reader in READERS.iter().filter(|reader| reader.format == format) {
            let (_, peak) = measured(|| (reader.read)(&path));
            let multiple = multiple.min(reader.multiple);
            let found = peak as f64 / bytes.len() as f64;
            println!("{format}, {name}: {found:.2} times the size, limit {multiple}");
            assert!(peak <= multiple * bytes.len() + BUFFERS, "{format}, {name}: {found} times");
        }
    }
}
