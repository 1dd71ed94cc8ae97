//! What the readers of files of several pages give: the channels of a page ([`Bands`]), and headers within the limits of pages and
//! channels. The formats are listed in `picture/paged`.

use image::{DynamicImage, GrayImage, RgbImage, RgbaImage};

#[cfg(any(feature = "dicom", feature = "fits"))]
use super::Header;
use super::MAX_CHANNELS;
use super::resize::{Plane, ends};
#[cfg(any(feature = "dicom", feature = "fits"))]
use crate::pictures::Pages;

/// The most pages of a file.
pub(super) const MAX_PAGES: u32 = 1 << 16;

/// A picture as its file has it: colour channels of one size, and perhaps transparency from 0 to 1.
pub(super) struct Bands {
    pub(super) channels: Vec<Plane>,
    pub(super) alpha: Option<Plane>,
    /// The value of white, for the background.
    pub(super) white: f32,
}

impl Bands {
    /// The picture as bytes. If its numbers are others, its smallest value becomes black and its largest white; both are returned.
    pub(super) fn stretched_picture(mut self) -> Result<(DynamicImage, Option<[f32; 2]>), String> {
        if self.white <= 255.0 && self.white > 1.0 {
            return Ok((self.into_picture()?, None));
        }
        let of_channels: Vec<(f32, f32)> = self.channels.iter().map(|c| ends(&c.values)).collect();
        let least = of_channels.iter().map(|ends| ends.0).fold(f32::INFINITY, f32::min);
        let most = of_channels.iter().map(|ends| ends.1).fold(f32::NEG_INFINITY, f32::max);
        let width = (most - least).max(f32::MIN_POSITIVE);
        for x in self.channels.iter_mut().flat_map(|channel| &mut channel.values) {
            *x = (*x - least) / width;
        }
        self.white = 1.0;
        Ok((self.into_picture()?, Some([least, most])))
    }

    /// The picture as bytes: grey, colour, or colour with transparency. Values outside black and white are clipped.
    pub(super) fn into_picture(self) -> Result<DynamicImage, String> {
        let factor = 255.0 / self.white;
        let (width, height) = (self.channels[0].width, self.channels[0].height);
        let byte = |x: f32| (x * factor).clamp(0.0, 255.0).round() as u8;
        let planes: Vec<&Plane> = self.channels.iter().collect();
        let alpha = self.alpha.as_ref();
        let pixels = |channels: usize, opacity: bool| -> Vec<u8> {
            (0..(width * height) as usize)
                .flat_map(|i| {
                    let colours = (0..channels).map(move |c| (c, i));
                    colours.chain(opacity.then_some((usize::MAX, i)))
                })
                .map(|(c, i)| match (planes.get(c.min(planes.len() - 1)), alpha) {
                    (_, Some(alpha)) if c == usize::MAX => (alpha.values[i] * 255.0).round() as u8,
                    (Some(plane), _) => byte(plane.values[i]),
                    _ => 255,
                })
                .collect()
        };
        let made =
            match (planes.len(), alpha.is_some()) {
                (1, false) => GrayImage::from_raw(width, height, pixels(1, false))
                    .map(DynamicImage::ImageLuma8),
                (1 | 3, true) => RgbaImage::from_raw(width, height, pixels(3, true))
                    .map(DynamicImage::ImageRgba8),
                (3, false) => {
                    RgbImage::from_raw(width, height, pixels(3, false)).map(DynamicImage::ImageRgb8)
                }
                (channels, _) => return Err(format!("it has {channels} channels, and not 1 or 3")),
            };
        made.ok_or_else(|| "it is damaged: its size is wrong".into())
    }
}

/// The header of a file whose pages all have the same size, numbers and channels.
#[cfg(any(feature = "dicom", feature = "fits"))]
pub(super) fn same_pages(page: Header, number: u32, pages: Pages) -> Result<Header, String> {
    if number > MAX_PAGES {
        return Err(format!("it has more than the accepted {MAX_PAGES} pages"));
    }
    if pages == Pages::Pictures {
        return Ok(Header { pages: number, ..page });
    }
    let channels = page.channels * number as usize;
    check_channels(channels)?;
    Ok(Header { channels, pages: 1, ..page })
}

/// Refuses too many channels.
pub(super) fn check_channels(channels: usize) -> Result<(), String> {
    if channels > MAX_CHANNELS {
        return Err(format!("it has {channels} channels, more than the accepted {MAX_CHANNELS}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stretched_to_bytes() {
        let bands = |white: f32, values: &[f32]| {
            let plane = Plane { width: 3, height: 1, values: values.to_vec() };
            Bands { channels: vec![plane], alpha: None, white }
        };
        let pixels = |bands: Bands| {
            let (picture, ends) = bands.stretched_picture().unwrap();
            (picture.into_luma8().into_raw(), ends)
        };
        let found = pixels(bands(1.0, &[-1000.0, 0.0, 3000.0]));
        assert_eq!(found, (vec![0, 64, 255], Some([-1000.0, 3000.0])));
        assert_eq!(pixels(bands(65_535.0, &[7.0; 3])), (vec![0; 3], Some([7.0; 2])));
        assert_eq!(pixels(bands(255.0, &[1.0, 2.0, 3.0])), (vec![1, 2, 3], None));
    }
}
