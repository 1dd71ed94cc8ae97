//! Changes of a NumPy array (`numpy.lib.format`): its type, its order of axes, its shape and its values.

use latents_random::Stream;

use crate::{index, mangle, number, pick};

const TYPES: [&str; 21] = [
    "'|u1'",
    "'|i1'",
    "'|b1'",
    "'?'",
    "'<u2'",
    "'>i2'",
    "'<u4'",
    "'>i4'",
    "'<i8'",
    "'>u8'",
    "'<f2'",
    "'<f4'",
    "'>f4'",
    "'=f8'",
    "'|S1'",
    "'|S3'",
    "'<U1'",
    "'>U2'",
    "'|O'",
    "'<c8'",
    "[('a', '<f4')]",
];
/// Most bytes that an array is filled up to.
const MOST: u64 = 1 << 12;

struct Npy {
    version: u8,
    /// As Python writes it.
    kind: String,
    fortran: bool,
    shape: Vec<u64>,
    values: Vec<u8>,
}

/// Changes an array of one `.npy` file.
pub fn change(file: &[u8], random: &mut Stream) -> Option<Vec<u8>> {
    let mut array = parse(file)?;
    match random.below(7) {
        0 => array.kind = pick(&TYPES, random).into(),
        1 => array.fortran ^= true,
        2 => {
            let axis = index(array.shape.len(), random)?;
            array.shape[axis] = number(random) as u64;
        }
        3 if random.below(2) == 0 => drop(array.shape.pop()),
        3 => array.shape.push(1 + u64::from(random.below(3))),
        4 => array.version = 1 + random.below(4) as u8,
        _ => mangle(&mut array.values),
    }
    if random.below(4) > 0 {
        fill(&mut array);
    }
    Some(write(&array))
}

fn parse(file: &[u8]) -> Option<Npy> {
    let version = *file.strip_prefix(b"\x93NUMPY")?.first()?;
    let (length, start) = match version {
        1 => (usize::from(u16::from_le_bytes(file.get(8..10)?.try_into().ok()?)), 10),
        _ => (u32::from_le_bytes(file.get(8..12)?.try_into().ok()?) as usize, 12),
    };
    let end = start + length.min(file.len() - start);
    let header = String::from_utf8_lossy(&file[start..end]);
    let after = |name: &str| header.split_once(name).map(|(_, rest)| rest);
    let kind = after("'descr': ")?.split_once(", '")?.0.into();
    let shape = after("'shape': (")?.split_once(')')?.0;
    let shape = shape.split(',').filter_map(|axis| axis.trim().parse().ok()).collect();
    let fortran = header.contains("True");
    Some(Npy { version, kind, fortran, shape, values: file[end..].to_vec() })
}

fn write(array: &Npy) -> Vec<u8> {
    let order = if array.fortran { "True" } else { "False" };
    let shape: String = array.shape.iter().map(|axis| format!("{axis}, ")).collect();
    let header =
        format!("{{'descr': {}, 'fortran_order': {order}, 'shape': ({shape}), }}\n", array.kind);
    let mut file = [b"\x93NUMPY", &[array.version, 0][..]].concat();
    match array.version {
        1 => file.extend((header.len() as u16).to_le_bytes()),
        _ => file.extend((header.len() as u32).to_le_bytes()),
    }
    file.extend(header.as_bytes());
    file.extend(&array.values);
    file
}

/// Gives the array as many values as its shape says.
fn fill(array: &mut Npy) {
    let size: String = array.kind.chars().filter(char::is_ascii_digit).collect();
    let width = if array.kind.contains('U') { 4 } else { 1 };
    let bytes = array.shape.iter().try_fold(width, |bytes: u64, &axis| bytes.checked_mul(axis));
    let bytes = bytes.and_then(|bytes| bytes.checked_mul(size.parse().unwrap_or(1)));
    if let Some(bytes) = bytes.filter(|&bytes| bytes <= MOST) {
        let old = array.values.len();
        array.values.truncate(bytes as usize);
        for i in old..bytes as usize {
            array.values.push(if old == 0 { i as u8 } else { array.values[i % old] });
        }
    }
}
