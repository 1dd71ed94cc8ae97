//! Pictures of more precision than bytes, and of other channels than grey and colour: their values as they are in the file, which a
//! range maps to 16 bits afterwards.

use std::path::Path;

use image::DynamicImage;

use super::bands::Bands;
use super::paged::Paged;
use super::resize::{Plane, ends};
use super::{bytes, grey, guarded, how, picture};
use crate::images::Images;
use crate::pictures::{Pages, Pictures};
use crate::range::{Range, word};

/// The planes of a picture, `[c, h, w]`, with the values of its file.
#[derive(Clone, Debug)]
pub(crate) struct Deep {
    pub(crate) channels: usize,
    pub(crate) values: Vec<f32>,
    /// The smallest and the largest value of the file, of each channel.
    pub(crate) ends: Vec<[f32; 2]>,
    /// Whether all values of the file are whole numbers.
    pub(crate) whole: bool,
}

/// Reads a page of a file, or all pages if they are channels, and resizes it to `[h, w]`. `byte` is what one step of a byte is worth.
pub(crate) fn read_deep(
    file: &[u8],
    name: &Path,
    page: u32,
    size: [usize; 2],
    settings: &Pictures,
    byte: f32,
) -> Result<Deep, String> {
    guarded(|| {
        let bands = match Paged::of(file)? {
            None => of_image(picture(file, name, page)?, byte),
            Some(kind) if settings.pages == Pages::Channels => kind.all_pages(file, byte)?,
            Some(kind) => kind.bands(file, page, byte)?,
        };
        let fit = how(settings.fit, bands.alpha.is_some());
        let mut deep = Deep { channels: 0, values: vec![], ends: vec![], whole: true };
        for (c, plane) in bands.channels.iter().enumerate() {
            let background = f32::from(settings.background.0[c.min(2)]) / 255.0 * bands.white;
            let plane = match &bands.alpha {
                None => plane.clone(),
                Some(alpha) => over(plane, alpha, background),
            };
            if let Some(x) = plane.values.iter().find(|x| !x.is_finite()) {
                return Err(format!("it has a value that is {x}; pictures must be finite"));
            }
            let (least, most) = ends(&plane.values);
            deep.ends.push([least, most]);
            deep.whole &= plane.values.iter().all(|x| x.fract() == 0.0);
            deep.values.extend(plane.fit(size, fit, background));
            deep.channels += 1;
        }
        Ok(deep)
    })
}

impl Deep {
    /// The same with another number of channels: grey repeated as colour, or colour weighed as grey.
    pub(crate) fn with_channels(mut self, channels: usize) -> Result<Self, String> {
        match (self.channels, channels) {
            (have, want) if have == want => {}
            (1, 3) => {
                self.values = self.values.repeat(3);
                self.ends = self.ends.repeat(3);
            }
            (3, 1) => {
                let n = self.values.len() / 3;
                let at = |i: usize, c: usize| f64::from(self.values[c * n + i]);
                let weigh =
                    |i| ((299.0 * at(i, 0) + 587.0 * at(i, 1) + 114.0 * at(i, 2)) / 1000.0) as f32;
                self.values = (0..n).map(weigh).collect();
                let least = self.ends.iter().map(|e| e[0]).fold(f32::INFINITY, f32::min);
                let most = self.ends.iter().map(|e| e[1]).fold(f32::NEG_INFINITY, f32::max);
                self.ends = vec![[least, most]];
            }
            (have, want) => return Err(format!("it has {have} channels, but {want} are expected")),
        }
        self.channels = channels;
        Ok(self)
    }
}

/// `plane` with opacity `alpha` in front of a background.
fn over(plane: &Plane, alpha: &Plane, background: f32) -> Plane {
    let blend = |(&x, &a): (&f32, &f32)| x * a + background * (1.0 - a);
    let values = plane.values.iter().zip(&alpha.values).map(blend).collect();
    Plane { values, ..*plane }
}

/// The channels of a picture. A byte is worth `byte`.
pub(super) fn of_image(picture: DynamicImage, byte: f32) -> Bands {
    let colour = picture.color();
    let (width, height) = (picture.width(), picture.height());
    let all = usize::from(colour.channel_count());
    let (white, values): (f32, Vec<f32>) = match picture {
        DynamicImage::ImageLuma8(p) => (255.0 * byte, scaled(p.as_raw(), byte)),
        DynamicImage::ImageLumaA8(p) => (255.0 * byte, scaled(p.as_raw(), byte)),
        DynamicImage::ImageRgb8(p) => (255.0 * byte, scaled(p.as_raw(), byte)),
        DynamicImage::ImageRgba8(p) => (255.0 * byte, scaled(p.as_raw(), byte)),
        DynamicImage::ImageRgb32F(p) => (1.0, p.into_raw()),
        DynamicImage::ImageRgba32F(p) => (1.0, p.into_raw()),
        DynamicImage::ImageLuma16(p) => (65_535.0, scaled(p.as_raw(), 1.0)),
        DynamicImage::ImageLumaA16(p) => (65_535.0, scaled(p.as_raw(), 1.0)),
        DynamicImage::ImageRgb16(p) => (65_535.0, scaled(p.as_raw(), 1.0)),
        other => (65_535.0, scaled(other.into_rgba16().as_raw(), 1.0)),
    };
    let plane = |c: usize| Plane {
        width,
        height,
        values: values.iter().skip(c).step_by(all).copied().collect(),
    };
    let colours = all - usize::from(colour.has_alpha());
    let alpha = colour.has_alpha().then(|| plane(colours)).map(|mut alpha| {
        for a in &mut alpha.values {
            *a /= white;
        }
        alpha
    });
    Bands { channels: (0..colours).map(plane).collect(), alpha, white }
}

fn scaled<T: Copy + Into<f32>>(values: &[T], factor: f32) -> Vec<f32> {
    values.iter().map(|&x| x.into() * factor).collect()
}

/// Reads a picture as an image of shape `[c, h, w]` with the range that the settings fix.
pub(crate) fn to_images(
    path: &Path,
    [c, h, w]: [usize; 3],
    settings: &Pictures,
) -> Result<Images, String> {
    let Range::Values(ends) = &settings.range else {
        if !matches!(c, 1 | 3) {
            return Err(format!("pictures have 1 or 3 channels, but {c} are expected"));
        }
        let file = bytes(path)?;
        let settings = Pictures { size: Some([h, w]), ..settings.clone() };
        let fitted = super::fitted(picture(&file, path, 0)?, [h, w], &settings);
        let pixels = if c == 1 { grey(&fitted) } else { fitted };
        return Images::new(c, h, w, pixels).map_err(|e| e.to_string());
    };
    let file = bytes(path)?;
    let deep = read_deep(&file, path, 0, [h, w], settings, byte_of(ends))?.with_channels(c)?;
    let outside = deep.ends.iter().enumerate().find(|(c, found)| {
        let [black, white] = range_of(ends, *c);
        let (low, high) = (black.min(white), black.max(white));
        f64::from(found[0]) > high || f64::from(found[1]) < low
    });
    if let Some((_, [least, most])) = outside {
        let [black, white] = ends[0];
        return Err(format!(
            "its values from {least} to {most} lie outside the range {black}..{white} that the model was trained with"
        ));
    }
    let n = h * w;
    let words = deep.values.chunks_exact(n).enumerate().flat_map(|(c, plane)| {
        let ends = range_of(ends, c);
        plane.iter().map(move |&x| word(x.into(), ends, settings.scale).0)
    });
    Images::from_words(c, h, w, words.collect()).map_err(|e| e.to_string())
}

/// The range of a channel.
pub(crate) fn range_of(ends: &[[f64; 2]], channel: usize) -> [f64; 2] {
    ends.get(channel).or(ends.first()).copied().unwrap_or([0.0, 255.0])
}

/// What one step of a byte is worth beside values of this range: in a range of bytes itself, otherwise as much as 257 of 65,535.
pub(crate) fn byte_of(ends: &[[f64; 2]]) -> f32 {
    let largest = ends.iter().flatten().fold(0.0f64, |a, &b| a.max(b.abs()));
    if largest <= 255.0 { 1.0 } else { 257.0 }
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Luma, LumaA, Rgb};

    use super::*;

    fn save(
        picture: impl Into<DynamicImage>,
        name: &str,
    ) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        picture.into().save(&path).unwrap();
        (folder, path)
    }

    #[test]
    fn sixteen_bits_are_read_as_they_are() {
        let ramp = ImageBuffer::from_fn(256, 256, |x, y| Luma([(256 * y + x) as u16]));
        let (_folder, path) = save(ramp, "ramp.png");
        let deep =
            read_deep(&bytes(&path).unwrap(), &path, 0, [256, 256], &Pictures::default(), 257.0)
                .unwrap();
        assert!(deep.values.iter().enumerate().all(|(i, &x)| x as usize == i));
        assert_eq!((deep.ends, deep.whole), (vec![[0.0, 65_535.0]], true));
        let settings = Pictures { range: "0..65535".parse().unwrap(), ..Pictures::default() };
        let mut units = to_images(&path, [1, 256, 256], &settings).unwrap().to_unit();
        units.dedup();
        assert_eq!(units.len(), 65_536);
        let settings = Pictures { range: "70000..80000".parse().unwrap(), ..settings };
        let said = to_images(&path, [1, 256, 256], &settings).unwrap_err();
        assert!(said.contains("from 0 to 65535 lie outside the range 70000..80000"), "{said}");
    }

    #[test]
    fn transparency_shows_the_background() {
        let picture = ImageBuffer::from_pixel(2, 2, LumaA([1000u16, 0]));
        let (_folder, path) = save(DynamicImage::ImageLumaA16(picture), "a.png");
        let deep = read_deep(&bytes(&path).unwrap(), &path, 0, [2, 2], &Pictures::default(), 257.0)
            .unwrap();
        assert_eq!(deep.values, [65_535.0; 4]);
        let black = Pictures { background: crate::Colour([0; 3]), ..Pictures::default() };
        assert_eq!(
            read_deep(&bytes(&path).unwrap(), &path, 0, [2, 2], &black, 257.0).unwrap().values,
            [0.0; 4]
        );
    }

    #[test]
    fn channels_change_where_that_has_a_meaning() {
        let picture = ImageBuffer::from_pixel(1, 1, Rgb([255u8, 0, 51]));
        let (_folder, path) = save(picture, "a.png");
        let deep = read_deep(&bytes(&path).unwrap(), &path, 0, [1, 1], &Pictures::default(), 257.0)
            .unwrap();
        assert_eq!(deep.values, [65_535.0, 0.0, 13_107.0]);
        let grey = deep.clone().with_channels(1).unwrap();
        assert!((grey.values[0] - 21_089.16).abs() < 0.01, "{:?}", grey.values);
        assert_eq!(grey.with_channels(3).unwrap().values.len(), 3);
        assert!(deep.with_channels(2).unwrap_err().contains("3 channels, but 2"));
    }
}
