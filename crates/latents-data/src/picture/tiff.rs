//! TIFF files: one picture or several pages; bytes, 16 bits or other numbers; grey, colour or any other channels.

use std::io::Cursor;

use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{PlanarConfiguration, Tag};

use super::bands::{Bands, MAX_PAGES, check_channels};
use super::resize::Plane;
use super::{Header, MAX_MEMORY, Precision, check_size};
use crate::pictures::Pages;

type Reader<'a> = Decoder<Cursor<&'a [u8]>>;

pub(super) fn is_tiff(file: &[u8]) -> bool {
    [&b"II*\0"[..], b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| file.starts_with(magic))
}

fn damage(error: impl std::fmt::Display) -> String {
    format!("it is damaged or of an unsupported kind: {error}")
}

fn open(file: &[u8]) -> Result<Reader<'_>, String> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MAX_MEMORY as usize;
    limits.intermediate_buffer_size = MAX_MEMORY as usize;
    Ok(Decoder::new(Cursor::new(file)).map_err(damage)?.with_limits(limits))
}

/// The size, the colours and the numbers of the current page.
fn about(reader: &mut Reader<'_>, file: usize) -> Result<(u32, u32, ColorType, Precision), String> {
    let (width, height) = check_size(reader.dimensions().map_err(damage)?, file as u64)?;
    let colour = reader.colortype().map_err(damage)?;
    let format = reader.find_tag_unsigned_vec::<u16>(Tag::SampleFormat).map_err(damage)?;
    // 1 is unsigned integers, and the default.
    let unsigned = format.is_none_or(|formats| formats.iter().all(|&format| format == 1));
    let precision = match colour.bit_depth() {
        ..=8 if unsigned => Precision::Bytes,
        16 if unsigned => Precision::Words,
        _ => Precision::Floats,
    };
    Ok((width, height, colour, precision))
}

/// Colour channels, and whether there is transparency.
fn channels(colour: ColorType) -> Result<(usize, bool), String> {
    Ok(match colour {
        ColorType::Gray(_) => (1, false),
        ColorType::GrayA(_) => (1, true),
        ColorType::RGB(_) | ColorType::YCbCr(_) | ColorType::Palette(_) => (3, false),
        ColorType::RGBA(_) => (3, true),
        ColorType::Multiband { num_samples, .. } => (usize::from(num_samples), false),
        other => return Err(format!("its colours are of an unsupported kind: {other:?}")),
    })
}

pub(super) fn header(file: &[u8], pages: Pages) -> Result<Header, String> {
    let mut reader = open(file)?;
    let (width, height, colour, mut precision) = about(&mut reader, file.len())?;
    let (first, _) = channels(colour)?;
    let mut number = 1;
    let mut all = first;
    while reader.more_images() {
        reader.next_image().map_err(damage)?;
        let (.., colour, other) = about(&mut reader, file.len())?;
        precision = precision.max(other);
        all += channels(colour)?.0;
        number += 1;
        if number > MAX_PAGES {
            return Err(format!("it has more than the accepted {MAX_PAGES} pages"));
        }
    }
    let size = [height, width];
    let (channels, pages) = if pages == Pages::Channels { (all, 1) } else { (first, number) };
    check_channels(channels)?;
    Ok(Header { size, precision, channels, pages })
}

/// The channels of a page. A byte is worth `byte`.
pub(super) fn bands(file: &[u8], page: u32, byte: f32) -> Result<Bands, String> {
    let mut reader = open(file)?;
    for _ in 0..page {
        reader.next_image().map_err(damage)?;
    }
    let (width, height, colour, precision) = about(&mut reader, file.len())?;
    let planar = reader.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(damage)?;
    let planar = planar == Some(PlanarConfiguration::Planar.to_u16());
    let mut palette = None;
    if let ColorType::Palette(_) = colour {
        palette = Some(reader.get_tag_u16_vec(Tag::ColorMap).map_err(damage)?);
    }
    let (colours, has_alpha) = channels(colour)?;
    let stored = if palette.is_some() { 1 } else { colours + usize::from(has_alpha) };
    let n = (width as usize) * (height as usize);
    let (values, bits) = if planar && stored > 1 {
        let layout = reader.image_buffer_layout().map_err(damage)?;
        let mut result = DecodingResult::U8(vec![]);
        result.resize_to(&layout, &Limits::default()).map_err(damage)?;
        reader.read_image_to_buffer(&mut result).map_err(damage)?;
        numbers(result, colour.bit_depth(), width as usize, stored)
    } else {
        let result = reader.read_image().map_err(damage)?;
        numbers(result, colour.bit_depth(), width as usize, stored)
    };
    if values.len() != n * stored {
        return Err(format!("it has {} values instead of {}", values.len(), n * stored));
    }
    let plane = |c: usize| {
        let at = |i: usize| if planar { values[c * n + i] } else { values[i * stored + c] };
        Plane { width, height, values: (0..n).map(at).collect() }
    };
    if let Some(map) = palette {
        let size = map.len() / 3;
        let colour = |c: usize| {
            let look = |&i: &f32| {
                let entry = map.get(c * size + (i as usize).min(size.saturating_sub(1)));
                f32::from(*entry.unwrap_or(&0) >> 8) * byte
            };
            Plane { width, height, values: values.iter().map(look).collect() }
        };
        return Ok(Bands {
            channels: (0..3).map(colour).collect(),
            alpha: None,
            white: 255.0 * byte,
        });
    }
    // Fewer than eight bits are stretched to a byte.
    let (factor, white) = match precision {
        Precision::Bytes => {
            let most = ((1u32 << bits) - 1) as f32;
            (255.0 / most * byte, 255.0 * byte)
        }
        Precision::Words => (1.0, 65_535.0),
        Precision::Floats => (1.0, 1.0),
    };
    let scaled = |mut plane: Plane| {
        for x in &mut plane.values {
            *x *= factor;
        }
        plane
    };
    let opacity = |mut plane: Plane| {
        for x in &mut plane.values {
            *x = *x * factor / white;
        }
        plane
    };
    Ok(Bands {
        channels: (0..colours).map(|c| scaled(plane(c))).collect(),
        alpha: has_alpha.then(|| opacity(plane(colours))),
        white,
    })
}

/// Decoded values as numbers, and the bits of each. Values of fewer bits than a byte are packed, in rows of whole bytes.
fn numbers(result: DecodingResult, bits: u8, width: usize, stored: usize) -> (Vec<f32>, u8) {
    let values = match result {
        DecodingResult::U8(bytes) if bits < 8 => {
            let row = (width * stored * usize::from(bits)).div_ceil(8).max(1);
            let mask = (1u16 << bits) - 1;
            let unpack = |bytes: &[u8]| -> Vec<f32> {
                let value = |i: usize| {
                    let at = i * usize::from(bits);
                    let shift = 8 - usize::from(bits) - at % 8;
                    f32::from((u16::from(bytes[at / 8]) >> shift) & mask)
                };
                (0..width * stored).map(value).collect()
            };
            return (bytes.chunks_exact(row).flat_map(unpack).collect(), bits);
        }
        DecodingResult::U8(x) => x.into_iter().map(f32::from).collect(),
        DecodingResult::U16(x) => x.into_iter().map(f32::from).collect(),
        DecodingResult::U32(x) => x.into_iter().map(|x| x as f32).collect(),
        DecodingResult::U64(x) => x.into_iter().map(|x| x as f32).collect(),
        DecodingResult::F16(x) => x.into_iter().map(f32::from).collect(),
        DecodingResult::F32(x) => x,
        DecodingResult::F64(x) => x.into_iter().map(|x| x as f32).collect(),
        DecodingResult::I8(x) => x.into_iter().map(f32::from).collect(),
        DecodingResult::I16(x) => x.into_iter().map(f32::from).collect(),
        DecodingResult::I32(x) => x.into_iter().map(|x| x as f32).collect(),
        DecodingResult::I64(x) => x.into_iter().map(|x| x as f32).collect(),
    };
    (values, 8)
}

#[cfg(test)]
mod tests {
    use tiff::encoder::{TiffEncoder, colortype};

    use super::super::paged::Paged;
    use super::*;

    fn picture(file: &[u8], page: u32) -> image::DynamicImage {
        bands(file, page, 1.0).unwrap().into_picture().unwrap()
    }

    fn pages<C: colortype::ColorType<Inner = T>, T>(all: &[&[T]], width: u32) -> Vec<u8>
    where
        [T]: tiff::encoder::TiffValue,
    {
        let mut file = Cursor::new(vec![]);
        let mut encoder = TiffEncoder::new(&mut file).unwrap();
        for page in all {
            let height = page.len() as u32 / width / C::BITS_PER_SAMPLE.len() as u32;
            encoder.write_image::<C>(width, height, page).unwrap();
        }
        file.into_inner()
    }

    #[test]
    fn pages_are_pictures_or_channels() {
        let file = pages::<colortype::Gray8, _>(&[&[1, 2, 3, 4, 5, 6], &[9; 6]], 3);
        assert!(is_tiff(&file));
        let expected = Header { size: [2, 3], precision: Precision::Bytes, channels: 1, pages: 2 };
        assert_eq!(header(&file, Pages::Pictures), Ok(expected));
        let expected = Header { channels: 2, pages: 1, ..expected };
        assert_eq!(header(&file, Pages::Channels), Ok(expected));
        assert_eq!(picture(&file, 0).into_luma8().into_raw(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(picture(&file, 1).into_luma8().into_raw(), [9; 6]);
        assert!(bands(&file, 2, 1.0).is_err());
        let all = Paged::Tiff.all_pages(&file, 257.0).unwrap();
        assert_eq!(all.channels[1].values, [9.0 * 257.0; 6]);
    }

    #[test]
    fn values_of_every_precision_are_kept() {
        let words = pages::<colortype::Gray16, _>(&[&[0, 4095, 65_535, 7]], 2);
        assert_eq!(header(&words, Pages::Pictures).unwrap().precision, Precision::Words);
        assert_eq!(bands(&words, 0, 1.0).unwrap().channels[0].values, [0.0, 4095.0, 65_535.0, 7.0]);
        let floats = pages::<colortype::Gray32Float, _>(&[&[-0.5, 1e6, 0.25, 3.0]], 2);
        assert_eq!(header(&floats, Pages::Pictures).unwrap().precision, Precision::Floats);
        assert_eq!(bands(&floats, 0, 1.0).unwrap().channels[0].values, [-0.5, 1e6, 0.25, 3.0]);
        let colour = pages::<colortype::RGB8, _>(&[&[1, 2, 3, 4, 5, 6]], 2);
        assert_eq!(picture(&colour, 0).into_rgb8().into_raw(), [1, 2, 3, 4, 5, 6]);
        let clear = pages::<colortype::RGBA8, _>(&[&[1, 2, 3, 255, 4, 5, 6, 0]], 2);
        assert_eq!(picture(&clear, 0).into_rgba8().into_raw()[3..], [255, 4, 5, 6, 0]);
    }

    #[test]
    fn damaged_files_are_errors() {
        let file = pages::<colortype::Gray16, _>(&[&[5; 600]], 20);
        for length in 4..file.len() {
            let part = &file[..length];
            let read = super::super::guarded(|| bands(part, 0, 1.0).map(|_| ()));
            if length < 1200 {
                assert!(read.is_err(), "{length}");
            }
        }
        let mut huge = file.clone();
        // Every field of the directory as large as can be.
        for at in 8..huge.len().min(200) {
            let before = huge[at];
            huge[at] = 0xff;
            let _ = super::super::guarded(|| bands(&huge, 0, 1.0).map(|_| ()));
            huge[at] = before;
        }
    }
}
