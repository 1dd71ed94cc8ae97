//! DICOM files (PS3.3 C.7.6.3 and PS3.5 of the standard): grey or colour, one frame or several, which are pages; uncompressed, by run
//! lengths or as JPEG. Values are those of the modality (rescale slope and intercept), without a window. `MONOCHROME1` is turned over,
//! so that more is always lighter. The elements are read in `dicom/elements`; frames are found and unpacked in `dicom/frames`.

mod elements;
mod frames;

use std::borrow::Cow;

use jpeg_decoder::{ColorTransform, Decoder, PixelFormat};
use latents_files::MOST_EXPANSION_OF_IMAGES;

use self::elements::{
    ALLOCATED, COLUMNS, Coding, Elements, FRAMES, HIGH_BIT, PHOTOMETRIC, PLANAR, Pixels, ROWS,
    SAMPLES, SIGNED, STORED,
};
use self::frames::{parts_of, run_lengths};
use super::bands::{Bands, MAX_PAGES, same_pages};
use super::resize::Plane;
use super::{Header, LARGE, MAX_MEMORY, Precision, check_size, jpeg};
use crate::pictures::Pages;

/// What the samples of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    /// Grey; `inverted` if zero is white.
    Grey {
        inverted: bool,
    },
    Rgb,
    /// Luma and chroma.
    Ybr,
}

/// The image of a file.
struct Image<'a> {
    elements: Elements<'a>,
    width: u32,
    height: u32,
    colour: Colour,
    samples: usize,
    /// The bits that a sample takes in the file, those that count, and the highest of these.
    allocated: u32,
    stored: u32,
    high: u32,
    signed: bool,
    /// Whether the samples of one kind follow each other.
    planar: bool,
    frames: u32,
}

/// The samples of a frame.
struct Samples<'a> {
    bytes: Cow<'a, [u8]>,
    planar: bool,
    is_big: bool,
    /// The bits of a sample, and those before the first.
    bits: usize,
    before: usize,
}

/// The size, the pages and the numbers of the image in a file of `length` bytes, of which these are the first.
pub(super) fn header(file: &[u8], length: u64, pages: Pages) -> Result<Header, String> {
    let image = Image::of(file, length)?;
    let size = [image.height, image.width];
    let page = Header { size, precision: image.precision()?, channels: image.samples, pages: 1 };
    same_pages(page, image.frames, pages)
}

/// The channels of a frame. A byte is worth `byte`.
pub(super) fn bands(file: &[u8], frame: u32, byte: f32) -> Result<Bands, String> {
    let image = Image::of(file, file.len() as u64)?;
    if frame >= image.frames {
        return Err(format!("it has {} frames, and no frame {frame}", image.frames));
    }
    let samples = image.samples(file, frame)?;
    let n = image.pixels();
    let (factor, white) = match image.precision()? {
        // Fewer than eight bits are stretched to a byte.
        Precision::Bytes => (255.0 / ((1u32 << image.stored) - 1) as f32 * byte, 255.0 * byte),
        Precision::Words => (1.0, 65_535.0),
        Precision::Floats => (1.0, 1.0),
    };
    let plane = |values| Plane { width: image.width, height: image.height, values };
    let value = |i: usize, c: usize| image.value(samples.at(i, c, n, image.samples));
    let channels = match image.colour {
        Colour::Grey { .. } => {
            let [slope, intercept] = image.elements.rescale(frame)?;
            let rescaled = |i| (slope * value(i, 0) as f64 + intercept) as f32 * factor;
            vec![plane((0..n).map(rescaled).collect())]
        }
        Colour::Ybr if image.elements.coding != Coding::Jpeg => {
            let colours = |c: usize| {
                let one = |i| rgb([value(i, 0), value(i, 1), value(i, 2)])[c] * byte;
                plane((0..n).map(one).collect())
            };
            (0..3).map(colours).collect()
        }
        _ => {
            let colour = |c: usize| plane((0..n).map(|i| value(i, c) as f32 * factor).collect());
            (0..3).map(colour).collect()
        }
    };
    Ok(Bands { channels, alpha: None, white })
}

impl<'a> Image<'a> {
    /// Reads and checks what describes the pixels, but not the pixels.
    fn of(file: &'a [u8], length: u64) -> Result<Self, String> {
        let elements = Elements::read(file)?;
        let needed = |tag, name| {
            elements.number(tag).ok_or_else(|| format!("it is damaged: it has no {name}"))
        };
        let (rows, columns) = (needed(ROWS, "rows")?, needed(COLUMNS, "columns")?);
        let (width, height) = check_size((columns.into(), rows.into()), length)?;
        let samples = usize::from(elements.number(SAMPLES).unwrap_or(1));
        let kind = elements.text(PHOTOMETRIC).unwrap_or_default();
        let is_jpeg = elements.coding == Coding::Jpeg;
        let colour = match (kind, samples) {
            ("MONOCHROME1", 1) => Colour::Grey { inverted: true },
            ("MONOCHROME2", 1) => Colour::Grey { inverted: false },
            ("RGB", 3) => Colour::Rgb,
            ("YBR_FULL", 3) => Colour::Ybr,
            ("YBR_FULL_422", 3) if is_jpeg => Colour::Ybr,
            _ => {
                return Err(format!(
                    "its colours are of an unsupported kind: {kind} with samples per pixel: {samples}"
                ));
            }
        };
        let allocated = u32::from(needed(ALLOCATED, "bits allocated")?);
        let stored = elements.number(STORED).map_or(allocated, u32::from);
        let high = elements.number(HIGH_BIT).map_or(stored.saturating_sub(1), u32::from);
        let is_known = match elements.coding {
            Coding::Plain => matches!(allocated, 1 | 8 | 16 | 32),
            Coding::RunLengths | Coding::Jpeg => matches!(allocated, 8 | 16),
        };
        if !is_known || stored == 0 || stored > high + 1 || high >= allocated {
            return Err(format!(
                "its bits are of an unsupported kind: {stored} of {allocated} up to bit {high}"
            ));
        }
        if colour == Colour::Ybr && stored != 8 {
            return Err(format!("its colours are of an unsupported kind: {kind} of {stored} bits"));
        }
        let frames = match elements.text(FRAMES) {
            None => 1,
            Some(text) => {
                text.parse().ok().filter(|frames| (1..=MAX_PAGES).contains(frames)).ok_or_else(
                    || format!("it has `{text}` frames; 1 to {MAX_PAGES} are accepted"),
                )?
            }
        };
        let image = Self {
            width,
            height,
            colour,
            samples,
            allocated,
            stored,
            high,
            signed: elements.number(SIGNED) == Some(1),
            planar: elements.number(PLANAR) == Some(1),
            frames,
            elements,
        };
        image.check_length(length)?;
        Ok(image)
    }

    fn pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Refuses more pixels than the file can have.
    fn check_length(&self, file: u64) -> Result<(), String> {
        let values = self.pixels() as u64 * self.samples as u64;
        match &self.elements.pixels {
            Pixels::Plain { start, length } => {
                let needed =
                    (values * u64::from(self.allocated) * u64::from(self.frames)).div_ceil(8);
                if self.elements.coding != Coding::Plain {
                    return Err("it is damaged: its pixels are not compressed as it says".into());
                }
                if needed > *length as u64 || *start as u64 + needed > file {
                    return Err("it is cut short".into());
                }
            }
            Pixels::Fragments { .. } => {
                if self.elements.coding == Coding::Plain {
                    return Err("it is damaged: its pixels are compressed".into());
                }
                if values > LARGE && values / MOST_EXPANSION_OF_IMAGES > file {
                    return Err(format!(
                        "its {values} values are too many for a file of {file} bytes"
                    ));
                }
            }
        }
        Ok(())
    }

    #[allow(clippy::float_cmp)] // The exact values are meant.
    fn precision(&self) -> Result<Precision, String> {
        if let Colour::Grey { .. } = self.colour {
            let different = if self.elements.frames_differ() { self.frames } else { 1 };
            for frame in 0..different {
                if self.elements.rescale(frame)? != [1.0, 0.0] {
                    return Ok(Precision::Floats);
                }
            }
        }
        Ok(match self.allocated {
            _ if self.signed => Precision::Floats,
            1 | 8 => Precision::Bytes,
            16 => Precision::Words,
            _ => Precision::Floats,
        })
    }

    /// The number that the bits of a sample mean.
    fn value(&self, sample: u32) -> i64 {
        let most = (1i64 << self.stored) - 1;
        let mut value = i64::from(sample >> (self.high + 1 - self.stored)) & most;
        if self.signed && value > most / 2 {
            value -= most + 1;
        }
        match self.colour {
            Colour::Grey { inverted: true } if self.signed => -1 - value,
            Colour::Grey { inverted: true } => most - value,
            _ => value,
        }
    }

    /// The samples of a frame, decompressed.
    fn samples(&self, file: &'a [u8], frame: u32) -> Result<Samples<'a>, String> {
        let values = self.pixels() * self.samples;
        let bits = self.allocated as usize;
        let is_big = self.elements.is_big;
        let (offsets, fragments) = match &self.elements.pixels {
            Pixels::Plain { start, .. } => {
                let before = values * bits * frame as usize;
                let bytes = file.get(start + before / 8..).ok_or("it is cut short")?;
                let before = before % 8;
                let bytes = bytes.get(..(before + values * bits).div_ceil(8));
                let bytes = Cow::Borrowed(bytes.ok_or("it is cut short")?);
                return Ok(Samples { bytes, planar: self.planar, is_big, bits, before });
            }
            Pixels::Fragments { offsets, fragments } => (&file[offsets.clone()], fragments),
        };
        let parts = parts_of(frame as usize, self.frames as usize, offsets, fragments)?;
        let whole: Cow<'_, [u8]> = match parts {
            [part] => Cow::Borrowed(&file[part.clone()]),
            parts => {
                Cow::Owned(parts.iter().flat_map(|part| &file[part.clone()]).copied().collect())
            }
        };
        if self.elements.coding == Coding::Jpeg {
            let (bytes, bits) = self.jpeg(&whole)?;
            return Ok(Samples {
                bytes: bytes.into(),
                planar: false,
                is_big: cfg!(target_endian = "big"),
                bits,
                before: 0,
            });
        }
        let bytes = run_lengths(&whole, self.pixels(), self.samples, bits / 8)?;
        Ok(Samples { bytes: bytes.into(), planar: true, is_big: true, bits, before: 0 })
    }

    /// Decodes a frame that is a JPEG file; its samples, and the bits of each.
    fn jpeg(&self, frame: &[u8]) -> Result<(Vec<u8>, usize), String> {
        jpeg::check_whole(frame)?;
        let mut decoder = Decoder::new(frame);
        decoder.set_max_decoding_buffer_size(MAX_MEMORY as usize);
        decoder.read_info().map_err(damage)?;
        let info = decoder.info().ok_or("it is damaged: a frame is empty")?;
        let (samples, bits) = match info.pixel_format {
            PixelFormat::L8 => (1, 8),
            PixelFormat::L16 => (1, 16),
            PixelFormat::RGB24 => (3, 8),
            PixelFormat::CMYK32 => (4, 8),
        };
        let size = (u32::from(info.width), u32::from(info.height));
        if size != (self.width, self.height) || samples != self.samples || bits < self.high + 1 {
            return Err(format!(
                "it is damaged: a frame is {} x {} pixels of samples: {samples}, bits: {bits}",
                size.0, size.1
            ));
        }
        if self.colour == Colour::Rgb {
            decoder.set_color_transform(ColorTransform::RGB);
        }
        let bytes = decoder.decode().map_err(damage)?;
        if bytes.len() != self.pixels() * samples * bits as usize / 8 {
            return Err("it is damaged: a frame has another number of pixels".into());
        }
        Ok((bytes, bits as usize))
    }
}

impl Samples<'_> {
    /// Sample `c` of `samples` of pixel `i` of `n`. There are as many bytes as the size needs.
    fn at(&self, i: usize, c: usize, n: usize, samples: usize) -> u32 {
        let place = if self.planar { c * n + i } else { i * samples + c };
        if self.bits == 1 {
            let bit = self.before + place;
            return u32::from(self.bytes[bit / 8] >> (bit % 8)) & 1;
        }
        let add = |sum: u32, &byte: &u8| (sum << 8) | u32::from(byte);
        let width = self.bits / 8;
        let bytes = &self.bytes[place * width..][..width];
        if self.is_big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }
}

/// Luma and chroma of bytes as red, green and blue.
fn rgb([y, cb, cr]: [i64; 3]) -> [f32; 3] {
    let (y, cb, cr) = (y as f32, cb as f32 - 128.0, cr as f32 - 128.0);
    let colours = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
    colours.map(|x| x.round().clamp(0.0, 255.0))
}

fn damage(error: impl std::fmt::Display) -> String {
    format!("it is damaged or of an unsupported kind: {error}")
}

#[cfg(test)]
mod tests;
