//! Reliability diagrams, which show how well the confidences of a classifier are calibrated (Guo et al., 2017).

use crate::figure::Figure;
use crate::frame::{Axes, Frame, LABEL, MARGIN, heading, label, room_beside};
use crate::palette;
use crate::scale::Scale;
use crate::scene::{Anchor, Scene, Text};
use crate::svg::num;

const SIDE: f64 = 320.0;
/// Height of the histogram of confidences.
const LOW: f64 = 70.0;

/// One bin of a reliability diagram: the samples whose confidence lies in a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reliability {
    /// The range of confidences, within 0 to 1.
    pub range: (f64, f64),
    /// Number of samples. A bin without samples has no bar.
    pub count: u64,
    /// Their mean confidence, from 0 to 1.
    pub confidence: f64,
    /// The fraction of them whose prediction is right, from 0 to 1.
    pub accuracy: f64,
}

/// Draws a reliability diagram: the accuracy of each bin as a bar, with its gap to the mean confidence in orange, and below it the share
/// of the samples in each bin. `note`, such as the expected calibration error, stands in the upper left corner.
///
/// ```
/// use latents_report::{Reliability, reliability};
///
/// let low = Reliability { range: (0.0, 0.5), count: 10, confidence: 0.4, accuracy: 0.3 };
/// let high = Reliability { range: (0.5, 1.0), count: 90, confidence: 0.9, accuracy: 0.85 };
/// let figure = reliability("Test images", "ECE 0.055", &[low, high]);
/// assert!(figure.svg().contains("ECE 0.055"));
/// ```
#[must_use]
pub fn reliability(title: &str, note: &str, bins: &[Reliability]) -> Figure {
    let unit = || Scale::linear(0.0, 1.0, false);
    let left = room_beside(&unit(), SIDE);
    let width = 2.0 * MARGIN + left + SIDE + 20.0;
    let mut scene = Scene::new(title);
    let top = heading(&mut scene, title, width);
    let axes = |y: Scale, labels, height| Axes {
        left: MARGIN + left,
        ..Axes::alone((unit(), y), labels, (MARGIN + left + SIDE, height))
    };
    let frame = Frame::draw(&mut scene, axes(unit(), ("", "accuracy"), SIDE), top);
    let full: Vec<&Reliability> = bins.iter().filter(|b| b.count > 0).collect();
    for bin in &full {
        let (x, width) = columns(&frame, bin);
        let (_, zero) = frame.at((0.0, 0.0));
        let (_, reached) = frame.at((0.0, bin.accuracy));
        let (_, said) = frame.at((0.0, bin.confidence));
        scene.markup(bar("bar", (x, reached), (width, zero - reached), palette::of_group(0), 1.0));
        let (upper, lower) = (reached.min(said), reached.max(said));
        scene.markup(bar("gap", (x, upper), (width, lower - upper), palette::of_group(1), 0.45));
    }
    scene.markup(format!(
        r#"<path class="diagonal" d="M{} {}L{} {}" stroke="{}" stroke-width="1.4" stroke-dasharray="5 4"/>"#,
        num(frame.left),
        num(frame.bottom),
        num(frame.right),
        num(frame.top),
        palette::MUTED
    ));
    if full.is_empty() {
        frame.message(&mut scene, "no data");
    }
    let corner = label(
        "note",
        frame.left + 10.0,
        frame.top + 10.0 + LABEL,
        Anchor::Start,
        crate::font::clean(note),
    );
    scene.text(Text { halo: true, ..corner });

    let all = bins.iter().map(|b| b.count).sum::<u64>().max(1) as f64;
    let low = axes(unit(), ("confidence", "share of images"), LOW);
    let frame = Frame::draw(&mut scene, low, frame.below + 4.0);
    for bin in &full {
        let (x, width) = columns(&frame, bin);
        let ((_, zero), (_, reached)) =
            (frame.at((0.0, 0.0)), frame.at((0.0, bin.count as f64 / all)));
        scene.markup(bar("share", (x, reached), (width, zero - reached), palette::AXIS, 1.0));
    }
    Figure::new(width, frame.below + MARGIN, scene)
}

/// Left end and width of the bar of a bin.
fn columns(frame: &Frame, bin: &Reliability) -> (f64, f64) {
    let (from, to) = (frame.across(bin.range.0), frame.across(bin.range.1));
    (from + 1.0, (to - from - 2.0).max(1.0))
}

fn bar(
    class: &str,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    fill: &str,
    opacity: f64,
) -> String {
    let opacity =
        if opacity < 1.0 { format!(r#" opacity="{}""#, num(opacity)) } else { String::new() };
    format!(
        r#"<rect class="{class}" x="{}" y="{}" width="{}" height="{}" fill="{fill}"{opacity}/>"#,
        num(x),
        num(y),
        num(width),
        num(height)
    )
}

#[cfg(test)]
mod tests;
