//! Images side by side with captions: one image through the epochs, rows of originals and reconstructions, or many images. Each
//! pixel of a small image becomes a whole number of pixels on the page, so nothing is blurred or lost.

use crate::figure::Figure;
use crate::font::{self, CAP_HEIGHT, SLACK, Weight};
use crate::frame::{LABEL, MARGIN, heading, label};
use crate::palette;
use crate::raster::{ImageView, data_url, encode};
use crate::scene::{Anchor, Scene};
use crate::svg::num;

/// Small images are enlarged to at most this side.
const SIDE: usize = 96;
/// Larger images are shown up to this side.
const LARGEST: usize = 160;
/// A strip continues in a new row beyond this width.
const PAGE: f64 = 720.0;
/// Least width of a figure, which leaves room for the title.
const NARROWEST: f64 = 320.0;
const GAP: f64 = 14.0;
/// Rows and columns of a gallery.
const GALLERY: [usize; 2] = [8, 10];
/// Captions wider than this are broken into two lines.
const CAPTION: f64 = 120.0;
const LINE: f64 = 15.0;

/// An image with its caption. An image whose shape does not fit its pixels, or whose number of channels is neither one nor three, is
/// shown as a crossed-out box.
///
/// ```
/// use latents_report::{ImageView, Tile, strip};
///
/// let pixels = [0.0, 0.5, 0.5, 1.0];
/// let tile = Tile { caption: "original".into(), image: ImageView { shape: [1, 2, 2], pixels: &pixels } };
/// assert!(strip("One image", &[tile]).svg().contains("original"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Tile<'a> {
    /// The text below the image; any text.
    pub caption: String,
    /// The image.
    pub image: ImageView<'a>,
}

/// Draws one image through the epochs: `tiles` in reading order, usually the original and then its reconstructions after selected
/// epochs. A strip that is too wide continues in a new row.
#[must_use]
pub fn strip(title: &str, tiles: &[Tile<'_>]) -> Figure {
    let cell = Cell::around(tiles.iter(), true);
    let fit = ((PAGE - 2.0 * MARGIN + GAP) / (cell.width + GAP)).floor().max(1.0) as usize;
    // Rows of equal length look better than a short last row.
    let columns = tiles.len().div_ceil(tiles.len().div_ceil(fit).max(1)).max(1);
    let rows: Vec<Row<'_>> =
        tiles.chunks(columns).map(|tiles| Row { caption: String::new(), tiles }).collect();
    sheet(title, &rows, None)
}

/// Draws rows of images, such as pairs of original and reconstruction. `row_captions` stand on the left of their rows; a row beyond
/// them has no caption. If all rows have the same tile captions, these appear once, as heads of the columns.
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

/// Splits `images`, `[n, c, h, w]` with values from 0 to 1, into tiles. `shape` is `[c, h, w]`; `caption` gives the caption of each
/// index. Trailing values that do not fill an image are ignored.
///
/// ```
/// use latents_report::{grid, tiles};
///
/// let images = [0.0_f32; 6 * 3 * 4 * 4];
/// let tiles = tiles(&images, [3, 4, 4], |i| format!("image {i}"));
/// let rows: Vec<_> = tiles.chunks(3).map(|row| row.to_vec()).collect();
/// assert!(grid("Images", &rows, &[]).svg().contains("image 5"));
/// ```
#[must_use]
pub fn tiles(
    images: &[f32],
    shape: [usize; 3],
    caption: impl Fn(usize) -> String,
) -> Vec<Tile<'_>> {
    let size = shape.iter().try_fold(1_usize, |size, &n| size.checked_mul(n)).unwrap_or(0);
    if size == 0 {
        return vec![];
    }
    let each = images.chunks_exact(size).enumerate();
    each.map(|(i, pixels)| Tile { caption: caption(i), image: ImageView { shape, pixels } })
        .collect()
}

/// Draws the first 80 of `images`, `[n, c, h, w]` with values from 0 to 1, in rows of 10 without captions. `shape` is `[c, h, w]`.
#[must_use]
pub fn gallery(title: &str, images: &[f32], shape: [usize; 3]) -> Figure {
    let [rows, columns] = GALLERY;
    let tiles = tiles(images, shape, |_| String::new());
    let rows: Vec<Vec<Tile<'_>>> =
        tiles.chunks(columns).take(rows).map(<[Tile<'_>]>::to_vec).collect();
    grid(title, &rows, &[])
}

struct Row<'a> {
    caption: String,
    tiles: &'a [Tile<'a>],
}

/// The size of every tile of a figure: that of the largest image and the longest caption.
struct Cell {
    width: f64,
    height: f64,
    /// Lines of caption below the image.
    lines: usize,
}

impl Cell {
    fn around<'a>(tiles: impl Iterator<Item = &'a Tile<'a>> + Clone, captions_below: bool) -> Self {
        let size = |tile: &Tile<'_>| Size::of(&tile.image);
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
    // The actual width of the lines, not the greatest allowed one.
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
            // Heads are aligned at the bottom, directly above the images.
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

/// The size of an image on the page.
struct Size {
    width: f64,
    height: f64,
    /// Whether each pixel of the PNG shows one pixel of the image rather than a mean of several.
    exact: bool,
}

impl Size {
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

/// Draws an image in the centre of its cell.
fn place(scene: &mut Scene, image: &ImageView<'_>, x: f64, y: f64, cell: &Cell) {
    let shown = Size::of(image);
    // On whole pixels, so that the image is not resampled.
    let x = x + ((cell.width - shown.width) / 2.0).floor();
    let y = y + ((cell.height - shown.height) / 2.0).floor();
    let (w, h) = (shown.width, shown.height);
    if let Some(png) = encode(image) {
        // A style, because `pixelated` is CSS and not a value of the attribute in SVG 1.1.
        let rendering = if shown.exact { r#" style="image-rendering:pixelated""# } else { "" };
        scene.markup(format!(
            concat!(
                r#"<image class="tile" x="{}" y="{}" width="{}" height="{}" preserveAspectRatio="none"{} "#,
                r#"href="{}"/>"#
            ),
            num(x),
            num(y),
            num(w),
            num(h),
            rendering,
            data_url(&png)
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

#[cfg(test)]
mod tests;
