//! The importance of the parameters of a study, as bars.

use crate::figure::Figure;
use crate::font::{self, CAP_HEIGHT, SLACK, Weight};
use crate::frame::{self, Axes, Frame, LABEL, MARGIN, heading};
use crate::number::{significant, typeset};
use crate::palette;
use crate::scale::{Scale, drawable, extent};
use crate::scene::{Anchor, Scene, Text};
use crate::svg::num;

const WIDTH: f64 = 720.0;
/// Distance from one bar to the next, and the height of a bar.
const STEP: f64 = 32.0;
const BAR: f64 = 19.0;

/// Draws the importance of parameters as horizontal bars, from the largest to the smallest, with the value at the end of each.
/// `bars` are pairs of name and importance; `label` names the measure. A value that is not finite has no bar and comes last.
///
/// ```
/// let bars = [("learning_rate".to_owned(), 0.71), ("latent_dim".to_owned(), 0.18)];
/// let figure = latents_report::importances("Importances", "share of variance", &bars);
/// assert!(figure.svg().contains("0.710"));
/// ```
#[must_use]
pub fn importances(title: &str, label: &str, bars: &[(String, f64)]) -> Figure {
    let mut bars: Vec<(&str, Option<f64>)> =
        bars.iter().map(|(name, v)| (name.as_str(), Some(*v).filter(|&v| drawable(v)))).collect();
    // Missing values come last; the sort is stable.
    let order = |v: Option<f64>| v.unwrap_or(f64::NEG_INFINITY);
    bars.sort_by(|a, b| order(b.1).total_cmp(&order(a.1)));
    // The first choice is at the bottom of the axis.
    let names: Vec<String> = bars.iter().rev().map(|b| b.0.to_owned()).collect();
    let y = Scale::choices(&names);
    let height = if names.is_empty() { 3.0 } else { names.len() as f64 } * STEP;

    let texts: Vec<String> = bars
        .iter()
        .map(|(_, v)| v.map_or("no value".into(), |v| typeset(&significant(v, 3))))
        .collect();
    let width = |text: &String| font::width(text, LABEL, Weight::Regular) * SLACK + 10.0;
    let room = texts.iter().map(width).fold(0.0, f64::max);
    let mut axes =
        Axes::alone((Scale::linear(0.0, 1.0, false), y), (label, ""), (WIDTH - MARGIN, height));
    let share = room / (axes.right - axes.left);
    let (lo, hi) = extent(bars.iter().filter_map(|b| b.1)).unwrap_or((0.0, 1.0));
    let (lo, hi) = if lo >= 0.0 && hi == 0.0 { (0.0, 1.0) } else { (lo.min(0.0), hi.max(0.0)) };
    let scale = Scale::linear(lo, hi, false).clear_around(hi, 0.0, share);
    axes.x = if lo < 0.0 { scale.clear_around(lo, share, 0.0) } else { scale };

    let mut scene = Scene::new(title);
    let top = heading(&mut scene, title, WIDTH);
    let frame = Frame::draw(&mut scene, axes, top - 4.0);
    if bars.is_empty() {
        frame.message(&mut scene, "no data");
    }
    for (i, ((_, value), text)) in bars.iter().zip(texts).enumerate() {
        let row = (bars.len() - 1 - i) as f64;
        let (zero, y) = frame.at((0.0, row));
        let end = value.map_or(zero, |v| frame.at((v, row)).0);
        if value.is_some() {
            scene.markup(format!(
                r#"<rect class="bar" x="{}" y="{}" width="{}" height="{}" fill="{}"/>"#,
                num(zero.min(end)),
                num(y - BAR / 2.0),
                num((end - zero).abs()),
                num(BAR),
                palette::of_group(0)
            ));
        }
        let (x, anchor) =
            if end < zero { (end - 6.0, Anchor::End) } else { (end + 6.0, Anchor::Start) };
        let baseline = y + LABEL * CAP_HEIGHT / 2.0;
        scene.text(Text { halo: true, ..frame::label("value", x, baseline, anchor, text) });
    }
    if lo < 0.0 {
        let x = frame.at((0.0, 0.0)).0.floor() + 0.5;
        scene.line((x, frame.top), (x, frame.bottom), palette::AXIS, "axis");
    }
    Figure::new(WIDTH, frame.below + MARGIN, scene)
}

#[cfg(test)]
mod tests;
