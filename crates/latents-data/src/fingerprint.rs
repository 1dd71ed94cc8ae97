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
use crate::picture;
use crate::pictures::{Fit, Pictures};
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
    /// SHA-256 of its size and pixels.
    pub pixel_digest: String,
    /// The whole picture scaled to [`THUMBNAIL`] × [`THUMBNAIL`], `[3, h, w]`: red, green and blue.
    pub thumbnail: Vec<u8>,
    /// Whether all of it has one colour, so that it is like any other such picture.
    pub is_plain: bool,
}

/// The fingerprints of a source, and what could not be read.
#[derive(Clone, Debug, Default)]
pub struct Fingerprints {
    /// One for each picture, in the order of the source.
    pub pictures: Vec<Fingerprint>,
    /// Names of unreadable pictures, with reasons.
    pub broken: Vec<(String, String)>,
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
        let mut all = Self { pictures: vec![], broken: vec![] };
        for (block, files) in files.chunks(BLOCK).enumerate() {
            let read = |file: &folder::KnownFile| {
                monitor.check()?;
                Ok(of_file(file, settings).map_err(|reason| (file.name.clone(), reason)))
            };
            let read: Vec<_> = files.par_iter().map(read).collect::<Result<_, Interrupted>>()?;
            for found in read {
                match found {
                    Ok(picture) => all.pictures.push(picture),
                    Err(broken) => all.broken.push(broken),
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
            let plane = |c: usize| &bytes[c.min(channels - 1) * h * w..][..h * w];
            let colours = if channels < 3 { [0; 3] } else { [0, 1, 2] };
            let pixel = |x: u32, y: u32| {
                let at = y as usize * w + x as usize;
                image::Rgb(colours.map(|c| plane(c)[at]))
            };
            let picture = image::RgbImage::from_fn(w as u32, h as u32, pixel);
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
                thumbnail: thumbnail(picture),
            })
        };
        let pictures: Vec<_> =
            (0..images.len()).into_par_iter().map(one).collect::<Result<_, Interrupted>>()?;
        Ok(Self { pictures, broken: vec![] })
    }
}

fn of_file(file: &folder::KnownFile, settings: &Pictures) -> Result<Fingerprint, String> {
    let bytes = picture::bytes(&file.path)?;
    let picture = picture::flat(&bytes, Path::new(&file.name), settings)?;
    let (w, h) = picture.dimensions();
    let mut sum = Sha256::new();
    sum.update(u64::from(w).to_le_bytes());
    sum.update(picture.as_raw());
    let first = picture.get_pixel(0, 0).0;
    Ok(Fingerprint {
        name: file.name.clone(),
        part: file.part,
        class: file.class.clone(),
        size: [h, w],
        bytes: Some(bytes.len() as u64),
        file_digest: Some(hexadecimal(&Sha256::digest(&bytes))),
        pixel_digest: hexadecimal(&sum.finalize()),
        is_plain: picture.pixels().all(|pixel| pixel.0 == first),
        thumbnail: thumbnail(picture),
    })
}

fn thumbnail(picture: image::RgbImage) -> Vec<u8> {
    picture::planes(&picture::fit(picture, [THUMBNAIL; 2], Fit::Stretch, [255; 3]))
}
