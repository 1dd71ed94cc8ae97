//! The parts of a figure around its data: the heading, and a pair of axes with grid, ticks and labels. Each figure draws its marks
//! on the returned [`Frame`].

use crate::axis::{Horizontal, Vertical, sharp};
use crate::font::{self, CAP_HEIGHT, SLACK, Weight};
use crate::palette;
use crate::scale::Scale;
use crate::scene::{Anchor, Scene, Text};

/// Margin of every figure.
pub(crate) const MARGIN: f64 = 24.0;
/// Font size of axis names, captions and legends.
pub(crate) const LABEL: f64 = 12.0;
const HEADING: f64 = 16.0;

/// Draws the title at the top left on at most four lines within `width`. Returns the y below it.
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
            halo: false,
            turned: false,
            content: line,
        });
        y += LINE;
    }
    y
}

/// A text in the size of labels. `content` is already cleaned.
pub(crate) fn label(class: &'static str, x: f64, y: f64, anchor: Anchor, content: String) -> Text {
    let fill = if class == "label" { palette::MUTED } else { palette::TEXT };
    let (halo, turned) = (false, false);
    Text { class, x, y, size: LABEL, weight: Weight::Regular, anchor, fill, halo, turned, content }
}

/// A pair of axes to be drawn.
pub(crate) struct Axes<'a> {
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    pub(crate) x_label: &'a str,
    /// Stands above the axes, from the left margin on.
    pub(crate) y_label: &'a str,
    /// Left end of the axes. The labels of `y` are further left.
    pub(crate) left: f64,
    /// Right end of the axes.
    pub(crate) right: f64,
    /// Length of the vertical axis.
    pub(crate) height: f64,
    /// Whether `y` has labels. Axes that share it with axes on their left need none.
    pub(crate) y_labelled: bool,
    /// How far labels below the axes may extend beyond their ends.
    pub(crate) overhang: f64,
    /// Whether grid lines are drawn. Marks that fill the area need none.
    pub(crate) grid: bool,
}

impl<'a> Axes<'a> {
    /// The only axes of a figure, between the left margin and `right`.
    pub(crate) fn alone(
        (x, y): (Scale, Scale),
        (x_label, y_label): (&'a str, &'a str),
        (right, height): (f64, f64),
    ) -> Self {
        let left = MARGIN + room_beside(&y, height);
        let (y_labelled, overhang, grid) = (true, 20.0, true);
        Self { x, y, x_label, y_label, left, right, height, y_labelled, overhang, grid }
    }
}

/// Width that an axis of this height needs for its labels.
pub(crate) fn room_beside(scale: &Scale, height: f64) -> f64 {
    Vertical::new(scale, height, f64::INFINITY).width()
}

/// The area between the axes after drawing, in CSS pixels.
pub(crate) struct Frame {
    x: Scale,
    y: Scale,
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
    /// The y below the labels of the horizontal axis.
    pub(crate) below: f64,
}

impl Frame {
    /// Position of a pair of values.
    pub(crate) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.across(x), self.bottom - self.y.place(y) * (self.bottom - self.top))
    }

    /// Horizontal position of a value of `x`.
    pub(crate) fn across(&self, x: f64) -> f64 {
        self.left + self.x.place(x) * (self.right - self.left)
    }

    /// Draws grid, axes, ticks and labels below `top`.
    pub(crate) fn draw(scene: &mut Scene, axes: Axes<'_>, mut top: f64) -> Self {
        let y = Vertical::new(&axes.y, axes.height, f64::INFINITY);
        // A line one pixel wide is sharp on half pixels.
        let left = axes.left.floor() + 0.5;
        let right = axes.right.floor() + 0.5;

        let room = (right - MARGIN) / SLACK;
        let y_label = font::fit(&font::clean(axes.y_label), LABEL, Weight::Regular, room);
        if !y_label.is_empty() {
            top += 6.0 + LABEL * CAP_HEIGHT;
            scene.text(label("label", MARGIN, top, Anchor::Start, y_label));
        }
        let top = (top + 14.0).floor() + 0.5;
        let bottom = top + axes.height;

        let x = Horizontal::new(&axes.x, right - left, axes.overhang);
        for at in x.grid().filter(|_| axes.grid) {
            let x = sharp(left + at * (right - left));
            scene.line((x, top), (x, bottom), palette::GRID, "grid");
        }
        for at in y.grid().filter(|_| axes.grid) {
            let y = sharp(bottom - at * (bottom - top));
            scene.line((left, y), (right, y), palette::GRID, "grid");
        }
        scene.line((left, top), (left, bottom), palette::AXIS, "axis");
        scene.line((left, bottom), (right, bottom), palette::AXIS, "axis");
        let mut below = bottom + x.height();
        x.draw(scene, (left, bottom));
        y.draw(scene, left, (top, bottom), (axes.y_labelled, false));

        let x_label = font::fit(&font::clean(axes.x_label), LABEL, Weight::Regular, right - left);
        if !x_label.is_empty() {
            below += 9.0 + LABEL;
            let middle = f64::midpoint(left, right);
            scene.text(label("label", middle, below - 2.0, Anchor::Middle, x_label));
        }
        Self { x: axes.x, y: axes.y, left, top, right, bottom, below }
    }

    /// Writes a message in the middle, such as that there is no data.
    pub(crate) fn message(&self, scene: &mut Scene, what: &str) {
        let x = f64::midpoint(self.left, self.right);
        let y = f64::midpoint(self.top, self.bottom) + 14.0;
        scene.text(label("label", x, y, Anchor::Middle, what.into()));
    }
}
