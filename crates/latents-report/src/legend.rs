//! Names of curves and marks: each beside the end of its curve if possible, else in a legend below the axes. Neither covers data.

use crate::font::{self, CAP_HEIGHT, SLACK, Weight};
use crate::frame::{Frame, LABEL, MARGIN, label};
use crate::marks::Mark;
use crate::palette;
use crate::scene::{Anchor, Scene};
use crate::svg::num;

/// The widest name that can stand beside its curve.
const WIDEST: f64 = 190.0;
/// Distance from one name to the next.
const LINE: f64 = 18.0;
/// Distance between the right end of the axes and the line samples.
const GUTTER: f64 = 16.0;
/// Width of a sample, and the space after it.
const SAMPLE: f64 = 22.0;
const GAP: f64 = 7.0;
/// Names beyond this number are counted instead of listed.
const MOST: usize = 60;

/// The sample beside a name.
#[derive(Debug, Clone)]
pub(crate) enum Sample {
    /// A line with these attributes.
    Line(String),
    Point(Mark),
}

/// The name and the look of a curve or mark.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) sample: Sample,
    /// The last point of the curve on the page.
    pub(crate) end: Option<(f64, f64)>,
}

impl Entry {
    fn width(&self) -> f64 {
        font::width(&self.name, LABEL, Weight::Regular)
    }
}

/// The SVG attributes of the stroke of a curve.
pub(crate) fn stroke(group: usize, dashed: bool) -> String {
    let dash = if dashed { r#" stroke-dasharray="5.5 3.5""# } else { r#" stroke-linecap="round""# };
    format!(
        r#"fill="none" stroke="{}" stroke-width="1.8" stroke-linejoin="round"{dash}"#,
        palette::of_group(group)
    )
}

/// Width of the names on the right of the axes, or `None` if they have to stand below.
pub(crate) fn room_beside(entries: &[Entry], height: f64) -> Option<f64> {
    let widest = entries.iter().map(Entry::width).fold(0.0, f64::max);
    let fits = widest <= WIDEST && entries.len() as f64 * LINE <= height;
    fits.then_some(GUTTER + SAMPLE + GAP + widest * SLACK)
}

/// Draws each name on the right of the axes, as near to the end of its curve as the other names permit.
pub(crate) fn beside(scene: &mut Scene, frame: &Frame, entries: &[Entry]) {
    // The name of a curve without points stands at the bottom.
    let wanted = |e: &Entry| e.end.map_or(frame.bottom, |(_, y)| y);
    let mut order: Vec<&Entry> = entries.iter().collect();
    order.sort_by(|a, b| wanted(a).total_cmp(&wanted(b)));
    let wishes: Vec<f64> = order.iter().map(|e| wanted(e)).collect();
    let half = LINE / 2.0;
    let places = dodge(&wishes, LINE, frame.top + half, frame.bottom - half);
    let x = frame.right + GUTTER;
    for (entry, y) in order.into_iter().zip(places) {
        // Only a curve that reaches the right end gets a leader line; other lines could cross data.
        if let Some((end_x, end_y)) = entry.end
            && end_x > frame.right - 16.0
            && (end_y - y).abs() > 3.0
        {
            scene.line((end_x + 4.0, end_y), (x - 3.0, y), palette::AXIS, "leader");
        }
        draw(scene, entry, x, y);
    }
}

/// Draws the names in rows below the axes. Returns the y below them.
pub(crate) fn below(scene: &mut Scene, top: f64, width: f64, entries: &[Entry]) -> f64 {
    let limit = width - 2.0 * MARGIN;
    let most = (limit - SAMPLE - GAP) / SLACK;
    let mut fitted = entries[..entries.len().min(MOST)].to_vec();
    for entry in &mut fitted {
        entry.name = font::fit(&entry.name, LABEL, Weight::Regular, most);
    }
    let mut steps: Vec<f64> =
        fitted.iter().map(|e| SAMPLE + GAP + e.width() * SLACK + 18.0).collect();
    let mut columns = fitted.len().max(1);
    if steps.iter().sum::<f64>() > limit + 18.0 {
        // They do not fit into one row, so they stand in columns of equal width.
        let widest = steps.iter().copied().fold(0.0, f64::max);
        columns = ((limit + 18.0) / widest).floor().max(1.0) as usize;
        steps.fill(widest);
    }
    let mut x = MARGIN;
    for (i, (entry, step)) in fitted.iter().zip(steps).enumerate() {
        let (row, column) = (i / columns, i % columns);
        x = if column == 0 { MARGIN } else { x };
        draw(scene, entry, x, top + LINE * (1 + row) as f64);
        x += step;
    }
    let mut y = top + LINE * fitted.len().div_ceil(columns) as f64;
    if entries.len() > MOST {
        y += LINE;
        let text = format!("and {} more", entries.len() - MOST);
        scene.text(label("key", MARGIN, y + LABEL * CAP_HEIGHT / 2.0, Anchor::Start, text));
    }
    y + LINE / 2.0
}

/// Writes a note below a figure. Returns the y below it.
pub(crate) fn note(scene: &mut Scene, top: f64, text: &str) -> f64 {
    if text.is_empty() {
        return top;
    }
    scene.text(label(
        "label",
        MARGIN,
        top + LINE / 2.0 + LABEL * CAP_HEIGHT / 2.0,
        Anchor::Start,
        text.into(),
    ));
    top + LINE
}

/// Fills a rectangle with colours along its longer side. `share` maps a position from 0 to 1 to a colour from light (0) to dark
/// (1). The size may be negative.
pub(crate) fn ramp(
    scene: &mut Scene,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    share: impl Fn(f64) -> f64,
) {
    const STEPS: usize = 48;
    let upright = height.abs() > width.abs();
    // On whole pixels, to avoid seams.
    let edge = |from: f64, length: f64, i: usize| (from + length * i as f64 / STEPS as f64).round();
    scene.markup(r#"<g class="ramp">"#.into());
    for i in 0..STEPS {
        let (x, width, y, height) = if upright {
            let (a, b) = (edge(y, height, i), edge(y, height, i + 1));
            (x.round(), width, a.min(b), (b - a).abs())
        } else {
            let (a, b) = (edge(x, width, i), edge(x, width, i + 1));
            (a.min(b), (b - a).abs(), y.round(), height)
        };
        let colour = palette::sequential(share((i as f64 + 0.5) / STEPS as f64));
        if width > 0.0 && height > 0.0 {
            scene.markup(format!(
                r#"<rect x="{}" y="{}" width="{}" height="{}" fill="{colour}"/>"#,
                num(x),
                num(y),
                num(width),
                num(height)
            ));
        }
    }
    scene.markup("</g>".into());
}

fn draw(scene: &mut Scene, entry: &Entry, x: f64, y: f64) {
    match &entry.sample {
        Sample::Line(stroke) => scene.markup(format!(
            r#"<path class="sample" d="M{} {}h{}" {stroke}/>"#,
            num(x),
            num(y),
            num(SAMPLE)
        )),
        Sample::Point(mark) => mark.draw(scene, "sample", [(x + SAMPLE / 2.0, y)]),
    }
    let baseline = y + LABEL * CAP_HEIGHT / 2.0;
    scene.text(label("key", x + SAMPLE + GAP, baseline, Anchor::Start, entry.name.clone()));
}

/// Moves positions apart until they are at least `gap` from each other and within `lo` and `hi`. `wishes` are the wanted positions
/// in ascending order; neighbours that would overlap are centred on their mean.
fn dodge(wishes: &[f64], gap: f64, lo: f64, hi: f64) -> Vec<f64> {
    // Blocks of touching neighbours: the position of the first one (as a sum over the members) and their number.
    let mut blocks: Vec<(f64, f64)> = Vec::new();
    for &wish in wishes {
        let mut block = (wish, 1.0);
        while let Some(&(sum, n)) = blocks.last() {
            if sum / n + n * gap <= block.0 / block.1 {
                break;
            }
            // The members of the later block are n gaps further down.
            block = (sum + block.0 - block.1 * n * gap, n + block.1);
            blocks.pop();
        }
        blocks.push(block);
    }
    let mut places: Vec<f64> = blocks
        .iter()
        .flat_map(|&(sum, n)| (0..n as usize).map(move |i| sum / n + i as f64 * gap))
        .collect();
    let mut least = lo;
    for place in &mut places {
        *place = place.max(least);
        least = *place + gap;
    }
    let mut most = hi;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - gap;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Letters;

    #[test]
    fn names_stay_where_they_belong_or_move_apart() {
        assert_eq!(dodge(&[10.0, 50.0], 18.0, 0.0, 100.0), [10.0, 50.0]);
        assert_eq!(dodge(&[50.0, 50.0], 18.0, 0.0, 100.0), [41.0, 59.0]);
        assert_eq!(dodge(&[20.0, 49.0, 51.0, 90.0], 18.0, 0.0, 100.0), [20.0, 41.0, 59.0, 90.0]);
        // Two merged pairs overlap, so all four are centred on one mean.
        assert_eq!(dodge(&[40.0, 41.0, 59.0, 60.0], 18.0, 0.0, 100.0), [23.0, 41.0, 59.0, 77.0]);
        assert_eq!(dodge(&[0.0, 0.0, 0.0], 18.0, 5.0, 100.0), [5.0, 23.0, 41.0]);
        assert_eq!(dodge(&[99.0, 99.0], 18.0, 5.0, 100.0), [82.0, 100.0]);
        assert_eq!(dodge(&[], 18.0, 5.0, 100.0), [0.0; 0]);
    }

    #[test]
    fn names_below_stand_in_one_row_or_in_columns() {
        let starts = |count: usize| -> Vec<(String, f64)> {
            let entry = |i: usize| Entry {
                name: "name".repeat(1 + i % 3),
                sample: Sample::Line(stroke(0, false)),
                end: None,
            };
            let entries: Vec<Entry> = (0..count).map(entry).collect();
            let mut scene = Scene::new("");
            below(&mut scene, 0.0, 720.0, &entries);
            let labels = crate::testing::labels(&scene.svg(720.0, 300.0, Letters::Text));
            labels.into_iter().map(|l| (l.text, l.x[0])).collect()
        };
        let row = starts(3);
        let step = font::width("namename", LABEL, Weight::Regular) * SLACK + SAMPLE + GAP + 18.0;
        assert!((row[2].1 - row[1].1 - step).abs() < 0.02, "as close as their widths permit");
        let columns = starts(9);
        let widest = font::width("namenamename", LABEL, Weight::Regular) * SLACK;
        let step = widest + SAMPLE + GAP + 18.0;
        for (i, (_, x)) in columns.iter().enumerate() {
            let wanted = MARGIN + SAMPLE + GAP + (i % 4) as f64 * step;
            assert!((x - wanted).abs() < 0.02, "{i}: {columns:?}");
        }
    }
}
