//! The arrays of an `.npz` file, or the one of a `.npy` file.

use std::io::{Read, Seek, SeekFrom};

use latents_files::{MOST_EXPANSION_OF_IMAGES, check_expansion};

use super::header::{self, Header};
use super::values::Values;
use super::{ArrayInfo, MAGIC};

/// The most bytes of an array.
const MAX_BYTES: usize = 1 << 34;

/// A reader of an `.npz` or a `.npy` file.
#[derive(Debug)]
pub(crate) enum Reader<R> {
    /// An archive, and the length of its file.
    Zip(zip::ZipArchive<R>, u64),
    /// One array, whose name is empty.
    Single(R),
}

fn unreadable(error: impl std::fmt::Display) -> String {
    format!("it is not an intact .npz or .npy file ({error})")
}

/// An array in the middle of a sentence.
fn called(name: &str) -> String {
    if name.is_empty() { "its array".into() } else { format!("array `{name}`") }
}

impl<R: Read + Seek> Reader<R> {
    pub(crate) fn new(mut file: R) -> Result<Self, String> {
        let mut start = vec![];
        (&mut file).take(MAGIC.len() as u64).read_to_end(&mut start).map_err(unreadable)?;
        let length = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        if start == MAGIC {
            return Ok(Self::Single(file));
        }
        let zip = zip::ZipArchive::new(file).map_err(unreadable)?;
        Ok(Self::Zip(zip, length))
    }

    /// The arrays that can be read, in the order of the file; and the names of the others, with reasons.
    pub(crate) fn arrays(&mut self) -> (Vec<ArrayInfo>, Vec<(String, String)>) {
        let (mut arrays, mut broken) = (vec![], vec![]);
        let mut add = |name: String, header: Result<Header, String>| match header {
            Ok(Header { item, shape, .. }) => {
                arrays.push(ArrayInfo { name, dtype: item.to_string(), shape });
            }
            Err(why) => broken.push((name, format!("it {why}"))),
        };
        match self {
            Self::Single(file) => {
                let header = file.seek(SeekFrom::Start(0)).map_err(|e| format!("is lost ({e})"));
                add(String::new(), header.and_then(|_| header::read(file)));
            }
            Self::Zip(zip, _) => {
                for i in 0..zip.len() {
                    let Some(name) = zip.name_for_index(i).and_then(|n| n.strip_suffix(".npy"))
                    else {
                        continue;
                    };
                    let name = name.to_owned();
                    let entry = zip.by_index(i).map_err(|e| format!("is damaged ({e})"));
                    add(name, entry.and_then(|mut entry| header::read(&mut entry)));
                }
            }
        }
        (arrays, broken)
    }

    /// Reads one array.
    pub(crate) fn read(&mut self, name: &str) -> Result<Values, String> {
        match self {
            Self::Single(file) if name.is_empty() => {
                file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
                read_array(name, file, None)
            }
            Self::Single(_) => {
                Err(format!("it has no array `{name}`; it has one array, without a name"))
            }
            Self::Zip(zip, length) => {
                let Some(index) = zip.index_for_name(&format!("{name}.npy")) else {
                    let known: Vec<&str> =
                        zip.file_names().map(|n| n.trim_end_matches(".npy")).collect();
                    return Err(format!("it has no array `{name}`; it has: {}", known.join(", ")));
                };
                let mut entry = zip.by_index(index).map_err(unreadable)?;
                // The archive may say anything of an entry, but there is no more than the file.
                let packed = entry.compressed_size().min(*length);
                read_array(name, &mut entry, Some(packed))
            }
        }
    }
}

/// Reads an array; `packed` is how many bytes it has in its archive.
fn read_array(name: &str, file: &mut impl Read, packed: Option<u64>) -> Result<Values, String> {
    let called = called(name);
    let Header { item, fortran, shape } =
        header::read(file).map_err(|why| format!("{called} {why}"))?;
    let length = shape.iter().try_fold(item.size, |a, &b| a.checked_mul(b));
    let length = length.filter(|&length| length <= MAX_BYTES);
    let length = length.ok_or_else(|| format!("{called} {shape:?} is too large"))?;
    if let Some(packed) = packed {
        check_expansion(&called, packed, length as u64, MOST_EXPANSION_OF_IMAGES)
            .map_err(|e| e.to_string())?;
    }
    // The bytes, and as many again if they change their order; then there is a byte or more for each number.
    let copies = if fortran { 2 } else { 1 };
    let needed = copies * length as u64 + (length / item.size) as u64;
    latents_files::check_memory(&called, needed).map_err(|e| e.to_string())?;
    // Memory grows with the data, not with the size that the header declares.
    let mut bytes = vec![];
    file.take(length as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() != length {
        let but = if bytes.len() > length { "more" } else { "fewer" };
        return Err(format!("{called} {shape:?} has {but} values than its shape says"));
    }
    if fortran {
        bytes = c_order(&bytes, &shape, item.size);
    }
    Ok(Values::new(item, shape, bytes))
}

/// Items in Fortran order, where the first axis varies fastest, in C order.
fn c_order(bytes: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    if bytes.is_empty() {
        return vec![];
    }
    let strides: Vec<usize> = shape
        .iter()
        .scan(size, |step, &n| {
            let stride = *step;
            *step *= n;
            Some(stride)
        })
        .collect();
    let mut ordered = Vec::with_capacity(bytes.len());
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    while ordered.len() < bytes.len() {
        ordered.extend_from_slice(&bytes[at..at + size]);
        // The last axis that is not at its end moves on, and those after it start again.
        for axis in (0..shape.len()).rev() {
            if index[axis] + 1 < shape[axis] {
                index[axis] += 1;
                at += strides[axis];
                break;
            }
            at -= index[axis] * strides[axis];
            index[axis] = 0;
        }
    }
    ordered
}
