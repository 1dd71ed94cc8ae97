//! Trees of values in Thrift's compact protocol, in which Parquet's footers and headers of pages are written. Parquet has no maps.

use latents_random::Stream;

use crate::{index, mangle, number};

const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;
/// How deep values are nested at most, and how many a list has at most.
const MOST: (usize, usize) = (16, 1 << 10);

/// A value. Numbers and lists have the code of their type, or of their items' type.
#[derive(Clone)]
pub(crate) enum Value {
    Bool(bool),
    Byte(u8),
    Number(u8, i64),
    Double([u8; 8]),
    Binary(Vec<u8>),
    List(u8, Vec<Value>),
    /// By the numbers of the fields.
    Struct(Vec<(i16, Value)>),
}

impl Value {
    /// Reads a struct from the start of `bytes`, which become the rest.
    pub(crate) fn read(bytes: &mut &[u8]) -> Option<Value> {
        read(bytes, STRUCT, 0)
    }

    /// Writes a struct.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = vec![];
        write(self, &mut out);
        out
    }

    /// The field of a struct.
    pub(crate) fn field(&mut self, number: i16) -> Option<&mut Value> {
        let Value::Struct(fields) = self else { return None };
        fields.iter_mut().find(|(field, _)| *field == number).map(|(_, value)| value)
    }

    /// The items of a list.
    pub(crate) fn items(&mut self) -> &mut [Value] {
        if let Value::List(_, items) = self { items } else { &mut [] }
    }

    /// The number, if it is one.
    pub(crate) fn number(&mut self) -> Option<&mut i64> {
        if let Value::Number(_, number) = self { Some(number) } else { None }
    }

    /// Changes one value of a tree.
    pub(crate) fn change(&mut self, random: &mut Stream) -> Option<()> {
        let mut all = self.count();
        let mut left = index(all, random)?;
        // The value with this number in the order of the file.
        let mut value = self;
        while left > 0 {
            left -= 1;
            let children: Vec<&mut Value> = match value {
                Value::List(_, items) => items.iter_mut().collect(),
                Value::Struct(fields) => fields.iter_mut().map(|(_, value)| value).collect(),
                _ => return None,
            };
            let mut found = None;
            for child in children {
                all = child.count();
                if left < all {
                    found = Some(child);
                    break;
                }
                left -= all;
            }
            value = found?;
        }
        value.change_here(random)
    }

    fn count(&self) -> usize {
        1 + match self {
            Value::List(_, items) => items.iter().map(Value::count).sum(),
            Value::Struct(fields) => fields.iter().map(|(_, value)| value.count()).sum::<usize>(),
            _ => 0,
        }
    }

    fn change_here(&mut self, random: &mut Stream) -> Option<()> {
        match self {
            Value::Bool(value) => *value ^= true,
            Value::Byte(value) => *value = number(random) as u8,
            Value::Number(_, value) => match random.below(3) {
                0 => *value = value.wrapping_add(i64::from(random.below(9)) - 4),
                _ => *value = number(random),
            },
            Value::Double(bytes) => random.fill_bytes(bytes),
            Value::Binary(bytes) => mangle(bytes),
            Value::List(_, items) => {
                let at = index(items.len(), random)?;
                match random.below(3) {
                    0 => drop(items.remove(at)),
                    1 => items.swap(0, at),
                    _ => items.insert(at, items[at].clone()),
                }
            }
            Value::Struct(fields) => {
                let at = index(fields.len(), random)?;
                match random.below(2) {
                    0 => drop(fields.remove(at)),
                    _ => fields[at].0 = 1 + random.below(14) as i16,
                }
            }
        }
        Some(())
    }
}

fn read(bytes: &mut &[u8], kind: u8, depth: usize) -> Option<Value> {
    Some(match kind {
        TRUE | FALSE => Value::Bool(kind == TRUE),
        BYTE => Value::Byte(take(bytes, 1)?[0]),
        4..=6 => Value::Number(kind, zigzag(varint(bytes)?)),
        DOUBLE => Value::Double(take(bytes, 8)?.try_into().ok()?),
        BINARY => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            Value::Binary(take(bytes, length)?.to_vec())
        }
        LIST if depth < MOST.0 => {
            let head = take(bytes, 1)?[0];
            let kind = head & 15;
            let length = if head >> 4 == 15 { varint(bytes)? as usize } else { (head >> 4).into() };
            let mut items = vec![];
            for _ in 0..Some(length).filter(|&length| length <= MOST.1)? {
                // In a list, a truth value is a byte.
                let kind = if kind <= FALSE { BYTE } else { kind };
                items.push(read(bytes, kind, depth + 1)?);
            }
            Value::List(kind, items)
        }
        STRUCT if depth < MOST.0 => {
            let mut fields = vec![];
            let mut last = 0;
            loop {
                let head = take(bytes, 1)?[0];
                if head == 0 {
                    break Value::Struct(fields);
                }
                last = match head >> 4 {
                    0 => zigzag(varint(bytes)?) as i16,
                    step => i16::from(step).checked_add(last)?,
                };
                fields.push((last, read(bytes, head & 15, depth + 1)?));
            }
        }
        _ => return None,
    })
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        // In a struct, it is the type of the field.
        Value::Bool(_) => {}
        Value::Byte(value) => out.push(*value),
        Value::Number(_, value) => write_varint(((value << 1) ^ (value >> 63)) as u64, out),
        Value::Double(bytes) => out.extend(bytes),
        Value::Binary(bytes) => {
            write_varint(bytes.len() as u64, out);
            out.extend(bytes);
        }
        Value::List(kind, items) => {
            out.push(0xf0 | kind);
            write_varint(items.len() as u64, out);
            items.iter().for_each(|item| write(item, out));
        }
        Value::Struct(fields) => {
            for (number, value) in fields {
                // The long form, whatever the field before it was.
                out.push(kind(value));
                write_varint(((number << 1) ^ (number >> 15)) as u16 as u64, out);
                write(value, out);
            }
            out.push(0);
        }
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Bool(true) => TRUE,
        Value::Bool(false) => FALSE,
        Value::Byte(_) => BYTE,
        Value::Number(kind, _) => *kind,
        Value::Double(_) => DOUBLE,
        Value::Binary(_) => BINARY,
        Value::List(..) => LIST,
        Value::Struct(_) => STRUCT,
    }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
