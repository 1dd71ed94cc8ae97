//! The values of an array that was read: numbers of any type and text, in C order.

use half::f16;

use super::header::{ItemType, Kind};

/// An array that was read: its shape, and its values in C order as numbers or text.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    item: ItemType,
    shape: Vec<usize>,
    /// As many bytes as type and shape say.
    bytes: Vec<u8>,
}

impl Values {
    pub(super) fn new(item: ItemType, shape: Vec<usize>, bytes: Vec<u8>) -> Self {
        Self { item, shape, bytes }
    }

    /// The shape.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// NumPy's name of the type, such as `<f4`.
    #[must_use]
    pub fn dtype(&self) -> String {
        self.item.to_string()
    }

    /// The number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.item.size
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the values are text.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self.item.kind, Kind::Bytes | Kind::Text)
    }

    /// Whether the values are floating-point numbers.
    #[must_use]
    pub fn is_float(&self) -> bool {
        self.item.kind == Kind::Float
    }

    /// The values as numbers of double precision, to which integers of 64 bits may be rounded; `None` if they are text.
    #[must_use]
    pub fn f64s(&self) -> Option<Vec<f64>> {
        Some(Items::of(self)?.all().collect())
    }

    /// The values rounded to single precision; `None` if they are text.
    #[must_use]
    pub fn f32s(&self) -> Option<Vec<f32>> {
        Some(Items::of(self)?.all().map(|x| x as f32).collect())
    }

    /// The values as whole numbers; `None` if they are text, or one is not whole or does not fit.
    #[must_use]
    pub fn i64s(&self) -> Option<Vec<i64>> {
        let items = self.bytes.chunks_exact(self.item.size);
        match self.item.kind {
            Kind::Signed => Some(items.map(|item| self.word(item) as i64).collect()),
            Kind::Bool | Kind::Unsigned => {
                items.map(|item| i64::try_from(self.word(item)).ok()).collect()
            }
            Kind::Float => {
                // Beyond 2^53, whole numbers in double precision are no longer exact.
                let whole = |x: f64| x.fract() == 0.0 && x.abs() <= (1u64 << 53) as f64;
                Items::of(self)?.all().map(|x| whole(x).then_some(x as i64)).collect()
            }
            Kind::Bytes | Kind::Text => None,
        }
    }

    /// The values as text: text without the zeros at its end, whole numbers in decimal digits, other numbers in as few digits as give
    /// them again. Bytes are UTF-8, or Latin-1 if they are not that.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let items = self.bytes.chunks_exact(self.item.size);
        match self.item.kind {
            Kind::Bytes => items.map(decode_bytes).collect(),
            Kind::Text => items.map(|item| self.decode_points(item)).collect(),
            Kind::Bool | Kind::Unsigned => items.map(|item| self.word(item).to_string()).collect(),
            Kind::Signed => items.map(|item| (self.word(item) as i64).to_string()).collect(),
            Kind::Float => items.map(|item| self.decode_float(item)).collect(),
        }
    }

    /// An item as an integer of 64 bits, in two's complement if it is signed.
    fn word(&self, item: &[u8]) -> u64 {
        let fold = |word: u64, &byte: &u8| word << 8 | u64::from(byte);
        let word = if self.item.big_endian {
            item.iter().fold(0, fold)
        } else {
            item.iter().rev().fold(0, fold)
        };
        match self.item.kind {
            Kind::Bool => word.min(1),
            Kind::Signed => {
                let unused = 64 - 8 * item.len() as u32;
                ((word << unused) as i64 >> unused) as u64
            }
            _ => word,
        }
    }

    fn decode_float(&self, item: &[u8]) -> String {
        let bits = self.word(item);
        match self.item.size {
            2 => f16::from_bits(bits as u16).to_string(),
            4 => f32::from_bits(bits as u32).to_string(),
            _ => f64::from_bits(bits).to_string(),
        }
    }

    fn decode_points(&self, item: &[u8]) -> String {
        let from = if self.item.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let points = item.as_chunks().0.iter().map(|&bytes| from(bytes));
        let text: String =
            points.map(|p| char::from_u32(p).unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        text.trim_end_matches('\0').to_owned()
    }
}

fn decode_bytes(item: &[u8]) -> String {
    let end = item.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let item = &item[..end];
    str::from_utf8(item)
        .map_or_else(|_| item.iter().map(|&b| char::from(b)).collect(), str::to_owned)
}

/// The items of an array of numbers, in double precision.
pub(crate) struct Items<'a> {
    bytes: &'a [u8],
    size: usize,
    read: fn(&[u8]) -> f64,
    /// Whether they are unsigned integers of 8 bits.
    is_bytes: bool,
}

impl<'a> Items<'a> {
    /// `None` if the array has text.
    // One macro for all types, also for those that fit a double exactly.
    #[allow(clippy::cast_lossless)]
    pub(crate) fn of(values: &'a Values) -> Option<Self> {
        macro_rules! reader {
            ($kind:ty) => {
                if values.item.big_endian {
                    |b| b.try_into().map_or(f64::NAN, |b| <$kind>::from_be_bytes(b) as f64)
                } else {
                    |b| b.try_into().map_or(f64::NAN, |b| <$kind>::from_le_bytes(b) as f64)
                }
            };
        }
        let read: fn(&[u8]) -> f64 = match (values.item.kind, values.item.size) {
            (Kind::Bytes | Kind::Text, _) => return None,
            (Kind::Bool, _) => |b| if b[0] == 0 { 0.0 } else { 1.0 },
            (Kind::Unsigned, 1) => |b| b[0].into(),
            (Kind::Unsigned, 2) => reader!(u16),
            (Kind::Unsigned, 4) => reader!(u32),
            (Kind::Unsigned, _) => reader!(u64),
            (Kind::Signed, 1) => reader!(i8),
            (Kind::Signed, 2) => reader!(i16),
            (Kind::Signed, 4) => reader!(i32),
            (Kind::Signed, _) => reader!(i64),
            (Kind::Float, 2) if values.item.big_endian => {
                |b| b.try_into().map_or(f64::NAN, |b| f16::from_be_bytes(b).to_f64())
            }
            (Kind::Float, 2) => {
                |b| b.try_into().map_or(f64::NAN, |b| f16::from_le_bytes(b).to_f64())
            }
            (Kind::Float, 4) => reader!(f32),
            (Kind::Float, _) => reader!(f64),
        };
        let is_bytes = matches!((values.item.kind, values.item.size), (Kind::Unsigned, 1));
        Some(Self { bytes: &values.bytes, size: values.item.size, read, is_bytes })
    }

    /// All of them, if they are bytes.
    pub(crate) fn plain_bytes(&self) -> Option<&'a [u8]> {
        self.is_bytes.then_some(self.bytes)
    }

    pub(crate) fn get(&self, i: usize) -> f64 {
        (self.read)(&self.bytes[i * self.size..(i + 1) * self.size])
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = f64> {
        self.bytes.chunks_exact(self.size).map(self.read)
    }
}
