//! Images as pixels: borrowed floats, their encoding as PNG, and one picture composed of many small images. Layout is elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::svg::num;

/// The borrowed pixels of one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageView<'a> {
    /// Shape `[c, h, w]` with one channel (grey) or three (red, green, blue).
    pub shape: [usize; 3],
    /// `c * h * w` values from 0 (black) to 1. Values outside are clamped; NaN is shown in magenta.
    pub pixels: &'a [f32],
}

/// Pixels of one channel; `None` if the shape does not fit the pixels, or has another number of channels than one or three.
fn area(image: &ImageView<'_>) -> Option<usize> {
    let [c, h, w] = image.shape;
    let area = h.checked_mul(w)?;
    let fits = area > 0 && matches!(c, 1 | 3) && area.checked_mul(c)? == image.pixels.len();
    fits.then_some(area)
}

/// The image as an 8-bit PNG; `None` if its shape is invalid.
pub(crate) fn encode(image: &ImageView<'_>) -> Option<Vec<u8>> {
    let [c, h, w] = image.shape;
    let area = area(image)?;
    let colour = c == 3 || image.pixels.iter().any(|v| v.is_nan());
    let bytes: Vec<u8> = if colour {
        let pixel = |i: usize| {
            // All three colours of a grey image come from its one channel.
            let rgb = [0, 1, 2].map(|plane| image.pixels[(plane % c) * area + i]);
            if rgb.iter().any(|v| v.is_nan()) { [255, 0, 255] } else { rgb.map(byte) }
        };
        (0..area).flat_map(pixel).collect()
    } else {
        image.pixels.iter().map(|&v| byte(v)).collect()
    };
    let kind = if colour { png::ColorType::Rgb } else { png::ColorType::Grayscale };
    png_of(kind, w, h, &bytes)
}

/// A picture composed of small images.
pub(crate) struct Raster {
    width: usize,
    height: usize,
    /// Red, green, blue.
    bytes: Vec<u8>,
}

impl Raster {
    /// A white picture.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, bytes: vec![255; width * height * 3] }
    }

    /// Draws an image into the centre of the square of side `cell` at `at`, enlarged by the largest whole factor that fits, or with
    /// pixels left out if it is too large. `border` is the colour of its border, such as `#0072b2`. An image with an invalid shape
    /// leaves the square white.
    pub(crate) fn draw(
        &mut self,
        image: &ImageView<'_>,
        at: (usize, usize),
        cell: usize,
        border: Option<&str>,
    ) {
        let [c, h, w] = image.shape;
        let Some(area) = area(image) else { return };
        // One pixel of border on each side.
        let room = cell - 2;
        let (up, down) = ((room / h.max(w)).max(1), h.max(w).div_ceil(room));
        let (shown_w, shown_h) = (w.div_ceil(down) * up, h.div_ceil(down) * up);
        let (left, top) = (at.0 + (cell - shown_w) / 2, at.1 + (cell - shown_h) / 2);
        let edge = border.map(rgb);
        for y in 0..shown_h + 2 {
            for x in 0..shown_w + 2 {
                let inside = (1..=shown_w).contains(&x) && (1..=shown_h).contains(&y);
                let colour = if inside {
                    let from =
                        ((y - 1) / up * down).min(h - 1) * w + ((x - 1) / up * down).min(w - 1);
                    [0, 1, 2].map(|plane| image.pixels[plane % c * area + from]).map(byte)
                } else if let Some(edge) = edge {
                    edge
                } else {
                    continue;
                };
                let to = ((top + y - 1) * self.width + left + x - 1) * 3;
                self.bytes[to..to + 3].copy_from_slice(&colour);
            }
        }
    }

    /// The picture as an SVG element at this position, one pixel per CSS pixel.
    pub(crate) fn element(&self, (x, y): (f64, f64)) -> String {
        let (width, height) = (self.width, self.height);
        let png = png_of(png::ColorType::Rgb, width, height, &self.bytes).unwrap_or_default();
        format!(
            concat!(
                r#"<image class="raster" x="{}" y="{}" width="{}" height="{}" "#,
                r#"style="image-rendering:pixelated" href="{}"/>"#
            ),
            num(x),
            num(y),
            width,
            height,
            data_url(&png)
        )
    }
}

fn byte(v: f32) -> u8 {
    (v.clamp(0.0, 1.0) * 255.0).round() as u8
}

fn rgb(colour: &str) -> [u8; 3] {
    [1, 3, 5]
        .map(|i| colour.get(i..i + 2).and_then(|c| u8::from_str_radix(c, 16).ok()).unwrap_or(0))
}

fn png_of(colour: png::ColorType, width: usize, height: usize, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width.try_into().ok()?, height.try_into().ok()?);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(bytes).ok()?;
    writer.finish().ok()?;
    Some(out)
}

/// A PNG as a data URL.
pub(crate) fn data_url(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}
