//! The header of a `.npy` array: its type, its order of axes and its shape, as a Python dictionary in one of three versions.

use std::fmt;
use std::io::Read;

use super::MAGIC;

/// The most bytes of a header, as in version 1.0. Later versions may have longer ones, which only structured types need.
const MAX_BYTES: usize = 1 << 16;

/// What the items of an array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
    /// Bytes, padded with zeros.
    Bytes,
    /// Code points of 32 bits, padded with zeros.
    Text,
}

/// The type of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ItemType {
    pub(super) kind: Kind,
    /// Bytes of an item.
    pub(super) size: usize,
    pub(super) big_endian: bool,
}

impl ItemType {
    /// Parses NumPy's name of a type, such as `<f4`.
    fn parse(name: &str) -> Result<Self, String> {
        let (order, rest) = match name.strip_prefix(['<', '>', '=', '|']) {
            Some(rest) => (&name[..1], rest),
            None => ("=", name),
        };
        let mut letters = rest.chars();
        let letter = letters.next().unwrap_or_default();
        let size = letters.as_str().parse::<usize>().ok().filter(|&size| size > 0);
        let (kind, size) = match (letter, size) {
            ('b', Some(1)) | ('?', None) => (Kind::Bool, Some(1)),
            ('i', Some(1 | 2 | 4 | 8)) => (Kind::Signed, size),
            ('u', Some(1 | 2 | 4 | 8)) => (Kind::Unsigned, size),
            ('f', Some(2 | 4 | 8)) => (Kind::Float, size),
            ('S' | 'a', Some(size)) => (Kind::Bytes, Some(size)),
            ('U', Some(points)) => (Kind::Text, points.checked_mul(4)),
            _ => return Err(unsupported(name, letter, size)),
        };
        let size = size.ok_or_else(|| format!("is of type {name}, which is too large"))?;
        Ok(Self { kind, size, big_endian: order == ">" })
    }
}

/// NumPy's name of the type.
impl fmt::Display for ItemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (letter, size) = match self.kind {
            Kind::Bool => ('b', self.size),
            Kind::Signed => ('i', self.size),
            Kind::Unsigned => ('u', self.size),
            Kind::Float => ('f', self.size),
            Kind::Bytes => ('S', self.size),
            Kind::Text => ('U', self.size / 4),
        };
        let order = match self.kind {
            Kind::Bytes => '|',
            _ if self.size == 1 => '|',
            _ if self.big_endian => '>',
            _ => '<',
        };
        write!(f, "{order}{letter}{size}")
    }
}

/// Why a type is not supported, and what to save instead.
fn unsupported(name: &str, letter: char, size: Option<usize>) -> String {
    match (letter, size) {
        ('O', _) => {
            "has Python objects, which are never unpickled because that can run any program; \
             save array.astype(str) or array.astype(float) instead"
                .into()
        }
        ('T', _) => "has texts of variable width; save array.astype(str) instead".into(),
        ('f', Some(10..)) => {
            format!(
                "is of type {name} (long double), which differs between machines; save array.astype(float) instead"
            )
        }
        ('c', _) => {
            format!("has complex numbers ({name}); save array.real or numpy.abs(array) instead")
        }
        ('M' | 'm', _) => format!("has dates or times ({name}); save array.astype(str) instead"),
        _ => format!(
            "is of type {name}, which is not supported; save array.astype('float32') instead"
        ),
    }
}

/// A header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) item: ItemType,
    /// Whether the first axis varies fastest.
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
}

/// Reads a header. The error continues a sentence that names the array.
pub(super) fn read(file: &mut impl Read) -> Result<Header, String> {
    let short = |_| "has a truncated header".to_owned();
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(short)?;
    if &start[..6] != MAGIC {
        return Err("does not start like a .npy array".into());
    }
    let length = match start[6] {
        1 => {
            let mut bytes = [0; 2];
            file.read_exact(&mut bytes).map_err(short)?;
            usize::from(u16::from_le_bytes(bytes))
        }
        2 | 3 => {
            let mut bytes = [0; 4];
            file.read_exact(&mut bytes).map_err(short)?;
            u32::from_le_bytes(bytes) as usize
        }
        version => return Err(format!("is in version {version} of the format, which is unknown")),
    };
    if length > MAX_BYTES {
        return Err(format!("has a header of {length} bytes, which is too long"));
    }
    let mut text = vec![0; length];
    file.read_exact(&mut text).map_err(short)?;
    parse(&String::from_utf8_lossy(&text))
}

/// A value in a header.
#[derive(Debug, PartialEq)]
enum Literal {
    Text(String),
    Bool(bool),
    Tuple(Vec<usize>),
    /// A list, of which only structured types consist.
    List,
}

fn parse(text: &str) -> Result<Header, String> {
    let invalid = || "has a header that is not a dictionary of descr, fortran_order and shape";
    let mut rest = text.trim().strip_prefix('{').ok_or_else(invalid)?.trim_start();
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    while !rest.starts_with('}') {
        let (Literal::Text(key), after) = literal(rest).ok_or_else(invalid)? else {
            return Err(invalid().into());
        };
        let after = after.trim_start().strip_prefix(':').ok_or_else(invalid)?;
        let (value, after) = literal(after).ok_or_else(invalid)?;
        match key.as_str() {
            "descr" => descr = Some(value),
            "fortran_order" => fortran = Some(value),
            "shape" => shape = Some(value),
            _ => return Err(invalid().into()),
        }
        rest = after.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(rest) => rest.trim_start(),
            None if rest.starts_with('}') => rest,
            None => return Err(invalid().into()),
        };
    }
    let (Some(Literal::Bool(fortran)), Some(Literal::Tuple(shape))) = (fortran, shape) else {
        return Err(invalid().into());
    };
    match descr {
        Some(Literal::Text(dtype)) => {
            let item = ItemType::parse(&dtype)?;
            // Like NumPy, this refuses long axes beside an empty one too, so that the product of any axes is a number.
            let mut axes = shape.iter().map(|&axis| axis.max(1));
            if axes.try_fold(item.size, usize::checked_mul).is_none() {
                return Err(format!("of shape {shape:?} is too large"));
            }
            Ok(Header { item, fortran, shape })
        }
        Some(Literal::List) => {
            Err("has a structured type; save each field as an array of its own".into())
        }
        _ => Err(invalid().into()),
    }
}

/// One Python literal at the start of a text, and what follows.
fn literal(text: &str) -> Option<(Literal, &str)> {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix("True") {
        return Some((Literal::Bool(true), rest));
    }
    if let Some(rest) = text.strip_prefix("False") {
        return Some((Literal::Bool(false), rest));
    }
    if text.starts_with('[') {
        let mut depth = 0usize;
        for (i, byte) in text.bytes().enumerate() {
            match byte {
                b'[' => depth += 1,
                b']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some((Literal::List, &text[i + 1..]));
            }
        }
        return None;
    }
    if let Some(rest) = text.strip_prefix('(') {
        let (sizes, rest) = rest.split_once(')')?;
        let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
        // Python 2 wrote long integers as `3L`.
        let sizes = sizes.map(|size| size.strip_suffix('L').unwrap_or(size).parse().ok());
        return Some((Literal::Tuple(sizes.collect::<Option<_>>()?), rest));
    }
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (text, rest) = text[1..].split_once(quote)?;
    Some((Literal::Text(text.to_owned()), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_recognised() {
        let of = |name| ItemType::parse(name).map(|t| (t.kind, t.size, t.big_endian));
        for (name, expected) in [
            ("|b1", (Kind::Bool, 1, false)),
            ("?", (Kind::Bool, 1, false)),
            ("|i1", (Kind::Signed, 1, false)),
            (">u8", (Kind::Unsigned, 8, true)),
            ("=f2", (Kind::Float, 2, false)),
            ("f4", (Kind::Float, 4, false)),
            ("|S3", (Kind::Bytes, 3, false)),
            (">U3", (Kind::Text, 12, true)),
        ] {
            assert_eq!(of(name), Ok(expected), "{name}");
        }
        for (name, expected) in [
            ("|O", "never unpickled"),
            ("|T16", "save array.astype(str)"),
            ("<f16", "save array.astype(float)"),
            ("<c8", "complex"),
            ("<M8[ns]", "dates"),
            ("|V2", "of type |V2, which is not supported"),
            ("<i3", "not supported"),
            ("<U0", "not supported"),
            ("", "not supported"),
            ("ä4", "not supported"),
            ("<U4611686018427387904", "too large"),
        ] {
            let said = of(name).unwrap_err();
            assert!(said.contains(expected), "{name}: {said}");
        }
    }

    #[test]
    fn headers_are_parsed_in_any_spelling() {
        let shape = |text: &str| parse(text).map(|header| (header.shape, header.fortran));
        let usual = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }     \n";
        assert_eq!(shape(usual), Ok((vec![3, 4], false)));
        let other = r#"  {"shape":(3L ,4L),"descr" : "<f8" ,"fortran_order":True}"#;
        assert_eq!(shape(other), Ok((vec![3, 4], true)));
        let scalar = "{'descr': '<f8', 'fortran_order': False, 'shape': ()}";
        assert_eq!(shape(scalar), Ok((vec![], false)));
        let fields = "{'descr': [('a', '<f4', (2,)), ('b', [('c', '|u1')])], 'fortran_order': False, 'shape': (3,), }";
        assert!(shape(fields).unwrap_err().contains("structured"));
        for wrong in [
            "",
            "{",
            "{'descr': '<f8'",
            "{'descr': '<f8'}",
            "{'descr': '<f8' 'fortran_order': False, 'shape': (3,)}",
            "{'descr': ['<f8', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': (3,), 'fortran_order': False, 'shape': (3,)}",
            "{'kind': 'é', 'fortran_order': False, 'shape': (3,)}",
        ] {
            assert!(shape(wrong).unwrap_err().contains("not a dictionary"), "{wrong}");
        }
    }
}
