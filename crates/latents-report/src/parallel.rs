//! All parameters of a study beside each other: an axis for each, a line for each trial.

use std::fmt::Write as _;

use crate::axis::Vertical;
use crate::figure::Figure;
use crate::font::{self, Weight};
use crate::frame::{LABEL, MARGIN, SLACK, heading, label};
use crate::legend::{self, Entry, Sample};
use crate::number::{significant, typeset};
use crate::palette;
use crate::scale::{Scale, extent};
use crate::scene::{Anchor, Scene, num};
use crate::study::{Study, Trial};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 330.0;
/// From one axis to the next, at least; the page is widened for that, and for numbers that are wider.
const GAP: f64 = 92.0;
/// Names of parameters are set on lines no wider than this, and on no more than so many.
const WIDEST: f64 = 150.0;
const LINES: usize = 4;
const LINE: f64 = 15.0;
/// The colours beside the first axis, and what they keep clear of it.
const RAMP: f64 = 5.0;
const CLEAR: f64 = 2.0;

/// Draws each complete trial as a line through its value, on the first axis, and its parameters, on one axis each.
///
/// Lines are dark where the value is good compared with the others, as shown beside the first axis; the best is red and
/// on top. Axes are logarithmic where [`ParameterKind`](crate::ParameterKind) says so; that of the values where all are
/// positive and the largest is more than eight times the smallest. A line has a gap where its trial lacks a parameter. Trials that are pruned,
/// failed or without a finite value are counted below.
#[must_use]
pub fn parallel_coordinates(title: &str, study: &Study) -> Figure {
    let ranked = study.ranked();
    let (lo, hi) = extent(ranked.iter().map(|r| r.1)).unwrap_or((0.0, 1.0));
    let mut scales = vec![Scale::for_spread(lo, hi)];
    scales.extend((0..study.parameters.len()).map(|i| study.scale(i, &ranked)));
    let names: Vec<&str> = std::iter::once(study.objective.as_str())
        .chain(study.parameters.iter().map(|p| p.name.as_str()))
        .collect();
    let page = Page::new(&scales, &names);

    let mut scene = Scene::new(title);
    let mut top = heading(&mut scene, title, page.width) + 8.0;
    let most = page.names.iter().map(Vec::len).max().unwrap_or(0);
    for (i, lines) in page.names.iter().enumerate() {
        for (k, line) in lines.iter().enumerate() {
            let baseline = top + (most - lines.len() + k + 1) as f64 * LINE - 3.0;
            scene.text(label("label", page.x(i), baseline, Anchor::Middle, line.clone()));
        }
    }
    top = (top + most as f64 * LINE + 12.0).floor() + 0.5;
    let bottom = top + HEIGHT;
    for i in 0..scales.len() {
        scene.line((page.x(i), top), (page.x(i), bottom), palette::AXIS, "axis");
    }

    let place = |i: usize, v: f64| (page.x(i), bottom - scales[i].place(v) * HEIGHT);
    let line = |trial: &Trial, value: f64| {
        let params = (1..scales.len()).map(|i| Some(place(i, trial.param(i - 1, &scales[i])?)));
        path(std::iter::once(Some(place(0, value))).chain(params))
    };
    if let [(_, worst), .., (_, best)] = ranked[..] {
        let (from, to) = (place(0, worst).1, place(0, best).1);
        // By rank, since one trial that went astray would make all others equal: the share of trials that are not better.
        let share = |better: &dyn Fn(f64) -> bool| {
            let not = ranked.partition_point(|r| !better(r.1));
            1.0 - (ranked.len() - not) as f64 / (ranked.len() - 1) as f64
        };
        let at = (page.x(0) - CLEAR - RAMP, from);
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
    for (i, axis) in page.axes.into_iter().enumerate() {
        let beside = if i == 0 { RAMP + CLEAR } else { 0.0 };
        axis.draw(
            &mut scene,
            page.left + i as f64 * page.gap - beside,
            (top, bottom),
            (true, true),
        );
    }
    let mut below = legend::below(&mut scene, bottom + 8.0, page.width, &legend);
    if ranked.is_empty() {
        below = legend::note(&mut scene, below, "no complete trials");
    }
    let below = legend::note(&mut scene, below, &study.left_out());
    Figure::new(page.width, below + MARGIN, scene)
}

/// Where the axes stand, and their labels.
struct Page {
    width: f64,
    left: f64,
    gap: f64,
    names: Vec<Vec<String>>,
    axes: Vec<Vertical>,
}

impl Page {
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

/// A line through what is there; a place without neighbours is a short dash.
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
