//! One picture: from a file to pixels of a given size. Files may be hostile: sides, pixels and memory are limited, and even a panic of
//! a decoder becomes an error. Pictures of bytes are read here, those of more precision in `picture/deep`, files of several pages
//! (TIFF, FITS and DICOM) in `picture/paged`, and the size is changed in `picture/resize`. Which files make a data set is decided
//! elsewhere.

mod bands;
mod deep;
#[cfg(feature = "dicom")]
mod dicom;
#[cfg(feature = "fits")]
mod fits;
mod jpeg;
mod paged;
mod resize;
mod tiff;

use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use latents_files::MOST_EXPANSION_OF_IMAGES;

use crate::error::Error;
use crate::images::Images;
use crate::pictures::{Fit, Pictures};

use self::deep::to_images;
pub(crate) use self::deep::{Deep, byte_of, range_of, read_deep};
use self::paged::Paged;
pub(crate) use self::resize::{Plane, fit};

/// The extensions of files that are read as pictures.
pub(crate) const EXTENSIONS: [&str; 20] = [
    "png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "pnm", "pgm", "ppm", "pbm", "pam",
    "tga", "qoi", "fits", "fit", "fts", "dcm", "dicom",
];

/// The largest height and width of a picture, in pixels.
const MAX_SIDE: u32 = 1 << 16;
/// The most channels of a picture.
pub(crate) const MAX_CHANNELS: usize = 16;
/// The most pixels of a picture.
pub(crate) const MAX_PIXELS: u64 = 1 << 27;
/// A picture of more pixels than this must have a byte of its file for every [`MOST_EXPANSION_OF_IMAGES`] of them.
const LARGE: u64 = 1 << 24;
/// The most memory of a decoder, in bytes.
const MAX_MEMORY: u64 = 1 << 30;
/// The most memory of a PNG decoder for a row and for what is packed beside the pixels, such as a colour profile, in bytes.
const MAX_BESIDE: u64 = 16 << 20;
/// The largest file, in bytes.
pub(crate) const MAX_FILE: u64 = 1 << 28;

/// The numbers of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precision {
    /// 8 bits or fewer.
    Bytes,
    /// 16 bits.
    Words,
    /// Any others.
    Floats,
}

/// What the head of a picture's file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Height and width, after rotation as the camera noted it.
    pub(crate) size: [u32; 2],
    pub(crate) precision: Precision,
    /// Channels but for transparency; those of all pages if pages are channels.
    pub(crate) channels: usize,
    /// Pages that are pictures of their own.
    pub(crate) pages: u32,
}

/// Reads the head of a file of `length` bytes, of which these are the first. `name` tells the format of those that do not say it.
/// TIFF files have their heads anywhere, and need all of their bytes; others may, too.
pub(crate) fn read_header(
    file: &[u8],
    length: u64,
    name: &Path,
    settings: &Pictures,
) -> Result<Header, String> {
    guarded(|| {
        if let Some(kind) = Paged::of(file)? {
            return kind.header(file, length, settings.pages);
        }
        let mut decoder = decoder(file, name)?;
        let (width, height) = checked(&decoder, length)?;
        let colour = decoder.color_type();
        let size = match orientation(&mut decoder) {
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => [width, height],
            _ => [height, width],
        };
        let alpha = usize::from(colour.has_alpha());
        let channels = usize::from(colour.channel_count()) - alpha;
        let precision = match colour.bytes_per_pixel() / colour.channel_count() {
            1 => Precision::Bytes,
            2 => Precision::Words,
            _ => Precision::Floats,
        };
        Ok(Header { size, precision, channels, pages: 1 })
    })
}

/// Reads the picture in a file as one image of shape `[c, h, w]`, grey if `c` is 1. `fit`, `background` and `range` of the settings
/// apply; `size` and `grey` are those of the shape instead. Of a file of several pages, the first is read.
///
/// # Errors
/// [`Error::Picture`] if the file is not a readable picture, or has other channels.
pub fn read_picture(path: &Path, shape: [usize; 3], settings: &Pictures) -> Result<Images, Error> {
    let [c, h, w] = shape;
    let failed = |reason| Error::Picture { file: path.to_owned(), reason };
    if !settings.keeps_bytes() || !matches!(c, 1 | 3) {
        return guarded(|| to_images(path, shape, settings)).map_err(failed);
    }
    let planes = bytes(path).and_then(|file| read(&file, path, 0, [h, w], settings));
    let planes = planes.map(|planes| if c == 1 { grey(&planes) } else { planes });
    Images::new(c, h, w, planes.map_err(failed)?)
}

/// The picture of a page of a file's content as `[3, h, w]` bytes, red, green and blue.
pub(crate) fn read(
    file: &[u8],
    name: &Path,
    page: u32,
    size: [usize; 2],
    settings: &Pictures,
) -> Result<Vec<u8>, String> {
    guarded(|| Ok(fitted(at_least(file, name, page, Some(size))?, size, settings)))
}

/// A picture without transparency.
pub(crate) struct Flat {
    /// In front of a background.
    pub(crate) picture: RgbImage,
    /// Its colours where it was transparent too; `None` if it was nowhere.
    pub(crate) opaque: Option<RgbImage>,
    /// The values that became black and white, of numbers that are no bytes.
    pub(crate) ends: Option<[f32; 2]>,
}

/// The first picture of a file's content in its own size, on the background of the settings. Numbers that are no bytes, in files of
/// several pages, are stretched.
pub(crate) fn flat(file: &[u8], name: &Path, settings: &Pictures) -> Result<Flat, String> {
    guarded(|| {
        let (picture, ends) = match Paged::of(file)? {
            None => (picture(file, name, 0)?, None),
            Some(kind) => kind.bands(file, 0, 1.0)?.stretched_picture()?,
        };
        let opaque = picture.color().has_alpha().then(|| picture.to_rgb8());
        let picture = flatten(picture, settings.background.0);
        Ok(Flat { opaque: opaque.filter(|opaque| *opaque != picture), picture, ends })
    })
}

/// A picture as an image of `[3, h, w]` bytes.
fn fitted(picture: DynamicImage, size: [usize; 2], settings: &Pictures) -> Vec<u8> {
    let how = how(settings.fit, picture.color().has_alpha());
    let picture = flatten(picture, settings.background.0);
    planes(&fit(picture, size, how, settings.background.0))
}

/// How a picture is fitted.
fn how(fit: Fit, transparent: bool) -> Fit {
    match fit {
        Fit::Auto if transparent => Fit::Contain,
        Fit::Auto => Fit::Crop,
        fit => fit,
    }
}

/// The picture in a file's content, turned as the camera noted it.
fn picture(file: &[u8], path: &Path, page: u32) -> Result<DynamicImage, String> {
    at_least(file, path, page, None)
}

/// The same; if a size is needed, the picture may be reduced as long as it is well above.
fn at_least(
    file: &[u8],
    path: &Path,
    page: u32,
    needed: Option<[usize; 2]>,
) -> Result<DynamicImage, String> {
    if let Some(kind) = Paged::of(file)? {
        return kind.bands(file, page, 1.0)?.into_picture();
    }
    let mut decoder = decoder(file, path)?;
    let whole = checked(&decoder, file.len() as u64)?;
    let orientation = orientation(&mut decoder);
    let mut picture = match needed.and_then(|needed| jpeg::reduced(file, whole, needed)) {
        Some(reduced) => reduced,
        None => DynamicImage::from_decoder(decoder).map_err(|e| damage(&e))?,
    };
    jpeg::check_whole(file)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// A picture in front of a background colour.
fn flatten(picture: DynamicImage, background: [u8; 3]) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    let (w, h) = picture.dimensions();
    let bytes = picture
        .as_raw()
        .chunks_exact(4)
        .flat_map(|pixel| [0, 1, 2].map(|c| over(pixel[c], background[c], pixel[3])));
    // The number of bytes fits the size, so this is never the default.
    RgbImage::from_raw(w, h, bytes.collect()).unwrap_or_default()
}

/// `colour` with opacity `alpha` in front of `background`.
pub(crate) fn over(colour: u8, background: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    let sum = u32::from(colour) * alpha + u32::from(background) * (255 - alpha);
    ((2 * sum + 255) / 510) as u8
}

/// Converts pixels `[h, w, 3]` to planes `[3, h, w]`.
pub(crate) fn planes(picture: &RgbImage) -> Vec<u8> {
    let bytes = picture.as_raw();
    (0..3).flat_map(|c| bytes.iter().skip(c).step_by(3).copied()).collect()
}

/// Luma of ITU-R BT.601, the usual conversion to grey, from planes `[3, n]`.
pub(crate) fn grey(planes: &[u8]) -> Vec<u8> {
    let (red, rest) = planes.split_at(planes.len() / 3);
    let (green, blue) = rest.split_at(red.len());
    let weigh = |((&r, &g), &b): ((&u8, &u8), &u8)| {
        ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
    };
    red.iter().zip(green).zip(blue).map(weigh).collect()
}

/// Whether any pixel of planes `[3, n]` has a colour.
pub(crate) fn is_coloured(planes: &[u8]) -> bool {
    let (red, rest) = planes.split_at(planes.len() / 3);
    let (green, blue) = rest.split_at(red.len());
    red != green || green != blue
}

/// The content of a file.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let refused = |e: std::io::Error| format!("it cannot be read: {e}");
    let file = File::open(path).map_err(refused)?;
    let length = check_length(file.metadata().map_err(refused)?.len())?;
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(refused)?;
    Ok(bytes)
}

/// Refuses files of no bytes or too many.
pub(crate) fn check_length(length: u64) -> Result<u64, String> {
    match length {
        0 => Err("it is empty".into()),
        1..=MAX_FILE => Ok(length),
        _ => Err(format!("it has {length} bytes, more than the accepted {MAX_FILE}")),
    }
}

fn decoder<'a>(file: &'a [u8], path: &Path) -> Result<impl ImageDecoder + 'a, String> {
    let mut reader = ImageReader::new(Cursor::new(file))
        .with_guessed_format()
        .map_err(|e| format!("it cannot be read: {e}"))?;
    if reader.format().is_none() {
        // TGA files do not say what they are.
        match ImageFormat::from_path(path) {
            Ok(ImageFormat::Tga) => reader.set_format(ImageFormat::Tga),
            _ => return Err("its content is not a picture".into()),
        }
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    // In PNG files, pixels do not count here.
    let is_png = reader.format() == Some(ImageFormat::Png);
    limits.max_alloc = Some(if is_png { MAX_BESIDE } else { MAX_MEMORY });
    reader.limits(limits);
    reader.into_decoder().map_err(|e| damage(&e))
}

/// The width and height of a picture, if it is not too large.
fn checked(decoder: &impl ImageDecoder, file: u64) -> Result<(u32, u32), String> {
    if decoder.total_bytes() > MAX_MEMORY {
        return Err("it is too large".into());
    }
    check_size(decoder.dimensions(), file)
}

/// Refuses sizes that are none, too large, or absurd for a file of so many bytes.
fn check_size((width, height): (u32, u32), file: u64) -> Result<(u32, u32), String> {
    if width == 0 || height == 0 {
        return Err(format!("it has no pixels ({width} x {height})"));
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!(
            "it is {width} x {height} pixels, more than the accepted {MAX_PIXELS}"
        ));
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > LARGE && pixels / MOST_EXPANSION_OF_IMAGES > file {
        return Err(format!(
            "its {width} x {height} pixels are too many for a file of {file} bytes"
        ));
    }
    Ok((width, height))
}

/// The orientation that the camera noted; none if the note is damaged.
fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

fn damage(error: &image::ImageError) -> String {
    match error {
        image::ImageError::Limits(_) => "it is too large".into(),
        image::ImageError::Unsupported(_) => {
            format!("its content is of an unsupported format: {error}")
        }
        // Some decoders end their messages with a newline.
        other => format!("it is damaged: {}", other.to_string().trim_end()),
    }
}

/// Turns a panic of a decoder into an error.
fn guarded<T>(attempt: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(attempt))
        .unwrap_or_else(|_| Err("it is damaged: the decoder failed".into()))
}

#[cfg(test)]
mod tests;
