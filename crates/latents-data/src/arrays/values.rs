//! The values of an array: as numbers, as bytes between black and white, and as text of labels.

use crate::npz::{ArrayInfo, Raw};

/// The items of an array as numbers.
pub(super) struct Items<'a> {
    bytes: &'a [u8],
    size: usize,
    read: fn(&[u8]) -> f64,
}

impl<'a> Items<'a> {
    pub(super) fn of(raw: &'a Raw) -> Self {
        macro_rules! reader {
            ($kind:ty, $from:ident) => {
                |b| {
                    // One macro for all types, also for those that fit a double exactly.
                    #[allow(clippy::cast_lossless)]
                    b.try_into().map_or(0.0, |b| <$kind>::$from(b) as f64)
                }
            };
        }
        let (letter, size) =
            (raw.kind.get(1..2).unwrap_or_default(), raw.kind.get(2..).unwrap_or_default());
        let big = raw.kind.starts_with('>');
        let read: fn(&[u8]) -> f64 = match (letter, size, big) {
            ("i", "1", _) => reader!(i8, from_le_bytes),
            ("u", "2", false) => reader!(u16, from_le_bytes),
            ("u", "2", true) => reader!(u16, from_be_bytes),
            ("i", "2", false) => reader!(i16, from_le_bytes),
            ("i", "2", true) => reader!(i16, from_be_bytes),
            ("u", "4", false) => reader!(u32, from_le_bytes),
            ("u", "4", true) => reader!(u32, from_be_bytes),
            ("i", "4", false) => reader!(i32, from_le_bytes),
            ("i", "4", true) => reader!(i32, from_be_bytes),
            ("u", "8", false) => reader!(u64, from_le_bytes),
            ("u", "8", true) => reader!(u64, from_be_bytes),
            ("i", "8", false) => reader!(i64, from_le_bytes),
            ("i", "8", true) => reader!(i64, from_be_bytes),
            ("f", "4", false) => |b| b.try_into().map_or(0.0, |b| f32::from_le_bytes(b).into()),
            ("f", "4", true) => |b| b.try_into().map_or(0.0, |b| f32::from_be_bytes(b).into()),
            ("f", _, false) => |b| b.try_into().map_or(0.0, f64::from_le_bytes),
            ("f", _, true) => |b| b.try_into().map_or(0.0, f64::from_be_bytes),
            _ => |b| b[0].into(),
        };
        Self { bytes: &raw.bytes, size: size.parse().unwrap_or(1), read }
    }

    pub(super) fn get(&self, i: usize) -> f64 {
        (self.read)(&self.bytes[i * self.size..(i + 1) * self.size])
    }

    pub(super) fn all(&self) -> impl Iterator<Item = f64> {
        self.bytes.chunks_exact(self.size).map(self.read)
    }
}

/// The values of black and white.
pub(super) struct Range {
    black: f64,
    white: f64,
}

impl Range {
    /// Infers them from the smallest and the largest value.
    pub(super) fn of(arrays: &[(&ArrayInfo, Raw)]) -> Result<Self, String> {
        let (mut least, mut most, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
        for (array, raw) in arrays {
            for (i, x) in Items::of(raw).all().enumerate() {
                if !x.is_finite() {
                    return Err(format!("array {array}: value {i} is {x}; images must be finite"));
                }
                (least, most) = (least.min(x), most.max(x));
                whole &= x.fract() == 0.0;
            }
        }
        let little = 1e-6;
        let (black, white) = match () {
            () if least >= 0.0 && most <= 1.0 + little => (0.0, 1.0),
            () if least >= -1.0 - little && most <= 1.0 + little => (-1.0, 1.0),
            () if least >= 0.0 && most <= 16.0 && whole => (0.0, 16.0),
            () if least >= 0.0 && most <= 255.0 => (0.0, 255.0),
            () if least >= 0.0 && most <= 65535.0 && whole => (0.0, 65535.0),
            () => {
                return Err(format!(
                    "its images have values from {least} to {most}, but expected are \
                     0 to 1, -1 to 1, 0 to 16 (whole), 0 to 255, or 0 to 65535 (whole)"
                ));
            }
        };
        Ok(Self { black, white })
    }

    pub(super) fn byte(&self, x: f64) -> u8 {
        ((x - self.black) * 255.0 / (self.white - self.black)).round() as u8
    }

    /// The values of black and white.
    pub(super) fn ends(&self) -> [f64; 2] {
        [self.black, self.white]
    }
}

/// Labels as text: names as they are, whole numbers in decimal digits.
pub(super) fn texts(raw: &Raw) -> Result<Vec<String>, String> {
    let size = raw.kind.get(2..).and_then(|size| size.parse().ok()).unwrap_or(1);
    match (raw.kind.get(..1), raw.kind.get(1..2)) {
        (_, Some("S")) => {
            let text =
                |item: &[u8]| String::from_utf8_lossy(item).trim_end_matches('\0').to_owned();
            Ok(raw.bytes.chunks_exact(size).map(text).collect())
        }
        (Some("<"), Some("U")) => {
            let text = |item: &[u8]| {
                let points = item.as_chunks().0.iter().map(|&b| u32::from_le_bytes(b));
                let points = points.take_while(|&point| point != 0);
                points.map(|p| char::from_u32(p).unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            };
            Ok(raw.bytes.chunks_exact(4 * size).map(text).collect())
        }
        (_, Some("U")) => Err("text in big-endian order is not supported".into()),
        _ => {
            let whole = |x: f64| {
                let fits = x.fract() == 0.0 && x.abs() < 1e15;
                fits.then(|| format!("{}", x as i64)).ok_or_else(|| format!("{x} is not a class"))
            };
            Items::of(raw).all().map(whole).collect()
        }
    }
}
