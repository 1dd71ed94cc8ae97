//! One picture: from a PNG, JPEG, WebP or GIF file (its first frame) to pixels of a given size. Files may be hostile: sides, pixels
//! and memory are limited, and even a panic of a decoder becomes an error. Which files make a data set is decided elsewhere.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::imageops::{self, FilterType};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgb, RgbImage};

use crate::error::Error;
use crate::images::Images;
use crate::pictures::{Fit, Pictures};

/// The extensions of files that are read as pictures.
pub(crate) const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "gif"];
/// The largest height and width of a picture, in pixels.
const MAX_SIDE: u32 = 1 << 16;
/// The most pixels of a picture.
pub(crate) const MAX_PIXELS: u64 = 1 << 27;
/// The most memory of a decoder, in bytes.
const MAX_MEMORY: u64 = 1 << 30;
/// The largest file, in bytes.
const MAX_FILE: u64 = 1 << 28;

/// The height and width of the picture in a file, after rotation as the camera noted it. Reads only the header.
pub(crate) fn read_size(path: &Path) -> Result<[u32; 2], String> {
    guarded(|| {
        let mut decoder = decoder(open(path)?)?;
        let (width, height) = checked(&decoder)?;
        Ok(match orientation(&mut decoder) {
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => [width, height],
            _ => [height, width],
        })
    })
}

/// Reads the picture in a file as one image of shape `[c, h, w]`, grey if `c` is 1. `fit` and `background` of the settings apply;
/// `size` and `grey` are those of the shape instead.
///
/// # Errors
/// [`Error::Picture`] if the file is not a readable picture, or `c` is neither 1 nor 3.
pub fn read_picture(path: &Path, shape: [usize; 3], settings: &Pictures) -> Result<Images, Error> {
    let [c, h, w] = shape;
    let failed = |reason| Error::Picture { file: path.to_owned(), reason };
    let planes = match c {
        1 => read(path, [h, w], settings).map(|planes| grey(&planes)),
        3 => read(path, [h, w], settings),
        _ => Err(format!("pictures have 1 or 3 channels, but {c} are expected")),
    };
    Images::new(c, h, w, planes.map_err(failed)?)
}

/// The picture in a file as `[3, h, w]` bytes, red, green and blue.
pub(crate) fn read(path: &Path, size: [usize; 2], settings: &Pictures) -> Result<Vec<u8>, String> {
    guarded(|| decode(open(path)?, size, settings))
}

/// The picture from a reader, as of [`read`].
pub(crate) fn decode(
    reader: impl BufRead + Seek,
    size: [usize; 2],
    settings: &Pictures,
) -> Result<Vec<u8>, String> {
    let mut decoder = decoder(reader)?;
    checked(&decoder)?;
    let orientation = orientation(&mut decoder);
    let picture = DynamicImage::from_decoder(decoder).map_err(|e| damage(&e))?;
    let mut picture = DynamicImage::ImageRgb8(flatten(picture, settings.background.0));
    picture.apply_orientation(orientation);
    let fitted = fit(picture.into_rgb8(), size, settings.fit, settings.background.0);
    Ok(planes(&fitted))
}

/// Resizes a picture to `[h, w]`.
pub(crate) fn fit(
    picture: RgbImage,
    [h, w]: [usize; 2],
    fit: Fit,
    background: [u8; 3],
) -> RgbImage {
    let (h, w) = (h as u32, w as u32);
    let (width, height) = picture.dimensions();
    if (width, height) == (w, h) {
        return picture;
    }
    // The part of the picture to keep, and the size to scale it to. Ratios of sides are compared as exact products.
    let wider = u64::from(width) * u64::from(h) > u64::from(height) * u64::from(w);
    // `a * b / c`, rounded, but at least 1.
    let share = |a: u32, b: u32, c: u32| {
        let (a, b, c) = (u64::from(a), u64::from(b), u64::from(c));
        ((2 * a * b + c) / (2 * c)).max(1) as u32
    };
    let (kept, scaled) = match fit {
        Fit::Stretch => ((width, height), (w, h)),
        Fit::Crop if wider => ((share(height, w, h).min(width), height), (w, h)),
        Fit::Crop => ((width, share(width, h, w).min(height)), (w, h)),
        Fit::Contain if wider => ((width, height), (w, share(height, w, width).min(h))),
        Fit::Contain => ((width, height), (share(width, h, height).min(w), h)),
    };
    let picture = if kept == (width, height) {
        picture
    } else {
        let (x, y) = ((width - kept.0) / 2, (height - kept.1) / 2);
        imageops::crop_imm(&picture, x, y, kept.0, kept.1).to_image()
    };
    let picture = scale(picture, scaled);
    if scaled == (w, h) {
        return picture;
    }
    let mut canvas = RgbImage::from_pixel(w, h, Rgb(background));
    let (x, y) = ((w - scaled.0) / 2, (h - scaled.1) / 2);
    imageops::replace(&mut canvas, &picture, i64::from(x), i64::from(y));
    canvas
}

/// Scales in two steps: means of whole blocks of pixels if the picture is more than three times too large, and then a bicubic
/// filter (Catmull and Rom, 1974) as wide as the remaining reduction, so that no pixel is skipped and nothing aliases. Both use
/// additions and multiplications only, so that every machine gives the same pixels.
fn scale(picture: RgbImage, (w, h): (u32, u32)) -> RgbImage {
    let (width, height) = picture.dimensions();
    let blocks = (((width / w) / 3).max(1), ((height / h) / 3).max(1));
    let picture = if blocks == (1, 1) { picture } else { reduce(&picture, blocks) };
    if picture.dimensions() == (w, h) {
        return picture;
    }
    imageops::resize(&picture, w, h, FilterType::CatmullRom)
}

/// The mean of each block of pixels. Blocks at the right and lower edge may be smaller.
fn reduce(picture: &RgbImage, (bx, by): (u32, u32)) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (w, h) = (width.div_ceil(bx), height.div_ceil(by));
    let mut out = RgbImage::new(w, h);
    let row = width as usize * 3;
    let pixels = picture.as_raw();
    let mut sums = vec![[0u64; 3]; w as usize];
    for y in 0..h {
        let rows = y * by..((y + 1) * by).min(height);
        sums.fill([0; 3]);
        for source in rows.clone() {
            let line = &pixels[source as usize * row..][..row];
            for (block, sum) in line.chunks(3 * bx as usize).zip(&mut sums) {
                for pixel in block.chunks_exact(3) {
                    for (sum, &byte) in sum.iter_mut().zip(pixel) {
                        *sum += u64::from(byte);
                    }
                }
            }
        }
        for (x, sum) in sums.iter().enumerate() {
            let x = x as u32;
            let n =
                u64::from(((x + 1) * bx).min(width) - x * bx) * u64::from(rows.end - rows.start);
            out.put_pixel(x, y, Rgb(sum.map(|sum| ((2 * sum + n) / (2 * n)) as u8)));
        }
    }
    out
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

fn open(path: &Path) -> Result<BufReader<File>, String> {
    let refused = |e: std::io::Error| format!("it cannot be read: {e}");
    let file = File::open(path).map_err(refused)?;
    let bytes = file.metadata().map_err(refused)?.len();
    match bytes {
        0 => Err("it is empty".into()),
        1..=MAX_FILE => Ok(BufReader::new(file)),
        _ => Err(format!("it has {bytes} bytes, more than the accepted {MAX_FILE}")),
    }
}

fn decoder<'a>(reader: impl BufRead + Seek + 'a) -> Result<impl ImageDecoder + 'a, String> {
    let reader = ImageReader::new(reader).with_guessed_format();
    let mut reader = reader.map_err(|e| format!("it cannot be read: {e}"))?;
    if reader.format().is_none() {
        return Err("its content is not a picture".into());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    reader.into_decoder().map_err(|e| damage(&e))
}

/// The width and height of a picture, if it is not too large.
fn checked(decoder: &impl ImageDecoder) -> Result<(u32, u32), String> {
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > MAX_MEMORY {
        return Err("it is too large".into());
    }
    if width == 0 || height == 0 {
        return Err(format!("it has no pixels ({width} x {height})"));
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!(
            "it is {width} x {height} pixels, more than the accepted {MAX_PIXELS}"
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
