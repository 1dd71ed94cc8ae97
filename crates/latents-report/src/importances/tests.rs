//! Tests of importances: order, lengths and labels of bars, and values without a bar.

use roxmltree::Document;

use super::*;
use crate::testing::{assert_finite, attribute, near, of_class, tick, tidy_labels};

fn bars(values: &[f64]) -> Vec<(String, f64)> {
    values.iter().enumerate().map(|(i, &v)| (format!("p{i}"), v)).collect()
}

#[test]
fn bars_descend_and_end_at_their_values() {
    let figure = importances("t", "share", &bars(&[0.1, 0.4, 0.1, 0.3]));
    let document = Document::parse(figure.svg()).unwrap();
    let rects = of_class(&document, "bar");
    let zero = tick(&document, "0", false);
    for (rect, end) in rects.iter().zip(["0.40", "0.30", "0.10", "0.10"]) {
        assert!(near(attribute(rect, "x"), zero));
        let length = tick(&document, end, false) - zero;
        assert!((attribute(rect, "width") - length).abs() < 0.03, "{end}");
    }
    assert_eq!(rects.len(), 4);
    // Names and values are at the height of their bars; equal values keep their order.
    let labels = tidy_labels(figure.svg());
    for (rect, (name, value)) in
        rects.iter().zip([("p1", "0.400"), ("p3", "0.300"), ("p0", "0.100"), ("p2", "0.100")])
    {
        let middle = attribute(rect, "y") + attribute(rect, "height") / 2.0;
        let level = |y: [f64; 2]| (f64::midpoint(y[0], y[1]) - middle).abs() < 2.0;
        let name = labels.iter().find(|l| l.text == name).unwrap();
        assert!(level(name.y) && name.x[1] < zero, "{name:?}");
        let end = attribute(rect, "x") + attribute(rect, "width");
        assert!(
            labels
                .iter()
                .any(|l| l.text == value && level(l.y) && (l.x[0] - end - 6.0).abs() < 0.03)
        );
    }
}

#[test]
fn negative_bars_go_the_other_way_and_what_is_missing_is_said() {
    let given = bars(&[f64::NAN, -0.2, 0.3, f64::NEG_INFINITY, 0.000_012_34]);
    let figure = importances("t", "share", &given);
    assert_finite(figure.svg());
    let document = Document::parse(figure.svg()).unwrap();
    let rects = of_class(&document, "bar");
    assert_eq!(rects.len(), 3);
    let zero = tick(&document, "0", false);
    let negative = rects[2];
    assert!(near(attribute(&negative, "x"), tick(&document, "−0.2", false)));
    assert!((attribute(&negative, "x") + attribute(&negative, "width") - zero).abs() < 0.03);
    let labels = tidy_labels(figure.svg());
    let mut values: Vec<_> = labels.iter().filter(|l| l.class == "value").collect();
    values.sort_by(|a, b| a.y[0].total_cmp(&b.y[0]));
    let texts: Vec<&str> = values.iter().map(|l| l.text.as_str()).collect();
    assert_eq!(texts, ["0.300", "1.23×10⁻⁵", "−0.200", "no value", "no value"]);
    assert!(values[2].x[1] < attribute(&negative, "x"), "beyond the end of its bar");
}

#[test]
fn labels_stay_apart_and_on_the_page() {
    let long = "encoder.block_3.rather_long_name of a parameter that somebody gave to it";
    let values = [0.5, 1e300, -1e300, f64::INFINITY, 5e-324, 0.0, -0.0, 1e-12, 123_456_789.0];
    for n in 0..=values.len() {
        for name in ["p", long, &"x".repeat(200), ""] {
            let given: Vec<(String, f64)> =
                values[..n].iter().map(|&v| (name.to_owned(), v)).collect();
            for given in [&given[..], &given[n.saturating_sub(1)..]] {
                let figure = importances(long, name, given);
                assert_finite(figure.svg());
                let labels = tidy_labels(figure.svg());
                let shown = labels.iter().filter(|l| l.class == "value").count();
                assert_eq!(shown, given.len());
            }
        }
    }
    assert!(importances("t", "", &[]).svg().contains("no data"));
}
