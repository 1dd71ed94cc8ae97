//! One axis: which of its ticks are labelled in the room there is, on how many lines, and how they are drawn. Where
//! values lie is in `scale.rs`; how axes stand together is up to each figure.

use crate::font::{self, CAP_HEIGHT, Weight};
use crate::frame::SLACK;
use crate::palette;
use crate::scale::Scale;
use crate::scene::{Anchor, Scene, Text};

/// Font size of numbers along the axes.
const NUMBER: f64 = 11.5;
/// From one line of a label to the next.
const LINE: f64 = 13.5;
/// Labels of choices are cut off beyond this width, or this height where they are turned.
const WIDEST: f64 = 200.0;
const TALLEST: f64 = 96.0;

/// A tick and its label; no lines for a minor tick.
struct Laid {
    at: f64,
    lines: Vec<String>,
}

impl Laid {
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

/// Ticks of an axis with those labels that have room, on lines of at most `limit`; of choices only what is labelled.
fn laid(scale: &Scale, most: usize, limit: f64, lines: usize) -> Vec<Laid> {
    let ticks = scale.ticks(most).into_iter();
    let wrapped = |label: &str| font::wrap(label, NUMBER, Weight::Regular, limit, lines);
    let numbers = |label: String| if label.is_empty() { vec![] } else { vec![label] };
    ticks
        .map(|tick| {
            let lines = if scale.is_choices() { wrapped(&tick.label) } else { numbers(tick.label) };
            Laid { at: tick.at, lines }
        })
        .collect()
}

/// A vertical axis of some height, labelled to the left.
pub(crate) struct Vertical {
    laid: Vec<Laid>,
    choices: bool,
}

impl Vertical {
    /// With labels that are at most `limit` wide.
    pub(crate) fn new(scale: &Scale, height: f64, limit: f64) -> Self {
        let choices = scale.is_choices();
        let most = if choices { height / (LINE + 1.5) } else { (height / 53.0).max(5.0) };
        let most = (most as usize).max(1);
        // Neighbours with two lines each need the room of two.
        let lines = if scale.ticks(most / 2).len() == scale.ticks(most).len() { 2 } else { 1 };
        Self { laid: laid(scale, most, limit.min(WIDEST), lines), choices }
    }

    /// The room that ticks and labels need.
    pub(crate) fn width(&self) -> f64 {
        self.laid.iter().map(Laid::width).fold(0.0, f64::max) * SLACK + 9.0
    }

    /// Where there are labelled ticks of numbers, from 0 at the bottom to 1.
    pub(crate) fn grid(&self) -> impl Iterator<Item = f64> {
        let numbers = self.laid.iter().filter(|l| !self.choices && !l.lines.is_empty());
        numbers.map(|l| l.at)
    }

    /// Draws ticks, and labels where `labelled`, at the axis that stands at `x` from `bottom` up to `top`.
    pub(crate) fn draw(
        self,
        scene: &mut Scene,
        x: f64,
        (top, bottom): (f64, f64),
        (labelled, halo): (bool, bool),
    ) {
        for tick in self.laid {
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

/// A horizontal axis of some width, labelled below.
pub(crate) struct Horizontal {
    laid: Vec<Laid>,
    width: f64,
    /// Labels are read upwards, for they are too wide to stand side by side.
    turned: bool,
}

impl Horizontal {
    /// Labels stick out of the axis by at most `overhang` at either end.
    pub(crate) fn new(scale: &Scale, width: f64, overhang: f64) -> Self {
        let (laid, turned) =
            if scale.is_choices() { choices(scale, width) } else { (numbers(scale, width), false) };
        let mut axis = Self { laid, width, turned };
        for tick in axis.laid.iter_mut().filter(|_| !turned) {
            let half = tick.width() * SLACK / 2.0;
            if tick.at * width - half < -overhang || (1.0 - tick.at) * width - half < -overhang {
                tick.lines.clear();
            }
        }
        axis
    }

    /// The room that ticks and labels need.
    pub(crate) fn height(&self) -> f64 {
        if self.turned {
            return 9.0 + self.laid.iter().map(Laid::width).fold(0.0, f64::max) * SLACK;
        }
        let lines = self.laid.iter().map(|l| l.lines.len()).max().unwrap_or(1).max(1);
        9.0 + NUMBER + (lines - 1) as f64 * LINE
    }

    /// Where there are labelled ticks, from 0 at the left to 1.
    pub(crate) fn grid(&self) -> impl Iterator<Item = f64> {
        self.laid.iter().filter(|l| !l.lines.is_empty()).map(|l| l.at)
    }

    /// Draws ticks and labels below the axis that runs from `(left, y)` to the right.
    pub(crate) fn draw(self, scene: &mut Scene, (left, y): (f64, f64)) {
        for tick in self.laid {
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

/// As many numbers as there is room for beside each other.
fn numbers(scale: &Scale, width: f64) -> Vec<Laid> {
    let mut ticks = Vec::new();
    for most in (1..=9).rev() {
        ticks = laid(scale, most, width, 1);
        let labelled: Vec<&Laid> = ticks.iter().filter(|l| !l.lines.is_empty()).collect();
        let widest = labelled.iter().map(|l| l.width()).fold(0.0, f64::max);
        if labelled.windows(2).all(|w| (w[1].at - w[0].at) * width >= widest * SLACK + 16.0) {
            break;
        }
    }
    ticks
}

/// Names side by side, on two lines each if their parts allow that; else turned, and as many as there is room for.
fn choices(scale: &Scale, width: f64) -> (Vec<Laid>, bool) {
    let all = scale.ticks(usize::MAX);
    let slot = (width / all.len().max(1) as f64 - 8.0) / SLACK;
    let flat = laid(scale, usize::MAX, slot, 2);
    let whole = |tick: &Laid, label: &str| {
        font::widest_part(label, NUMBER, Weight::Regular) <= slot
            && !tick.lines.last().is_some_and(|line| line.ends_with('…') && !label.ends_with('…'))
    };
    if flat.iter().zip(&all).all(|(tick, choice)| whole(tick, &choice.label)) {
        return (flat, false);
    }
    let most = (width / LINE) as usize;
    (laid(scale, most, TALLEST, 1), true)
}

/// Lines one pixel wide are sharp on half pixels.
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
        assert!(!flat.turned && flat.laid.iter().all(|l| l.lines.len() == 1));
        let broken = Horizontal::new(&Scale::choices(&names(2, "layer_width")), 150.0, 12.0);
        assert!(!broken.turned);
        assert_eq!(broken.laid[0].lines, ["layer_", "width0"]);
        let turned = Horizontal::new(&Scale::choices(&names(4, "rmsprop_")), 150.0, 12.0);
        assert!(turned.turned && turned.laid.len() == 4);
        assert!(Horizontal::new(&Scale::choices(&names(4, "rmsprop")), 200.0, 12.0).turned);
        assert!(turned.height() > broken.height() && broken.height() > flat.height());
        // One for each line of text that there is room for.
        let many = Horizontal::new(&Scale::choices(&names(60, "rmsprop_")), 150.0, 12.0);
        assert_eq!(many.laid.len(), 10);
    }

    #[test]
    fn labels_do_not_stick_out() {
        let scale = Scale::linear(0.0, 1e6, false);
        let first = |overhang| Horizontal::new(&scale, 300.0, overhang).laid.pop().map(|l| l.lines);
        assert_eq!(first(30.0), Some(vec!["1.0×10⁶".to_owned()]));
        assert_eq!(first(10.0), Some(vec![]));
    }

    #[test]
    fn vertical_labels_have_the_lines_that_fit() {
        let long = names(5, "a rather long name of a choice ");
        let lines = |height| -> Vec<usize> {
            let axis = Vertical::new(&Scale::choices(&long), height, 100.0);
            axis.laid.iter().map(|l| l.lines.len()).collect()
        };
        assert_eq!(lines(160.0), [2; 5]);
        assert_eq!(lines(100.0), [1; 5]);
        assert_eq!(lines(50.0), [1; 3], "every second");
        let numbers = Vertical::new(&Scale::linear(0.0, 1.0, false), 180.0, f64::INFINITY);
        assert_eq!(numbers.grid().count(), 6);
        assert_eq!(Vertical::new(&Scale::choices(&long), 160.0, 100.0).grid().count(), 0);
    }
}
