//! Compares scores with scikit-learn on `tests/golden/classification.json`, made by `xtask/python/golden_classification.py`, and bootstrap
//! intervals with their theory.

#![allow(clippy::unwrap_used)]

use latents_progress::Monitor;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Case {
    truth: Vec<u16>,
    probabilities: Vec<f32>,
    classes: usize,
    confusion: Vec<Vec<u64>>,
    accuracy: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    macro_f1: f64,
    ece: f64,
    nll: f64,
    brier: f64,
    bins: Vec<(u64, f64, f64)>,
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn scores_are_scikit_learns() {
    let golden = include_str!("../../tests/golden/classification.json");
    let cases: Vec<Case> = serde_json::from_str(golden).unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let predicted = argmax(&case.probabilities, case.classes);
        let confusion = Confusion::new(&case.truth, &predicted, case.classes).unwrap();
        assert_eq!(confusion.counts(), case.confusion);
        assert_eq!(confusion.samples(), case.truth.len() as u64);
        close(confusion.accuracy(), case.accuracy);
        close(confusion.macro_f1(), case.macro_f1);
        for (class, scores) in confusion.scores().iter().enumerate() {
            close(scores.precision, case.precision[class]);
            close(scores.recall, case.recall[class]);
            close(scores.f1, case.f1[class]);
        }
        let bins = case.bins.len();
        assert_eq!(bins, Calibration::BINS);
        let found = Calibration::new(&case.truth, &case.probabilities, case.classes, bins).unwrap();
        close(found.ece, case.ece);
        close(found.nll, case.nll);
        close(found.brier, case.brier);
        for (found, (count, confidence, accuracy)) in found.bins.iter().zip(case.bins) {
            assert_eq!(found.count, count);
            close(found.confidence, confidence);
            close(found.accuracy, accuracy);
        }
    }
}

#[test]
fn mistakes_come_by_frequency() {
    let confusion = Confusion::new(&[0, 0, 0, 1, 2, 2], &[1, 1, 0, 2, 0, 2], 3).unwrap();
    let mistakes: Vec<_> =
        confusion.mistakes().iter().map(|m| (m.truth, m.predicted, m.count)).collect();
    assert_eq!(mistakes, [(0, 1, 2), (1, 2, 1), (2, 0, 1)]);
}

#[test]
fn bootstrap_intervals_are_as_wide_as_binomials() {
    // 900 of 1,000 are correct: the standard deviation of the accuracy is sqrt(0.9 * 0.1 / 1000).
    let truth: Vec<u16> = (0..1000).map(|i| (i % 4) as u16).collect();
    let predicted: Vec<u16> =
        truth.iter().enumerate().map(|(i, &t)| if i % 10 == 3 { (t + 1) % 4 } else { t }).collect();
    let found = bootstrap(&truth, &predicted, 4, 0.95, 2000, 7, &Monitor::default()).unwrap();
    let [low, high] = found.accuracy;
    let sigma = (0.09f64 / 1000.0).sqrt();
    assert!((low - (0.9 - 1.96 * sigma)).abs() < 0.003, "{low}");
    assert!((high - (0.9 + 1.96 * sigma)).abs() < 0.003, "{high}");
    assert_eq!(found.f1.len(), 4);
    assert!(found.f1.iter().all(|[low, high]| low < high && *low > 0.8 && *high < 1.0));
    assert_eq!(
        found,
        bootstrap(&truth, &predicted, 4, 0.95, 2000, 7, &Monitor::default()).unwrap()
    );
    assert_ne!(
        found,
        bootstrap(&truth, &predicted, 4, 0.95, 2000, 8, &Monitor::default()).unwrap()
    );
    let narrow = bootstrap(&truth, &predicted, 4, 0.5, 2000, 7, &Monitor::default()).unwrap();
    assert!(narrow.accuracy[0] > low && narrow.accuracy[1] < high);
}

/// scikit-learn: `f1_score([0, 0, 3], [0, 0, 3], average="macro")` is 1.
#[test]
#[allow(clippy::float_cmp)] // The expected values are exact.
fn a_class_that_does_not_occur_is_left_out_of_the_mean() {
    let macro_f1 =
        |truth: &[u16], predicted: &[u16]| Confusion::new(truth, predicted, 4).unwrap().macro_f1();
    assert_eq!(macro_f1(&[0, 0, 3], &[0, 0, 3]), 1.0);
    // A class that occurs only among predictions counts.
    assert_eq!(macro_f1(&[0, 0, 3], &[0, 1, 3]), (2.0 / 3.0 + 0.0 + 1.0) / 3.0);
    assert_eq!(macro_f1(&[], &[]), 0.0);
    // A class of one sample is missing from a third of the replicates.
    let truth = [vec![0; 40], vec![1]].concat();
    let found = bootstrap(&truth, &truth, 3, 0.95, 200, 1, &Monitor::default()).unwrap();
    assert_eq!((found.macro_f1, &found.f1[..2]), ([1.0; 2], &[[1.0; 2]; 2][..]));
    assert_eq!(found.f1[2], [0.0; 2]);
}

#[test]
fn errors_name_what_does_not_fit() {
    let error = Confusion::new(&[0, 1], &[0], 2).unwrap_err().to_string();
    assert!(
        error.contains("predicted labels has 1") && error.contains("2 are expected"),
        "{error}"
    );
    let error = Confusion::new(&[0, 3], &[0, 0], 2).unwrap_err().to_string();
    assert!(error.contains("label 3 at index 1"), "{error}");
    assert!(Calibration::new(&[], &[], 2, 15).is_err());
    assert!(Calibration::new(&[0], &[0.5], 2, 15).is_err());
    assert!(bootstrap(&[], &[], 2, 0.95, 10, 0, &Monitor::default()).is_err());
    assert!(bootstrap(&[0], &[0], 2, 1.0, 10, 0, &Monitor::default()).is_err());
}

#[test]
fn softmax_is_stable_and_sums_to_one() {
    let p = softmax(&[1000.0, 1000.0, -1000.0, 0.0, 1.0, 2.0], 3);
    assert!((p[0] - 0.5).abs() < 1e-6 && p[2] == 0.0);
    assert!((p[5] - 0.665_240_96).abs() < 1e-6);
    assert_eq!(argmax(&p, 3), [0, 2]);
}
