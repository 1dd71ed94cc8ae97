//! The trials of a study in the order in which they began, and the best value so far.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::figure::Figure;
use crate::font::{self, CAP_HEIGHT, Weight};
use crate::frame::{Axes, Frame, LABEL, MARGIN, SLACK, heading, label};
use crate::legend::{self, Entry, Sample};
use crate::marks::{Mark, Shape, density};
use crate::number::{significant, typeset};
use crate::palette;
use crate::scale::{Scale, extent};
use crate::scene::{Anchor, Scene, Text, num};
use crate::study::{Direction, Study, Trial, TrialState};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
/// Room for the name of the best trial beyond its mark.
const NAME: f64 = 26.0;
/// Crosses stand this far from the edge, and values at least twice that.
const EDGE: f64 = 8.0;

/// Draws the value of each trial against its number.
///
/// Complete trials are discs, pruned ones rings at their last value; failed ones, and others without a finite value,
/// are crosses along the edge of bad values. The best complete trial is red and labelled with its value; a thin line is
/// the best value so far. The y axis is logarithmic where that of [`curves`](crate::curves) would be.
#[must_use]
pub fn trials(title: &str, study: &Study) -> Figure {
    let mut ordered: Vec<&Trial> = study.trials.iter().collect();
    ordered.sort_by_key(|t| t.number);
    let valued = |state| -> Vec<&Trial> {
        ordered.iter().copied().filter(|t| t.state == state && t.shown().is_some()).collect()
    };
    let (complete, pruned) = (valued(TrialState::Complete), valued(TrialState::Pruned));
    let crossed: Vec<&Trial> = ordered
        .iter()
        .copied()
        .filter(|t| t.state == TrialState::Failed || t.shown().is_none())
        .collect();
    let best = study.ranked().last().copied();

    let mut scene = Scene::new(title);
    let top = heading(&mut scene, title, WIDTH);
    let x = numbers(ordered.iter().map(|t| t.number as f64));
    let values = complete.iter().chain(&pruned).filter_map(|t| t.shown());
    let y = values_scale(study.direction, extent(values), best, !crossed.is_empty());
    let labels = ("trial", study.objective.as_str());
    let axes = Axes::alone((x, y), labels, (WIDTH - MARGIN, HEIGHT));
    let frame = Frame::draw(&mut scene, axes, top);
    if ordered.is_empty() {
        frame.say(&mut scene, "no trials");
    }

    let placed = |t: &&Trial| t.shown().map(|v| frame.at((t.number as f64, v)));
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
        // They stand in one line, where many would be a bar.
        let opacity = (100.0 / crossed.len() as f64).clamp(0.1, 1.0);
        let crosses = Mark { shape: Shape::Cross, colour, radius: 3.2, opacity };
        let edge = match study.direction {
            Direction::Minimize => frame.top + EDGE,
            Direction::Maximize => frame.bottom - EDGE,
        };
        let places = crossed.iter().map(|t| (frame.across(t.number as f64), edge));
        crosses.draw(&mut scene, "failed", places);
        let failed = crossed.iter().all(|t| t.state == TrialState::Failed);
        legend.push(named(
            if failed { "failed" } else { "failed or without a finite value" },
            crosses,
        ));
    }
    if let Some((trial, value)) = best {
        let red = Mark::best(radius);
        let place = frame.at((trial.number as f64, value));
        red.draw(&mut scene, "best", [place]);
        write_best(&mut scene, &frame, (trial, value), (place, red.radius), study.direction);
        legend.push(named("best", red));
    }
    if complete.len() > 1 {
        let sample = Sample::Line(steps_stroke());
        legend.push(Entry { name: "best so far".into(), sample, end: None });
    }
    let bottom = legend::below(&mut scene, frame.below, WIDTH, &legend);
    Figure::new(WIDTH, bottom + MARGIN, scene)
}

/// An entry of the legend, which shows a mark well even where there are many small ones.
fn named(name: &str, mark: Mark) -> Entry {
    let mark = Mark { radius: mark.radius.max(3.2), opacity: 1.0, ..mark };
    Entry { name: name.into(), sample: Sample::Point(mark), end: None }
}

/// The axis of values, with room for the name of the best, and for crosses where there are some.
fn values_scale(
    direction: Direction,
    range: Option<(f64, f64)>,
    best: Option<(&Trial, f64)>,
    crosses: bool,
) -> Scale {
    let (lo, hi) = range.unwrap_or((0.0, 1.0));
    let mut scale = Scale::for_values(lo, hi);
    let clear = |scale: Scale, v, room: f64, upwards| {
        let (below, above) = if upwards { (0.0, room / HEIGHT) } else { (room / HEIGHT, 0.0) };
        scale.clear_around(v, below, above)
    };
    let maximize = direction == Direction::Maximize;
    if crosses {
        scale = clear(scale, if maximize { lo } else { hi }, 2.0 * EDGE, !maximize);
    }
    match best {
        Some((_, value)) => clear(scale, value, NAME, maximize),
        None => scale,
    }
}

/// The axis of trial numbers.
fn numbers(numbers: impl Iterator<Item = f64>) -> Scale {
    let (lo, hi) = extent(numbers).unwrap_or((0.0, 1.0));
    let room = ((hi - lo) * 0.02).max(0.5);
    Scale::linear(lo - room, hi + room, true)
}

/// Draws the best value so far, from the first complete trial to the last.
fn steps(scene: &mut Scene, frame: &Frame, study: &Study, complete: &[&Trial]) {
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

/// Writes the best trial's value on the side where no complete trial is.
fn write_best(
    scene: &mut Scene,
    frame: &Frame,
    (trial, value): (&Trial, f64),
    ((x, y), radius): ((f64, f64), f64),
    direction: Direction,
) {
    let text = format!("trial {}: {}", trial.number, typeset(&significant(value, 4)));
    let half = font::width(&text, LABEL, Weight::SemiBold) * SLACK / 2.0 + 4.0;
    let baseline = match direction {
        Direction::Minimize => y + radius + 5.0 + LABEL * CAP_HEIGHT,
        Direction::Maximize => y - radius - 5.0,
    };
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
