//! Named arrays for NumPy: `.npz` files, which are zip files of `.npy` arrays (NumPy's format, version 1.0). Numbers are little-
//! endian and in C order. Nothing here knows what the arrays mean.

use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use latents_files::FileError;
use zip::write::SimpleFileOptions;

/// The most bytes that an array may have.
const MAX_BYTES: usize = 1 << 34;
/// The longest header that version 1.0 can have.
const MAX_HEADER: usize = 1 << 16;
const MAGIC: &[u8] = b"\x93NUMPY";

/// An `.npz` file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NpzError {
    /// The file cannot be opened or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is in it is not what it should be.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
}

/// The numbers of an array, in C order.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// `<f4`.
    F32(Vec<f32>),
    /// `<i8`.
    I64(Vec<i64>),
    /// `<U` and the length of the longest.
    Text(Vec<String>),
}

/// An array with its name and shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its name, without `.npy`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// As many numbers as the shape says.
    pub numbers: Numbers,
}

/// Writes arrays, whole or not at all.
///
/// # Errors
/// Where the file cannot be written.
pub fn write(path: &Path, arrays: &[Array]) -> Result<(), NpzError> {
    latents_files::write_with(path, |out| {
        let mut zip = zip::ZipWriter::new(out);
        // Stored and without a date: NumPy maps such arrays fast, and the same arrays give the same bytes.
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

/// Texts as NumPy has them, with their type: as many code points of 32 bits for each as the longest has, filled up with zeros.
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
    // A tuple of one has a comma after it.
    let comma = if shape.len() == 1 { "," } else { "" };
    let sizes = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ") + comma;
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({sizes}), }}");
    // Magic, version and length take ten bytes; the whole is padded to a multiple of 64 and ends in a newline.
    let padding = 64 - (10 + text.len() + 1) % 64;
    text.extend(std::iter::repeat_n(' ', padding));
    text.push('\n');
    let length = text.len() as u16;
    [MAGIC, &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat()
}

/// Reads one array of floating-point numbers (`<f4`, or `<f8` rounded to it), with its shape.
///
/// # Errors
/// Where the file is no `.npz`, has no such array, or the array is of another type or order, or cut short.
pub fn read_f32(path: &Path, name: &str) -> Result<(Vec<usize>, Vec<f32>), NpzError> {
    let file = std::fs::File::open(path).map_err(FileError::on("read", path))?;
    read_from(file, name).map_err(|reason| NpzError::Content { path: path.to_owned(), reason })
}

/// Reads labels `[n]` from 0 to 255, of type `<i8`; none where the file has no such array.
///
/// # Errors
/// Where the file is no `.npz`, or the array is of another type or shape, or has other numbers.
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
        return Err(content(format!("array `{name}` is {kind} {shape:?}; int64 [n] is expected")));
    }
    let label = |b: &[u8]| u8::try_from(i64::from_le_bytes(std::array::from_fn(|i| b[i])));
    let labels: Result<Vec<u8>, _> = bytes.chunks_exact(8).map(label).collect();
    labels.map(Some).map_err(|_| content(format!("array `{name}` has a label beyond 0 to 255")))
}

fn read_from(file: impl Read + Seek, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
    let array = Reader::new(file)?.read(name)?;
    let Raw { kind, shape, bytes } = array;
    let numbers = match kind.as_str() {
        "<f4" => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        "<f8" => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
        other => return Err(format!("array `{name}` is of type {other}; float32 is expected")),
    };
    Ok((shape, numbers))
}

/// What an array is, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    /// Without `.npy`.
    pub(crate) name: String,
    /// NumPy's name of the type: `<f4`.
    pub(crate) kind: String,
    pub(crate) shape: Vec<usize>,
}

/// An array as its file has it.
pub(crate) struct Raw {
    pub(crate) kind: String,
    pub(crate) shape: Vec<usize>,
    /// As many as type and shape say.
    pub(crate) bytes: Vec<u8>,
}

/// An `.npz` file that is being read.
pub(crate) struct Reader<R>(zip::ZipArchive<R>);

fn unreadable(error: impl std::fmt::Display) -> String {
    format!("it is not a whole .npz file ({error})")
}

impl<R: Read + Seek> Reader<R> {
    pub(crate) fn new(file: R) -> Result<Self, String> {
        zip::ZipArchive::new(file).map(Self).map_err(unreadable)
    }

    /// What can be told of the arrays, in the order of the file; and of those that cannot be read, their names and why.
    pub(crate) fn arrays(&mut self) -> (Vec<About>, Vec<(String, String)>) {
        let (mut arrays, mut broken) = (vec![], vec![]);
        for i in 0..self.0.len() {
            let Ok(mut entry) = self.0.by_index(i) else { continue };
            let Some(name) = entry.name().strip_suffix(".npy").map(str::to_owned) else { continue };
            match read_header(&mut entry) {
                Ok((kind, shape)) => arrays.push(About { name, kind, shape }),
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
            .ok_or_else(|| format!("array `{name}` is of type {kind}, which is not read"))?;
        let bytes = shape.iter().try_fold(size, |a, &b| a.checked_mul(b));
        let length = bytes.filter(|&n| n <= MAX_BYTES);
        let length = length.ok_or_else(|| format!("array `{name}` {shape:?} is too large"))?;
        // Read as it comes rather than allocate what the header promises.
        let mut bytes = vec![];
        entry.take(length as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() != length {
            let but = if bytes.len() > length { "more" } else { "fewer" };
            return Err(format!("array `{name}` {shape:?} has {but} numbers than its shape says"));
        }
        Ok(Raw { kind, shape, bytes })
    }
}

/// The bytes of one item of a type.
fn item_size(kind: &str) -> Option<usize> {
    let letter = kind.get(1..2)?;
    let size: usize = kind.get(2..)?.parse().ok().filter(|&size| size > 0)?;
    match (letter, size) {
        ("b", 1) | ("u" | "i", 1 | 2 | 4 | 8) | ("f", 4 | 8) | ("S", _) => Some(size),
        ("U", _) => size.checked_mul(4),
        _ => None,
    }
}

/// The type and shape that a `.npy` header says.
fn read_header(file: &mut impl Read) -> Result<(String, Vec<usize>), String> {
    let short = |_| "its header is cut short".to_owned();
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(short)?;
    if &start[..6] != MAGIC {
        return Err("it does not begin as a .npy array does".into());
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
        return Err("it is in Fortran order: save numpy.ascontiguousarray of it".into());
    }
    let kind = after("descr")?.split('\'').nth(1).unwrap_or_default().to_owned();
    let sizes = after("shape")?.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (sizes, _) = sizes.ok_or("its header has no shape")?;
    let sizes = sizes.split(',').map(str::trim).filter(|n| !n.is_empty());
    let shape = sizes.map(|n| n.parse().map_err(|_| format!("its shape has `{n}` in it")));
    Ok((kind, shape.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn zip_of(name: &str, bytes: &[u8], method: zip::CompressionMethod) -> Cursor<Vec<u8>> {
        let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
        zip.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(bytes).unwrap();
        zip.finish().unwrap()
    }

    fn npy(kind: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
        [&header(kind, shape), bytes].concat()
    }

    #[test]
    fn arrays_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let z = Array {
            name: "z".into(),
            shape: vec![2, 3],
            numbers: Numbers::F32(vec![1.5, -2.0, 0.0, 3.25, f32::MIN, f32::MAX]),
        };
        let label =
            Array { name: "label".into(), shape: vec![2], numbers: Numbers::I64(vec![7, 9]) };
        write(&path, &[z.clone(), label.clone()]).unwrap();
        let name = Array {
            name: "name".into(),
            shape: vec![2],
            numbers: Numbers::Text(vec!["ä/b.png".into(), "<c>".into()]),
        };
        let (shape, numbers) = read_f32(&path, "z").unwrap();
        assert_eq!((shape, Numbers::F32(numbers)), (z.shape.clone(), z.numbers.clone()));
        let error = read_f32(&path, "x").unwrap_err().to_string();
        assert!(error.contains("no array `x`; it has: ") && error.contains("label"), "{error}");
        assert!(read_f32(&path, "label").unwrap_err().to_string().contains("<i8"));
        let first = std::fs::read(&path).unwrap();
        write(&path, &[z, label]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first, "the same arrays give the same bytes");
        write(&path, &[name]).unwrap();
        let raw = Reader::new(std::fs::File::open(&path).unwrap()).unwrap().read("name").unwrap();
        // From Python: numpy.array(["ä/b.png", "<c>"]) has dtype <U7 and these bytes.
        assert_eq!((raw.kind.as_str(), raw.shape, raw.bytes.len()), ("<U7", vec![2], 56));
        assert_eq!(raw.bytes[..8], [0xe4, 0, 0, 0, b'/', 0, 0, 0]);
        assert_eq!(raw.bytes[28..44], *b"<\0\0\0c\0\0\0>\0\0\0\0\0\0\0");
    }

    #[test]
    fn headers_are_as_numpy_writes_them() {
        let one = header("<f4", &[5]);
        assert_eq!(one.len() % 64, 0);
        let text = String::from_utf8_lossy(&one[10..]).into_owned();
        assert!(text.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }"));
        assert!(text.ends_with(" \n"));
        assert!(String::from_utf8_lossy(&header("<f4", &[2, 3])).contains("(2, 3), }"));
    }

    #[test]
    fn compressed_and_double_arrays_are_read() {
        let bytes: Vec<u8> = [1.0f64, 2.5].iter().flat_map(|x| x.to_le_bytes()).collect();
        let file = zip_of("z.npy", &npy("<f8", &[2, 1], &bytes), zip::CompressionMethod::Deflated);
        assert_eq!(read_from(file, "z").unwrap(), (vec![2, 1], vec![1.0, 2.5]));
    }

    #[test]
    fn hostile_files_are_refused() {
        let stored = zip::CompressionMethod::Stored;
        let huge = format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': ({0}, {0}), }}",
            usize::MAX
        );
        let huge = [MAGIC, &[1, 0], &(huge.len() as u16).to_le_bytes(), huge.as_bytes()].concat();
        let fortran = String::from_utf8_lossy(&header("<f4", &[1])[10..]).replace("False", "True ");
        let fortran =
            [MAGIC, &[1, 0], &(fortran.len() as u16).to_le_bytes(), fortran.as_bytes()].concat();
        for (bytes, expected) in [
            (npy("<f4", &[2], &[0; 7]), "fewer"),
            (npy("<f4", &[2], &[0; 9]), "more"),
            (npy("<f4", &[1 << 31], &[0; 8]), "fewer"),
            (npy("|O", &[1], &[0; 8]), "of type |O"),
            (npy("<U99999999999999999999", &[1], &[0; 8]), "which is not read"),
            (huge, "too large"),
            (fortran, "Fortran"),
            (b"\x93NUMPX\x01\x00".to_vec(), "does not begin"),
            (b"\x93NUM".to_vec(), "cut short"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f".to_vec(), "too long"),
        ] {
            let error = read_from(zip_of("z.npy", &bytes, stored), "z").unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
        }
        assert!(
            read_from(Cursor::new(b"no zip".to_vec()), "z").unwrap_err().contains("not a whole")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_array_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_from(zip_of("z.npy", &bytes, zip::CompressionMethod::Stored), "z");
            let _ = read_from(Cursor::new(bytes), "z");
        }
    }
}
