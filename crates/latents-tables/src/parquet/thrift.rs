//! As much of Thrift's compact protocol as finds numbers in a footer or a page's header, without trusting a length in it.

/// Values in the compact protocol; every method is `None` if the bytes end or make no sense.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// How deep structures are nested at most.
const MAX_DEPTH: usize = 32;

pub(super) const I32: u8 = 5;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn advance(&mut self, n: u64) -> Option<()> {
        let left = self.bytes.len() - self.at;
        self.at += usize::try_from(n).ok().filter(|&n| n <= left)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// A whole number with a sign.
    pub(super) fn number(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The number and the type of the next field of a structure; `Some(None)` at its end.
    #[allow(clippy::option_option)] // The outer one is an error, the inner one the end.
    pub(super) fn field(&mut self, last: &mut i64) -> Option<Option<(i64, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        let step = i64::from(byte >> 4);
        *last = if step == 0 { self.number()? } else { last.checked_add(step)? };
        Some(Some((*last, byte & 15)))
    }

    /// The number and the type of the items of a list.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let short = u64::from(byte >> 4);
        let items = if short == 15 { self.varint()? } else { short };
        Some((items, byte & 15))
    }

    /// Skips a value. Truth values of a field are in its type.
    pub(super) fn skip(&mut self, kind: u8) -> Option<()> {
        self.skip_at(kind, MAX_DEPTH, false)
    }

    fn skip_at(&mut self, kind: u8, depth: usize, item: bool) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 if item => self.advance(1),
            1 | 2 => Some(()),
            3 => self.advance(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.advance(8),
            8 => self.varint().and_then(|n| self.advance(n)),
            9 | 10 => {
                let (items, kind) = self.list()?;
                for _ in 0..items {
                    self.skip_at(kind, depth, true)?;
                }
                Some(())
            }
            11 => {
                let items = self.varint()?;
                let kinds = if items == 0 { 0 } else { self.byte()? };
                for _ in 0..items {
                    self.skip_at(kinds >> 4, depth, true)?;
                    self.skip_at(kinds & 15, depth, true)?;
                }
                Some(())
            }
            12 => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip_at(kind, depth, false)?;
                }
                Some(())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_fields_end() {
        // A field with the largest number, by the long form, and one after it.
        let mut bytes = vec![0x05];
        bytes.extend([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x15]);
        let mut cursor = Cursor::new(&bytes);
        let mut last = 0;
        assert_eq!(cursor.field(&mut last), Some(Some((i64::MAX, I32))));
        assert_eq!(cursor.field(&mut last), None);
    }
}
