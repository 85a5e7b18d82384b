//! The files of the corpus that are made, each written from the description of its format and
//! knowing nothing of the reader.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use uhop_data::store::Writer;

/// The file that the journals of the corpus stand beside.
pub(crate) const BASE: &[u8] = b"base";

pub(crate) struct File {
    pub(crate) format: &'static str,
    /// Says what the file is.
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expected: Expected,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    Read,
    /// With these words.
    Refused(&'static str),
    /// By some of the readers of the format.
    Either(&'static str),
}

use Expected::{Either, Read, Refused};

pub(crate) fn all() -> Vec<File> {
    let file = |format| {
        move |(name, bytes, expected): (&'static str, Vec<u8>, Expected)| File {
            format,
            name,
            bytes,
            expected,
        }
    };
    let npy = npy_files().into_iter().map(file("npy"));
    let npz = npz_files().into_iter().map(file("npz"));
    let safetensors = safetensors_files().into_iter().map(file("safetensors"));
    let csv = csv_files().into_iter().map(file("csv"));
    let idx = idx_files().into_iter().map(file("idx"));
    let image = image_files().into_iter().map(file("image"));
    let journal = journal_files().into_iter().map(file("journal"));
    npy.chain(npz).chain(safetensors).chain(csv).chain(idx).chain(image).chain(journal).collect()
}

type Files = Vec<(&'static str, Vec<u8>, Expected)>;

pub(crate) fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

fn npy_files() -> Files {
    let floats = |shape: &str| npy("<f4", false, shape, &[0; 16]);
    let values: Vec<u8> = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0]
        .into_iter()
        .flat_map(f32::to_le_bytes)
        .collect();
    let header = |version: u8, length: &[u8]| [&b"\x93NUMPY"[..], &[version, 0], length].concat();
    vec![
        ("nan-and-infinities", npy("<f4", false, "(2, 2)", &values), Read),
        ("truncated", npy("<f4", false, "(2, 2)", &[0; 15]), Refused("end early")),
        ("one-byte-more", npy("<f4", false, "(2, 2)", &[0; 17]), Refused("bytes follow")),
        ("header-of-4-gigabytes", header(2, &[0xff; 4]), Refused("declares its own length")),
        ("header-of-65535-bytes", header(1, &[0xff; 2]), Refused("header ends early")),
        ("rows-0", floats("(0, 4)"), Refused("at least one row")),
        ("columns-0", floats("(4, 0)"), Refused("at least one row")),
        ("rows-2-to-60", floats("(1152921504606846976, 1)"), Refused("can address")),
        ("rows-2-to-50", floats("(1125899906842624, 2)"), Refused("end early")),
        ("columns-2-to-50", floats("(2, 1125899906842624)"), Refused("end early")),
        ("size-overflows", floats("(4294967296, 4294967296, 4)"), Refused("can address")),
        ("negative-size", floats("(-1, 4)"), Refused("size below 2^64")),
        ("pickled-objects", npy("|O", false, "(2, 2)", b"cos\nsystem\n."), Refused("element type")),
        ("dtype-f16", npy("<f2", false, "(2, 4)", &[0; 16]), Read),
        ("dtype-c64", npy("<c8", false, "(2, 2)", &[0; 32]), Refused("element type")),
        ("dtype-i64-early", npy("<i8", false, "(2, 2)", &[0; 31]), Refused("end early")),
        ("dtype-with-line-break", npy("<f\\n4", false, "(2, 2)", &[0; 16]), Refused("header")),
        (
            "fortran-order",
            npy("|u1", true, "(2, 2)", &[0; 4]),
            Either("are in Fortran order and cannot be read row by row"),
        ),
    ]
}

/// A member of a zip archive: what it is, and what the directory says of its size.
struct Member<'a> {
    name: &'a [u8],
    method: u16,
    content: &'a [u8],
    declared: usize,
}

fn zip(members: &[Member<'_>]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let mut crc = flate2::Crc::new();
        crc.update(member.content);
        let data = match member.method {
            8 => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(member.content).unwrap();
                encoder.finish().unwrap()
            }
            _ => member.content.to_vec(),
        };
        let start = bytes.len() as u32;
        let mut common = Vec::new();
        for field in [20, 0, member.method, 0, 0] {
            common.extend(u16::to_le_bytes(field));
        }
        common.extend(crc.sum().to_le_bytes());
        common.extend((data.len() as u32).to_le_bytes());
        common.extend((member.declared as u32).to_le_bytes());
        common.extend((member.name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        bytes.extend([&b"PK\x03\x04"[..], &common, member.name, &data].concat());
        directory.extend([&b"PK\x01\x02\x14\x00"[..], &common, &[0; 10]].concat());
        directory.extend(start.to_le_bytes());
        directory.extend(member.name);
    }
    let counts = [(members.len() as u16).to_le_bytes(); 2].concat();
    let place = [(directory.len() as u32).to_le_bytes(), (bytes.len() as u32).to_le_bytes()];
    [&bytes[..], &directory, b"PK\x05\x06\0\0\0\0", &counts, &place.concat(), &[0; 2]].concat()
}

pub(crate) fn npz(name: &str, method: u16, content: &[u8]) -> Vec<u8> {
    zip(&[Member { name: name.as_bytes(), method, content, declared: content.len() }])
}

/// An archive of nothing but a directory: every entry names the same member of no bytes.
pub(crate) fn npz_of_names(n: usize) -> Vec<u8> {
    const END: usize = 22;
    let one = zip(&[Member { name: b"\xff", method: 0, content: b"", declared: 0 }]);
    let (before, end) = one.split_at(one.len() - END);
    let (member, entry) = before.split_at(30 + 1);
    let mut end = end.to_vec();
    end[8..10].copy_from_slice(&(n as u16).to_le_bytes());
    end[10..12].copy_from_slice(&(n as u16).to_le_bytes());
    end[12..16].copy_from_slice(&((entry.len() * n) as u32).to_le_bytes());
    [member, &entry.repeat(n), &end].concat()
}

fn npz_files() -> Files {
    let content = npy("<f4", false, "(2, 2)", &[0; 16]);
    let zeros = npy("|u1", false, "(1048576, 1)", &vec![0; 1 << 20]);
    let declared = |declared| Member { name: b"a.npy", method: 8, content: &content, declared };
    let bomb = [&content[..], &vec![0; 1 << 22]].concat();
    let good = npz("a.npy", 0, &content);
    let mut wrong_crc = good.clone();
    wrong_crc[30 + 5 + 70] ^= 1;
    let mut overlap = good.clone();
    // The directory says that the member starts behind its own header.
    let start = overlap.len() - 22 - 5 - 4;
    overlap[start] = 1;
    vec![
        ("bomb-honest", npz("a.npy", 8, &zeros), Read),
        ("bomb-behind-the-array", npz("a.npy", 8, &bomb), Refused("bytes follow")),
        ("bomb-declared-2-to-30", zip(&[declared(1 << 30)]), Refused("cannot hold")),
        (
            "header-of-2-to-50-rows",
            {
                let array = npy("<f4", false, "(1125899906842624, 2)", &[0; 16]);
                npz("a.npy", 8, &array)
            },
            Refused("end early"),
        ),
        ("name-of-a-parent-folder", npz("../../etc/a.npy", 0, &content), Either("no member")),
        ("name-with-line-break", npz("a\nb.npy", 0, &content[..20]), Refused("member")),
        (
            "name-not-utf8",
            zip(&[Member {
                name: b"\xff\xfe.npy",
                method: 0,
                content: &content,
                declared: content.len(),
            }]),
            Either("no member"),
        ),
        ("no-arrays", npz("a.txt", 0, &content), Refused("no member")),
        ("many-members", npz_of_names(300), Refused("no member")),
        ("truncated", good[..good.len() - 1].to_vec(), Refused("no end of a zip archive")),
        ("wrong-checksum", wrong_crc, Refused("")),
        ("member-inside-another", overlap, Refused("not where it says")),
    ]
}

/// An entry of a safetensors header, with a comma behind it.
pub(crate) fn tensor(name: &str, dtype: &str, n_bytes: u64) -> String {
    entry(name, dtype, &n_bytes.to_string(), n_bytes)
}

fn entry(name: &str, dtype: &str, shape: &str, end: u64) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[0,{end}]}},"#)
}

pub(crate) fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn safetensors_files() -> Files {
    let one = |name: &str, dtype: &str, shape: &str, data: &[u8]| {
        let entry = entry(name, dtype, shape, 16);
        safetensors(&format!("{{{}}}", entry.trim_end_matches(',')), data)
    };
    let two = |offsets: [u64; 4]| {
        let [a, b, c, d] = offsets;
        let entry = |name: &str, start, end| {
            format!(r#""{name}":{{"dtype":"F32","shape":[2],"data_offsets":[{start},{end}]}}"#)
        };
        safetensors(&format!("{{{},{}}}", entry("a", a, b), entry("b", c, d)), &[0; 16])
    };
    let nested = "[".repeat(3000);
    vec![
        ("truncated", one("a", "F32", "2,2", &[0; 15]), Refused("declares 16 bytes")),
        ("one-byte-more", one("a", "F32", "2,2", &[0; 17]), Refused("declares 16 bytes")),
        (
            "header-of-2-to-63-bytes",
            (1_u64 << 63).to_le_bytes().to_vec(),
            Refused("not a complete"),
        ),
        (
            "header-longer-than-the-file",
            [&[9, 0, 0, 0, 0, 0, 0, 0][..], b"{}"].concat(),
            Refused("not a complete"),
        ),
        ("overlapping-tensors", two([0, 8, 4, 12]), Refused("header is damaged")),
        ("gap-between-tensors", two([0, 8, 9, 17]), Refused("header is damaged")),
        ("same-bytes-twice", two([0, 8, 0, 8]), Refused("header is damaged")),
        ("offsets-backwards", two([8, 0, 8, 16]), Refused("header is damaged")),
        (
            "rows-0",
            safetensors(r#"{"a":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]}}"#, &[]),
            Refused(""),
        ),
        ("rows-2-to-60", one("a", "F32", "1152921504606846976,4", &[0; 16]), Refused("header")),
        ("size-overflows", one("a", "F32", "4294967296,4294967296", &[0; 16]), Refused("header")),
        ("dtype-bf16", one("a", "BF16", "2,4", &[0; 16]), Read),
        ("dtype-f8", one("a", "F8_E4M3", "2,8", &[0; 16]), Refused("element type F8_E4M3")),
        ("dtype-unknown", one("a", "F\\n31", "2,2", &[0; 16]), Refused("header is damaged")),
        (
            "nan-and-infinities",
            one(
                "a",
                "F32",
                "2,2",
                &[0, 0, 0xc0, 0x7f, 0, 0, 0x80, 0x7f, 0, 0, 0x80, 0xff, 0, 0, 0, 0x80],
            ),
            Read,
        ),
        ("name-of-a-parent-folder", one("../../etc/a", "F32", "2,2", &[0; 16]), Read),
        (
            "name-with-line-break",
            one("a\\nb", "F8_E5M2", "16", &[0; 16]),
            Refused("element type F8_E5M2"),
        ),
        ("nested-3000-deep", safetensors(&nested, &[]), Refused("header is damaged")),
    ]
}

fn csv_files() -> Files {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("empty", vec![], Refused("no numbers")),
        ("header-only", text("x,y\n"), Refused("no numbers")),
        ("nan-and-infinities", text("NaN,inf,-inf,1e999\n"), Read),
        ("short-last-line", text("1,2\n3\n"), Refused("line 2: expected 2 numbers")),
        ("long-line", text(&("1,".repeat(2000) + "x")), Refused("column 2001")),
        ("terminal-escape", text("1\n\x1b[2J\n"), Refused("\\u{1b}[2J")),
        ("not-utf8", b"1\n\xff\xfe\n".to_vec(), Refused("line 2, column 1")),
        ("utf16", b"\xff\xfe1\x00,\x002\x00\n\x00".to_vec(), Refused("")),
        ("nul-bytes", vec![0; 100], Refused("no numbers")),
        ("long-number", text(&("9".repeat(3000) + "\n")), Read),
    ]
}

pub(crate) fn idx(code: u8, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let sizes_bytes: Vec<u8> = sizes.iter().flat_map(|size| size.to_be_bytes()).collect();
    [&[0, 0, code, sizes.len() as u8][..], &sizes_bytes, data].concat()
}

fn idx_files() -> Files {
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let good = idx(8, &[2, 2, 2], &[1; 8]);
    let packed = gzip(&good);
    let bomb = [&good[..], &vec![0; 1 << 22]].concat();
    let floats: Vec<u8> =
        [f32::NAN, f32::INFINITY].into_iter().flat_map(f32::to_be_bytes).collect();
    vec![
        ("truncated", good[..good.len() - 1].to_vec(), Refused("end early")),
        ("one-byte-more", [&good[..], &[0]].concat(), Refused("bytes follow")),
        ("rows-0", idx(8, &[0, 2, 2], &[]), Refused("at least 1")),
        ("rows-2-to-32", idx(8, &[u32::MAX, 1], &[0; 8]), Refused("end early")),
        ("size-overflows", idx(14, &[u32::MAX; 4], &[0; 8]), Refused("can address")),
        ("rank-255", vec![0, 0, 8, 255], Refused("rank 255")),
        ("dtype-unknown", idx(7, &[2, 2], &[0; 4]), Refused("element type 0x07")),
        ("nan-and-infinities", idx(13, &[1, 2], &floats), Read),
        ("labels", idx(8, &[4], &[0; 4]), Refused("not patterns")),
        ("bomb-honest", gzip(&idx(8, &[1 << 20, 1], &vec![0; 1 << 20])), Read),
        ("bomb-behind-the-array", gzip(&bomb), Refused("bytes follow")),
        ("bomb-declared-2-to-64", gzip(&idx(8, &[u32::MAX, u32::MAX], &[])), Refused("")),
        ("gzip-truncated", packed[..packed.len() - 1].to_vec(), Refused("gzip stream")),
        ("gzip-in-gzip", gzip(&packed), Refused("not an IDX file")),
        ("gzip-then-zeros", [&packed[..], &[0; 9]].concat(), Refused("gzip stream")),
    ]
}

/// A whole PNG of zeros.
pub(crate) fn png(bits: u8, colour: u8, width: u32, height: u32) -> Vec<u8> {
    let channels = [1, 0, 3, 1, 2, 0, 4][usize::from(colour)];
    let line = 1 + (width as usize * channels * usize::from(bits)).div_ceil(8);
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; line * height as usize]).unwrap();
    png_of(bits, colour, width, height, &encoder.finish().unwrap())
}

/// A PNG that declares this size, with this for its pixels.
fn png_of(bits: u8, colour: u8, width: u32, height: u32, data: &[u8]) -> Vec<u8> {
    png_with(bits, colour, [width, height], &[], data)
}

/// The same with a palette, if it is not empty.
fn png_with(bits: u8, colour: u8, size: [u32; 2], palette: &[u8], data: &[u8]) -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let content = [kind, data].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&content);
        let length = (data.len() as u32).to_be_bytes();
        [&length[..], &content, &crc.sum().to_be_bytes()].concat()
    };
    let size = size.map(u32::to_be_bytes).concat();
    let header = chunk(b"IHDR", &[&size[..], &[bits, colour, 0, 0, 0]].concat());
    let palette = if palette.is_empty() { Vec::new() } else { chunk(b"PLTE", palette) };
    let (data, end) = (chunk(b"IDAT", data), chunk(b"IEND", &[]));
    [&b"\x89PNG\r\n\x1a\n"[..], &header, &palette, &data, &end].concat()
}

/// A JPEG that declares this size and has no tables and no pixels; `kind` 0 is baseline, 2
/// progressive.
fn jpeg(kind: u8, width: u16, height: u16) -> Vec<u8> {
    let size = [height.to_be_bytes(), width.to_be_bytes()].concat();
    let components = [3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];
    let frame = [&[0xff, 0xc0 + kind, 0, 17, 8][..], &size, &components].concat();
    let scan = [0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0];
    [&[0xff, 0xd8][..], &frame, &scan, &[0; 64], &[0xff, 0xd9]].concat()
}

fn image_files() -> Files {
    let good = png(8, 2, 4, 3);
    let indices = {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&[0, 2, 1, 0, 0, 2, 1, 0, 0, 2, 1, 0]).unwrap();
        encoder.finish().unwrap()
    };
    let palette = |bytes: &[u8]| png_with(8, 3, [3, 3], bytes, &indices);
    vec![
        ("png-palette", palette(&[9; 9]), Read),
        // Found by fuzzing: `png` 0.18.1 panicked.
        ("png-palette-of-7-bytes", palette(&[9; 7]), Refused("last colour of its palette")),
        ("png-palette-without-colours", png_of(8, 3, 3, 3, &indices), Refused("damaged")),
        ("png-bomb-honest", png(1, 0, 1024, 1024), Read),
        ("png-bomb-2-to-28-pixels", png_of(1, 0, 1 << 14, 1 << 14, &[0; 99]), Refused("pixels")),
        ("png-2-to-62-pixels", png_of(1, 0, 1 << 31, 1 << 31, &[]), Refused("image")),
        ("png-largest-size", png_of(8, 6, u32::MAX, u32::MAX, &[]), Refused("image")),
        ("png-size-0", png_of(8, 0, 0, 3, &[]), Refused("image")),
        ("png-truncated", good[..good.len() - 30].to_vec(), Refused("damaged")),
        ("png-without-pixels", png_of(8, 0, 2, 2, &[]), Refused("damaged")),
        ("png-start-only", good[..8].to_vec(), Refused("damaged")),
        ("jpeg-65535-x-65535", jpeg(0, u16::MAX, u16::MAX), Refused("image")),
        ("jpeg-progressive-65535-x-65535", jpeg(2, u16::MAX, u16::MAX), Refused("image")),
        ("jpeg-16384-x-16384", jpeg(2, 1 << 14, 1 << 14), Refused("pixels")),
        ("jpeg-1024-x-512-progressive", jpeg(2, 1024, 512), Either("damaged")),
        ("jpeg-size-0", jpeg(0, 0, 0), Refused("image")),
        ("jpeg-start-only", vec![0xff, 0xd8, 0xff], Refused("damaged")),
        ("gif", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;".to_vec(), Refused("neither PNG nor JPEG")),
        ("empty", vec![], Refused("neither PNG nor JPEG")),
    ]
}

/// A journal of so many records without payload, written by the writer.
pub(crate) fn journal(n: usize) -> Vec<u8> {
    journal_of(&vec![&b""[..]; n])
}

/// A journal of these records.
pub(crate) fn journal_of(records: &[&[u8]]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("memory");
    std::fs::write(&base, BASE).unwrap();
    let mut writer = Writer::open(&base).unwrap();
    for record in records {
        writer.append(record).unwrap();
    }
    std::fs::read(folder.path().join("memory.journal")).unwrap()
}

fn journal_files() -> Files {
    let good = journal_of(&[b"one", b"", b"the third"]);
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    vec![
        ("three-records", good.clone(), Read),
        ("torn-tail", good[..good.len() - 1].to_vec(), Read),
        ("empty", vec![], Refused("not a journal")),
        ("header-truncated", good[..39].to_vec(), Refused("header of the journal is damaged")),
        (
            "of-another-base",
            {
                // Its checksum would have to change too.
                flipped(16)
            },
            Refused("header of the journal is damaged"),
        ),
        ("first-record-damaged", flipped(40 + 24), Refused("record 1 at byte 40 is unreadable")),
        ("length-of-2-to-60", flipped(40 + 15), Refused("record 1 at byte 40 is unreadable")),
        ("records-then-zeros", [&good[..], &[0; 100]].concat(), Read),
    ]
}
