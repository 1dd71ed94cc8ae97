//! All images on one sheet, as a PNG that is small enough for a page. A sheet that is too large gets fewer shades, then fewer pixels,
//! until it fits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Greatest size of a sheet in bytes.
const MAX_BYTES: usize = 4_500_000;
/// The longest side of a thumbnail.
const LONGEST: usize = 96;
/// The longest side of the sheet, which every browser can draw.
const SHEET: usize = 4_096;

/// The sheet of images `[n, c, h, w]`, with the number of thumbnails in a row and their size.
pub(super) fn sheet(shape: [usize; 3], pixels: &[u8]) -> Value {
    let [c, h, w] = shape;
    let n = pixels.len() / (c * h * w);
    let columns = columns(n, h, w);
    let rows = n.div_ceil(columns);
    let fits = (SHEET as f64 / (columns * w) as f64).min(SHEET as f64 / (rows * h) as f64);
    let mut scale = fits.min(LONGEST as f64 / h.max(w) as f64).min(1.0);
    let mut shades = 256;
    loop {
        let side = |side: usize| ((side as f64 * scale).floor() as usize).max(1);
        let (height, width) = (side(h), side(w));
        let sheet = arrange(shape, pixels, [height, width], columns, shades);
        let png = encode(&sheet, [rows * height, columns * width], c == 3);
        let smallest = height.max(width) <= 8;
        if png.len() <= MAX_BYTES || smallest {
            return json!({
                "png": STANDARD.encode(png),
                "columns": columns,
                "height": height,
                "width": width,
            });
        }
        // 32 shades look almost like 256. Below that, only the number of pixels is reduced.
        if shades > 32 {
            shades /= 2;
        } else {
            scale *= (MAX_BYTES as f64 / png.len() as f64).sqrt().clamp(0.5, 0.95);
        }
    }
}

/// Number of thumbnails in a row, for a sheet about as wide as high.
fn columns(n: usize, h: usize, w: usize) -> usize {
    ((n * h) as f64 / w as f64).sqrt().ceil().clamp(1.0, n as f64) as usize
}

/// The pixels of the sheet, channels last.
fn arrange(
    [c, h, w]: [usize; 3],
    pixels: &[u8],
    [height, width]: [usize; 2],
    columns: usize,
    shades: u32,
) -> Vec<u8> {
    let n = pixels.len() / (c * h * w);
    let line = columns * width * c;
    let mut sheet = vec![0; n.div_ceil(columns) * height * line];
    let steps = shades - 1;
    for (i, image) in pixels.chunks_exact(c * h * w).enumerate() {
        let corner = i / columns * height * line + i % columns * width * c;
        for channel in 0..c {
            let plane = &image[channel * h * w..][..h * w];
            for y in 0..height {
                for x in 0..width {
                    let mean = mean(plane, [h, w], [y, height], [x, width]);
                    let shade = (mean * steps + 127) / 255;
                    sheet[corner + y * line + x * c + channel] = (shade * 255 / steps) as u8;
                }
            }
        }
    }
    sheet
}

/// The mean of the pixels that cell `(y, x)` of a grid of `height` by `width` covers.
fn mean(plane: &[u8], [h, w]: [usize; 2], [y, height]: [usize; 2], [x, width]: [usize; 2]) -> u32 {
    let rows = y * h / height..((y + 1) * h).div_ceil(height);
    let columns = x * w / width..((x + 1) * w).div_ceil(width);
    let count = (rows.len() * columns.len()) as u32;
    let sum: u32 = rows.flat_map(|y| &plane[y * w..][columns.clone()]).map(|&v| u32::from(v)).sum();
    (sum + count / 2) / count
}

fn encode(sheet: &[u8], [height, width]: [usize; 2], colour: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(if colour { png::ColorType::Rgb } else { png::ColorType::Grayscale });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    // Writing to memory fails only if the size is zero, which never happens.
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(sheet)?;
        writer.finish()
    });
    debug_assert!(written.is_ok(), "{written:?}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(sheet: &Value) -> (png::OutputInfo, Vec<u8>) {
        let bytes = STANDARD.decode(sheet["png"].as_str().unwrap()).unwrap();
        assert!(bytes.len() <= MAX_BYTES, "{}", bytes.len());
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut data = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut data).unwrap();
        (info, data)
    }

    #[test]
    fn a_few_small_images_are_kept_to_the_bit() {
        let pixels: Vec<u8> = (0..5 * 3 * 4 * 6).map(|i| (i * 37 % 256) as u8).collect();
        let sheet = sheet([3, 4, 6], &pixels);
        let (columns, width) = (sheet["columns"].as_u64().unwrap() as usize, 6);
        let (info, data) = decoded(&sheet);
        assert_eq!(info.width as usize, columns * width);
        for i in 0..5 {
            for channel in 0..3 {
                for y in 0..4 {
                    for x in 0..6 {
                        let at =
                            ((i / columns * 4 + y) * columns * width + i % columns * width + x) * 3
                                + channel;
                        assert_eq!(data[at], pixels[((i * 3 + channel) * 4 + y) * 6 + x]);
                    }
                }
            }
        }
    }

    #[test]
    fn many_noisy_images_are_made_to_fit() {
        // Noise cannot be compressed: 6,000 images of 3 x 32 x 32 are 18 MB.
        let mut state = 1_u32;
        let pixels: Vec<u8> = (0..6_000 * 3 * 32 * 32)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let sheet = sheet([3, 32, 32], &pixels);
        let (info, _) = decoded(&sheet);
        assert!(sheet["width"].as_u64().unwrap() >= 8, "{sheet:.60}");
        assert!(info.width <= SHEET as u32 && info.height <= SHEET as u32);
    }

    #[test]
    fn a_large_image_becomes_its_means() {
        let pixels: Vec<u8> = (0..192 * 192).map(|i| if i / 192 < 96 { 40 } else { 200 }).collect();
        let sheet = sheet([1, 192, 192], &pixels);
        let (info, data) = decoded(&sheet);
        assert_eq!((info.width, info.height), (96, 96));
        assert_eq!((data[0], data[96 * 96 - 1]), (40, 200));
    }
}
