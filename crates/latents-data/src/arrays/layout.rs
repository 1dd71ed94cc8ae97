//! The order of axes of an array of images, and conversion of its images to bytes.

use image::RgbImage;
use latents_progress::{Interrupted, Monitor};

use super::values::{Items, Range};
use crate::note::AxisOrder;
use crate::npz::{ArrayInfo, Raw};
use crate::picture;
use crate::pictures::Pictures;

/// The order of axes of an array of images.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// The number of images.
    pub(super) n: usize,
    pub(super) channels: usize,
    /// Height and width.
    pub(super) size: [usize; 2],
    /// The distance, in items, from one channel, row and column to the next.
    steps: [usize; 3],
    pub(super) axes: AxisOrder,
}

impl Layout {
    pub(super) fn of(array: &ArrayInfo) -> Result<Self, String> {
        let unclear = |why: &str| Err(format!("array {array} is not an array of images: {why}"));
        let is_channels = |c: usize| matches!(c, 1 | 3 | 4);
        let layout = match array.shape[..] {
            [n, h, w] => {
                Self { n, channels: 1, size: [h, w], steps: [0, w, 1], axes: AxisOrder::Grey }
            }
            [n, a, b, c] if is_channels(c) && (!is_channels(a) || b != c) => Self {
                n,
                channels: c,
                size: [a, b],
                steps: [1, b * c, c],
                axes: AxisOrder::ChannelsLast,
            },
            [n, c, h, w] if is_channels(c) => Self {
                n,
                channels: c,
                size: [h, w],
                steps: [h * w, w, 1],
                axes: AxisOrder::ChannelsFirst,
            },
            [n, numbers] => {
                let square = |numbers: usize| Some(numbers.isqrt()).filter(|s| s * s == numbers);
                let colour =
                    || square(numbers / 3).filter(|_| numbers.is_multiple_of(3)).map(|s| (s, 3));
                let Some((side, channels)) = square(numbers).map(|s| (s, 1)).or_else(colour) else {
                    return unclear("its rows are not square images, grey or coloured");
                };
                let steps = [side * side, side, 1];
                Self { n, channels, size: [side, side], steps, axes: AxisOrder::Flat }
            }
            _ => return unclear("neither its second nor its last axis has 1, 3 or 4 channels"),
        };
        if layout.n == 0 || layout.size.contains(&0) {
            return unclear("it is empty");
        }
        Ok(layout)
    }

    /// The shape of one image, `[c, h, w]`.
    pub(super) fn image(&self) -> [usize; 3] {
        [self.channels, self.size[0], self.size[1]]
    }

    /// All images as bytes, `[n, 1 or 3, h, w]`: 3 channels if the array has colours and the settings do not make them grey.
    pub(super) fn planes(
        &self,
        raw: &Raw,
        range: &Range,
        settings: &Pictures,
        monitor: &Monitor,
    ) -> Result<Vec<u8>, Interrupted> {
        let items = Items::of(raw);
        let [h, w] = self.size;
        let one = |i: usize| {
            let at = |c: usize, y: usize, x: usize| {
                let [channel, row, column] = self.steps;
                let item = i * self.channels * h * w + c * channel + y * row + x * column;
                range.byte(items.get(item))
            };
            let pixel = |x: u32, y: u32| {
                let (x, y) = (x as usize, y as usize);
                let colour = match self.channels {
                    1 => [at(0, y, x); 3],
                    _ => [0, 1, 2].map(|c| at(c, y, x)),
                };
                if self.channels < 4 {
                    return image::Rgb(colour);
                }
                let alpha = at(3, y, x);
                let background = settings.background.0;
                image::Rgb([0, 1, 2].map(|c| picture::over(colour[c], background[c], alpha)))
            };
            let image = RgbImage::from_fn(w as u32, h as u32, pixel);
            let size = settings.size.unwrap_or(self.size);
            let planes =
                picture::planes(&picture::fit(image, size, settings.fit, settings.background.0));
            match self.channels {
                1 => planes[..planes.len() / 3].to_vec(),
                _ if settings.grey => picture::grey(&planes),
                _ => planes,
            }
        };
        let mut planes = vec![];
        for i in 0..self.n {
            monitor.check()?;
            planes.extend(one(i));
        }
        Ok(planes)
    }
}
