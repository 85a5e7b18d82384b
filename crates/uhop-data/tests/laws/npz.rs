use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use ndarray::array;
use proptest::prelude::*;
use uhop_data::{Matrix, npy, npz};

use crate::support::*;

fn npy(matrix: &Matrix) -> Vec<u8> {
    let mut bytes = Vec::new();
    npy::write_to(&mut bytes, matrix).unwrap();
    bytes
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) struct Member<'a> {
    name: &'a str,
    method: u16,
    flags: u16,
    crc: u32,
    n_bytes: u32,
    data: Vec<u8>,
}

pub(crate) fn member<'a>(name: &'a str, method: u16, content: &[u8]) -> Member<'a> {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let data = if method == 8 { deflated(content) } else { content.to_vec() };
    Member { name, method, flags: 0, crc: crc.sum(), n_bytes: content.len() as u32, data }
}

/// Writes a plain zip archive from the format's description, knowing nothing of the reader.
pub(crate) fn zip(members: &[Member<'_>]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let start = bytes.len() as u32;
        let mut common = Vec::new();
        for field in [20, member.flags, member.method, 0, 0] {
            common.extend(u16::to_le_bytes(field));
        }
        common.extend(member.crc.to_le_bytes());
        common.extend((member.data.len() as u32).to_le_bytes());
        common.extend(member.n_bytes.to_le_bytes());
        common.extend((member.name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(member.name.as_bytes());
        bytes.extend(&member.data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(member.name.as_bytes());
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
    bytes.extend((members.len() as u16).to_le_bytes());
    bytes.extend((members.len() as u16).to_le_bytes());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

fn parse(bytes: &[u8]) -> uhop_data::Result<Matrix> {
    npz::parse(Cursor::new(bytes), None)
}

fn small() -> Matrix {
    Matrix::from(array![[1.0_f32, 2.0], [3.0, 4.0]])
}

fn written(matrix: &Matrix) -> Vec<u8> {
    let mut bytes = Vec::new();
    npz::write_to(&mut bytes, "patterns", matrix).unwrap();
    bytes
}

proptest! {
    #[test]
    fn what_was_written_is_read(matrix in matrices()) {
        prop_assert_eq!(&parse(&written(&matrix)).unwrap(), &matrix);
        for method in [0, 8] {
            let bytes = zip(&[member("a.npy", method, &npy(&matrix))]);
            prop_assert_eq!(&parse(&bytes).unwrap(), &matrix);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
        let _ = parse(&bytes);
        let _ = parse(&[&bytes, &zip(&[])[..]].concat());
    }
}

#[test]
fn members_are_found_by_name() {
    let other = Matrix::from(array![[7.0_f64]]);
    let bytes = zip(&[
        member("readme.txt", 0, b"text"),
        member("a.npy", 8, &npy(&small())),
        member("b/c.npy", 0, &npy(&other)),
    ]);
    let read = |name| npz::parse(Cursor::new(&bytes), Some(name));
    assert_eq!(read("a").unwrap(), small());
    assert_eq!(read("a.npy").unwrap(), small());
    assert_eq!(read("b/c").unwrap(), other);
    assert_says(&read("d").unwrap_err(), "missing", r#"found "readme.txt", "a", "b/c""#);
    assert_says(&parse(&bytes).unwrap_err(), "several", "several members");
}

#[test]
fn every_truncation_of_a_small_file_is_a_format_error() {
    every_truncation_is_an_error(&written(&small()), parse);
    every_truncation_is_an_error(&zip(&[member("a.npy", 8, &npy(&small()))]), parse);
}

#[test]
fn every_flip_of_a_small_file_is_harmless() {
    every_flip_is_harmless(&written(&small()), parse);
    every_flip_is_harmless(&zip(&[member("a.npy", 8, &npy(&small()))]), parse);
}

#[test]
fn a_comment_may_follow() {
    let mut bytes = zip(&[member("a.npy", 0, &npy(&small()))]);
    let n = bytes.len();
    bytes[n - 2] = 5;
    bytes.extend(b"hello");
    assert_eq!(parse(&bytes).unwrap(), small());
}

#[test]
fn rejected_files_say_why() {
    let content = npy(&small());
    let plain = || member("a.npy", 0, &content);
    let packed = || member("a.npy", 8, &content);
    let mut short = content.clone();
    short.pop();
    let claims = content.len() as u32;
    let many = vec![b'x'; 1 << 16];
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("empty", vec![], "found no end of a zip archive"),
        ("npy", content.clone(), "found no end of a zip archive"),
        ("no members", zip(&[]), "no member that ends in .npy"),
        ("no arrays", zip(&[member("a.txt", 0, b"")]), "no member that ends in .npy"),
        ("trailing", [zip(&[plain()]), vec![0]].concat(), "found no end of a zip archive"),
        ("leading", [vec![0], zip(&[plain()])].concat(), "does not end where"),
        ("encrypted", zip(&[Member { flags: 1, ..packed() }]), "\"a\" is encrypted"),
        ("lzma", zip(&[Member { method: 14, ..plain() }]), "compression method 14, expected 0"),
        ("checksum", zip(&[Member { crc: 1, ..plain() }]), "wrong checksum"),
        ("checksum, packed", zip(&[Member { crc: 1, ..packed() }]), "wrong checksum"),
        ("larger", zip(&[Member { n_bytes: claims + 1, ..plain() }]), "cannot hold 145 bytes"),
        ("more than deflate", zip(&[Member { n_bytes: 1 << 30, ..packed() }]), "cannot hold"),
        ("longer", zip(&[Member { n_bytes: claims + 1, ..packed() }]), "bytes follow the npy data"),
        ("shorter", zip(&[Member { n_bytes: claims - 1, ..packed() }]), "npy data end early"),
        ("cut", zip(&[member("a.npy", 8, &short)]), "take 16 bytes, found 15"),
        ("not deflate", zip(&[Member { data: many, ..packed() }]), "member \"a\" is damaged"),
        ("not npy", zip(&[member("a.npy", 8, b"text")]), "member \"a\": not an npy file"),
        ("twice", zip(&[plain(), plain()]), "several members"),
    ];
    for (name, bytes, message) in cases {
        assert_says(&parse(bytes).unwrap_err(), name, message);
    }
    let twice = zip(&[plain(), plain()]);
    let error = npz::parse(Cursor::new(twice), Some("a")).unwrap_err();
    assert_says(&error, "twice by name", "two members \"a\"");
}

/// Sixteen megabytes of zeros behind a header that declares two rows of two.
#[test]
fn members_are_not_inflated_beyond_what_their_header_declares() {
    let mut content = npy(&small());
    content.resize(1 << 24, 0);
    let mut bomb = member("a.npy", 8, &content);
    let error = parse(&zip(&[Member { data: bomb.data.clone(), ..member("a.npy", 8, &content) }]));
    assert_says(&error.unwrap_err(), "honest directory", "bytes follow the npy data");
    // With a directory that agrees with the header, inflating stops one byte after it.
    bomb.n_bytes = 144;
    assert_says(&parse(&zip(&[bomb])).unwrap_err(), "forged", "take 16 bytes, found more");
}

/// A zip64 record that asks for 2^40 members in a directory of 2^60 bytes.
#[test]
fn a_huge_directory_is_an_error() {
    let good = written(&small());
    let record = good.len() - 22 - 20 - 56;
    for (at, value) in [(24, 1_u64 << 40), (32, 1 << 40), (40, 1 << 60), (48, 1 << 60)] {
        let mut bytes = good.clone();
        bytes[record + at..record + at + 8].copy_from_slice(&value.to_le_bytes());
        if let Err(error) = parse(&bytes) {
            assert_says(&error, "huge", "the zip directory is damaged");
        } else {
            // The number of members on this disk is not needed.
            assert_eq!(at, 24);
        }
    }
}

#[test]
fn names_of_written_members_stay_in_the_folder() {
    for name in ["", ".npy", "../a", "a/b", "a\\b", "a\nb", &"a".repeat(256)] {
        let error = npz::write_to(vec![], name, &small()).unwrap_err();
        assert!(error.is_invalid_argument(), "{name}");
        assert_one_line(&error, name);
    }
}
