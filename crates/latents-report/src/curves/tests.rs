//! Tests of curves: positions of points, downsampling, gaps, labels that do not overlap, and one whole file.

use roxmltree::{Document, Node};

use super::*;
use crate::testing::{Pixels, attribute, near, of_class, tick, tidy_labels, vertices};

fn curve(name: &str, group: usize, points: &[(f64, f64)]) -> Curve {
    Curve { name: name.into(), points: points.to_vec(), dashed: false, group }
}

#[test]
fn points_stand_at_their_ticks_on_linear_axes() {
    let figure = curves("t", "x", "y", &[curve("c", 0, &[(0.0, 2.0), (10.0, 4.0), (20.0, 3.0)])]);
    let document = Document::parse(figure.svg()).unwrap();
    let path = vertices(&of_class(&document, "curve")[0]);
    assert_eq!(path.iter().map(|v| v.0).collect::<String>(), "MLL");
    for (vertex, (x, y)) in path.iter().zip([("0", "2.0"), ("10", "4.0"), ("20", "3.0")]) {
        assert!(near(vertex.1, tick(&document, x, false)), "{vertex:?}");
        assert!(near(vertex.2, tick(&document, y, true)), "{vertex:?}");
    }
    // The points span the width of the axes, and y points up.
    assert!(path[2].1 - path[0].1 > 500.0);
    assert!(path[0].2 - path[1].2 > 250.0);
    assert!(near(path[2].2, f64::midpoint(path[0].2, path[1].2)));
}

#[test]
fn points_stand_at_their_ticks_on_a_log_axis() {
    let figure = curves("t", "x", "y", &[curve("c", 0, &[(0.0, 0.01), (5.0, 0.1), (20.0, 1.0)])]);
    let document = Document::parse(figure.svg()).unwrap();
    let path = vertices(&of_class(&document, "curve")[0]);
    for (vertex, y) in path.iter().zip(["0.01", "0.1", "1"]) {
        assert!(near(vertex.2, tick(&document, y, true)), "{vertex:?} {y}");
    }
    assert!(near(path[1].2, f64::midpoint(path[0].2, path[2].2)), "a ratio is a distance");
    assert!(near(path[1].1 - path[0].1, (path[2].1 - path[0].1) / 4.0), "x stays linear");
}

#[test]
fn points_stand_at_their_ticks_where_x_grows_by_factors() {
    let points = [(0.0, 9.0), (10.0, 1.0), (100.0, 2.0), (10_000.0, 3.0)];
    let figure = log_curves("t", "x", "y", &[curve("c", 0, &points)]);
    let document = Document::parse(figure.svg()).unwrap();
    let path = vertices(&of_class(&document, "curve")[0]);
    assert_eq!(path.len(), 3, "none at zero");
    for (vertex, x) in path.iter().zip(["10", "100", "10000"]) {
        assert!(near(vertex.1, tick(&document, x, false)), "{vertex:?} {x}");
    }
    assert!(near(path[2].1 - path[1].1, 2.0 * (path[1].1 - path[0].1)), "a ratio is a distance");
}

#[test]
fn gaps_split_the_line_and_lone_points_are_dots() {
    let points =
        [(1.0, 3.0), (2.0, f64::NAN), (3.0, 2.0), (4.0, 1.8), (5.0, f64::INFINITY), (6.0, 1.5)];
    let figure = curves("t", "x", "y", &[curve("c", 1, &points)]);
    assert!(!figure.svg().contains("NaN") && !figure.svg().contains("inf"));
    let document = Document::parse(figure.svg()).unwrap();
    let path = vertices(&of_class(&document, "curve")[0]);
    assert_eq!(path.iter().map(|v| v.0).collect::<String>(), "ML");
    let dots = of_class(&document, "dot");
    assert_eq!(dots.len(), 2);
    assert!(near(attribute(&dots[0], "cx"), tick(&document, "1", false)));
    assert!(near(attribute(&dots[1], "cx"), tick(&document, "6", false)));
    assert_eq!(dots[0].attribute("fill"), Some("#d55e00"));
}

#[test]
fn the_group_sets_the_colour_and_the_flag_the_dashes() {
    let mut validation = curve("v", 9, &[(1.0, 1.0), (2.0, 2.0)]);
    validation.dashed = true;
    let figure = curves("t", "x", "y", &[curve("t", 2, &[(1.0, 1.0), (2.0, 1.5)]), validation]);
    let document = Document::parse(figure.svg()).unwrap();
    for class in ["curve", "sample"] {
        let mut strokes: Vec<_> = of_class(&document, class)
            .iter()
            .map(|n| (n.attribute("stroke"), n.has_attribute("stroke-dasharray")))
            .collect();
        strokes.sort_by_key(|s| s.1);
        // Group 9 starts the palette of seven over.
        assert_eq!(strokes, [(Some("#009e73"), false), (Some("#009e73"), true)], "{class}");
    }
}

#[test]
fn ten_thousand_points_are_downsampled_to_the_same_line() {
    let mut points: Vec<(f64, f64)> =
        (0..10_000).map(|i| (f64::from(i), f64::from(i * 7919 % 1000) + 1000.0)).collect();
    points[5_003].1 = 4000.0;
    points[7_001].1 = 10.0;
    let figure = curves("t", "x", "y", &[curve("c", 0, &points)]);
    let document = Document::parse(figure.svg()).unwrap();
    let path = vertices(&of_class(&document, "curve")[0]);
    assert!(path.len() > 2_000 && path.len() < 6_000, "{}", path.len());
    let highest = path.iter().min_by(|a, b| a.2.total_cmp(&b.2)).unwrap();
    let lowest = path.iter().max_by(|a, b| a.2.total_cmp(&b.2)).unwrap();
    let (zero, end) = (tick(&document, "0", false), path[path.len() - 1].1);
    let share = |x: f64| (x - zero) / (end - zero);
    assert!((share(highest.1) - 5_003.0 / 9_999.0).abs() < 1e-4, "the spike is where it was");
    assert!((share(lowest.1) - 7_001.0 / 9_999.0).abs() < 1e-4, "and so is the dip");
    assert!(figure.svg().len() < 120_000, "{}", figure.svg().len());
    assert!(near(path[0].1, zero));
}

#[test]
fn labels_stay_apart_and_on_the_page() {
    let long = "a rather long name of a run that somebody gave to it one evening";
    let many = |n: usize, name: &str| -> Vec<Curve> {
        (0..n)
            .map(|i| curve(&format!("{name} {i}"), i, &[(1.0, 2.0), (42.0, 1.0 + i as f64 * 1e-3)]))
            .collect()
    };
    let huge = "word ".repeat(200);
    let cases: Vec<(&str, &str, Vec<Curve>)> = vec![
        ("none", "y", vec![]),
        ("equal ends", "loss", many(5, "run")),
        ("a full column", "loss", many(17, "run")),
        ("below", "loss", many(30, "run")),
        ("counted", "loss", many(100, "run")),
        ("long names", "loss", many(3, long)),
        ("hostile", &huge, many(2, &huge)),
        (&huge, "loss", vec![curve("x", 0, &[(1.0, 1.0)])]),
        ("", "", vec![curve("", 0, &[(-1e12, -1e300), (1e12, 1e300)])]),
        ("extreme", "y", vec![curve("e", 0, &[(1e-12, 1e-250), (1.5, 1e250)])]),
        ("narrow", "y", vec![curve("e", 0, &[(1e9, 5.000_000_01), (1e9 + 3.0, 5.000_000_02)])]),
        ("no data", "y", vec![curve("e", 0, &[(f64::NAN, 1.0)]), curve("f", 1, &[])]),
    ];
    for (title, y, given) in &cases {
        let labels = tidy_labels(curves(title, "epoch", y, given).svg());
        let names = labels.iter().filter(|l| l.class == "key").count();
        assert_eq!(names, given.iter().filter(|c| !c.name.is_empty()).count().min(61), "{title}");
        assert!(labels.iter().filter(|l| l.class == "tick").count() >= 3, "{title}: {labels:?}");
    }
}

#[test]
fn names_beside_the_curves_follow_their_order() {
    let ends = [3.0, 1.0, 2.0];
    let given: Vec<Curve> = ends
        .iter()
        .enumerate()
        .map(|(i, &y)| curve(&format!("ends at {y}"), i, &[(1.0, 2.5), (9.0, y)]))
        .collect();
    let figure = curves("t", "x", "y", &given);
    let mut keys: Vec<_> =
        tidy_labels(figure.svg()).into_iter().filter(|l| l.class == "key").collect();
    keys.sort_by(|a, b| a.y[0].total_cmp(&b.y[0]));
    let names: Vec<_> = keys.iter().map(|k| k.text.as_str()).collect();
    assert_eq!(names, ["ends at 3", "ends at 2", "ends at 1"]);
    let document = Document::parse(figure.svg()).unwrap();
    for (path, key) in of_class(&document, "curve").iter().zip([&keys[0], &keys[2], &keys[1]]) {
        let end = *vertices(path).last().unwrap();
        assert!(key.x[0] > end.1, "a name lies on the data");
        assert!((f64::midpoint(key.y[0], key.y[1]) - end.2).abs() < 3.0, "{key:?} {end:?}");
    }
}

#[test]
fn names_are_data_not_markup() {
    let hostile = r#"<script>alert("1")</script> & ' ]]> "#;
    let figure = curves(hostile, hostile, hostile, &[curve(hostile, 0, &[(1.0, 1.0), (2.0, 2.0)])]);
    assert!(!figure.svg().contains("<script"));
    let document = Document::parse(figure.svg()).unwrap();
    let texts: Vec<_> =
        document.descendants().filter(Node::is_text).filter_map(|n| n.text()).collect();
    assert_eq!(texts.iter().filter(|t| **t == hostile.trim()).count(), 5, "{texts:?}");
    figure.png().unwrap();
}

#[test]
fn pixels_show_the_curve_where_the_svg_puts_it() {
    let given = [curve("c", 1, &[(0.0, 2.0), (10.0, 4.0), (20.0, 4.0)])];
    let figure = curves("t", "x", "y", &given);
    let document = Document::parse(figure.svg()).unwrap();
    let path = vertices(&of_class(&document, "curve")[0]);
    let pixels = Pixels::decode(&figure.png().unwrap());
    let root = document.root_element();
    assert_eq!(pixels.width, 2 * attribute(&root, "width") as usize);
    assert_eq!(pixels.height, 2 * attribute(&root, "height") as usize);
    // A third of the way, away from grid lines.
    let (x, y) = (path[1].1 + (path[2].1 - path[1].1) * 0.3, path[1].2);
    let vermillion = [0xd5, 0x5e, 0x00];
    assert_eq!(pixels.at((x * 2.0) as usize, (y * 2.0) as usize), vermillion);
    assert_eq!(pixels.at((x * 2.0) as usize, (y * 2.0) as usize - 6), [255; 3]);
    assert_eq!(pixels.at(1, 1), [255; 3]);
    // The letters of the title are drawn.
    let dark = (24 * 2..40 * 2)
        .flat_map(|y| (24 * 2..32 * 2).map(move |x| (x, y)))
        .filter(|&(x, y)| pixels.at(x, y)[0] < 60)
        .count();
    assert!(dark > 30, "{dark}");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let draw = || {
        let points: Vec<_> = (1..40).map(|i| (f64::from(i), 1.0 / f64::from(i))).collect();
        curves("t", "x", "y", &[curve("c", 0, &points)])
    };
    assert_eq!(draw().svg(), draw().svg());
    assert_eq!(draw().png().unwrap(), draw().png().unwrap());
}

/// The whole file of a small figure. After an intended change, rewrite it with `LATENTS_BLESS=1 cargo test -p latents-report` and
/// review the difference.
#[test]
fn a_small_figure_is_written_as_expected() {
    let mut validation =
        curve("Adam, validation", 0, &[(1.0, 0.0562), (2.0, 0.0342), (5.0, 0.0263)]);
    validation.dashed = true;
    let given = [validation, curve("SGD, train", 1, &[(1.0, 0.242), (5.0, 0.231)])];
    let figure = curves("Reconstruction loss", "epoch", "mean squared error", &given);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/expected/curves.svg");
    if std::env::var_os("LATENTS_BLESS").is_some() {
        std::fs::write(path, figure.svg()).unwrap();
    }
    assert_eq!(figure.svg(), std::fs::read_to_string(path).unwrap());
}
