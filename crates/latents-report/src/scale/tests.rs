//! Tests of scales: positions, the choice of the kind, ticks and their labels, extreme ranges.

use super::*;

fn labels(scale: &Scale, most: usize) -> Vec<String> {
    let ticks = scale.ticks(most);
    assert!(ticks.iter().all(|t| (-1e-6..=1.0 + 1e-6).contains(&t.at)), "{ticks:?}");
    assert!(ticks.windows(2).all(|w| w[0].at < w[1].at), "{ticks:?}");
    ticks.into_iter().map(|t| t.label).filter(|l| !l.is_empty()).collect()
}

#[test]
fn a_linear_axis_places_values_in_proportion() {
    let scale = Scale::linear(10.0, 30.0, false);
    for (v, place) in [(10.0, 0.0), (15.0, 0.25), (30.0, 1.0)] {
        assert!((scale.place(v) - place).abs() < 1e-12, "{v}");
    }
}

#[test]
fn a_log_axis_places_ratios_evenly() {
    let scale = Scale::for_values(0.01, 1.0);
    assert_eq!(scale.kind, Kind::Log);
    let [a, b, c] = [0.01, 0.1, 1.0].map(|v| scale.place(v));
    assert!((b - 0.5).abs() < 1e-12 && (b - a - (c - b)).abs() < 1e-12 && a > 0.0 && c < 1.0);
}

#[test]
fn the_kind_follows_the_values() {
    assert_eq!(Scale::for_values(0.1, 0.81).kind, Kind::Log);
    assert_eq!(Scale::for_values(0.1, 0.79).kind, Kind::Linear { whole: false });
    assert_eq!(Scale::for_values(0.0, 5.0).kind, Kind::Linear { whole: false });
    assert_eq!(Scale::for_values(-1.0, 50.0).kind, Kind::Linear { whole: false });
    assert!(Scale::for_values(0.2, 1.0).lo.abs() < f64::EPSILON, "zero is near");
    assert!(Scale::for_values(0.8, 1.0).lo > 0.75, "zero is far");
}

#[test]
fn ticks_are_round_and_labelled_with_the_digits_they_need() {
    let linear = |lo, hi| labels(&Scale::linear(lo, hi, false), 6);
    assert_eq!(linear(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"].map(zero));
    assert_eq!(linear(0.148, 0.186), ["0.15", "0.16", "0.17", "0.18"]);
    assert_eq!(linear(-3.0, 2.0), ["−3", "−2", "−1", "0", "1", "2"]);
    assert_eq!(linear(0.0, 4e-5), ["0", "1×10⁻⁵", "2×10⁻⁵", "3×10⁻⁵", "4×10⁻⁵"]);
    assert_eq!(linear(0.0, 2.5e7), ["0", "0.5×10⁷", "1.0×10⁷", "1.5×10⁷", "2.0×10⁷", "2.5×10⁷"]);
    assert_eq!(labels(&Scale::linear(0.0, 42.0, true), 8), ["0", "10", "20", "30", "40"]);
    assert_eq!(labels(&Scale::linear(1.0, 3.0, true), 8), ["1", "2", "3"]);
}

fn zero(label: &str) -> &str {
    if label == "0.0" { "0" } else { label }
}

#[test]
fn log_ticks_suit_the_span() {
    assert_eq!(labels(&Scale::for_values(0.0207, 0.19), 6), ["0.02", "0.05", "0.1", "0.2"]);
    assert_eq!(
        labels(&Scale::for_values(0.003, 3.0), 6),
        ["0.003", "0.01", "0.03", "0.1", "0.3", "1", "3"]
    );
    assert_eq!(labels(&Scale::for_values(1e-9, 1e-8), 6), ["10⁻⁹", "2×10⁻⁹", "5×10⁻⁹", "10⁻⁸"]);
    let wide = labels(&Scale::for_values(1e-280, 1e280), 6);
    assert!((4..=9).contains(&wide.len()), "{wide:?}");
    assert!(wide.contains(&"10⁰".to_owned()), "{wide:?}");
}

#[test]
fn a_log_axis_of_less_than_a_decade_has_round_values() {
    assert_eq!(labels(&Scale::log(0.002_2, 0.002_9), 6), ["0.0022", "0.0024", "0.0026", "0.0028"]);
    assert_eq!(labels(&Scale::log(7.0, 7.0), 6), ["6", "7", "8"]);
    let scale = Scale::log(2.0, 3.5);
    for tick in scale.ticks(6).iter().filter(|t| !t.label.is_empty()) {
        assert!((scale.place(tick.label.parse().unwrap()) - tick.at).abs() < 1e-12, "{tick:?}");
    }
}

#[test]
fn log_ticks_thin_out_where_few_are_wanted() {
    let scale = Scale::log(0.001, 0.1);
    assert_eq!(labels(&scale, 9).len(), 7);
    assert_eq!(labels(&scale, 4), ["0.001", "0.003", "0.01", "0.03", "0.1"]);
    assert_eq!(labels(&scale, 2), ["0.001", "0.01", "0.1"]);
    assert_eq!(labels(&scale, 1), ["0.01"]);
}

#[test]
fn choices_stand_evenly_and_some_are_named_where_few_fit() {
    let names = ["a", "b ", "c", "d", "e"].map(String::from);
    let scale = Scale::choices(&names);
    for (i, place) in [0.1, 0.3, 0.5, 0.7, 0.9].into_iter().enumerate() {
        assert!((scale.place(i as f64) - place).abs() < 1e-12);
    }
    assert_eq!(labels(&scale, 5), ["a", "b", "c", "d", "e"]);
    assert_eq!(labels(&scale, 4), ["a", "c", "e"]);
    assert_eq!(labels(&scale, 0), ["a"]);
    for (v, taken) in [(0.0, true), (4.0, true), (5.0, false), (-1.0, false), (0.5, false)] {
        assert_eq!(scale.takes(v), taken, "{v}");
    }
    assert!(!scale.takes(f64::NAN) && !Scale::choices(&[]).takes(0.0));
}

#[test]
fn ends_move_out_until_a_value_is_clear() {
    let scale = Scale::linear(0.0, 10.0, false);
    assert_eq!(scale.clone().clear_around(5.0, 0.5, 0.5), scale);
    let moved = scale.clone().clear_around(1.0, 0.25, 0.0);
    assert!((moved.place(1.0) - 0.25).abs() < 1e-12 && (moved.place(10.0) - 1.0).abs() < 1e-12);
    let moved = scale.clear_around(10.0, 0.0, 0.2);
    assert!((moved.place(10.0) - 0.8).abs() < 1e-12 && moved.place(0.0).abs() < 1e-12);
}

#[test]
fn hostile_ranges_give_a_few_finite_ticks() {
    let ranges = [
        (0.0, 0.0),
        (1e300, 1e300),
        (-1e300, 1e300),
        (5e-324, 5e-324),
        (0.0, 5e-324),
        (1e15, 1e15 + 1.0),
        (-7.0, -7.0),
        (1e-300, 1e300),
    ];
    for (lo, hi) in ranges {
        for scale in
            [Scale::linear(lo, hi, false), Scale::linear(lo, hi, true), Scale::for_values(lo, hi)]
        {
            let labels = labels(&scale, 6);
            assert!((1..=14).contains(&labels.len()), "{lo} {hi} {scale:?} {labels:?}");
            assert!([lo, hi].iter().all(|&v| (0.0..=1.0).contains(&scale.place(v))));
        }
    }
}

#[test]
fn extent_skips_what_cannot_be_drawn() {
    let values = [f64::NAN, 2.0, f64::INFINITY, -1.0, f64::MIN];
    assert_eq!(extent(values.into_iter()), Some((-1.0, 2.0)));
    assert_eq!(extent([f64::NAN].into_iter()), None);
}
