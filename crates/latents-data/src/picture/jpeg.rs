//! What JPEG files need beside a decoder. Those of a much larger size are decoded at a fraction of it, from the lowest frequencies of
//! their blocks. And those that end too early are told: decoders fill what is missing with grey. So a file without its end marker is
//! decoded twice, with different bytes added to it: only if it is whole, they make no difference.

use image::codecs::jpeg::JpegDecoder;
use image::{DynamicImage, GrayImage, RgbImage};
use jpeg_decoder::{Decoder, PixelFormat};

use super::MAX_MEMORY;

/// Decodes a JPEG file of width and height to a quarter or an eighth of its size, if that still has twice the pixels of `needed`, each
/// way. `None` if not, or if the file is of another kind or damaged, so that the usual decoder reads it or tells what is wrong.
pub(super) fn reduced(file: &[u8], size: (u32, u32), needed: [usize; 2]) -> Option<DynamicImage> {
    let (width, height) = size;
    let needed = needed.into_iter().max()? as u32;
    let factor = match width.min(height) / needed.max(1) {
        ..8 => return None,
        8..16 => 4,
        _ => 8,
    };
    if !file.starts_with(&[0xff, 0xd8]) {
        return None;
    }
    let mut decoder = Decoder::new(file);
    decoder.set_max_decoding_buffer_size(MAX_MEMORY as usize);
    let side = |side: u32| u16::try_from(side.div_ceil(factor)).ok();
    let (w, h) = decoder.scale(side(width)?, side(height)?).ok()?;
    let pixels = decoder.decode().ok()?;
    let (w, h) = (w.into(), h.into());
    match decoder.info()?.pixel_format {
        PixelFormat::L8 => GrayImage::from_raw(w, h, pixels).map(DynamicImage::ImageLuma8),
        PixelFormat::RGB24 => RgbImage::from_raw(w, h, pixels).map(DynamicImage::ImageRgb8),
        _ => None,
    }
}

/// Bytes that are added; as many as the last scan may lack before its absence shows.
const ADDED: usize = 1 << 12;

/// Refuses a JPEG file that lacks part of its data. If only the end marker is missing, the picture is whole.
pub(super) fn check_whole(file: &[u8]) -> Result<(), String> {
    if !file.starts_with(&[0xff, 0xd8]) || has_end(file) {
        return Ok(());
    }
    let with = |byte: u8| {
        let longer = [file, &[byte; ADDED], &[0xff, 0xd9]].concat();
        let decoder = JpegDecoder::new(std::io::Cursor::new(longer)).ok()?;
        DynamicImage::from_decoder(decoder).ok()
    };
    match (with(0x55), with(0xaa)) {
        (Some(one), Some(other)) if one == other => Ok(()),
        _ => Err("it is cut short".into()),
    }
}

/// Whether the end marker comes after the data of the scans.
fn has_end(file: &[u8]) -> bool {
    let mut at = 2;
    loop {
        // To the next marker: 0xff and neither a stuffed zero, a fill byte nor a restart.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7);
        let Some(next) = file.get(at..).and_then(|rest| rest.windows(2).position(is_marker)) else {
            return false;
        };
        at += next;
        let Some(&marker) = file.get(at + 1) else { return false };
        if marker == 0xd9 {
            return true;
        }
        let Some(&[high, low]) = file.get(at + 2..at + 4) else { return false };
        at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
        if at >= file.len() {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;
    use image::codecs::jpeg::JpegEncoder;

    use super::*;

    #[test]
    fn a_large_jpeg_is_decoded_to_means_of_blocks() {
        let picture = RgbImage::from_fn(515, 404, |x, y| {
            Rgb([(x / 4) as u8, (y / 4) as u8, 100 + 50 * u8::from((x / 64 + y / 64) % 2 == 0)])
        });
        let mut file = vec![];
        JpegEncoder::new_with_quality(&mut file, 95).encode_image(&picture).unwrap();
        assert!(reduced(&file, (515, 404), [51, 40]).is_none());
        assert!(reduced(b"\x89PNG", (515, 404), [8, 8]).is_none());
        assert!(reduced(&file[..300], (515, 404), [8, 8]).is_none());
        for (needed, factor) in [([50, 50], 4), ([25, 20], 8)] {
            let small = reduced(&file, (515, 404), needed).unwrap().into_rgb8();
            assert_eq!(small.dimensions(), (515u32.div_ceil(factor), 404u32.div_ceil(factor)));
            let mut most = 0.0f64;
            for (x, y, pixel) in small.enumerate_pixels() {
                let block =
                    image::imageops::crop_imm(&picture, x * factor, y * factor, factor, factor);
                let block = block.to_image();
                for c in 0..3 {
                    let sum: u32 = block.pixels().map(|pixel| u32::from(pixel[c])).sum();
                    let mean = f64::from(sum) / f64::from(block.width() * block.height());
                    most = most.max((f64::from(pixel[c]) - mean).abs());
                }
            }
            assert!(most < 12.0, "{most}");
        }
    }

    #[test]
    fn a_jpeg_cut_short_is_told_from_one_without_its_end_marker() {
        let picture = RgbImage::from_fn(96, 96, |x, y| Rgb([(x * y) as u8, x as u8, y as u8]));
        let mut whole = vec![];
        JpegEncoder::new_with_quality(&mut whole, 90).encode_image(&picture).unwrap();
        assert!(has_end(&whole) && check_whole(&whole).is_ok());
        let ended = &whole[..whole.len() - 2];
        assert!(!has_end(ended) && check_whole(ended).is_ok());
        for part in [whole.len() / 2, whole.len() - 40, whole.len() - 4] {
            assert_eq!(check_whole(&whole[..part]), Err("it is cut short".into()));
        }
        // Bytes after the end do not matter.
        assert!(check_whole(&[&whole[..], b"more"].concat()).is_ok());
        assert!(check_whole(b"\x89PNG").is_ok());
    }
}
