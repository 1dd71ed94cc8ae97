//! Tests of trials: marks and their positions, the best value and the best so far, and studies that are hard to draw.

use roxmltree::Document;

use super::*;
use crate::testing::{
    assert_finite, attribute, circles, hard_studies, near, of_class, study, tick, tidy_labels,
};

fn plain(values: &[f64]) -> StudyView {
    let trials: Vec<(f64, &[Option<f64>])> = values.iter().map(|&v| (v, &[][..])).collect();
    study(&[], &trials)
}

#[test]
fn points_stand_at_their_number_and_value() {
    let figure = trials("t", &plain(&[2.0, 5.0, 4.0, 1.0]));
    let document = Document::parse(figure.svg()).unwrap();
    let places = circles(&document, "complete");
    assert_eq!(places.len(), 3);
    for ((x, y), (number, value)) in places.iter().zip([("0", "2"), ("1", "5"), ("2", "4")]) {
        assert!(near(*x, tick(&document, number, false)), "{number}");
        assert!(near(*y, tick(&document, value, true)), "{value}");
    }
    let [(x, y)] = circles(&document, "best")[..] else { panic!() };
    assert!(near(x, tick(&document, "3", false)) && near(y, tick(&document, "1", true)));
}

#[test]
fn a_wide_range_has_a_log_axis() {
    let figure = trials("t", &plain(&[0.1, 1.0, 0.01, 0.1]));
    let document = Document::parse(figure.svg()).unwrap();
    let places = circles(&document, "complete");
    for ((_, y), value) in places.iter().zip(["0.1", "1", "0.1"]) {
        assert!(near(*y, tick(&document, value, true)), "{value}");
    }
    let best = circles(&document, "best")[0].1;
    assert!((2.0 * places[0].1 - places[1].1 - best).abs() < 0.03, "a ratio is a distance");
}

#[test]
fn outcomes_have_their_own_marks() {
    for lower_is_better in [true, false] {
        let mut given = plain(&[3.0, 2.0, 4.0, 2.5, f64::NAN, 1.0]);
        given.lower_is_better = lower_is_better;
        given.trials[1].outcome = TrialOutcome::Pruned;
        given.trials[3].outcome = TrialOutcome::Failed;
        given.trials[5].outcome = TrialOutcome::Pruned;
        given.trials[5].value = None;
        let figure = trials("t", &given);
        assert_finite(figure.svg());
        let document = Document::parse(figure.svg()).unwrap();
        let [(x, y)] = circles(&document, "pruned")[..] else { panic!() };
        assert!(near(x, tick(&document, "1", false)) && near(y, tick(&document, "2.0", true)));
        assert_eq!(circles(&document, "complete").len(), 1);

        // Crosses are in a line at the edge of bad values, each at its number.
        let crosses: Vec<(f64, f64)> = of_class(&document, "failed")[0]
            .children()
            .filter_map(|n| n.attribute("d"))
            .map(|d| {
                let (x, y) = d[1..].split_once('m').unwrap().0.split_once(' ').unwrap();
                (x.parse().unwrap(), y.parse().unwrap())
            })
            .collect();
        let numbers = ["3", "4", "5"].map(|n| tick(&document, n, false));
        assert!(crosses.iter().zip(numbers).all(|(c, x)| near(c.0, x)), "{crosses:?}");
        assert_eq!(crosses.len(), 3);
        let frame = of_class(&document, "axis")[0].attribute("d").unwrap().to_owned();
        let ends: Vec<f64> =
            frame[1..].split('L').map(|p| p.split_once(' ').unwrap().1.parse().unwrap()).collect();
        let edge = if lower_is_better { ends[0] + EDGE } else { ends[1] - EDGE };
        assert!(crosses.iter().all(|c| near(c.1, edge)), "{crosses:?} {ends:?}");

        let labels = tidy_labels(figure.svg());
        let keys: Vec<&str> =
            labels.iter().filter(|l| l.class == "key").map(|l| l.text.as_str()).collect();
        let crossed = "failed or without a finite value";
        assert_eq!(keys, ["complete", "pruned (last value)", crossed, "best", "best so far"]);
    }
}

#[test]
fn the_best_is_red_and_labelled_where_no_point_is() {
    for (lower_is_better, number, text) in
        [(true, 1, "trial 1: −0.02070"), (false, 3, "trial 3: 12.00")]
    {
        let mut given = plain(&[3.0, -0.020_704, 4.0, 12.0, -0.020_704, 12.0]);
        given.lower_is_better = lower_is_better;
        let figure = trials("t", &given);
        let document = Document::parse(figure.svg()).unwrap();
        let group = of_class(&document, "best")[0];
        assert_eq!(group.attribute("fill"), Some("#d8182c"));
        let (x, y) = circles(&document, "best")[0];
        assert!(near(x, tick(&document, &number.to_string(), false)));
        let labels = tidy_labels(figure.svg());
        let label = labels.iter().find(|l| l.text == text).unwrap_or_else(|| panic!("{labels:?}"));
        let node = of_class(&document, "value")[0];
        assert_eq!(node.attribute("fill"), Some("#d8182c"));
        assert!(label.x[0] < x && x < label.x[1]);
        let others = circles(&document, "complete");
        if lower_is_better {
            assert!(label.y[0] > y + 4.0 && others.iter().all(|o| o.1 <= y));
        } else {
            assert!(label.y[1] < y && others.iter().all(|o| o.1 >= y));
        }
    }
}

#[test]
fn the_best_so_far_is_a_line_of_steps() {
    let mut given = plain(&[3.0, 4.0, 2.0, f64::INFINITY, 2.0, 1.0, 5.0]);
    // The order of the trials does not matter, nor do the values of those that are pruned.
    given.trials[1].outcome = TrialOutcome::Pruned;
    given.trials[1].value = Some(0.9);
    given.trials.reverse();
    let figure = trials("t", &given);
    let document = Document::parse(figure.svg()).unwrap();
    let data = of_class(&document, "best-so-far")[0].attribute("d").unwrap().to_owned();
    let x = |n: &str| num(tick(&document, n, false));
    let y = |v: &str| tick(&document, v, true);
    let commands: String = data.chars().filter(char::is_ascii_uppercase).collect();
    assert_eq!(commands, "MHVHVH");
    let numbers: Vec<f64> = data[1..].split(['H', 'V', ' ']).map(|n| n.parse().unwrap()).collect();
    let wanted = [x("0"), num(y("3")), x("2"), num(y("2")), x("5"), num(y("1")), x("6")];
    for (number, wanted) in numbers.iter().zip(&wanted) {
        assert!(near(*number, wanted.parse().unwrap()), "{numbers:?} {wanted:?}");
    }
    assert_eq!(numbers.len(), 7);
}

#[test]
fn the_best_so_far_rises_where_more_is_better() {
    let mut given = plain(&[2.0, 1.0, 3.0, 2.5]);
    given.lower_is_better = false;
    let figure = trials("t", &given);
    let document = Document::parse(figure.svg()).unwrap();
    let data = of_class(&document, "best-so-far")[0].attribute("d").unwrap().to_owned();
    let commands: String = data.chars().filter(char::is_ascii_uppercase).collect();
    assert_eq!(commands, "MHVH");
    let rise: f64 = data.split(['V', 'H']).nth(2).unwrap().parse().unwrap();
    assert!(near(rise, tick(&document, "3", true)));
}

#[test]
fn ten_thousand_trials_are_all_there() {
    let values: Vec<f64> = (0..10_000).map(|i| 1.0 + f64::from(i * 7919 % 1000) / 1e3).collect();
    let figure = trials("t", &plain(&values));
    let document = Document::parse(figure.svg()).unwrap();
    let places = circles(&document, "complete");
    assert_eq!(places.len(), 9_999);
    let group = of_class(&document, "complete")[0];
    let radius = attribute(&group.first_element_child().unwrap(), "r");
    assert!((1.0..2.0).contains(&radius), "small enough to be told apart: {radius}");
    assert!(figure.svg().len() < 700_000, "{}", figure.svg().len());
    tidy_labels(figure.svg());
}

#[test]
fn hard_studies_are_drawn_tidily() {
    for study in hard_studies(3_000) {
        let figure = trials(&study.objective, &study);
        assert_finite(figure.svg());
        let labels = tidy_labels(figure.svg());
        assert!(labels.iter().filter(|l| l.class == "tick").count() >= 3, "{labels:?}");
        let document = Document::parse(figure.svg()).unwrap();
        let shown = |outcome| {
            study.trials.iter().filter(|t| t.outcome == outcome && t.shown().is_some()).count()
        };
        let best = circles(&document, "best").len();
        assert_eq!(best, shown(TrialOutcome::Complete).min(1));
        assert_eq!(circles(&document, "complete").len() + best, shown(TrialOutcome::Complete));
        assert_eq!(circles(&document, "pruned").len(), shown(TrialOutcome::Pruned));
    }
}

#[test]
fn an_empty_study_says_that_it_has_no_trials() {
    assert!(trials("t", &plain(&[])).svg().contains("no trials"));
}
