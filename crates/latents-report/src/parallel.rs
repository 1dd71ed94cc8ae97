//! Parallel coordinates: an axis for each parameter of a study, a line for each trial.

use std::fmt::Write as _;

use crate::axis::Vertical;
use crate::figure::Figure;
use crate::font::{self, SLACK, Weight};
use crate::frame::{LABEL, MARGIN, heading, label};
use crate::legend::{self, Entry, Sample};
use crate::number::{significant, typeset};
use crate::palette;
use crate::scale::{Scale, extent};
use crate::scene::{Anchor, Scene};
use crate::study::{StudyView, TrialView};
use crate::svg::num;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 330.0;
/// Least distance from one axis to the next. The figure becomes wider to keep it, and for wider numbers.
const GAP: f64 = 92.0;
/// Greatest width and number of the lines of a parameter name.
const WIDEST: f64 = 150.0;
const LINES: usize = 4;
const LINE: f64 = 15.0;
/// Width of the colour bar beside the first axis, and its distance from the axis.
const RAMP: f64 = 5.0;
const CLEAR: f64 = 2.0;

/// Draws each complete trial as a line through its value, on the first axis, and its parameters, on one axis each.
///
/// The better a value ranks, the darker is its line, as the colour bar beside the first axis shows; the best is red and on top. The
/// axis of a parameter is logarithmic if its [`ParameterKind`](crate::ParameterKind) says so; the axis of values is logarithmic if
/// all values are positive and the largest is more than eight times the smallest. A line has a gap if its trial lacks a parameter. A
/// note below counts the trials that are pruned, failed or without a finite value. See [`StudyView`] for an example.
#[must_use]
pub fn parallel_coordinates(title: &str, study: &StudyView) -> Figure {
    let ranked = study.ranked();
    let (lo, hi) = extent(ranked.iter().map(|r| r.1)).unwrap_or((0.0, 1.0));
    let mut scales = vec![Scale::for_differences(lo, hi)];
    scales.extend((0..study.parameters.len()).map(|i| study.scale(i, &ranked)));
    let names: Vec<&str> = std::iter::once(study.objective.as_str())
        .chain(study.parameters.iter().map(|p| p.name.as_str()))
        .collect();
    let layout = AxisLayout::new(&scales, &names);

    let mut scene = Scene::new(title);
    let mut top = heading(&mut scene, title, layout.width) + 8.0;
    let most = layout.names.iter().map(Vec::len).max().unwrap_or(0);
    for (i, lines) in layout.names.iter().enumerate() {
        for (k, line) in lines.iter().enumerate() {
            let baseline = top + (most - lines.len() + k + 1) as f64 * LINE - 3.0;
            scene.text(label("label", layout.x(i), baseline, Anchor::Middle, line.clone()));
        }
    }
    top = (top + most as f64 * LINE + 12.0).floor() + 0.5;
    let bottom = top + HEIGHT;
    for i in 0..scales.len() {
        scene.line((layout.x(i), top), (layout.x(i), bottom), palette::AXIS, "axis");
    }

    let place = |i: usize, v: f64| (layout.x(i), bottom - scales[i].place(v) * HEIGHT);
    let line = |trial: &TrialView, value: f64| {
        let params = (1..scales.len()).map(|i| Some(place(i, trial.param(i - 1, &scales[i])?)));
        path(std::iter::once(Some(place(0, value))).chain(params))
    };
    if let [(_, worst), .., (_, best)] = ranked[..] {
        let (from, to) = (place(0, worst).1, place(0, best).1);
        // Colours follow the rank, the share of trials that are not better: by value, one outlier would make all others equal.
        let share = |better: &dyn Fn(f64) -> bool| {
            let not = ranked.partition_point(|r| !better(r.1));
            1.0 - (ranked.len() - not) as f64 / (ranked.len() - 1) as f64
        };
        let at = (layout.x(0) - CLEAR - RAMP, from);
        legend::ramp(&mut scene, at, (RAMP, to - from), |t| {
            share(&|v| (place(0, v).1 - from) / (to - from) > t)
        });
        let opacity = libm::pow(30.0 / ranked.len() as f64, 0.4).clamp(0.2, 0.9);
        scene.markup(format!(
            r#"<g class="trials" fill="none" stroke-width="1.2" stroke-linejoin="round" stroke-opacity="{}">"#,
            num(opacity)
        ));
        for &(trial, value) in &ranked[..ranked.len() - 1] {
            let colour = palette::sequential(share(&|v| study.loss(v) < study.loss(value)));
            scene.markup(format!(r#"<path d="{}" stroke="{colour}"/>"#, line(trial, value)));
        }
        scene.markup("</g>".into());
    }
    let mut legend = Vec::new();
    if let Some(&(trial, value)) = ranked.last() {
        let red = format!(
            r#"fill="none" stroke="{}" stroke-width="2.4" stroke-linejoin="round" stroke-linecap="round""#,
            palette::BEST
        );
        scene.markup(format!(r#"<path class="best" d="{}" {red}/>"#, line(trial, value)));
        let name = format!("best: trial {}, {}", trial.number, typeset(&significant(value, 4)));
        legend.push(Entry { name, sample: Sample::Line(red), end: None });
    }
    for (i, axis) in layout.axes.into_iter().enumerate() {
        let beside = if i == 0 { RAMP + CLEAR } else { 0.0 };
        axis.draw(
            &mut scene,
            layout.left + i as f64 * layout.gap - beside,
            (top, bottom),
            (true, true),
        );
    }
    let mut below = legend::below(&mut scene, bottom + 8.0, layout.width, &legend);
    if ranked.is_empty() {
        below = legend::note(&mut scene, below, "no complete trials");
    }
    let below = legend::note(&mut scene, below, &study.left_out());
    Figure::new(layout.width, below + MARGIN, scene)
}

/// Positions of the axes, and their labels.
struct AxisLayout {
    width: f64,
    left: f64,
    gap: f64,
    names: Vec<Vec<String>>,
    axes: Vec<Vertical>,
}

impl AxisLayout {
    fn new(scales: &[Scale], names: &[&str]) -> Self {
        let gaps = (scales.len() - 1).max(1) as f64;
        let limit = (500.0 / gaps).clamp(GAP, WIDEST + 12.0) - 12.0;
        let names: Vec<Vec<String>> = names
            .iter()
            .map(|name| {
                font::wrap(&font::clean(name), LABEL, Weight::Regular, limit / SLACK, LINES)
            })
            .collect();
        let half = |lines: &Vec<String>| {
            let widths = lines.iter().map(|l| font::width(l, LABEL, Weight::Regular) * SLACK / 2.0);
            widths.fold(0.0, f64::max)
        };
        let numbers = Vertical::new(&scales[0], HEIGHT, f64::INFINITY).width() + RAMP + CLEAR;
        let left = (MARGIN + numbers.max(names.first().map_or(0.0, half))).floor() + 0.5;
        let right = MARGIN + names.last().map_or(0.0, half);
        let numbers = scales.iter().filter(|scale| !scale.is_choices());
        let widest = numbers.map(|scale| Vertical::new(scale, HEIGHT, f64::INFINITY).width());
        let least = widest.map(|width| width + 12.0).fold(GAP, f64::max);
        let width = (left + gaps * least + right).max(WIDTH).ceil();
        let gap = ((width - left - right) / gaps).floor();
        let axes =
            scales.iter().map(|scale| Vertical::new(scale, HEIGHT, (gap - 20.0) / SLACK)).collect();
        Self { width, left, gap, names, axes }
    }

    fn x(&self, axis: usize) -> f64 {
        self.left + axis as f64 * self.gap
    }
}

/// Path data of a line with gaps. A point without neighbours becomes a short dash.
fn path(places: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let places: Vec<_> = places.collect();
    let mut data = String::new();
    for part in places.split(Option::is_none) {
        // Writing to a string cannot fail.
        let _ = match part {
            [Some((x, y))] => write!(data, "M{} {}h6", num(x - 3.0), num(*y)),
            _ => part.iter().flatten().enumerate().try_for_each(|(i, (x, y))| {
                write!(data, "{}{} {}", if i == 0 { 'M' } else { 'L' }, num(*x), num(*y))
            }),
        };
    }
    data
}

#[cfg(test)]
mod tests;
