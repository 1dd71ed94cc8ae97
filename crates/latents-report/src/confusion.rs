//! Confusion matrices: shaded cells, with counts if there is room.

use crate::figure::Figure;
use crate::font::{self, CAP_HEIGHT, SLACK, Weight};
use crate::frame::{Axes, Frame, LABEL, MARGIN, heading, label, room_beside};
use crate::number::{significant, trimmed, typeset};
use crate::scale::Scale;
use crate::scene::{Anchor, Scene, Text};
use crate::svg::num;

/// Greatest side of the matrix, and of a cell.
const SIDE: f64 = 520.0;
const CELL: f64 = 52.0;
/// A cell smaller than this has no number.
const NUMBERED: f64 = 26.0;
/// Least width of a figure, which leaves room for the title.
const NARROWEST: f64 = 420.0;
/// Colours of right and wrong predictions.
const RIGHT: [u8; 3] = [0x00, 0x72, 0xb2];
const WRONG: [u8; 3] = [0xd5, 0x5e, 0x00];
/// Greatest depth of the blue. Black numbers stay readable on it, and so do their counterparts on a dark page.
const DEEPEST: f64 = 0.85;
const NUMBER: &str = "#000000";

/// Draws a confusion matrix. `counts[i][j]` is the number of samples of class `i` predicted as class `j`: rows are true classes,
/// columns predicted ones. The shade of a cell shows its share of the row, in blue for right predictions and in orange for wrong ones;
/// orange deepens four times as fast, since errors are rarer. A class without a name shows its number.
///
/// ```
/// let names = ["cat".to_owned(), "dog".to_owned()];
/// let figure = latents_report::confusion("Test images", &names, &[vec![48, 2], vec![5, 45]]);
/// assert!(figure.svg().contains(">48<"));
/// ```
#[must_use]
pub fn confusion(title: &str, names: &[String], counts: &[Vec<u64>]) -> Figure {
    let n = counts.len();
    let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
    let across: Vec<String> = (0..n).map(name).collect();
    // The first choice is at the bottom of the axis, the first class on top.
    let down: Vec<String> = (0..n).rev().map(name).collect();
    let side = (SIDE / n.max(1) as f64).min(CELL);
    let size = side * n.max(3) as f64;
    let (x, y) = (Scale::choices(&across), Scale::choices(&down));
    let width = (2.0 * MARGIN + room_beside(&y, size) + size).max(NARROWEST);

    let mut scene = Scene::new(title);
    let top = heading(&mut scene, title, width);
    let right = MARGIN + room_beside(&y, size) + size;
    let axes = Axes::alone((x, y), ("predicted", "true class"), (right, size));
    let frame = Frame::draw(&mut scene, Axes { grid: false, ..axes }, top);
    if n == 0 {
        frame.message(&mut scene, "no data");
    }
    let step = (frame.right - frame.left) / n.max(1) as f64;
    let mut texts = vec![];
    for (truth, row) in counts.iter().enumerate() {
        let all = row.iter().sum::<u64>().max(1) as f64;
        for (predicted, &count) in row.iter().enumerate().take(n) {
            if count == 0 {
                continue;
            }
            let (x, y) = frame.at((predicted as f64, (n - 1 - truth) as f64));
            let share = count as f64 / all;
            let (class, colour, depth) = if truth == predicted {
                ("right", RIGHT, DEEPEST * share)
            } else {
                ("wrong", WRONG, (4.0 * share).min(1.0))
            };
            scene.markup(format!(
                r#"<rect class="cell {class}" x="{}" y="{}" width="{}" height="{}" fill="{}"/>"#,
                num(x - step / 2.0 + 0.5),
                num(y - step / 2.0 + 0.5),
                num(step - 1.0),
                num(step - 1.0),
                shade(colour, depth)
            ));
            let text = short(count);
            if step >= NUMBERED && font::width(&text, LABEL, Weight::Regular) * SLACK < step - 3.0 {
                let baseline = y + LABEL * CAP_HEIGHT / 2.0;
                let text = label("count", x, baseline, Anchor::Middle, text);
                texts.push(Text { fill: NUMBER, ..text });
            }
        }
    }
    for text in texts {
        scene.text(text);
    }
    Figure::new(width, frame.below + MARGIN, scene)
}

/// From white to `colour`.
fn shade(colour: [u8; 3], depth: f64) -> String {
    // Even a single sample is visible.
    let depth = 0.06 + 0.94 * depth.clamp(0.0, 1.0);
    let [r, g, b] = colour.map(|c| (255.0 - (255.0 - f64::from(c)) * depth).round() as u8);
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A count in few characters: 12345 as 12.3k.
fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        _ if count < 1_000_000 => typeset(&trimmed(&significant(count as f64 / 1e3, 3))) + "k",
        _ => typeset(&trimmed(&significant(count as f64 / 1e6, 3))) + "M",
    }
}

#[cfg(test)]
mod tests;
