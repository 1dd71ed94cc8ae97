//! Fingerprints of the pictures of a source, by which copies of each other are found: digests of their files and of their pixels,
//! and a small version of each. What is a copy is decided elsewhere; no file is changed.

use std::path::Path;

use latents_progress::{Interrupted, Monitor, count};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::dataset::Dataset;
use crate::error::Error;
use crate::folder;
use crate::images::hexadecimal;
use crate::locations::Locations;
use crate::part::Part;
use crate::picture::{self, Flat};
use crate::pictures::Pictures;
use crate::source::Source;

/// Height and width of the small version of a picture.
pub const THUMBNAIL: usize = 32;
/// Pictures whose files are in memory at once.
const BLOCK: usize = 64;

/// What a picture is recognised by.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint {
    /// Its name, or its number in the source.
    pub name: String,
    /// Its part, if the source has parts.
    pub part: Option<Part>,
    /// Its class, if it has one.
    pub class: Option<String>,
    /// Height and width in pixels.
    pub size: [u32; 2],
    /// Bytes of its file; `None` if it has no file of its own.
    pub bytes: Option<u64>,
    /// SHA-256 of its file, in hexadecimal digits.
    pub file_digest: Option<String>,
    /// SHA-256 of its size and pixels, and of its range of values if its pixels are no bytes.
    pub pixel_digest: String,
    /// Whether its file is of a kind that changes pixels a little when it is written: JPEG, WebP with loss, GIF.
    pub is_lossy: bool,
    /// Means of [`THUMBNAIL`] × [`THUMBNAIL`] parts of the whole picture, `[3, h, w]`: red, green and blue.
    pub thumbnail: Vec<u8>,
    /// The same of its colours without their transparency, as programs that know none show them; `None` if it has no transparency, or
    /// then only one colour.
    pub opaque: Option<Vec<u8>>,
    /// Whether all of it has one colour, so that it is like any other such picture.
    pub is_plain: bool,
}

/// The fingerprints of a source, and what could not be read.
#[derive(Clone, Debug, Default)]
pub struct Fingerprints {
    /// One for each picture, in the order of the source.
    pub pictures: Vec<Fingerprint>,
    /// Files that are no readable pictures.
    pub unreadable: Vec<Unreadable>,
}

/// A file that is no readable picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Unreadable {
    /// Its name.
    pub name: String,
    /// Its part, if the source has parts.
    pub part: Option<Part>,
    /// Its class, if it has one.
    pub class: Option<String>,
    /// Bytes of the file, 0 if they could not be read.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal digits; `None` if not even its bytes could be read.
    pub file_digest: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

impl Fingerprints {
    /// Reads all pictures of a source as it is written: their files if it is a folder, and otherwise its images. The background of
    /// the settings shows through transparent pictures.
    ///
    /// # Errors
    /// If the source cannot be read, or `monitor` is cancelled.
    pub fn of(source: &str, settings: &Pictures, monitor: &Monitor) -> Result<Self, Error> {
        match source.parse::<Source>()? {
            Source::Folder(folder) => Self::of_folder(&folder, settings, monitor),
            source if source.is_fixed() => {
                let data =
                    source.load_with(&Pictures::default(), &Locations::default(), monitor)?;
                Self::of_images(&data, monitor)
            }
            source => {
                let settings = Pictures { test_fraction: 0.0, ..settings.clone() };
                let data = source.load_with(&settings, &Locations::default(), monitor)?;
                Self::of_images(&data, monitor)
            }
        }
    }

    fn of_folder(folder: &Path, settings: &Pictures, monitor: &Monitor) -> Result<Self, Error> {
        let files = folder::known_files(folder, settings)?;
        let total = files.len() as u64;
        let task = monitor.task(format!("reading {} pictures", count(total)));
        let mut all = Self { pictures: vec![], unreadable: vec![] };
        for (block, files) in files.chunks(BLOCK).enumerate() {
            let read = |file: &folder::KnownFile| {
                monitor.check()?;
                Ok(of_file(file, settings))
            };
            let read: Vec<_> = files.par_iter().map(read).collect::<Result<_, Interrupted>>()?;
            for found in read {
                match found {
                    Ok(picture) => all.pictures.push(picture),
                    Err(unreadable) => all.unreadable.push(unreadable),
                }
            }
            task.progress((block * BLOCK + files.len()) as u64, total, "");
        }
        Ok(all)
    }

    fn of_images(data: &Dataset, monitor: &Monitor) -> Result<Self, Error> {
        let (images, parts) = data.all();
        let [channels, h, w] = images.images.shape();
        let several = parts.windows(2).any(|pair| pair[0] != pair[1]);
        let one = |i: usize| {
            monitor.check()?;
            let image = images.images.image(i);
            let bytes = image.to_bytes();
            let plane = |c: usize| &bytes[c * h * w..][..h * w];
            let colours = if channels < 3 { [0; 3] } else { [0, 1, 2] };
            let mut sum = Sha256::new();
            match image {
                crate::Pixels::Bytes(bytes) => sum.update(bytes),
                crate::Pixels::Words(words) => {
                    for word in words {
                        sum.update(word.to_le_bytes());
                    }
                }
            }
            let part = several.then(|| parts[i]);
            Ok(Fingerprint {
                name: images.name_of(i),
                part,
                class: images.class_of(i, &data.classes).map(str::to_owned),
                size: [h as u32, w as u32],
                bytes: None,
                file_digest: None,
                pixel_digest: hexadecimal(&sum.finalize()),
                is_plain: bytes.chunks_exact(h * w).all(|p| p.iter().all(|x| *x == p[0])),
                is_lossy: false,
                thumbnail: colours.into_iter().flat_map(|c| means(plane(c), [h, w])).collect(),
                opaque: None,
            })
        };
        let pictures: Vec<_> =
            (0..images.len()).into_par_iter().map(one).collect::<Result<_, Interrupted>>()?;
        Ok(Self { pictures, unreadable: vec![] })
    }
}

fn of_file(file: &folder::KnownFile, settings: &Pictures) -> Result<Fingerprint, Unreadable> {
    let unreadable = |bytes: u64, file_digest, reason| Unreadable {
        name: file.name.clone(),
        part: file.part,
        class: file.class.clone(),
        bytes,
        file_digest,
        reason,
    };
    let bytes = picture::bytes(&file.path).map_err(|reason| unreadable(0, None, reason))?;
    let file_digest = Some(hexadecimal(&Sha256::digest(&bytes)));
    let Flat { picture, opaque, ends } = picture::flat(&bytes, Path::new(&file.name), settings)
        .map_err(|reason| unreadable(bytes.len() as u64, file_digest.clone(), reason))?;
    let (w, h) = picture.dimensions();
    let mut sum = Sha256::new();
    sum.update(u64::from(w).to_le_bytes());
    sum.update(picture.as_raw());
    for end in ends.into_iter().flatten() {
        sum.update(end.to_le_bytes());
    }
    Ok(Fingerprint {
        name: file.name.clone(),
        part: file.part,
        class: file.class.clone(),
        size: [h, w],
        bytes: Some(bytes.len() as u64),
        file_digest,
        pixel_digest: hexadecimal(&sum.finalize()),
        is_plain: is_plain(&picture),
        is_lossy: is_lossy(&bytes),
        thumbnail: thumbnail(&picture),
        opaque: opaque.filter(|opaque| !is_plain(opaque)).as_ref().map(thumbnail),
    })
}

/// Whether the first bytes of a file are those of a format that loses something.
fn is_lossy(file: &[u8]) -> bool {
    let webp = file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WEBP");
    // A simple file without loss has this chunk; of an extended file it is not known, and so it is taken for one with loss.
    let lossless = file.get(12..16) == Some(b"VP8L");
    file.starts_with(&[0xff, 0xd8]) || file.starts_with(b"GIF8") || (webp && !lossless)
}

fn is_plain(picture: &image::RgbImage) -> bool {
    let first = picture.get_pixel(0, 0);
    picture.pixels().all(|pixel| pixel == first)
}

fn thumbnail(picture: &image::RgbImage) -> Vec<u8> {
    let (w, h) = picture.dimensions();
    let planes = picture::planes(picture);
    let size = [h as usize, w as usize];
    planes.chunks_exact(size[0] * size[1]).flat_map(|plane| means(plane, size)).collect()
}

/// Means of [`THUMBNAIL`] × [`THUMBNAIL`] equal parts of a plane `[h, w]`. Parts may cut pixels; the sums are exact.
fn means(plane: &[u8], [h, w]: [usize; 2]) -> Vec<u8> {
    let (rows, columns) = (shares(h), shares(w));
    let mut sums = vec![0u64; THUMBNAIL * THUMBNAIL];
    for (row, in_rows) in plane.chunks_exact(w).zip(&rows) {
        let mut of_row = [0u64; THUMBNAIL];
        for (&x, shares) in row.iter().zip(&columns) {
            for &(cell, share) in shares {
                of_row[cell] += u64::from(x) * share;
            }
        }
        for &(cell, share) in in_rows {
            for (sum, x) in sums[cell * THUMBNAIL..].iter_mut().zip(of_row) {
                *sum += x * share;
            }
        }
    }
    let area = (h * w) as u64;
    sums.into_iter().map(|sum| ((2 * sum + area) / (2 * area)) as u8).collect()
}

/// For each of `n` pixels in a row, the parts of the row that it lies in, and how much of it, in parts of [`THUMBNAIL`]; the shares of
/// a part add up to `n`.
fn shares(n: usize) -> Vec<Vec<(usize, u64)>> {
    let of_pixel = |i: usize| {
        let [start, end] = [i, i + 1].map(|i| i * THUMBNAIL);
        let share = |cell: usize| {
            let overlap = end.min((cell + 1) * n) - start.max(cell * n);
            (cell, overlap as u64)
        };
        (start / n..end.div_ceil(n)).map(share).collect()
    };
    (0..n).map(of_pixel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_exact_for_any_size() {
        for [h, w] in [[32, 32], [64, 96], [21, 33], [1, 1], [5, 100], [67, 67]] {
            let plane: Vec<u8> = (0..h * w).map(|i| (i * 7919 % 251) as u8).collect();
            let found = means(&plane, [h, w]);
            // The sums over a grid that divides both the pixels and the parts.
            for (y, x) in [(0, 0), (31, 31), (7, 20)] {
                let mut sum = 0;
                for fine_y in y * h..(y + 1) * h {
                    for fine_x in x * w..(x + 1) * w {
                        let pixel = plane[fine_y / THUMBNAIL * w + fine_x / THUMBNAIL];
                        sum += usize::from(pixel);
                    }
                }
                let mean = sum as f64 / (h * w) as f64;
                let found = f64::from(found[y * THUMBNAIL + x]);
                assert!((found - mean).abs() <= 0.5, "{h} x {w}: {found} and {mean}");
            }
        }
    }

    #[test]
    fn formats_with_loss_are_told_by_their_first_bytes() {
        for lossy in [&b"\xff\xd8\xff\xe0"[..], b"GIF89a", b"RIFF....WEBPVP8 ", b"RIFF....WEBPVP8X"]
        {
            assert!(is_lossy(lossy));
        }
        for exact in [&b"\x89PNG"[..], b"RIFF....WEBPVP8L", b"RIFF....WAVE", b""] {
            assert!(!is_lossy(exact));
        }
    }
}
