//! Whether a classifier is right as often as it says: a reliability diagram (Guo et al., 2017).

use crate::figure::Figure;
use crate::frame::{Axes, Frame, LABEL, MARGIN, heading, label, room_beside};
use crate::palette;
use crate::scale::Scale;
use crate::scene::{Anchor, Scene, Text, num};

const SIDE: f64 = 320.0;
/// Height of the histogram of confidences below.
const LOW: f64 = 70.0;

/// The samples whose confidence lies in a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reliability {
    /// The range.
    pub range: (f64, f64),
    /// How many samples are in it; a range without any has no bar.
    pub count: u64,
    /// Their mean confidence, from 0 to 1.
    pub confidence: f64,
    /// The part of them that is right, from 0 to 1.
    pub accuracy: f64,
}

/// Draws accuracy against confidence, one bar for each range, with the gap to a perfect calibration in orange; below it, how the
/// samples are spread over the ranges. `note`, such as the expected calibration error, stands in the upper left corner.
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
        frame.say(&mut scene, "no data");
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

/// Left end and width of a range's bar.
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
