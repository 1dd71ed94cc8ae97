//! Tests of slices: rows of panels, positions and colours of points, and studies that are hard to draw.

use roxmltree::{Document, Node};

use super::*;
use crate::testing::{
    LINEAR, LOG, Label, assert_finite, attribute, choices, circles, hard_studies, near, of_class,
    study, tidy_labels,
};

fn small() -> StudyView {
    study(
        &[("rate", LOG), ("kind", choices(&["a", "b", "c"])), ("width", LINEAR)],
        &[
            (3.0, &[Some(0.001), Some(0.0), Some(10.0)]),
            (1.0, &[Some(0.1), Some(2.0), Some(30.0)]),
            (2.0, &[Some(0.01), Some(1.0), None]),
        ],
    )
}

/// Horizontal centre of the label `text` below the axes between `left` and `right`.
fn below(labels: &[Label], text: &str, (left, right): (f64, f64)) -> f64 {
    let middle = |l: &&Label| f64::midpoint(l.x[0], l.x[1]);
    let within = |l: &&Label| l.class == "tick" && (left..right).contains(&middle(l));
    labels.iter().filter(within).find(|l| l.text == text).map(|l| middle(&l)).unwrap()
}

/// Left ends and tops of the panels, from their left axes.
fn panels(document: &Document<'_>) -> Vec<(f64, f64)> {
    let long = |n: &Node<'_, '_>| {
        let data = n.attribute("d")?;
        let ends = data[1..].split('L').map(|p| p.split_once(' ')).collect::<Option<Vec<_>>>()?;
        let [x, top, _, bottom] =
            [ends[0].0, ends[0].1, ends[1].0, ends[1].1].map(|v| v.parse().unwrap());
        (ends[0].0 == ends[1].0 && f64::abs(bottom - top) > 100.0).then_some((x, top))
    };
    of_class(document, "axis").iter().filter_map(long).collect()
}

#[test]
fn points_stand_at_parameter_and_value() {
    let figure = slices("t", &small());
    let document = Document::parse(figure.svg()).unwrap();
    let labels = tidy_labels(figure.svg());
    let lefts: Vec<f64> = panels(&document).iter().map(|p| p.0).collect();
    assert_eq!(lefts.len(), 3);
    let places = circles(&document, "trials");
    let best = circles(&document, "best");
    let (first, second) = ((lefts[0], lefts[1]), (lefts[1], lefts[2]));
    let third = (lefts[2], f64::INFINITY);
    let wanted = [
        ("0.001", first, "3.0"),
        ("0.01", first, "2.0"),
        ("a", second, "3.0"),
        ("b", second, "2.0"),
        ("10", third, "3.0"),
    ];
    let level = |text: &str| {
        let label = labels.iter().find(|l| l.text == text && l.x[1] < lefts[0]).unwrap();
        label.y[0] + 11.5 * CAP_HEIGHT / 2.0
    };
    assert_eq!(places.len(), wanted.len());
    for (place, (param, panel, value)) in places.iter().zip(wanted) {
        assert!((place.0 - below(&labels, param, panel)).abs() < 0.02, "{param}");
        assert!(near(place.1, level(value)), "{value}");
    }
    let wanted = [("0.1", first), ("c", second), ("30", third)];
    assert_eq!(best.len(), 3);
    for (place, (param, panel)) in best.iter().zip(wanted) {
        assert!((place.0 - below(&labels, param, panel)).abs() < 0.02, "{param}");
        assert!(near(place.1, level("1.0")));
    }
}

#[test]
fn points_darken_with_their_number_and_the_best_is_red() {
    let mut given = small();
    // Later trials are drawn over earlier ones, whatever their values.
    given.trials[0].value = Some(2.0);
    given.trials[2].value = Some(3.0);
    let figure = slices("t", &given);
    let document = Document::parse(figure.svg()).unwrap();
    let fills: Vec<&str> = of_class(&document, "trials")
        .iter()
        .flat_map(Node::children)
        .filter_map(|n| n.attribute("fill"))
        .map(|fill| if fill == palette::sequential(0.0) { "first" } else { fill })
        .collect();
    let last = palette::sequential(1.0);
    assert_eq!(fills, ["first", &last, "first", &last, "first"]);
    for group in of_class(&document, "best") {
        assert_eq!(group.attribute("fill"), Some("#d8182c"));
    }
    let labels = tidy_labels(figure.svg());
    let keys: Vec<&str> =
        labels.iter().filter(|l| l.class == "key").map(|l| l.text.as_str()).collect();
    assert_eq!(keys, ["trial 0", "2", "best: trial 1, 1.000"]);
}

#[test]
fn rows_are_even_and_hold_at_most_four() {
    for (count, rows) in [(1, &[1][..]), (4, &[4]), (5, &[3, 2]), (9, &[3, 3, 3]), (12, &[4, 4, 4])]
    {
        let names: Vec<String> = (0..count).map(|i| format!("p{i}")).collect();
        let parameters: Vec<_> = names.iter().map(|name| (name.as_str(), LINEAR)).collect();
        let params = vec![Some(1.0); count];
        let figure = slices("t", &study(&parameters, &[(1.0, &params), (2.0, &params)]));
        let document = Document::parse(figure.svg()).unwrap();
        let panels = panels(&document);
        let lengths: Vec<usize> = panels.chunk_by(|a, b| near(a.1, b.1)).map(<[_]>::len).collect();
        assert_eq!(lengths, rows);
        // The name is above each panel; only the first panel of a row has numbers on its left.
        let labels = tidy_labels(figure.svg());
        for ((left, top), name) in panels.iter().zip(&names) {
            let name = labels.iter().find(|l| l.text == *name).unwrap();
            assert!(name.x[0] > *left && (0.0..14.0).contains(&(top - name.y[1])), "{name:?}");
        }
        assert_eq!(labels.iter().filter(|l| l.text == "1.0").count(), rows.len());
    }
}

#[test]
fn names_of_choices_are_turned_where_they_are_too_wide() {
    let wide = ["a rather long name", "another long name", "leaky_relu", "adam"];
    let kinds =
        [("short", choices(&["a", "b", "c", "d"])), ("long", choices(&wide)), ("x", LINEAR)];
    let figure = slices("t", &study(&kinds, &[(1.0, &[Some(0.0), Some(3.0), Some(0.5)])]));
    let document = Document::parse(figure.svg()).unwrap();
    let turned: Vec<&str> = document
        .descendants()
        .filter(|n| n.has_tag_name("text") && n.has_attribute("transform"))
        .filter_map(|n| n.text())
        .collect();
    assert_eq!(turned, ["a rather long na…", "another long na…", "leaky_relu", "adam"]);
    let labels = tidy_labels(figure.svg());
    let adam = labels.iter().find(|l| l.text == "adam").unwrap();
    let best = circles(&document, "best")[1];
    assert!((f64::midpoint(adam.x[0], adam.x[1]) - best.0).abs() < 1.5, "under its points");

    // The letters of the PNG fill the box of the text in the SVG.
    let pixels = crate::testing::Pixels::decode(&figure.png().unwrap());
    let [x, y] = [adam.x, adam.y].map(|v| [(v[0] * 2.0) as usize, (v[1] * 2.0) as usize]);
    let dark = |x: usize, y: usize| pixels.at(x, y)[0] < 140;
    let rows: Vec<usize> =
        (y[0] - 12..y[1] + 12).filter(|&y| (x[0]..x[1]).any(|x| dark(x, y))).collect();
    let (first, last) = (rows[0], rows[rows.len() - 1]);
    assert!(first.abs_diff(y[0]) < 5 && last.abs_diff(y[1]) < 5, "{first} {last} {y:?}");
}

#[test]
fn hard_studies_are_drawn_tidily() {
    for study in hard_studies(500) {
        let figure = slices(&study.objective, &study);
        assert_finite(figure.svg());
        tidy_labels(figure.svg());
        let document = Document::parse(figure.svg()).unwrap();
        let ranked = study.ranked();
        let placed = |i: usize| {
            let scale = study.scale(i, &ranked);
            ranked.iter().filter(|(trial, _)| trial.param(i, &scale).is_some()).count()
        };
        let points = circles(&document, "trials").len() + circles(&document, "best").len();
        assert_eq!(points, (0..study.parameters.len()).map(placed).sum::<usize>());
        assert_eq!(panels(&document).len(), study.parameters.len());
        assert!(attribute(&document.root_element(), "width") <= 1_100.0);
    }
}
