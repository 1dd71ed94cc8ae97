//! FITS files (FITS Standard 4.0): the first image of two or three axes, of the primary unit or of an extension `IMAGE`. Planes along
//! the third axis are pages. Values are those that `BSCALE` and `BZERO` give. The first row of a file is the lowest of its picture, as
//! `SAOImage` DS9 shows it.

use fitsio_pure::hdu::{Hdu, HduInfo};
use fitsio_pure::header::{Card, header_byte_len, parse_header_blocks};
use fitsio_pure::image::{bytes_per_pixel, extract_bscale_bzero, read_image_physical_f32};
use fitsio_pure::value::Value;
use fitsio_pure::{BLOCK_SIZE, Error};

use super::bands::{Bands, same_pages};
use super::resize::Plane;
use super::{Header, Precision, check_size};
use crate::pictures::Pages;

/// The longest header of a unit, in bytes.
const MAX_HEADER: usize = 400 * BLOCK_SIZE;
/// The most units that are searched for an image.
const MAX_UNITS: usize = 1000;
/// The most axes that the standard allows.
const MAX_AXES: i64 = 999;

/// The unit of a file that has its image.
struct Image {
    unit: Hdu,
    bitpix: i64,
    width: u32,
    height: u32,
    planes: usize,
}

/// The size, the pages and the numbers of the image in a file of `length` bytes, of which these are the first.
pub(super) fn header(file: &[u8], length: u64, pages: Pages) -> Result<Header, String> {
    let image = Image::find(file, length)?;
    let (size, precision) = ([image.height, image.width], image.precision());
    let planes = u32::try_from(image.planes).unwrap_or(u32::MAX);
    same_pages(Header { size, precision, channels: 1, pages: 1 }, planes, pages)
}

/// A plane of the image. A byte is worth `byte`.
pub(super) fn bands(file: &[u8], page: u32, byte: f32) -> Result<Bands, String> {
    let Image { unit, bitpix, width, height, planes } = Image::find(file, file.len() as u64)?;
    let precision = precision(bitpix, &unit.cards);
    if page as usize >= planes {
        return Err(format!("it has {planes} planes, and no plane {page}"));
    }
    let (row, rows) = (width as usize, height as usize);
    let bytes = row * rows * bytes_per_pixel(bitpix).map_err(damage)?;
    let plane = Hdu {
        info: HduInfo::Image { bitpix, naxes: vec![row, rows] },
        data_start: unit.data_start + page as usize * bytes,
        data_len: bytes,
        ..unit
    };
    let lowest_first = read_image_physical_f32(file, &plane).map_err(damage)?;
    let unknown = lowest_first.iter().filter(|x| x.is_nan()).count();
    if unknown > 0 {
        let pixels = if unknown == 1 { "pixel" } else { "pixels" };
        return Err(format!(
            "it has {unknown} {pixels} without a value (NaN or BLANK); pictures must be finite, so fill these first"
        ));
    }
    let (factor, white) = match precision {
        Precision::Bytes => (byte, 255.0 * byte),
        Precision::Words => (1.0, 65_535.0),
        Precision::Floats => (1.0, 1.0),
    };
    let values = lowest_first.rchunks_exact(row).flatten().map(|&x| x * factor).collect();
    Ok(Bands { channels: vec![Plane { width, height, values }], alpha: None, white })
}

impl Image {
    /// Finds the first image. Headers are read one by one, so that sizes are checked before anything is allocated for them.
    fn find(file: &[u8], length: u64) -> Result<Self, String> {
        let (mut start, mut is_packed) = (0, false);
        for _ in 0..MAX_UNITS {
            let Some(rest) = file.get(start..).filter(|rest| !rest.is_empty()) else { break };
            let head = &rest[..rest.len().min(MAX_HEADER)];
            let data = start + header_byte_len(head).map_err(damage)?;
            let cards = parse_header_blocks(head).map_err(damage)?;
            check_axes(&cards)?;
            let unit = Hdu::from_cards(cards, start, data).map_err(damage)?;
            let end = data.checked_add(unit.data_len).filter(|&end| end as u64 <= length);
            let end = end.ok_or("it is cut short")?;
            is_packed |= matches!(unit.info, HduInfo::CompressedImage { .. });
            if let Some(image) = Self::of(unit, length)? {
                return Ok(image);
            }
            start = end.next_multiple_of(BLOCK_SIZE);
        }
        if is_packed {
            return Err("its image is compressed in tiles, which is not supported; uncompress it with funpack".into());
        }
        if (start as u64) < length && start >= file.len() {
            return Err("it is cut short".into());
        }
        Err("it has no image of two or three axes".into())
    }

    /// The image of a unit, if it has one. Axes of length 1 after the second do not count.
    fn of(unit: Hdu, length: u64) -> Result<Option<Self>, String> {
        let (HduInfo::Primary { bitpix, naxes } | HduInfo::Image { bitpix, naxes }) = &unit.info
        else {
            return Ok(None);
        };
        let bitpix = *bitpix;
        let planes: Vec<usize> = naxes.iter().skip(2).copied().filter(|&n| n != 1).collect();
        let (&[width, height, ..], [] | [_]) = (&naxes[..], &planes[..]) else { return Ok(None) };
        bytes_per_pixel(bitpix).map_err(damage)?;
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let (width, height) = check_size((side(width), side(height)), length)?;
        let planes = planes.first().copied().unwrap_or(1);
        if planes == 0 {
            return Err("it has no pixels".into());
        }
        Ok(Some(Self { unit, bitpix, width, height, planes }))
    }

    fn precision(&self) -> Precision {
        precision(self.bitpix, &self.unit.cards)
    }
}

/// Unsigned 16-bit integers are stored as signed ones with an offset of 32,768.
#[allow(clippy::float_cmp)] // The exact values are meant.
fn precision(bitpix: i64, cards: &[Card]) -> Precision {
    match (bitpix, extract_bscale_bzero(cards)) {
        (8, (1.0, 0.0)) => Precision::Bytes,
        (16, (1.0, 32_768.0)) => Precision::Words,
        _ => Precision::Floats,
    }
}

/// Refuses numbers and lengths of axes that cannot be.
fn check_axes(cards: &[Card]) -> Result<(), String> {
    for card in cards {
        let (name, Some(Value::Integer(value))) = (card.keyword_str(), &card.value) else {
            continue;
        };
        let is_wrong = match name.trim_start_matches('Z').strip_prefix("NAXIS") {
            Some("") => !(0..=MAX_AXES).contains(value),
            Some(_) => *value < 0,
            None => matches!(name, "PCOUNT" | "GCOUNT" | "TFIELDS") && *value < 0,
        };
        if is_wrong {
            return Err(format!("it is damaged: {name} is {value}"));
        }
    }
    Ok(())
}

#[allow(clippy::needless_pass_by_value)] // For `map_err`.
fn damage(error: Error) -> String {
    match error {
        Error::UnexpectedEof => "it is cut short".into(),
        error => format!("it is damaged or of an unsupported kind: {error}"),
    }
}

#[cfg(test)]
mod tests;
