//! One axis: which ticks have a label in the available room, on how many lines, and how they are drawn. Positions of values are
//! in `scale.rs`; each figure arranges its axes.

use crate::font::{self, CAP_HEIGHT, SLACK, Weight};
use crate::palette;
use crate::scale::Scale;
use crate::scene::{Anchor, Scene, Text};

/// Font size of tick labels.
const NUMBER: f64 = 11.5;
/// Distance between the lines of a label.
const LINE: f64 = 13.5;
/// Labels of choices are cut off beyond this width, or this height if they are turned.
const WIDEST: f64 = 200.0;
const TALLEST: f64 = 96.0;

/// A tick and the lines of its label; a minor tick has none.
struct TickLabel {
    at: f64,
    lines: Vec<String>,
}

impl TickLabel {
    fn width(&self) -> f64 {
        self.lines.iter().map(|line| number_width(line)).fold(0.0, f64::max)
    }
}

fn number_width(text: &str) -> f64 {
    font::width(text, NUMBER, Weight::Regular)
}

fn number(x: f64, y: f64, anchor: Anchor, content: String) -> Text {
    Text {
        class: "tick",
        x,
        y,
        size: NUMBER,
        weight: Weight::Regular,
        anchor,
        fill: palette::MUTED,
        halo: false,
        turned: false,
        content,
    }
}

/// The ticks of an axis with the labels that fit, on lines of at most `limit`. An axis of choices only has labelled ticks.
fn lay_out(scale: &Scale, most: usize, limit: f64, lines: usize) -> Vec<TickLabel> {
    let ticks = scale.ticks(most).into_iter();
    let wrapped = |label: &str| font::wrap(label, NUMBER, Weight::Regular, limit, lines);
    let numbers = |label: String| if label.is_empty() { vec![] } else { vec![label] };
    ticks
        .map(|tick| {
            let lines = if scale.is_choices() { wrapped(&tick.label) } else { numbers(tick.label) };
            TickLabel { at: tick.at, lines }
        })
        .collect()
}

/// A vertical axis with labels on its left.
pub(crate) struct Vertical {
    ticks: Vec<TickLabel>,
    choices: bool,
}

impl Vertical {
    /// Labels are at most `limit` wide.
    pub(crate) fn new(scale: &Scale, height: f64, limit: f64) -> Self {
        let choices = scale.is_choices();
        let most = if choices { height / (LINE + 1.5) } else { (height / 53.0).max(5.0) };
        let most = (most as usize).max(1);
        // Labels may have two lines if the same labels fit into half the height.
        let lines = if scale.ticks(most / 2).len() == scale.ticks(most).len() { 2 } else { 1 };
        Self { ticks: lay_out(scale, most, limit.min(WIDEST), lines), choices }
    }

    /// Width of ticks and labels.
    pub(crate) fn width(&self) -> f64 {
        self.ticks.iter().map(TickLabel::width).fold(0.0, f64::max) * SLACK + 9.0
    }

    /// Positions of labelled ticks, from 0 at the bottom to 1 at the top; none for choices.
    pub(crate) fn grid(&self) -> impl Iterator<Item = f64> {
        let numbers = self.ticks.iter().filter(|l| !self.choices && !l.lines.is_empty());
        numbers.map(|l| l.at)
    }

    /// Draws the ticks of an axis at `x` from `bottom` to `top`, and their labels if `labelled`.
    pub(crate) fn draw(
        self,
        scene: &mut Scene,
        x: f64,
        (top, bottom): (f64, f64),
        (labelled, halo): (bool, bool),
    ) {
        for tick in self.ticks {
            let y = bottom - tick.at * (bottom - top);
            let length = if tick.lines.is_empty() { 2.5 } else { 4.0 };
            if !self.choices {
                scene.line((x - length, sharp(y)), (x, sharp(y)), palette::AXIS, "axis");
            }
            if !labelled {
                continue;
            }
            let first = y - (tick.lines.len().max(1) - 1) as f64 * LINE / 2.0;
            for (i, line) in tick.lines.into_iter().enumerate() {
                let baseline = first + i as f64 * LINE + NUMBER * CAP_HEIGHT / 2.0;
                scene.text(Text { halo, ..number(x - 8.0, baseline, Anchor::End, line) });
            }
        }
    }
}

/// A horizontal axis with labels below it.
pub(crate) struct Horizontal {
    ticks: Vec<TickLabel>,
    width: f64,
    /// Whether labels read upwards because they are too wide to stand side by side.
    turned: bool,
}

impl Horizontal {
    /// Labels extend beyond the ends of the axis by at most `overhang`.
    pub(crate) fn new(scale: &Scale, width: f64, overhang: f64) -> Self {
        let (ticks, turned) =
            if scale.is_choices() { choices(scale, width) } else { (numbers(scale, width), false) };
        let mut axis = Self { ticks, width, turned };
        for tick in axis.ticks.iter_mut().filter(|_| !turned) {
            let half = tick.width() * SLACK / 2.0;
            if tick.at * width - half < -overhang || (1.0 - tick.at) * width - half < -overhang {
                tick.lines.clear();
            }
        }
        axis
    }

    /// Height of ticks and labels.
    pub(crate) fn height(&self) -> f64 {
        if self.turned {
            return 9.0 + self.ticks.iter().map(TickLabel::width).fold(0.0, f64::max) * SLACK;
        }
        let lines = self.ticks.iter().map(|l| l.lines.len()).max().unwrap_or(1).max(1);
        9.0 + NUMBER + (lines - 1) as f64 * LINE
    }

    /// Positions of labelled ticks, from 0 at the left to 1 at the right.
    pub(crate) fn grid(&self) -> impl Iterator<Item = f64> {
        self.ticks.iter().filter(|l| !l.lines.is_empty()).map(|l| l.at)
    }

    /// Draws ticks and labels below the axis that starts at `(left, y)`.
    pub(crate) fn draw(self, scene: &mut Scene, (left, y): (f64, f64)) {
        for tick in self.ticks {
            let x = left + tick.at * self.width;
            let length = if tick.lines.is_empty() { 2.5 } else { 4.0 };
            scene.line((sharp(x), y), (sharp(x), y + length), palette::AXIS, "axis");
            for (i, line) in tick.lines.into_iter().enumerate() {
                let text = if self.turned {
                    let baseline = x + NUMBER * CAP_HEIGHT / 2.0;
                    Text { turned: true, ..number(baseline, y + 9.0, Anchor::End, line) }
                } else {
                    let baseline = y + 9.0 + NUMBER * CAP_HEIGHT + i as f64 * LINE;
                    number(x, baseline, Anchor::Middle, line)
                };
                scene.text(text);
            }
        }
    }
}

/// As many numbers as fit beside each other.
fn numbers(scale: &Scale, width: f64) -> Vec<TickLabel> {
    let mut ticks = Vec::new();
    for most in (1..=9).rev() {
        ticks = lay_out(scale, most, width, 1);
        let labelled: Vec<&TickLabel> = ticks.iter().filter(|l| !l.lines.is_empty()).collect();
        let widest = labelled.iter().map(|l| l.width()).fold(0.0, f64::max);
        if labelled.windows(2).all(|w| (w[1].at - w[0].at) * width >= widest * SLACK + 16.0) {
            break;
        }
    }
    ticks
}

/// Names side by side, on up to two lines each, and `false`; if they do not all fit, as many turned names as fit, and `true`.
fn choices(scale: &Scale, width: f64) -> (Vec<TickLabel>, bool) {
    let all = scale.ticks(usize::MAX);
    let slot = (width / all.len().max(1) as f64 - 8.0) / SLACK;
    let flat = lay_out(scale, usize::MAX, slot, 2);
    let whole = |tick: &TickLabel, label: &str| {
        font::widest_part(label, NUMBER, Weight::Regular) <= slot
            && !tick.lines.last().is_some_and(|line| line.ends_with('…') && !label.ends_with('…'))
    };
    if flat.iter().zip(&all).all(|(tick, choice)| whole(tick, &choice.label)) {
        return (flat, false);
    }
    let most = (width / LINE) as usize;
    (lay_out(scale, most, TALLEST, 1), true)
}

/// The half pixel nearest below `v`, on which a line one pixel wide is sharp.
pub(crate) fn sharp(v: f64) -> f64 {
    v.floor() + 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize, name: &str) -> Vec<String> {
        (0..count).map(|i| format!("{name}{i}")).collect()
    }

    #[test]
    fn names_stand_flat_on_two_lines_or_turned() {
        let flat = Horizontal::new(&Scale::choices(&names(4, "ab")), 200.0, 12.0);
        assert!(!flat.turned && flat.ticks.iter().all(|l| l.lines.len() == 1));
        let broken = Horizontal::new(&Scale::choices(&names(2, "layer_width")), 150.0, 12.0);
        assert!(!broken.turned);
        assert_eq!(broken.ticks[0].lines, ["layer_", "width0"]);
        let turned = Horizontal::new(&Scale::choices(&names(4, "rmsprop_")), 150.0, 12.0);
        assert!(turned.turned && turned.ticks.len() == 4);
        assert!(Horizontal::new(&Scale::choices(&names(4, "rmsprop")), 200.0, 12.0).turned);
        assert!(turned.height() > broken.height() && broken.height() > flat.height());
        // As many as lines of text fit.
        let many = Horizontal::new(&Scale::choices(&names(60, "rmsprop_")), 150.0, 12.0);
        assert_eq!(many.ticks.len(), 10);
    }

    #[test]
    fn labels_do_not_stick_out() {
        let scale = Scale::linear(0.0, 1e6, false);
        let first =
            |overhang| Horizontal::new(&scale, 300.0, overhang).ticks.pop().map(|l| l.lines);
        assert_eq!(first(30.0), Some(vec!["1.0×10⁶".to_owned()]));
        assert_eq!(first(10.0), Some(vec![]));
    }

    #[test]
    fn vertical_labels_have_the_lines_that_fit() {
        let long = names(5, "a rather long name of a choice ");
        let lines = |height| -> Vec<usize> {
            let axis = Vertical::new(&Scale::choices(&long), height, 100.0);
            axis.ticks.iter().map(|l| l.lines.len()).collect()
        };
        assert_eq!(lines(160.0), [2; 5]);
        assert_eq!(lines(100.0), [1; 5]);
        assert_eq!(lines(50.0), [1; 3], "every second one");
        let numbers = Vertical::new(&Scale::linear(0.0, 1.0, false), 180.0, f64::INFINITY);
        assert_eq!(numbers.grid().count(), 6);
        assert_eq!(Vertical::new(&Scale::choices(&long), 160.0, 100.0).grid().count(), 0);
    }
}
