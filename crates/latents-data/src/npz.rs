//! Named arrays for NumPy: `.npz` files, which are zip files of `.npy` arrays (NumPy's format, version 1.0). Written values are
//! little-endian and in C order. Nothing here knows what the arrays mean.
//!
//! ```
//! use latents_data::npz::{self, Array, Numbers};
//!
//! let file = std::env::temp_dir().join(format!("example-{}.npz", std::process::id()));
//! let z = Array { name: "z".into(), shape: vec![2, 3], numbers: Numbers::F32(vec![0.5; 6]) };
//! npz::write(&file, &[z])?;
//! assert_eq!(npz::read_f32(&file, "z")?, (vec![2, 3], vec![0.5; 6]));
//! assert_eq!(npz::read_labels(&file, "label")?, None);
//! # std::fs::remove_file(file).expect("a file that was written");
//! # Ok::<(), npz::NpzError>(())
//! ```

use std::fmt;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use latents_files::FileError;
use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;

/// The most bytes of an array.
const MAX_BYTES: usize = 1 << 34;
/// The most bytes of a header, as in version 1.0.
const MAX_HEADER: usize = 1 << 16;
const MAGIC: &[u8] = b"\x93NUMPY";

/// An `.npz` file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpzError {
    /// The file cannot be opened or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The content of the file is not as expected.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
}

/// The values of an array, in C order, with their NumPy type.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// `<f4`.
    F32(Vec<f32>),
    /// `<i8`.
    I64(Vec<i64>),
    /// `<U` and the length of the longest text, in code points.
    Text(Vec<String>),
}

/// An array to write, with its name and shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its name, without `.npy`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// As many values as the shape says.
    pub numbers: Numbers,
}

/// Writes arrays without compression, and the file completely or not at all. The same arrays give the same bytes.
///
/// # Errors
/// [`NpzError::File`] if the file cannot be written.
pub fn write(path: &Path, arrays: &[Array]) -> Result<(), NpzError> {
    latents_files::write_with(path, |out| {
        let mut zip = zip::ZipWriter::new(out);
        // Without compression, NumPy can map the arrays; without a date, the same arrays give the same bytes.
        let options = SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .large_file(true)
            .last_modified_time(zip::DateTime::default());
        for array in arrays {
            zip.start_file(format!("{}.npy", array.name), options)?;
            let (kind, bytes): (String, Vec<u8>) = match &array.numbers {
                Numbers::F32(x) => ("<f4".into(), x.iter().flat_map(|x| x.to_le_bytes()).collect()),
                Numbers::I64(x) => ("<i8".into(), x.iter().flat_map(|x| x.to_le_bytes()).collect()),
                Numbers::Text(texts) => encode_texts(texts),
            };
            zip.write_all(&header(&kind, &array.shape))?;
            zip.write_all(&bytes)?;
        }
        zip.finish()?;
        Ok(())
    })?;
    Ok(())
}

/// Texts as NumPy stores them, with their type: 32-bit code points, padded with zeros to the length of the longest text.
fn encode_texts(texts: &[String]) -> (String, Vec<u8>) {
    let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
    let padded = |text: &String| {
        let mut points: Vec<u32> = text.chars().map(u32::from).collect();
        points.resize(longest, 0);
        points
    };
    let points = texts.iter().flat_map(padded);
    (format!("<U{longest}"), points.flat_map(u32::to_le_bytes).collect())
}

fn header(kind: &str, shape: &[usize]) -> Vec<u8> {
    // In Python, a tuple of one item ends in a comma.
    let comma = if shape.len() == 1 { "," } else { "" };
    let sizes = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ") + comma;
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // Magic, version and length take ten bytes; the header is padded to a multiple of 64 bytes and ends in a newline.
    let padding = 64 - (10 + text.len() + 1) % 64;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let length = text.len() as u16;
    [MAGIC, &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat()
}

/// Reads one array of floating-point numbers (`<f4`, or `<f8` rounded to it) as its shape and its values in C order.
///
/// # Errors
/// [`NpzError`] if the file cannot be read or is not an `.npz` file, or the array is missing, truncated, in Fortran order or of
/// another type.
pub fn read_f32(path: &Path, name: &str) -> Result<(Vec<usize>, Vec<f32>), NpzError> {
    let file = std::fs::File::open(path).map_err(FileError::on("read", path))?;
    read_from(file, name).map_err(|reason| NpzError::Content { path: path.to_owned(), reason })
}

/// Reads labels `[n]` from 0 to 255, of type `<i8`; `None` if the file has no such array.
///
/// # Errors
/// [`NpzError`] if the file cannot be read or is not an `.npz` file, or the array has another type, shape or range.
pub fn read_labels(path: &Path, name: &str) -> Result<Option<Vec<u8>>, NpzError> {
    let file = std::fs::File::open(path).map_err(FileError::on("read", path))?;
    let content = |reason| NpzError::Content { path: path.to_owned(), reason };
    let zip = zip::ZipArchive::new(&file);
    if zip.is_ok_and(|zip| zip.index_for_name(&format!("{name}.npy")).is_none()) {
        return Ok(None);
    }
    let Raw { kind, shape, bytes } =
        Reader::new(file).and_then(|mut reader| reader.read(name)).map_err(content)?;
    if kind != "<i8" || shape.len() != 1 {
        return Err(content(format!(
            "array `{name}` is {kind} {shape:?}, but int64 [n] is expected"
        )));
    }
    let label = |b: &[u8]| u8::try_from(i64::from_le_bytes(std::array::from_fn(|i| b[i])));
    let labels: Result<Vec<u8>, _> = bytes.chunks_exact(8).map(label).collect();
    labels.map(Some).map_err(|_| content(format!("array `{name}` has a label outside 0 to 255")))
}

fn read_from(file: impl Read + Seek, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
    let array = Reader::new(file)?.read(name)?;
    let Raw { kind, shape, bytes } = array;
    let numbers = match kind.as_str() {
        "<f4" => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        "<f8" => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
        other => return Err(format!("array `{name}` is of type {other}, but float32 is expected")),
    };
    Ok((shape, numbers))
}

/// What an `.npz` file says of an array: everything but its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayInfo {
    /// Its name, without `.npy`.
    pub name: String,
    /// NumPy's name of its type, such as `<f4`.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl fmt::Display for ArrayInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {:?} of {}", self.name, self.shape, self.dtype)
    }
}

/// An array as it is stored.
pub(crate) struct Raw {
    pub(crate) kind: String,
    pub(crate) shape: Vec<usize>,
    /// As many bytes as type and shape say.
    pub(crate) bytes: Vec<u8>,
}

/// A reader of an `.npz` file.
pub(crate) struct Reader<R>(zip::ZipArchive<R>);

fn unreadable(error: impl std::fmt::Display) -> String {
    format!("it is not an intact .npz file ({error})")
}

impl<R: Read + Seek> Reader<R> {
    pub(crate) fn new(file: R) -> Result<Self, String> {
        zip::ZipArchive::new(file).map(Self).map_err(unreadable)
    }

    /// The readable arrays, in the order of the file; and the names of the unreadable ones, with reasons.
    pub(crate) fn arrays(&mut self) -> (Vec<ArrayInfo>, Vec<(String, String)>) {
        let (mut arrays, mut broken) = (vec![], vec![]);
        for i in 0..self.0.len() {
            let Ok(mut entry) = self.0.by_index(i) else { continue };
            let Some(name) = entry.name().strip_suffix(".npy").map(str::to_owned) else { continue };
            match read_header(&mut entry) {
                Ok((kind, shape)) => arrays.push(ArrayInfo { name, dtype: kind, shape }),
                Err(why) => broken.push((name, why)),
            }
        }
        (arrays, broken)
    }

    /// Reads one array.
    pub(crate) fn read(&mut self, name: &str) -> Result<Raw, String> {
        let known: Vec<String> =
            self.0.file_names().map(|n| n.trim_end_matches(".npy").to_owned()).collect();
        let entry = self.0.by_name(&format!("{name}.npy"));
        let mut entry = entry.map_err(|e| match e {
            zip::result::ZipError::FileNotFound => {
                format!("it has no array `{name}`; it has: {}", known.join(", "))
            }
            e => unreadable(e),
        })?;
        let (kind, shape) = read_header(&mut entry).map_err(|e| format!("array `{name}`: {e}"))?;
        let size = item_size(&kind)
            .ok_or_else(|| format!("array `{name}` is of type {kind}, which is not supported"))?;
        let bytes = shape.iter().try_fold(size, |a, &b| a.checked_mul(b));
        let length = bytes.filter(|&n| n <= MAX_BYTES);
        let length = length.ok_or_else(|| format!("array `{name}` {shape:?} is too large"))?;
        // Memory grows with the data, not with the size that the header declares.
        let mut bytes = vec![];
        entry.take(length as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() != length {
            let but = if bytes.len() > length { "more" } else { "fewer" };
            return Err(format!("array `{name}` {shape:?} has {but} values than its shape says"));
        }
        Ok(Raw { kind, shape, bytes })
    }
}

/// The number of bytes of one item of a type; `None` if the type is not supported.
fn item_size(kind: &str) -> Option<usize> {
    let letter = kind.get(1..2)?;
    let size: usize = kind.get(2..)?.parse().ok().filter(|&size| size > 0)?;
    match (letter, size) {
        ("b", 1) | ("u" | "i", 1 | 2 | 4 | 8) | ("f", 4 | 8) | ("S", _) => Some(size),
        ("U", _) => size.checked_mul(4),
        _ => None,
    }
}

/// Type and shape from the header of a `.npy` array.
fn read_header(file: &mut impl Read) -> Result<(String, Vec<usize>), String> {
    let short = |_| "its header is truncated".to_owned();
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(short)?;
    if &start[..6] != MAGIC {
        return Err("it does not start like a .npy array".into());
    }
    let length = if start[6] == 1 {
        let mut bytes = [0; 2];
        file.read_exact(&mut bytes).map_err(short)?;
        usize::from(u16::from_le_bytes(bytes))
    } else {
        let mut bytes = [0; 4];
        file.read_exact(&mut bytes).map_err(short)?;
        u32::from_le_bytes(bytes) as usize
    };
    if length > MAX_HEADER {
        return Err(format!("its header of {length} bytes is too long"));
    }
    let mut text = vec![0; length];
    file.read_exact(&mut text).map_err(short)?;
    let text = String::from_utf8_lossy(&text);
    let after = |key: &str| {
        let rest = text.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
        rest.ok_or_else(|| format!("its header lacks `{key}`"))
    };
    if after("fortran_order")?.starts_with("True") {
        return Err("it is in Fortran order; save numpy.ascontiguousarray(array) instead".into());
    }
    let kind = after("descr")?.split('\'').nth(1).unwrap_or_default().to_owned();
    let sizes = after("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (sizes, _) = sizes.ok_or("its header has no shape")?;
    let sizes = sizes.split(',').map(str::trim).filter(|n| !n.is_empty());
    let shape = sizes.map(|n| n.parse().map_err(|_| format!("its shape contains `{n}`")));
    Ok((kind, shape.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests;
