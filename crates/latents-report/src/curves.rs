//! Curves such as losses by epoch, of one or more runs in one pair of axes.

use std::fmt::Write as _;

use crate::figure::Figure;
use crate::font;
use crate::frame::{Axes, Frame, MARGIN, heading};
use crate::legend::{self, Entry, Sample};
use crate::palette;
use crate::scale::{Scale, drawable, extent};
use crate::scene::Scene;
use crate::svg::num;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
/// A segment with more points than this is downsampled.
const MOST_POINTS: usize = 2_000;

/// One line of [`curves`].
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Name in the legend; any text.
    pub name: String,
    /// Pairs such as (epoch, loss), in drawing order. A pair with a value that is not finite, or beyond 1e300, leaves a gap.
    pub points: Vec<(f64, f64)>,
    /// Whether the curve is dashed, as for a validation loss, or solid, as for a training loss.
    pub dashed: bool,
    /// Curves of one group, such as the losses of one run, share a colour: `CATEGORICAL[group % 7]`, see
    /// [`CATEGORICAL`](crate::CATEGORICAL).
    pub group: usize,
}

/// Draws curves such as loss by epoch.
///
/// The y axis is logarithmic if all values are positive and the largest is more than eight times the smallest. The name of each
/// curve stands beside its right end, or in a legend below if the names are too long or too many. A point without neighbours is
/// drawn as a dot. Without any point the axes are empty and say "no data".
///
/// ```
/// use latents_report::{Curve, curves};
///
/// let curve = |name: &str, dashed, points: &[(f64, f64)]| {
///     Curve { name: name.into(), points: points.to_vec(), dashed, group: 0 }
/// };
/// let train = curve("train", false, &[(1.0, 0.056), (2.0, 0.034), (3.0, 0.029)]);
/// let validation = curve("validation", true, &[(1.0, 0.049), (2.0, 0.035), (3.0, 0.031)]);
/// let figure = curves("Loss", "epoch", "mean squared error", &[train, validation]);
/// assert_eq!(figure.svg().matches("class=\"curve\"").count(), 2);
/// ```
#[must_use]
pub fn curves(title: &str, x_label: &str, y_label: &str, curves: &[Curve]) -> Figure {
    drawn(title, [x_label, y_label], curves, drawable, x_scale)
}

/// Like [`curves`], but with a logarithmic x axis, for values that grow by factors, such as a number of labels. A point whose x is
/// not positive leaves a gap.
#[must_use]
pub fn log_curves(title: &str, x_label: &str, y_label: &str, curves: &[Curve]) -> Figure {
    drawn(title, [x_label, y_label], curves, Scale::takes_log, |(lo, hi), _| Scale::log(lo, hi))
}

/// `takes`: whether the x axis can show a value. `scale`: the x axis for a range of values, given whether all are whole.
fn drawn(
    title: &str,
    [x_label, y_label]: [&str; 2],
    curves: &[Curve],
    takes: fn(f64) -> bool,
    scale: fn((f64, f64), bool) -> Scale,
) -> Figure {
    let segments: Vec<Vec<Vec<(f64, f64)>>> =
        curves.iter().map(|c| segments(&c.points, takes)).collect();
    let all = || segments.iter().flatten().flatten();
    let xs = extent(all().map(|p| p.0));
    let ys = extent(all().map(|p| p.1));
    let whole = all().all(|p| p.0.fract() == 0.0);
    let (x, y) = match (xs, ys) {
        (Some(xs), Some(ys)) => (scale(xs, whole), Scale::for_values(ys.0, ys.1)),
        _ => (Scale::linear(0.0, 1.0, true), Scale::linear(0.0, 1.0, false)),
    };

    let mut entries: Vec<Entry> = curves
        .iter()
        .zip(&segments)
        .map(|(c, segments)| {
            let name = font::clean(&c.name);
            let name = if segments.is_empty() { format!("{name} (no data)") } else { name };
            Entry { name, sample: Sample::Line(legend::stroke(c.group, c.dashed)), end: None }
        })
        .collect();
    let beside = legend::room_beside(&entries, HEIGHT);

    let mut scene = Scene::new(title);
    let top = heading(&mut scene, title, WIDTH);
    let right = WIDTH - MARGIN - beside.filter(|_| !entries.is_empty()).unwrap_or(0.0);
    let axes = Axes::alone((x, y), (x_label, y_label), (right, HEIGHT));
    let frame = Frame::draw(&mut scene, axes, top);

    for ((curve, segments), entry) in curves.iter().zip(&segments).zip(&mut entries) {
        entry.end = draw(&mut scene, &frame, curve, segments);
    }
    if xs.is_none() {
        frame.message(&mut scene, "no data");
    }
    let bottom = if beside.is_some() {
        legend::beside(&mut scene, &frame, &entries);
        frame.below
    } else {
        legend::below(&mut scene, frame.below, WIDTH, &entries)
    };
    Figure::new(WIDTH, bottom + MARGIN, scene)
}

/// Splits the points at those that cannot be drawn.
fn segments(points: &[(f64, f64)], takes: fn(f64) -> bool) -> Vec<Vec<(f64, f64)>> {
    points
        .split(|&(x, y)| !takes(x) || !drawable(y))
        .filter(|segment| !segment.is_empty())
        .map(<[_]>::to_vec)
        .collect()
}

/// The axis of whole numbers such as epochs starts at 0 if zero is near; other ranges get a margin at both ends.
fn x_scale((lo, hi): (f64, f64), whole: bool) -> Scale {
    if whole && lo >= 0.0 && lo <= 0.05 * hi {
        return Scale::linear(0.0, hi, true);
    }
    let room = (hi - lo) * 0.02;
    Scale::linear(lo - room, hi + room, whole)
}

/// Draws one curve. Returns its last point on the page.
fn draw(
    scene: &mut Scene,
    frame: &Frame,
    curve: &Curve,
    segments: &[Vec<(f64, f64)>],
) -> Option<(f64, f64)> {
    let mut data = String::new();
    let mut end = None;
    for segment in segments {
        let placed: Vec<_> = segment.iter().map(|&p| frame.at(p)).collect();
        end = placed.last().copied();
        if let [(x, y)] = placed[..] {
            scene.markup(format!(
                r#"<circle class="dot" cx="{}" cy="{}" r="2.6" fill="{}"/>"#,
                num(x),
                num(y),
                palette::of_group(curve.group)
            ));
            continue;
        }
        for (i, (x, y)) in downsample(placed).into_iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(data, "{}{} {}", if i == 0 { 'M' } else { 'L' }, num(x), num(y));
        }
    }
    if !data.is_empty() {
        let stroke = legend::stroke(curve.group, curve.dashed);
        scene.markup(format!(r#"<path class="curve" d="{data}" {stroke}/>"#));
    }
    end
}

/// Keeps the first, lowest, highest and last point of each column half a pixel wide, which draws the same line: Jugel et al., "M4:
/// A Visualization-Oriented Time Series Data Aggregation", 2014. A line that goes back in x is kept whole.
fn downsample(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS || points.windows(2).any(|w| w[1].0 < w[0].0) {
        return points;
    }
    let column = |p: &(f64, f64)| (p.0 * 2.0) as i64;
    let mut out = Vec::new();
    for bin in points.chunk_by(|a, b| column(a) == column(b)) {
        let by_y = |&a: &usize, &b: &usize| bin[a].1.total_cmp(&bin[b].1);
        let low = (0..bin.len()).min_by(by_y).unwrap_or(0);
        let high = (0..bin.len()).max_by(by_y).unwrap_or(0);
        let mut kept = [0, low, high, bin.len() - 1];
        kept.sort_unstable();
        out.extend(
            kept.iter()
                .enumerate()
                .filter(|&(i, k)| i == 0 || kept[i - 1] != *k)
                .map(|(_, &k)| bin[k]),
        );
    }
    out
}

#[cfg(test)]
mod tests;
