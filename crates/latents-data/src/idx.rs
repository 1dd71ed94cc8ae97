//! The IDX format of the MNIST files: a big-endian magic number `0x0000TTRR` (element type,
//! rank), a 32-bit size for each dimension, then the data; plain or gzipped (RFC 1952), which the content decides and not the
//! name. Only unsigned bytes are read: rank 3 as images, rank 1 as labels. Input may be hostile: no more is read than the header
//! declares, the declared size is limited, and memory grows only with the data that arrives. Which files make a data set is
//! decided elsewhere.
//!
//! ```
//! use std::path::Path;
//!
//! use latents_data::{Images, idx};
//!
//! let images = Images::new(1, 2, 3, (0..12).collect())?;
//! let mut file = Vec::new();
//! idx::write_images(&mut file, &images).expect("a vector can be written");
//! assert_eq!(idx::parse_images(&file[..], Path::new("memory"))?, images);
//! # Ok::<(), latents_data::Error>(())
//! ```

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use latents_files::{MOST_EXPANSION_OF_IMAGES, check_expansion};

use crate::error::{Error, IdxProblem};
use crate::images::Images;

/// The most bytes of data that a header may declare: 2 GiB.
pub const MAX_BYTES: u64 = 1 << 31;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const IMAGES: Kind<3> = Kind { name: "images", magic: 0x0000_0803, item: 1 };
const LABELS: Kind<1> = Kind { name: "labels", magic: 0x0000_0801, item: 1 };
/// Several 32-bit numbers for each image, of which the first is its class, as in QMNIST (Yadav and Bottou, 2019).
const LABEL_ROWS: Kind<2> = Kind { name: "rows of labels", magic: 0x0000_0c02, item: 4 };

/// A kind of IDX file with `RANK` dimensions.
#[derive(Clone, Copy)]
struct Kind<const RANK: usize> {
    name: &'static str,
    magic: u32,
    /// Bytes of an item.
    item: u64,
}

/// Reads a file of images, `[n, 1, h, w]`.
///
/// # Errors
/// [`Error::Io`] or [`Error::Idx`], naming the file.
pub fn read_images(file: &Path) -> Result<Images, Error> {
    images_of(open(file)?, file, length(file))
}

/// Reads a file of labels, `[n]`; or, as in QMNIST, of rows of 32-bit numbers that begin with the label.
///
/// # Errors
/// [`Error::Io`] or [`Error::Idx`], naming the file.
pub fn read_labels(file: &Path) -> Result<Vec<u8>, Error> {
    let packed = length(file);
    match parse(&LABELS, open(file)?, file, packed).map(|(_, labels)| labels) {
        Err(Error::Idx { problem: IdxProblem::Magic { found, .. }, .. })
            if found == LABEL_ROWS.magic =>
        {
            let ([n, columns], bytes) = parse(&LABEL_ROWS, open(file)?, file, packed)?;
            let first = bytes.chunks_exact(4 * columns as usize).take(n as usize);
            let class = |row: &[u8]| match row[..4] {
                [0, 0, 0, class] => Ok(class),
                [a, b, c, d] => {
                    let value = i32::from_be_bytes([a, b, c, d]);
                    Err(Error::Idx { file: file.into(), problem: IdxProblem::Label { value } })
                }
                _ => Ok(0),
            };
            first.map(class).collect()
        }
        result => result,
    }
}

/// Reads images, `[n, 1, h, w]`, from any reader; errors call it `file`.
///
/// # Errors
/// [`Error::Io`] or [`Error::Idx`], naming the file.
pub fn parse_images(reader: impl BufRead, file: &Path) -> Result<Images, Error> {
    images_of(reader, file, None)
}

fn images_of(reader: impl BufRead, file: &Path, packed: Option<u64>) -> Result<Images, Error> {
    let ([_, height, width], pixels) = parse(&IMAGES, reader, file, packed)?;
    Images::new(1, height as usize, width as usize, pixels)
}

/// Reads labels, `[n]`, from any reader; errors call it `file`.
///
/// # Errors
/// [`Error::Io`] or [`Error::Idx`], naming the file.
pub fn parse_labels(reader: impl BufRead, file: &Path) -> Result<Vec<u8>, Error> {
    Ok(parse(&LABELS, reader, file, None)?.1)
}

/// Writes images of one channel as an IDX file without compression.
///
/// # Errors
/// Those of `writer`, and [`io::ErrorKind::InvalidInput`] if the images have more than one channel.
pub fn write_images(mut writer: impl Write, images: &Images) -> io::Result<()> {
    let [channels, height, width] = images.shape();
    if channels != 1 {
        let message = format!("IDX images have 1 channel, but these have {channels}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    write_header(&mut writer, IMAGES, [images.len(), height, width])?;
    writer.write_all(&images.pixels().to_bytes())
}

/// Writes labels as an IDX file without compression.
///
/// # Errors
/// Those of `writer`.
pub fn write_labels(mut writer: impl Write, labels: &[u8]) -> io::Result<()> {
    write_header(&mut writer, LABELS, [labels.len()])?;
    writer.write_all(labels)
}

fn write_header<const RANK: usize>(
    writer: &mut impl Write,
    kind: Kind<RANK>,
    dims: [usize; RANK],
) -> io::Result<()> {
    writer.write_all(&kind.magic.to_be_bytes())?;
    for dim in dims {
        let dim = u32::try_from(dim).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, "sizes of IDX files have 32 bits")
        })?;
        writer.write_all(&dim.to_be_bytes())?;
    }
    Ok(())
}

fn open(file: &Path) -> Result<BufReader<File>, Error> {
    File::open(file).map(BufReader::new).map_err(Error::io("open", file))
}

/// The bytes of a file, if it is one.
fn length(file: &Path) -> Option<u64> {
    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|about| about.len())
}

/// Reads header and data, of a gzip stream if the content starts as one, of a file of `packed` bytes if that is known.
fn parse<const RANK: usize>(
    kind: &Kind<RANK>,
    mut reader: impl BufRead,
    file: &Path,
    packed: Option<u64>,
) -> Result<([u32; RANK], Vec<u8>), Error> {
    let mut start = Vec::with_capacity(2);
    reader.by_ref().take(2).read_to_end(&mut start).map_err(Error::io("read", file))?;
    let gzipped = start == GZIP_MAGIC;
    let whole = start.as_slice().chain(reader);
    let result = if gzipped {
        parse_plain(kind, MultiGzDecoder::new(whole), packed)
    } else {
        parse_plain(kind, whole, None)
    };
    result.map_err(|failure| match failure {
        Failure::Idx(problem) => Error::Idx { file: file.into(), problem },
        // The decoder reports damage with these kinds; others come from the file itself.
        Failure::Io(error) if gzipped && is_damage(&error) => {
            Error::Idx { file: file.into(), problem: IdxProblem::Gzip(error) }
        }
        Failure::Io(source) => Error::Io { action: "read", path: file.into(), source },
    })
}

fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

enum Failure {
    Io(io::Error),
    Idx(IdxProblem),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<IdxProblem> for Failure {
    fn from(problem: IdxProblem) -> Self {
        Self::Idx(problem)
    }
}

fn parse_plain<const RANK: usize>(
    kind: &Kind<RANK>,
    mut reader: impl Read,
    packed: Option<u64>,
) -> Result<([u32; RANK], Vec<u8>), Failure> {
    let header_bytes = 4 + 4 * RANK;
    let mut header = Vec::with_capacity(header_bytes);
    reader.by_ref().take(header_bytes as u64).read_to_end(&mut header)?;
    let (words, _) = header.as_chunks::<4>();
    let mut words = words.iter().map(|word| u32::from_be_bytes(*word));

    // A file of another format gets this error even if it is shorter than a header.
    let found = words.next();
    if let Some(found) = found.filter(|&magic| magic != kind.magic) {
        return Err(IdxProblem::Magic { wanted: kind.name, found, expected: kind.magic }.into());
    }
    if header.len() < header_bytes {
        return Err(IdxProblem::ShortHeader { found: header.len(), header: header_bytes }.into());
    }
    let dims: [u32; RANK] = std::array::from_fn(|_| words.next().unwrap_or(0));

    if dims.contains(&0) {
        return Err(IdxProblem::Nothing { dims: dims.to_vec() }.into());
    }
    let promised = dims
        .iter()
        .try_fold(kind.item, |product, &dim| product.checked_mul(u64::from(dim)))
        .filter(|&bytes| bytes <= MAX_BYTES)
        .ok_or_else(|| IdxProblem::TooLarge { dims: dims.to_vec(), limit: MAX_BYTES })?;

    let too_much = |error: &dyn std::fmt::Display| IdxProblem::TooMuch(error.to_string());
    if let Some(packed) = packed {
        check_expansion("it", packed, promised, MOST_EXPANSION_OF_IMAGES)
            .map_err(|e| too_much(&e))?;
    }
    latents_files::check_memory("it", promised).map_err(|e| too_much(&e))?;

    let mut data = Vec::new(); // grows with the data, not with the declared size
    reader.by_ref().take(promised).read_to_end(&mut data)?;
    let found = data.len() as u64;
    if found < promised {
        return Err(IdxProblem::Truncated { promised, found }.into());
    }
    // One byte more than declared is enough to detect a gzip bomb, and reading it makes gzip check its sums.
    if reader.take(1).read_to_end(&mut Vec::new())? > 0 {
        return Err(IdxProblem::TrailingBytes { promised }.into());
    }
    data.shrink_to_fit();
    Ok((dims, data))
}

#[cfg(test)]
mod tests;
