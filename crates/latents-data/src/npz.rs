//! Named arrays for NumPy: `.npz` files, which are zip files of `.npy` arrays (`numpy.lib.format`), and `.npy` files. Arrays of numbers
//! and text are read in any byte order and any order of axes; written values are little-endian and in C order. Nothing here knows what
//! the arrays mean. Headers are in `npz/header`, the archive in `npz/reader`, values in `npz/values`.
//!
//! ```
//! use latents_data::npz::{self, Array, Numbers};
//!
//! let file = std::env::temp_dir().join(format!("example-{}.npz", std::process::id()));
//! let z = Array { name: "z".into(), shape: vec![2, 3], numbers: Numbers::F32(vec![0.5; 6]) };
//! npz::write(&file, &[z])?;
//! assert_eq!(npz::read_f32(&file, "z")?, (vec![2, 3], vec![0.5; 6]));
//! # std::fs::remove_file(file).expect("a file that was written");
//! # Ok::<(), npz::NpzError>(())
//! ```

mod header;
mod reader;
mod values;

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use latents_files::FileError;
use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;

pub(crate) use self::reader::Reader;
pub(crate) use self::values::Items;
pub use self::values::Values;

const MAGIC: &[u8] = b"\x93NUMPY";

/// An `.npz` or `.npy` file cannot be read or written.
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

/// An open `.npz` or `.npy` file, of which single arrays are read.
///
/// ```
/// use latents_data::npz::{self, Array, Numbers};
///
/// let file = std::env::temp_dir().join(format!("archive-{}.npz", std::process::id()));
/// let label = Array { name: "label".into(), shape: vec![3], numbers: Numbers::I64(vec![2, 0, 1]) };
/// npz::write(&file, &[label])?;
/// let mut archive = npz::open(&file)?;
/// assert_eq!(archive.arrays()[0].to_string(), "`label` [3] of <i8");
/// let label = archive.read("label")?;
/// assert_eq!((label.shape(), label.i64s()), (&[3][..], Some(vec![2, 0, 1])));
/// assert_eq!(label.texts(), ["2", "0", "1"]);
/// # std::fs::remove_file(file).expect("a file that was written");
/// # Ok::<(), npz::NpzError>(())
/// ```
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    reader: Reader<File>,
    arrays: Vec<ArrayInfo>,
    unreadable: Vec<(String, String)>,
}

/// Opens a file and reads the headers of its arrays. A `.npy` file is an archive of one array, whose name is empty. The content of the
/// file, not its name, tells the two apart.
///
/// # Errors
/// [`NpzError`] if the file cannot be read or is neither of both.
pub fn open(path: &Path) -> Result<Archive, NpzError> {
    let file = File::open(path).map_err(FileError::on("read", path))?;
    let content = |reason| NpzError::Content { path: path.to_owned(), reason };
    let mut reader = Reader::new(file).map_err(content)?;
    let (arrays, unreadable) = reader.arrays();
    Ok(Archive { path: path.to_owned(), reader, arrays, unreadable })
}

impl Archive {
    /// The arrays that can be read, in the order of the file.
    #[must_use]
    pub fn arrays(&self) -> &[ArrayInfo] {
        &self.arrays
    }

    /// The names of the arrays that cannot be read, with reasons. Arrays of Python objects are among them: they are never unpickled.
    #[must_use]
    pub fn unreadable(&self) -> &[(String, String)] {
        &self.unreadable
    }

    /// Reads one array.
    ///
    /// # Errors
    /// [`NpzError`] if there is no such array, or it is damaged or of a type that is not supported.
    pub fn read(&mut self, name: &str) -> Result<Values, NpzError> {
        let content = |reason| NpzError::Content { path: self.path.clone(), reason };
        self.reader.read(name).map_err(content)
    }
}

/// Reads one array of floating-point numbers of any precision, rounded to single precision, as its shape and its values in C order.
///
/// # Errors
/// [`NpzError`] as for [`open`] and [`Archive::read`], or if the array has no floating-point numbers.
pub fn read_f32(path: &Path, name: &str) -> Result<(Vec<usize>, Vec<f32>), NpzError> {
    let values = open(path)?.read(name)?;
    if let Some(numbers) = values.f32s().filter(|_| values.is_float()) {
        return Ok((values.shape().to_vec(), numbers));
    }
    let reason = format!("array `{name}` is of type {}, but float32 is expected", values.dtype());
    Err(NpzError::Content { path: path.to_owned(), reason })
}

/// What a file says of an array: everything but its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayInfo {
    /// Its name, without `.npy`; empty in a `.npy` file.
    pub name: String,
    /// NumPy's name of its type, such as `<f4`.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl fmt::Display for ArrayInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "`{}` ", self.name)?;
        }
        write!(f, "{:?} of {}", self.shape, self.dtype)
    }
}

#[cfg(test)]
mod tests;
