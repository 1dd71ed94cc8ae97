//! Compares probes with scikit-learn on `tests/golden/probes.json`, made by `xtask/python/golden_probes.py`.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use latents_engine::{Isa, Runtime};
use latents_progress::Monitor;
use serde::Deserialize;

use super::*;
use crate::Rows;
use crate::neighbours::nearest;

#[derive(Deserialize)]
struct Case {
    dim: usize,
    classes: usize,
    values: Vec<f32>,
    labels: Vec<u16>,
    queries: Vec<f32>,
    standardize: bool,
    c: f64,
    weights: Vec<f64>,
    biases: Vec<f64>,
    predicted: Vec<u16>,
    objective: f64,
    neighbours: Vec<u32>,
    voted: Vec<u16>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../../tests/golden/probes.json")).unwrap()
}

fn fit(case: &Case, runtime: &Arc<Runtime>) -> Logistic {
    let tolerance = 1e-8;
    let config =
        LogisticConfig { c: case.c, standardize: case.standardize, tolerance, iterations: 500 };
    Logistic::fit(
        &case.values,
        case.dim,
        &case.labels,
        case.classes,
        config,
        runtime,
        &Monitor::default(),
    )
    .unwrap()
}

#[test]
fn regressions_are_scikit_learns() {
    let runtime = Arc::new(Runtime::new(Some(2), None).unwrap());
    for case in cases() {
        let probe = fit(&case, &runtime);
        assert!(probe.converged(), "{} steps", probe.iterations());
        assert!(probe.iterations() < 100, "{} steps", probe.iterations());
        let (weights, biases) = probe.coefficients();
        for (found, expected) in
            weights.iter().zip(&case.weights).chain(biases.iter().zip(&case.biases))
        {
            assert!((found - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{found} {expected}");
        }
        assert!((probe.objective() - case.objective).abs() < 1e-8, "{}", probe.objective());
        assert_eq!(probe.predict(&case.queries, &runtime).unwrap(), case.predicted);
    }
}

#[test]
fn fewer_vectors_than_columns_have_the_same_regression() {
    let runtime = Arc::new(Runtime::new(Some(2), None).unwrap());
    let mut s = latents_random::stream(1, latents_random::Purpose::Synthetic, 0, 0);
    let (n, dim, classes) = (30, 47, 3);
    let mut values: Vec<f32> = (0..n * dim).map(|_| s.normal() as f32).collect();
    // Two equal vectors, and one that others span.
    values.copy_within(0..dim, 5 * dim);
    for j in 0..dim {
        values[7 * dim + j] = values[j] - values[dim + j];
    }
    let labels: Vec<u16> = (0..n).map(|i| (i % classes) as u16).collect();
    // Vectors that are given twice have the same best weights at half the C.
    let (twice, labels_twice) = (values.repeat(2), labels.repeat(2));
    for standardize in [false, true] {
        let config =
            |c| LogisticConfig { c, standardize, tolerance: 1e-9, ..LogisticConfig::default() };
        let monitor = Monitor::default();
        let few =
            Logistic::fit(&values, dim, &labels, classes, config(1.0), &runtime, &monitor).unwrap();
        let many =
            Logistic::fit(&twice, dim, &labels_twice, classes, config(0.5), &runtime, &monitor)
                .unwrap();
        assert!(few.converged() && few.iterations() < 60, "{}", few.iterations());
        let ((a, b), (expected_a, expected_b)) = (few.coefficients(), many.coefficients());
        for (found, expected) in a.iter().zip(&expected_a).chain(b.iter().zip(&expected_b)) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}

#[test]
fn neighbours_are_scikit_learns() {
    for case in cases() {
        let rows = |x| Rows::new(x, case.dim).unwrap();
        let found = nearest(rows(&case.queries), rows(&case.values), 10).unwrap();
        assert_eq!(found.index, case.neighbours);
        assert_eq!(found.vote(&case.labels), case.voted);
    }
}

#[test]
fn bits_depend_on_neither_threads_nor_instruction_set() {
    let case = &cases()[0];
    let runtime = |threads, isa| Arc::new(Runtime::new(Some(threads), isa).unwrap());
    let (one, two) = (runtime(1, Some(Isa::Portable)), runtime(2, None));
    assert_eq!(fit(case, &one), fit(case, &two));
}

#[test]
fn few_labels_are_balanced_and_reproducible() {
    let labels: Vec<u16> = (0..1000).map(|i| (i % 10) as u16).collect();
    let some = few_labels(&labels, 100, 3, 0);
    let mut counts = [0; 10];
    for &i in &some {
        counts[usize::from(labels[i as usize])] += 1;
    }
    assert_eq!(counts, [10; 10]);
    assert_eq!(some, few_labels(&labels, 100, 3, 0));
    assert_ne!(some, few_labels(&labels, 100, 3, 1));
    assert_ne!(some, few_labels(&labels, 100, 4, 0));
    assert_eq!(few_labels(&labels, 5_000, 3, 0).len(), 1000);
    // If a class has too few samples, the other supplies the rest.
    let rare: Vec<u16> = (0..100).map(|i| u16::from(i < 3)).collect();
    let some = few_labels(&rare, 20, 1, 0);
    assert_eq!((some.len(), some.iter().filter(|&&i| rare[i as usize] == 1).count()), (20, 3));
}

#[test]
fn errors_name_what_does_not_fit() {
    let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
    let config = LogisticConfig::default();
    let fit = |values: &[f32], labels: &[u16]| {
        Logistic::fit(values, 2, labels, 3, config, &runtime, &Monitor::default())
            .unwrap_err()
            .to_string()
    };
    assert!(fit(&[0.0; 5], &[0, 1]).contains("list of vectors has 5"));
    assert!(fit(&[0.0; 4], &[0]).contains("list of labels has 1"));
    assert!(fit(&[0.0; 4], &[0, 3]).contains("label 3 at index 1"));
}
