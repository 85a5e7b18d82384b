//! Thrift's compact protocol, as far as a file is checked before it is trusted.

/// Structs and lists inside each other; the format needs less.
const MAX_DEPTH: u32 = 16;

/// A varint of 64 bits takes at most this many bytes.
const MAX_VARINT: u32 = 10;

/// The type of a value, as the protocol numbers it.
pub(super) type Type = u8;

pub(super) const INTEGER: Type = 5;
pub(super) const LIST: Type = 9;
pub(super) const STRUCT: Type = 12;

/// Reads values one after the other; nothing stands for damage or bytes that end early.
pub(super) struct Compact<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Compact<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Number of bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// A signed integer of at most 32 bits.
    pub(super) fn integer(&mut self) -> Option<i32> {
        let value = self.varint()?;
        i32::try_from((value >> 1) as i64 ^ -((value & 1) as i64)).ok()
    }

    /// Calls `on_field` with number and type of each field of a struct; it reads or skips the value.
    pub(super) fn fields(
        &mut self,
        mut on_field: impl FnMut(&mut Self, i32, Type) -> Option<()>,
    ) -> Option<()> {
        let mut number = 0_i32;
        loop {
            let byte = self.byte()?;
            let (step, kind) = (byte >> 4, byte & 15);
            if kind == 0 {
                return Some(());
            }
            number = match step {
                0 => self.integer()?,
                _ => number.checked_add(i32::from(step))?,
            };
            on_field(self, number, kind)?;
        }
    }

    /// Type and number of the elements of a list, which the remaining bytes can hold.
    pub(super) fn list(&mut self) -> Option<(Type, usize)> {
        let byte = self.byte()?;
        let n = match byte >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            n => usize::from(n),
        };
        (n <= self.bytes.len() - self.position).then_some((byte & 15, n))
    }

    /// Passes over a field's value of this type.
    pub(super) fn skip(&mut self, kind: Type) -> Option<()> {
        match kind {
            // The type is the value.
            1 | 2 => Some(()),
            _ => self.skip_nested(kind, 0),
        }
    }

    fn skip_nested(&mut self, kind: Type, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            // Not 1 and 2, booleans as elements: a footer has none, and the decoder takes no byte for
            // each, so that few bytes would keep it busy for billions of them.
            3 => self.advance(1),
            4..=6 => self.varint().map(drop),
            7 => self.advance(8),
            8 => {
                let n = usize::try_from(self.varint()?).ok()?;
                self.advance(n)
            }
            LIST | 10 => {
                let (kind, n) = self.list()?;
                (0..n).try_for_each(|_| self.skip_nested(kind, depth + 1))
            }
            11 => {
                let n = self.varint()?;
                let kinds = if n == 0 { 0 } else { self.byte()? };
                (0..n).try_for_each(|_| {
                    self.skip_nested(kinds >> 4, depth + 1)?;
                    self.skip_nested(kinds & 15, depth + 1)
                })
            }
            STRUCT => self.fields(|value, _, kind| match kind {
                1 | 2 => Some(()),
                _ => value.skip_nested(kind, depth + 1),
            }),
            13 => self.advance(16),
            _ => None,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    fn advance(&mut self, n: usize) -> Option<()> {
        let end = self.position.checked_add(n)?;
        (end <= self.bytes.len()).then(|| self.position = end)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for i in 0..MAX_VARINT {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}
