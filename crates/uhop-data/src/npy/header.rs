//! The header: a Python dictionary of element type, order and shape.

use std::io::Read;

use super::{Failure, Problem};
use crate::Element;
use crate::array::{Layout, Stored};
use crate::bytes::{quoted, read_full};

const MAGIC: [u8; 6] = *b"\x93NUMPY";

/// The most that version 1 can declare. Later versions can declare 4 GiB, which only structured
/// element types, not read here, could need.
const MAX_LENGTH: usize = u16::MAX as usize;

/// Length of every header written: room for any shape, and a multiple of 64.
pub(super) const ENCODED_LENGTH: usize = 128;

/// A header that has been checked.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) layout: Layout,
    /// Bytes before the first value.
    pub(crate) n_bytes: u64,
}

impl Header {
    /// Reads the header and leaves `stream` at the first value.
    pub(crate) fn read(stream: &mut dyn Read) -> Result<Self, Failure> {
        let mut start = [0; 12];
        let n_read = read_full(stream, &mut start[..8])?;
        if !start[..n_read].starts_with(&MAGIC) {
            let found = start[..n_read.min(MAGIC.len())].to_vec();
            return Err(Problem::Magic { found }.into());
        }
        let n_prefix = match (start[6], start[7]) {
            _ if n_read < 8 => 8,
            (1, 0) => 10,
            (2 | 3, 0) => 12,
            (major, minor) => return Err(Problem::Version { major, minor }.into()),
        };
        let n_read = n_read + read_full(stream, &mut start[n_read..n_prefix])?;
        if n_read < n_prefix {
            return Err(Problem::TruncatedHeader { expected: n_prefix, found: n_read }.into());
        }
        let length = match n_prefix {
            10 => u32::from(u16::from_le_bytes([start[8], start[9]])),
            _ => u32::from_le_bytes([start[8], start[9], start[10], start[11]]),
        };
        let n_text = match usize::try_from(length) {
            Ok(n) if n <= MAX_LENGTH => n,
            _ => return Err(Problem::HeaderLength { found: length, limit: MAX_LENGTH }.into()),
        };
        let mut text = vec![0; n_text];
        let n_read = read_full(stream, &mut text)?;
        if n_read < n_text {
            let (expected, found) = (n_prefix + n_text, n_prefix + n_read);
            return Err(Problem::TruncatedHeader { expected, found }.into());
        }
        let layout = Parser { text: &text, position: 0 }.dictionary()?;
        Ok(Self { layout, n_bytes: (n_prefix + n_text) as u64 })
    }

    /// Errors unless header and data take exactly `n_bytes`.
    pub(crate) fn check_size(&self, n_bytes: u64) -> Result<(), Problem> {
        let found = n_bytes.saturating_sub(self.n_bytes);
        let layout = &self.layout;
        match found.cmp(&layout.n_bytes) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => {
                Err(Problem::TruncatedData { layout: layout.clone(), found })
            }
            std::cmp::Ordering::Greater => Err(Problem::TrailingData { layout: layout.clone() }),
        }
    }
}

/// The header of a matrix in version 1, the same length for every shape.
pub(crate) fn encode(element: Element, n_rows: usize, dim: usize) -> [u8; ENCODED_LENGTH] {
    let descr = match element {
        Element::F32 => "<f4",
        Element::F64 => "<f8",
    };
    let text =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({n_rows}, {dim}), }}");
    let mut header = [b' '; ENCODED_LENGTH];
    header[..6].copy_from_slice(&MAGIC);
    header[6..10].copy_from_slice(&[1, 0, (ENCODED_LENGTH - 10) as u8, 0]);
    header[10..10 + text.len()].copy_from_slice(text.as_bytes());
    header[ENCODED_LENGTH - 1] = b'\n';
    header
}

/// Reads the part of Python's syntax that numpy writes: one flat dictionary of a string, a boolean
/// and a tuple of integers, in any order.
struct Parser<'a> {
    text: &'a [u8],
    position: usize,
}

impl Parser<'_> {
    fn dictionary(mut self) -> Result<Layout, Problem> {
        let (mut element, mut fortran, mut shape) = (None, None, None);
        self.expect(b'{', "'{'")?;
        while !self.take(b'}') {
            let key = self.string("a key")?;
            self.expect(b':', "':'")?;
            let is_new = match &key[..] {
                "descr" => element.replace(self.element()?).is_none(),
                "fortran_order" => fortran.replace(self.boolean()?).is_none(),
                "shape" => shape.replace(self.shape()?).is_none(),
                _ => false,
            };
            if !is_new {
                return Err(self.syntax("one each of 'descr', 'fortran_order' and 'shape'"));
            }
            if !self.take(b',') {
                self.expect(b'}', "',' or '}'")?;
                break;
            }
        }
        self.skip_spaces();
        if self.position < self.text.len() {
            return Err(self.syntax("spaces up to the end"));
        }
        match (element, fortran, shape) {
            (Some((stored, big_endian)), Some(fortran), Some(shape)) => {
                Ok(Layout::new(stored, big_endian, fortran, &shape)?)
            }
            _ => Err(self.syntax("one each of 'descr', 'fortran_order' and 'shape'")),
        }
    }

    /// The stored type and whether it is big-endian.
    fn element(&mut self) -> Result<(Stored, bool), Problem> {
        self.skip_spaces();
        if matches!(self.text.get(self.position), Some(b'[' | b'(')) {
            return Err(Problem::Element { found: "with several fields".to_owned() });
        }
        let descr = self.string("an element type")?;
        let stored = match descr.get(1..) {
            Some("b1") => Some(Stored::Bool),
            Some("i1") => Some(Stored::I8),
            Some("u1") => Some(Stored::U8),
            Some("i2") => Some(Stored::I16),
            Some("u2") => Some(Stored::U16),
            Some("i4") => Some(Stored::I32),
            Some("u4") => Some(Stored::U32),
            Some("i8") => Some(Stored::I64),
            Some("u8") => Some(Stored::U64),
            Some("f2") => Some(Stored::F16),
            Some("f4") => Some(Stored::F32),
            Some("f8") => Some(Stored::F64),
            _ => None,
        };
        // A single byte has no order.
        match (stored, descr.as_bytes().first(), stored.map(Stored::size)) {
            (Some(stored), Some(b'|'), Some(1)) => Ok((stored, false)),
            (Some(stored), Some(b'<'), Some(2..)) => Ok((stored, false)),
            (Some(stored), Some(b'>'), Some(2..)) => Ok((stored, true)),
            _ => Err(Problem::Element { found: quoted(&descr) }),
        }
    }

    fn boolean(&mut self) -> Result<bool, Problem> {
        self.skip_spaces();
        let rest = &self.text[self.position..];
        for (word, value) in [("True", true), ("False", false)] {
            if rest.starts_with(word.as_bytes()) {
                self.position += word.len();
                return Ok(value);
            }
        }
        Err(self.syntax("True or False"))
    }

    fn shape(&mut self) -> Result<Vec<u64>, Problem> {
        self.expect(b'(', "'('")?;
        let mut sizes = Vec::new();
        while !self.take(b')') {
            sizes.push(self.integer()?);
            if !self.take(b',') {
                // In Python `(3)` is a number, not a tuple.
                if sizes.len() < 2 {
                    return Err(self.syntax("','"));
                }
                self.expect(b')', "',' or ')'")?;
                break;
            }
        }
        Ok(sizes)
    }

    fn integer(&mut self) -> Result<u64, Problem> {
        self.skip_spaces();
        let digits = self.text[self.position..].iter().take_while(|c| c.is_ascii_digit()).count();
        let end = self.position + digits;
        let value = str::from_utf8(&self.text[self.position..end])
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| self.syntax("a size below 2^64"))?;
        self.position = end;
        // Python 2 wrote long integers so.
        if self.text.get(end) == Some(&b'L') {
            self.position += 1;
        }
        Ok(value)
    }

    /// A string without escapes.
    fn string(&mut self, expected: &'static str) -> Result<String, Problem> {
        self.skip_spaces();
        let rest = &self.text[self.position..];
        let string = rest
            .first()
            .filter(|&&quote| matches!(quote, b'\'' | b'"'))
            .and_then(|&quote| rest[1..].split(|&c| c == quote).next())
            .filter(|string| string.len() + 2 <= rest.len())
            .and_then(|string| str::from_utf8(string).ok())
            .filter(|string| !string.contains('\\'))
            .ok_or_else(|| self.syntax(expected))?;
        self.position += string.len() + 2;
        Ok(string.to_owned())
    }

    fn take(&mut self, wanted: u8) -> bool {
        self.skip_spaces();
        let found = self.text.get(self.position) == Some(&wanted);
        self.position += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: u8, expected: &'static str) -> Result<(), Problem> {
        if self.take(wanted) { Ok(()) } else { Err(self.syntax(expected)) }
    }

    fn skip_spaces(&mut self) {
        let rest = &self.text[self.position..];
        self.position += rest.iter().take_while(|c| matches!(c, b' ' | b'\n')).count();
    }

    fn syntax(&self, expected: &'static str) -> Problem {
        Problem::Syntax { expected, position: self.position }
    }
}
