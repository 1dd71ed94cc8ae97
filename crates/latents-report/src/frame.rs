//! What surrounds data: the heading, and a pair of axes with grid, ticks and labels. Marks within the axes are drawn by
//! each figure on the returned [`Frame`].

use crate::font::{self, CAP_HEIGHT, Weight};
use crate::palette;
use crate::scale::{Scale, Tick};
use crate::scene::{Anchor, Scene, Text};

/// Room around every figure.
pub(crate) const MARGIN: f64 = 24.0;
/// Font size of axis names, captions and legends.
pub(crate) const LABEL: f64 = 12.0;
/// Font size of numbers along the axes.
const NUMBER: f64 = 11.5;
const HEADING: f64 = 16.0;
/// Other fonts than ours may run wider; what is placed beside a text is placed for a text this much longer.
pub(crate) const SLACK: f64 = 1.08;

/// Draws the title at the top left, on as many lines as it needs within `width`; returns the y below it.
pub(crate) fn heading(scene: &mut Scene, title: &str, width: f64) -> f64 {
    const LINE: f64 = 22.0;
    let mut y = MARGIN;
    let limit = (width - 2.0 * MARGIN) / SLACK;
    for line in font::wrap(&font::clean(title), HEADING, Weight::SemiBold, limit, 4) {
        scene.text(Text {
            class: "title",
            x: MARGIN,
            y: y + HEADING * CAP_HEIGHT,
            size: HEADING,
            weight: Weight::SemiBold,
            anchor: Anchor::Start,
            fill: palette::INK,
            content: line,
        });
        y += LINE;
    }
    y
}

/// A regular text in the size of labels, already cleaned.
pub(crate) fn label(class: &'static str, x: f64, y: f64, anchor: Anchor, content: String) -> Text {
    let fill = if class == "label" { palette::MUTED } else { palette::TEXT };
    Text { class, x, y, size: LABEL, weight: Weight::Regular, anchor, fill, content }
}

/// What a pair of axes shows.
pub(crate) struct Axes<'a> {
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    pub(crate) x_label: &'a str,
    pub(crate) y_label: &'a str,
    /// Right end of the axes.
    pub(crate) right: f64,
    /// Height between the axes' ends.
    pub(crate) height: f64,
}

/// The area between the axes, in CSS pixels.
pub(crate) struct Frame {
    x: Scale,
    y: Scale,
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
    /// Where there is room again below the axes' numbers and label.
    pub(crate) below: f64,
}

impl Frame {
    /// Where a value pair lies.
    pub(crate) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (
            self.left + self.x.place(x) * (self.right - self.left),
            self.bottom - self.y.place(y) * (self.bottom - self.top),
        )
    }

    /// Draws grid, axes, ticks and labels below `top`.
    pub(crate) fn draw(scene: &mut Scene, axes: &Axes<'_>, mut top: f64) -> Self {
        let y_ticks = axes.y.ticks(6);
        let numbers = y_ticks.iter().map(|t| number_width(&t.label)).fold(0.0, f64::max);
        // Lines one pixel wide are sharp on half pixels.
        let left = (MARGIN + numbers * SLACK + 9.0).floor() + 0.5;
        let right = axes.right.floor() + 0.5;

        let room = (right - MARGIN) / SLACK;
        let y_label = font::fit(&font::clean(axes.y_label), LABEL, Weight::Regular, room);
        if !y_label.is_empty() {
            top += 6.0 + LABEL * CAP_HEIGHT;
            scene.text(label("label", MARGIN, top, Anchor::Start, y_label));
        }
        let top = (top + 14.0).floor() + 0.5;
        let bottom = top + axes.height;
        let mut frame = Self { x: axes.x, y: axes.y, left, top, right, bottom, below: bottom };

        let x_ticks = x_ticks(&axes.x, right - left);
        frame.grid(scene, &x_ticks, &y_ticks);
        frame.numbers(scene, &x_ticks, &y_ticks);
        frame.below = bottom + 9.0 + NUMBER;

        let x_label = font::fit(&font::clean(axes.x_label), LABEL, Weight::Regular, right - left);
        if !x_label.is_empty() {
            frame.below += 9.0 + LABEL;
            let middle = f64::midpoint(left, right);
            scene.text(label("label", middle, frame.below - 2.0, Anchor::Middle, x_label));
        }
        frame
    }

    fn grid(&self, scene: &mut Scene, x_ticks: &[Tick], y_ticks: &[Tick]) {
        for tick in x_ticks {
            let x = sharp(self.left + tick.at * (self.right - self.left));
            scene.line((x, self.top), (x, self.bottom), palette::GRID, "grid");
        }
        for tick in y_ticks.iter().filter(|t| !t.label.is_empty()) {
            let y = sharp(self.bottom - tick.at * (self.bottom - self.top));
            scene.line((self.left, y), (self.right, y), palette::GRID, "grid");
        }
        scene.line((self.left, self.top), (self.left, self.bottom), palette::AXIS, "axis");
        scene.line((self.left, self.bottom), (self.right, self.bottom), palette::AXIS, "axis");
    }

    fn numbers(&self, scene: &mut Scene, x_ticks: &[Tick], y_ticks: &[Tick]) {
        let number = |x: f64, y: f64, anchor, text: &str| Text {
            class: "tick",
            x,
            y,
            size: NUMBER,
            weight: Weight::Regular,
            anchor,
            fill: palette::MUTED,
            content: text.to_owned(),
        };
        for tick in x_ticks {
            let x = self.left + tick.at * (self.right - self.left);
            scene.line(
                (sharp(x), self.bottom),
                (sharp(x), self.bottom + 4.0),
                palette::AXIS,
                "axis",
            );
            let baseline = self.bottom + 9.0 + NUMBER * CAP_HEIGHT;
            scene.text(number(x, baseline, Anchor::Middle, &tick.label));
        }
        for tick in y_ticks {
            let y = self.bottom - tick.at * (self.bottom - self.top);
            let length = if tick.label.is_empty() { 2.5 } else { 4.0 };
            let from = (self.left - length, sharp(y));
            scene.line(from, (self.left, sharp(y)), palette::AXIS, "axis");
            let baseline = y + NUMBER * CAP_HEIGHT / 2.0;
            scene.text(number(self.left - 8.0, baseline, Anchor::End, &tick.label));
        }
    }
}

/// As many ticks as there is room for beside each other.
fn x_ticks(scale: &Scale, width: f64) -> Vec<Tick> {
    let mut ticks = Vec::new();
    for most in (1..=9).rev() {
        ticks = scale.ticks(most);
        let widest = ticks.iter().map(|t| number_width(&t.label)).fold(0.0, f64::max);
        if ticks.windows(2).all(|w| (w[1].at - w[0].at) * width >= widest * SLACK + 16.0) {
            break;
        }
    }
    ticks
}

fn number_width(text: &str) -> f64 {
    font::width(text, NUMBER, Weight::Regular)
}

fn sharp(v: f64) -> f64 {
    v.floor() + 0.5
}
