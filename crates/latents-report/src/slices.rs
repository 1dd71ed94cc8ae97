//! The objective of a study against each of its parameters, in small panels side by side.

use crate::figure::Figure;
use crate::font::{self, CAP_HEIGHT, SLACK, Weight};
use crate::frame::{Axes, Frame, LABEL, MARGIN, heading, label, room_beside};
use crate::legend;
use crate::marks::{Mark, density};
use crate::number::{significant, typeset};
use crate::palette;
use crate::scale::{Scale, extent};
use crate::scene::{Anchor, Scene};
use crate::study::{StudyView, TrialView};
use crate::svg::num;

const WIDTH: f64 = 720.0;
/// Height of each panel, its least and largest width, and the gap between two.
const HEIGHT: f64 = 180.0;
const NARROWEST: f64 = 205.0;
const WIDEST: f64 = 440.0;
const GAP: f64 = 28.0;
const COLUMNS: usize = 4;
const LINE: f64 = 15.0;
/// Length of the colour bar of trial numbers.
const RAMP: f64 = 96.0;

/// Draws the value of each complete trial against each of its parameters, in rows of at most four panels that share the axis of
/// values.
///
/// Points are light for early trials and dark for late ones; the best is red and on top. The axis of a parameter is logarithmic if
/// its [`ParameterKind`](crate::ParameterKind) says so; the axis of values is logarithmic if all values are positive and the largest
/// is more than eight times the smallest. A trial without a parameter has no point in its panel. A note below counts the trials that
/// are pruned, failed or without a finite value. See [`StudyView`] for an example.
#[must_use]
pub fn slices(title: &str, study: &StudyView) -> Figure {
    let ranked = study.ranked();
    let (lo, hi) = extent(ranked.iter().map(|r| r.1)).unwrap_or((0.0, 1.0));
    let y = Scale::for_differences(lo, hi);
    let count = study.parameters.len();
    let columns = count.div_ceil(count.div_ceil(COLUMNS).max(1)).max(1);
    let beside = room_beside(&y, HEIGHT);
    let gaps = (columns - 1) as f64 * GAP;
    let panel = ((WIDTH - 2.0 * MARGIN - beside - gaps) / columns as f64).floor();
    let panel = panel.clamp(NARROWEST, WIDEST);
    let width = 2.0 * MARGIN + beside + gaps + columns as f64 * panel;

    let mut scene = Scene::new(title);
    let mut top = heading(&mut scene, title, width) + 6.0 + LABEL * CAP_HEIGHT;
    let room = (width - 2.0 * MARGIN) / SLACK;
    let objective = font::fit(&font::clean(&study.objective), LABEL, Weight::Regular, room);
    scene.text(label("label", MARGIN, top, Anchor::Start, objective));
    let indices: Vec<usize> = (0..count).collect();
    for row in indices.chunks(columns) {
        let names = row.iter().map(|&i| font::clean(&study.parameters[i].name));
        let names: Vec<Vec<String>> =
            names.map(|name| font::wrap(&name, LABEL, Weight::Regular, panel / SLACK, 2)).collect();
        let lines = names.iter().map(Vec::len).max().unwrap_or(0);
        top += 8.0 + lines as f64 * LINE;
        let mut below = top;
        for ((column, &i), name) in row.iter().enumerate().zip(names) {
            let left = MARGIN + beside + column as f64 * (panel + GAP);
            for (k, line) in name.iter().rev().enumerate() {
                let (middle, baseline) = (left + panel / 2.0, top - k as f64 * LINE);
                scene.text(label("caption", middle, baseline, Anchor::Middle, line.clone()));
            }
            let axes = Axes {
                x: study.scale(i, &ranked),
                y: y.clone(),
                x_label: "",
                y_label: "",
                left,
                right: left + panel,
                height: HEIGHT,
                y_labelled: column == 0,
                overhang: 12.0,
                grid: true,
            };
            let x = axes.x.clone();
            let frame = Frame::draw(&mut scene, axes, top - 6.0);
            points(&mut scene, &frame, &ranked, i, &x);
            below = frame.below.max(below);
        }
        top = below + 8.0;
    }
    if count == 0 {
        top += 2.0 * LINE;
        let text = "no parameters".to_owned();
        scene.text(label("label", MARGIN, top, Anchor::Start, text));
    }
    let below = key(&mut scene, top, width, &ranked);
    let below = legend::note(&mut scene, below, &study.left_out());
    Figure::new(width, below + MARGIN, scene)
}

/// Draws a point for each trial that has the parameter `i`.
fn points(scene: &mut Scene, frame: &Frame, ranked: &[(&TrialView, f64)], i: usize, x: &Scale) {
    let Some((best, others)) = ranked.split_last() else {
        frame.message(scene, "no complete trials");
        return;
    };
    let (radius, opacity) = density(ranked.len());
    let radius = radius * 0.85;
    let (first, last) = numbers(ranked);
    let mut others = others.to_vec();
    others.sort_by_key(|(trial, _)| trial.number);
    scene.markup(format!(r#"<g class="trials" fill-opacity="{}">"#, num(opacity)));
    for (trial, value) in others {
        let Some(v) = trial.param(i, x) else { continue };
        let (cx, cy) = frame.at((v, value));
        let age = (trial.number - first) as f64 / (last - first).max(1) as f64;
        scene.markup(format!(
            r#"<circle cx="{}" cy="{}" r="{}" fill="{}"/>"#,
            num(cx),
            num(cy),
            num(radius),
            palette::sequential(age)
        ));
    }
    scene.markup("</g>".into());
    if let Some(v) = best.0.param(i, x) {
        Mark::best(radius).draw(scene, "best", [frame.at((v, best.1))]);
    }
}

/// The smallest and the largest trial number.
fn numbers(trials: &[(&TrialView, f64)]) -> (u64, u64) {
    let numbers = || trials.iter().map(|(trial, _)| trial.number);
    (numbers().min().unwrap_or(0), numbers().max().unwrap_or(0))
}

/// Draws the key of the colours, for a figure of this width. Returns the y below it.
fn key(scene: &mut Scene, top: f64, width: f64, ranked: &[(&TrialView, f64)]) -> f64 {
    let Some(&(trial, value)) = ranked.last() else { return top };
    let mut y = top + LINE;
    let mut x = MARGIN;
    let width_of = |text: &str| font::width(text, LABEL, Weight::Regular) * SLACK;
    let mut text = |x: f64, y: f64, text: String| {
        let baseline = y + LABEL * CAP_HEIGHT / 2.0;
        let end = x + width_of(&text) + 7.0;
        scene.text(label("key", x, baseline, Anchor::Start, text));
        end
    };
    let best = format!("best: trial {}, {}", trial.number, typeset(&significant(value, 4)));
    let (first, last) = numbers(ranked);
    let mut ramp = None;
    if first < last {
        x = text(x, y, format!("trial {first}"));
        ramp = Some((x, y - 4.0));
        x = text(x + RAMP + 7.0, y, last.to_string()) + 18.0;
        if x + 16.0 + width_of(&best) > width - MARGIN {
            (x, y) = (MARGIN, y + LINE + 3.0);
        }
    }
    text(x + 16.0, y, best);
    if let Some(at) = ramp {
        legend::ramp(scene, at, (RAMP, 8.0), |t| t);
    }
    Mark::best(3.6).draw(scene, "sample", [(x + 5.0, y)]);
    y + LINE
}

#[cfg(test)]
mod tests;
