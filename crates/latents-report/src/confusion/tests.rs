//! Tests of the confusion matrix: positions, shades and counts of cells, and labels that do not overlap.

use roxmltree::Document;

use super::*;
use crate::testing::{assert_finite, attribute, of_class, tick, tidy_labels};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&n| n.to_owned()).collect()
}

#[test]
fn cells_stand_at_their_classes() {
    let names = names(&["bag", "coat", "shirt"]);
    let counts = [vec![90, 0, 10], vec![1, 95, 4], vec![0, 30, 70]];
    let figure = confusion("Confusion", &names, &counts);
    let document = Document::parse(figure.svg()).unwrap();
    assert_eq!((of_class(&document, "right").len(), of_class(&document, "wrong").len()), (3, 4));
    assert_eq!(of_class(&document, "grid").len(), 0, "no line of the axes shows in empty cells");
    for cell in of_class(&document, "wrong").iter().chain(&of_class(&document, "right")) {
        let x = attribute(cell, "x") + attribute(cell, "width") / 2.0;
        let y = attribute(cell, "y") + attribute(cell, "height") / 2.0;
        let place = |vertical, at: f64| {
            names.iter().position(|n| (tick(&document, n, vertical) - at).abs() < 1.0).unwrap()
        };
        let (truth, predicted) = (place(true, y), place(false, x));
        let texts = of_class(&document, "count");
        let text = texts
            .iter()
            .find(|t| (attribute(t, "x") - x).abs() < 1.0 && (attribute(t, "y") - y).abs() < 10.0);
        assert_eq!(text.unwrap().text(), Some(&*counts[truth][predicted].to_string()));
    }
    tidy_labels(figure.svg());
}

#[test]
fn mistakes_deepen_with_their_share_of_the_row() {
    let figure = confusion("t", &[], &[vec![80, 20], vec![1, 99]]);
    let document = Document::parse(figure.svg()).unwrap();
    let fills: Vec<_> = of_class(&document, "wrong")
        .iter()
        .map(|r| r.attribute("fill").unwrap().to_owned())
        .collect();
    assert_eq!(fills, [shade(WRONG, 0.8), shade(WRONG, 0.04)]);
    assert_eq!(shade([0, 0, 0], 1.0), "#000000");
}

#[test]
fn any_number_of_classes_and_any_names_are_drawn() {
    let long = "a class whose name somebody made rather long";
    for n in [0, 1, 2, 10, 26, 100] {
        for name in ["c", long] {
            let names: Vec<String> = (0..n).map(|i| format!("{name} {i}")).collect();
            let counts: Vec<Vec<u64>> = (0..n)
                .map(|i| (0..n).map(|j| if i == j { 12_345 } else { j as u64 }).collect())
                .collect();
            let figure = confusion(long, &names, &counts);
            assert_finite(figure.svg());
            tidy_labels(figure.svg());
        }
    }
    assert!(confusion("t", &[], &[]).svg().contains("no data"));
    assert_eq!([999, 12_345, 123_456, 1_234_567].map(short), ["999", "12.3k", "123k", "1.23M"]);
}
