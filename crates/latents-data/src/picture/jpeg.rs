//! JPEG files that end too early. Decoders fill what is missing with grey. So a file without its end marker is decoded twice, with
//! different bytes added to it: only if it is whole, they make no difference.

use image::DynamicImage;
use image::codecs::jpeg::JpegDecoder;

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
    use image::codecs::jpeg::JpegEncoder;
    use image::{Rgb, RgbImage};

    use super::*;

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
