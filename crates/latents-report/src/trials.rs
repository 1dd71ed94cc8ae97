//! The values of the trials of a study in the order in which the trials started, and the best value so far.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::figure::Figure;
use crate::font::{self, CAP_HEIGHT, SLACK, Weight};
use crate::frame::{Axes, Frame, LABEL, MARGIN, heading, label};
use crate::legend::{self, Entry, Sample};
use crate::marks::{Mark, Shape, density};
use crate::number::{significant, typeset};
use crate::palette;
use crate::scale::{Scale, extent};
use crate::scene::{Anchor, Scene, Text};
use crate::study::{StudyView, TrialOutcome, TrialView};
use crate::svg::num;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
/// Room for the label of the best trial beyond its mark.
const NAME: f64 = 26.0;
/// Distance of crosses from the edge; values keep at least twice that.
const EDGE: f64 = 8.0;

/// Draws the value of each trial against its number.
///
/// A complete trial is a disc, a pruned one a ring at its last value. A failed trial, or any other without a finite value, is a cross
/// along the edge of bad values. The best complete trial is red and labelled with its value; a thin line shows the best value so
/// far. The y axis is logarithmic under the same conditions as that of [`curves`](crate::curves). See [`StudyView`] for an example.
#[must_use]
pub fn trials(title: &str, study: &StudyView) -> Figure {
    let mut ordered: Vec<&TrialView> = study.trials.iter().collect();
    ordered.sort_by_key(|t| t.number);
    let valued = |outcome| -> Vec<&TrialView> {
        ordered.iter().copied().filter(|t| t.outcome == outcome && t.shown().is_some()).collect()
    };
    let (complete, pruned) = (valued(TrialOutcome::Complete), valued(TrialOutcome::Pruned));
    let crossed: Vec<&TrialView> = ordered
        .iter()
        .copied()
        .filter(|t| t.outcome == TrialOutcome::Failed || t.shown().is_none())
        .collect();
    let best = study.ranked().last().copied();

    let mut scene = Scene::new(title);
    let top = heading(&mut scene, title, WIDTH);
    let x = numbers(ordered.iter().map(|t| t.number as f64));
    let values = complete.iter().chain(&pruned).filter_map(|t| t.shown());
    let y = values_scale(study.lower_is_better, extent(values), best, !crossed.is_empty());
    let labels = ("trial", study.objective.as_str());
    let axes = Axes::alone((x, y), labels, (WIDTH - MARGIN, HEIGHT));
    let frame = Frame::draw(&mut scene, axes, top);
    if ordered.is_empty() {
        frame.message(&mut scene, "no trials");
    }

    let placed = |t: &&TrialView| t.shown().map(|v| frame.at((t.number as f64, v)));
    let (radius, opacity) = density(ordered.len());
    let colour = Cow::Borrowed(palette::AXIS);
    let mut legend = Vec::new();
    let rings =
        Mark { shape: Shape::Ring, colour: colour.clone(), radius: radius - 0.4, opacity: 1.0 };
    rings.draw(&mut scene, "pruned", pruned.iter().filter_map(placed));
    let discs = Mark { shape: Shape::Disc, colour: palette::of_group(0).into(), radius, opacity };
    if complete.len() > 1 {
        steps(&mut scene, &frame, study, &complete);
        legend.push(named("complete", discs.clone()));
    }
    let others = complete.iter().filter(|t| best.is_some_and(|(b, _)| !std::ptr::eq(**t, b)));
    discs.draw(&mut scene, "complete", others.filter_map(placed));
    if !pruned.is_empty() {
        legend.push(named("pruned (last value)", rings));
    }
    if !crossed.is_empty() {
        // They stand in one line, so many of them need to be transparent.
        let opacity = (100.0 / crossed.len() as f64).clamp(0.1, 1.0);
        let crosses = Mark { shape: Shape::Cross, colour, radius: 3.2, opacity };
        let edge = if study.lower_is_better { frame.top + EDGE } else { frame.bottom - EDGE };
        let places = crossed.iter().map(|t| (frame.across(t.number as f64), edge));
        crosses.draw(&mut scene, "failed", places);
        let failed = crossed.iter().all(|t| t.outcome == TrialOutcome::Failed);
        legend.push(named(
            if failed { "failed" } else { "failed or without a finite value" },
            crosses,
        ));
    }
    if let Some((trial, value)) = best {
        let red = Mark::best(radius);
        let place = frame.at((trial.number as f64, value));
        red.draw(&mut scene, "best", [place]);
        write_best(&mut scene, &frame, (trial, value), (place, red.radius), study.lower_is_better);
        legend.push(named("best", red));
    }
    if complete.len() > 1 {
        let sample = Sample::Line(steps_stroke());
        legend.push(Entry { name: "best so far".into(), sample, end: None });
    }
    let bottom = legend::below(&mut scene, frame.below, WIDTH, &legend);
    Figure::new(WIDTH, bottom + MARGIN, scene)
}

/// An entry of the legend. Its mark is visible even if the marks in the figure are small and transparent.
fn named(name: &str, mark: Mark) -> Entry {
    let mark = Mark { radius: mark.radius.max(3.2), opacity: 1.0, ..mark };
    Entry { name: name.into(), sample: Sample::Point(mark), end: None }
}

/// The axis of values, with room for the label of the best trial and for crosses, if any.
fn values_scale(
    lower_is_better: bool,
    range: Option<(f64, f64)>,
    best: Option<(&TrialView, f64)>,
    crosses: bool,
) -> Scale {
    let (lo, hi) = range.unwrap_or((0.0, 1.0));
    let mut scale = Scale::for_values(lo, hi);
    let clear = |scale: Scale, v, room: f64, upwards| {
        let (below, above) = if upwards { (0.0, room / HEIGHT) } else { (room / HEIGHT, 0.0) };
        scale.clear_around(v, below, above)
    };
    if crosses {
        scale = clear(scale, if lower_is_better { hi } else { lo }, 2.0 * EDGE, lower_is_better);
    }
    match best {
        Some((_, value)) => clear(scale, value, NAME, !lower_is_better),
        None => scale,
    }
}

/// The axis of trial numbers.
fn numbers(numbers: impl Iterator<Item = f64>) -> Scale {
    let (lo, hi) = extent(numbers).unwrap_or((0.0, 1.0));
    let room = ((hi - lo) * 0.02).max(0.5);
    Scale::linear(lo - room, hi + room, true)
}

/// Draws the best value so far as steps, from the first complete trial to the last.
fn steps(scene: &mut Scene, frame: &Frame, study: &StudyView, complete: &[&TrialView]) {
    let mut data = String::new();
    let mut best: Option<f64> = None;
    let mut end = frame.left;
    for (trial, value) in complete.iter().filter_map(|t| Some((t, t.shown()?))) {
        let (x, y) = frame.at((trial.number as f64, value));
        end = x;
        // Writing to a string cannot fail.
        let _ = match best {
            None => write!(data, "M{} {}", num(x), num(y)),
            Some(best) if study.loss(value) < study.loss(best) => {
                write!(data, "H{}V{}", num(x), num(y))
            }
            Some(_) => continue,
        };
        best = Some(value);
    }
    let stroke = steps_stroke();
    scene.markup(format!(r#"<path class="best-so-far" d="{data}H{}" {stroke}/>"#, num(end)));
}

fn steps_stroke() -> String {
    format!(r#"fill="none" stroke="{}" stroke-width="1.1" stroke-opacity="0.55""#, palette::BEST)
}

/// Writes the value of the best trial on the side without complete trials.
fn write_best(
    scene: &mut Scene,
    frame: &Frame,
    (trial, value): (&TrialView, f64),
    ((x, y), radius): ((f64, f64), f64),
    lower_is_better: bool,
) {
    let text = format!("trial {}: {}", trial.number, typeset(&significant(value, 4)));
    let half = font::width(&text, LABEL, Weight::SemiBold) * SLACK / 2.0 + 4.0;
    let baseline =
        if lower_is_better { y + radius + 5.0 + LABEL * CAP_HEIGHT } else { y - radius - 5.0 };
    let x = x.clamp(frame.left + half, frame.right - half);
    scene.text(Text {
        weight: Weight::SemiBold,
        fill: palette::BEST,
        halo: true,
        ..label("value", x, baseline, Anchor::Middle, text)
    });
}

#[cfg(test)]
mod tests;
