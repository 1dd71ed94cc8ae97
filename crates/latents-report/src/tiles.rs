//! Images side by side with captions: one image through the epochs, or rows of originals and reconstructions. Each
//! pixel of a small image becomes a whole number of pixels on the page, so nothing is blurred or lost.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::figure::Figure;
use crate::font::{self, CAP_HEIGHT, Weight};
use crate::frame::{LABEL, MARGIN, SLACK, heading, label};
use crate::palette;
use crate::scene::{Anchor, Scene, num};

/// Images are enlarged to at most this side.
const SIDE: usize = 96;
/// Images that are larger by themselves are shown up to this side.
const LARGEST: usize = 160;
/// A strip goes on in a new row beyond this width.
const PAGE: f64 = 720.0;
/// No figure is narrower, so that titles have room.
const NARROWEST: f64 = 320.0;
const GAP: f64 = 14.0;
/// Captions are set on two lines rather than wider than this.
const CAPTION: f64 = 120.0;
const LINE: f64 = 15.0;

/// Borrowed pixels of one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageView<'a> {
    /// `[c, h, w]` with one channel (grey) or three (red, green, blue).
    pub shape: [usize; 3],
    /// `c * h * w` values from 0 (black) to 1; values outside are clamped, and what is no number is shown in magenta.
    pub pixels: &'a [f32],
}

/// An image with its caption. An image whose shape does not fit its pixels, or has another number of channels than one
/// or three, is shown as a crossed-out box.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile<'a> {
    /// Set below the image; any text.
    pub caption: String,
    /// What is shown.
    pub image: ImageView<'a>,
}

/// Draws one image through the epochs: `tiles` in reading order, by custom the original first, then its reconstruction
/// after selected epochs. It goes on in a new row where the page ends.
#[must_use]
pub fn strip(title: &str, tiles: &[Tile<'_>]) -> Figure {
    let cell = Cell::around(tiles.iter(), true);
    let fit = ((PAGE - 2.0 * MARGIN + GAP) / (cell.width + GAP)).floor().max(1.0) as usize;
    // Rows of even length look better than a last row of one.
    let columns = tiles.len().div_ceil(tiles.len().div_ceil(fit).max(1)).max(1);
    let rows: Vec<Row<'_>> =
        tiles.chunks(columns).map(|tiles| Row { caption: String::new(), tiles }).collect();
    sheet(title, &rows, None)
}

/// Draws rows of images, such as pairs of original and reconstruction for several objects. `row_captions` stand to the
/// left of their rows; rows beyond them have none. Where all rows carry the same captions, these are set once, as heads
/// of the columns.
#[must_use]
pub fn grid(title: &str, rows: &[Vec<Tile<'_>>], row_captions: &[String]) -> Figure {
    let captions = |row: &[Tile<'_>]| row.iter().map(|t| t.caption.clone()).collect::<Vec<_>>();
    let heads = rows
        .first()
        .map(|row| captions(row))
        .filter(|heads| rows.len() > 1 && rows.iter().all(|row| captions(row) == *heads));
    let rows: Vec<Row<'_>> = rows
        .iter()
        .enumerate()
        .map(|(i, tiles)| Row {
            caption: row_captions.get(i).map(|c| font::clean(c)).unwrap_or_default(),
            tiles,
        })
        .collect();
    sheet(title, &rows, heads.as_deref())
}

struct Row<'a> {
    caption: String,
    tiles: &'a [Tile<'a>],
}

/// The room that every tile of a figure gets: the largest image's, and a caption's.
struct Cell {
    width: f64,
    height: f64,
    /// Lines of caption below the image.
    lines: usize,
}

impl Cell {
    fn around<'a>(tiles: impl Iterator<Item = &'a Tile<'a>> + Clone, captions_below: bool) -> Self {
        let size = |tile: &Tile<'_>| Shown::of(&tile.image);
        let width = tiles.clone().map(|t| size(t).width).fold(0.0, f64::max);
        let height = tiles.clone().map(|t| size(t).height).fold(0.0, f64::max);
        let text = tiles
            .clone()
            .map(|t| font::width(&font::clean(&t.caption), LABEL, Weight::Regular) * SLACK)
            .fold(0.0, f64::max);
        let width = width.max(text.min(CAPTION)).ceil();
        let lines = tiles.map(|t| caption_lines(&t.caption, width).len()).max().unwrap_or(0);
        Self { width, height: height.ceil(), lines: if captions_below { lines } else { 0 } }
    }
}

fn caption_lines(caption: &str, width: f64) -> Vec<String> {
    font::wrap(&font::clean(caption), LABEL, Weight::Regular, width / SLACK, 2)
}

fn sheet(title: &str, rows: &[Row<'_>], heads: Option<&[String]>) -> Figure {
    let tiles = rows.iter().flat_map(|row| row.tiles);
    let cell = Cell::around(tiles, heads.is_none());
    let columns = rows.iter().map(|row| row.tiles.len()).max().unwrap_or(0);
    // As wide as the lines turn out, not as wide as they may be.
    let row_caption = rows
        .iter()
        .flat_map(|row| caption_lines(&row.caption, CAPTION))
        .map(|line| font::width(&line, LABEL, Weight::Regular) * SLACK)
        .fold(0.0, f64::max)
        .ceil();
    let left = MARGIN + if row_caption > 0.0 { row_caption + GAP } else { 0.0 };
    let content = left + columns as f64 * (cell.width + GAP) - GAP + MARGIN;
    let width = content.max(NARROWEST);

    let mut scene = Scene::new(title);
    let mut y = heading(&mut scene, title, width).ceil() + 8.0;
    let column = |i: usize| left + i as f64 * (cell.width + GAP);
    if let Some(heads) = heads {
        let lines: Vec<_> = heads.iter().map(|head| caption_lines(head, cell.width)).collect();
        let most = lines.iter().map(Vec::len).max().unwrap_or(0);
        for (i, lines) in lines.iter().enumerate() {
            // Heads stand on the images, so a short one keeps to the last line.
            let top = y + (most - lines.len()) as f64 * LINE;
            set_lines(&mut scene, lines, column(i) + cell.width / 2.0, top, Anchor::Middle);
        }
        y += most as f64 * LINE + 4.0;
    }
    if columns == 0 {
        set_lines(&mut scene, &["no images".to_owned()], MARGIN, y, Anchor::Start);
        y += LINE + GAP;
    }
    for row in rows {
        let lines = caption_lines(&row.caption, CAPTION);
        let top = y + (cell.height - lines.len() as f64 * LINE) / 2.0;
        set_lines(&mut scene, &lines, left - GAP, top, Anchor::End);
        for (i, tile) in row.tiles.iter().enumerate() {
            place(&mut scene, &tile.image, column(i), y, &cell);
            if heads.is_none() {
                let lines = caption_lines(&tile.caption, cell.width);
                let below = y + cell.height + 6.0;
                set_lines(&mut scene, &lines, column(i) + cell.width / 2.0, below, Anchor::Middle);
            }
        }
        y += cell.height + GAP;
        if cell.lines > 0 {
            y += 6.0 + cell.lines as f64 * LINE;
        }
    }
    Figure::new(width, y - GAP + MARGIN, scene)
}

fn set_lines(scene: &mut Scene, lines: &[String], x: f64, top: f64, anchor: Anchor) {
    for (i, line) in lines.iter().enumerate() {
        let baseline = top + i as f64 * LINE + f64::midpoint(LINE, LABEL * CAP_HEIGHT);
        scene.text(label("caption", x, baseline, anchor, line.clone()));
    }
}

/// How large an image is on the page.
struct Shown {
    width: f64,
    height: f64,
    /// Whether each pixel of the PNG shows one pixel of the image, rather than a mean of several.
    exact: bool,
}

impl Shown {
    fn of(image: &ImageView<'_>) -> Self {
        let [_, h, w] = image.shape;
        let side = h.max(w);
        let (scale, exact) = match side {
            0 => return Self { width: SIDE as f64, height: SIDE as f64, exact: false },
            1..=SIDE => ((SIDE / side) as f64, true),
            _ if side <= LARGEST => (1.0, true),
            _ if side <= 2 * LARGEST => (0.5, true),
            _ => (LARGEST as f64 / side as f64, false),
        };
        Self { width: (w as f64 * scale).max(0.5), height: (h as f64 * scale).max(0.5), exact }
    }
}

/// Draws an image in the middle of its cell.
fn place(scene: &mut Scene, image: &ImageView<'_>, x: f64, y: f64, cell: &Cell) {
    let shown = Shown::of(image);
    // On whole pixels, or the image would be resampled.
    let x = x + ((cell.width - shown.width) / 2.0).floor();
    let y = y + ((cell.height - shown.height) / 2.0).floor();
    let (w, h) = (shown.width, shown.height);
    if let Some(png) = encode(image) {
        // As a style: `pixelated` is CSS, not one of the attribute's values in SVG 1.1.
        let rendering = if shown.exact { r#" style="image-rendering:pixelated""# } else { "" };
        scene.markup(format!(
            concat!(
                r#"<image class="tile" x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none"{} "#,
                r#"href="data:image/png;base64,{}"/>"#
            ),
            num(x),
            num(y),
            num(w),
            num(h),
            rendering,
            STANDARD.encode(png)
        ));
    } else {
        scene.line((x, y), (x + w, y + h), palette::GRID, "no-image");
        scene.line((x, y + h), (x + w, y), palette::GRID, "no-image");
    }
    // The frame lies around the pixels, not on them.
    scene.markup(format!(
        r#"<rect class="frame" x="{}" y="{}" width="{}" height="{}" fill="none" stroke="{}"/>"#,
        num(x - 0.5),
        num(y - 0.5),
        num(w + 1.0),
        num(h + 1.0),
        palette::GRID
    ));
}

/// The image as an 8-bit PNG; `None` if it is not an image.
fn encode(image: &ImageView<'_>) -> Option<Vec<u8>> {
    let [c, h, w] = image.shape;
    let area = h.checked_mul(w)?;
    if area == 0 || !matches!(c, 1 | 3) || area.checked_mul(c)? != image.pixels.len() {
        return None;
    }
    let colour = c == 3 || image.pixels.iter().any(|v| v.is_nan());
    let bytes: Vec<u8> = if colour {
        let pixel = |i: usize| {
            // A grey image lends its one plane to all three colours.
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

/// A picture made of small images, as one element.
pub(crate) struct Raster {
    width: usize,
    height: usize,
    /// Red, green, blue.
    bytes: Vec<u8>,
}

impl Raster {
    /// White.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, bytes: vec![255; width * height * 3] }
    }

    /// Draws an image into the middle of the square of side `cell` at `at`, enlarged as far as whole pixels fit, or with pixels left out
    /// where it is larger; with a border around it in a colour such as `#0072b2`. What is no image leaves the square white.
    pub(crate) fn draw(
        &mut self,
        image: &ImageView<'_>,
        at: (usize, usize),
        cell: usize,
        border: Option<&str>,
    ) {
        let [c, h, w] = image.shape;
        let area = h * w;
        if area == 0 || !matches!(c, 1 | 3) || c * area != image.pixels.len() {
            return;
        }
        // A pixel of border on each side.
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

    /// The picture at its place, a pixel to a pixel of the page.
    pub(crate) fn element(&self, (x, y): (f64, f64)) -> String {
        let (width, height) = (self.width, self.height);
        let png = png_of(png::ColorType::Rgb, width, height, &self.bytes).unwrap_or_default();
        format!(
            concat!(
                r#"<image class="raster" x="{}" y="{}" width="{}" height="{}" "#,
                r#"style="image-rendering:pixelated" href="data:image/png;base64,{}"/>"#
            ),
            num(x),
            num(y),
            width,
            height,
            STANDARD.encode(png)
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

#[cfg(test)]
mod tests;
