//! Tests of the reliability diagram: heights of bars and gaps.

use roxmltree::Document;

use super::*;
use crate::testing::{assert_finite, attribute, of_class, tidy_labels};

fn bin(range: (f64, f64), count: u64, confidence: f64, accuracy: f64) -> Reliability {
    Reliability { range, count, confidence, accuracy }
}

#[test]
fn bars_reach_accuracies_and_gaps_reach_confidences() {
    let bins = [
        bin((0.0, 0.25), 0, 0.0, 0.0),
        bin((0.25, 0.5), 10, 0.4, 0.3),
        bin((0.5, 0.75), 30, 0.6, 0.7),
        bin((0.75, 1.0), 60, 0.9, 0.9),
    ];
    let figure = reliability("Reliability", "ECE 0.060", &bins);
    assert_finite(figure.svg());
    let document = Document::parse(figure.svg()).unwrap();
    let heights = |class: &str, unit: f64| -> Vec<f64> {
        let bars = of_class(&document, class);
        bars.iter().map(|b| (attribute(b, "height") / unit * 1000.0).round() / 1000.0).collect()
    };
    assert_eq!(heights("bar", SIDE), [0.3, 0.7, 0.9]);
    assert_eq!(heights("gap", SIDE), [0.1, 0.1, 0.0]);
    assert_eq!(heights("share", LOW), [0.1, 0.3, 0.6]);
    let first = &of_class(&document, "bar")[0];
    let gap = &of_class(&document, "gap")[0];
    // The confidence exceeds the accuracy, so the gap is on top of the bar.
    let end = attribute(gap, "y") + attribute(gap, "height");
    assert!((end - attribute(first, "y")).abs() < 0.03);
    assert!(tidy_labels(figure.svg()).iter().any(|l| l.text == "ECE 0.060"));
}

#[test]
fn nothing_and_long_words_are_drawn() {
    let long = "a rather long title that somebody gave to a figure of reliability, with more words";
    assert!(reliability(long, "", &[]).svg().contains("no data"));
    tidy_labels(reliability(long, "ECE", &[]).svg());
}
