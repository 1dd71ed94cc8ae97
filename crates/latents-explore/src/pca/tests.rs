//! Components against those of the covariance matrix, however they are computed.

use super::*;
use crate::linear::{axpy, eigen, scatter};

fn fit(rows: Rows<'_>, components: usize) -> Result<Pca, Error> {
    Pca::fit(rows, components, &Monitor::default())
}

#[test]
fn a_line_has_one_component() {
    let x: Vec<f32> = (0..9u8).flat_map(|i| [f32::from(i), 1.0 - 2.0 * f32::from(i)]).collect();
    let rows = Rows::new(&x, 2).unwrap();
    let pca = fit(rows, 2).unwrap();
    assert!((pca.explained_variance_ratio()[0] - 1.0).abs() < 1e-12);
    let [a, b] = [pca.components()[0], pca.components()[1]];
    assert!((b - 0.8f64.sqrt()).abs() < 1e-12 && (a + 0.2f64.sqrt()).abs() < 1e-12);
    let one = fit(rows, 1).unwrap();
    assert!(one.reconstruction_error(rows).unwrap() < 1e-12);
    assert!(fit(rows, 3).is_err() && fit(rows.slice(0..1), 1).is_err());
}

#[test]
fn whitened_directions_do_not_depend_on_scales() {
    let values = falling(50, 6);
    let rows = Rows::new(&values, 6).unwrap();
    let pca = fit(rows, 4).unwrap();
    let found = pca.whitened_directions(rows).unwrap();
    let plain = pca.transform(rows).unwrap();
    for (found, plain) in found.chunks(4).zip(plain.chunks(4)) {
        let of = |k: usize| f64::from(plain[k]) / pca.explained_variance()[k].sqrt();
        let length = (0..4).map(|k| of(k).powi(2)).sum::<f64>().sqrt();
        for (k, &x) in found.iter().enumerate() {
            assert!((f64::from(x) - of(k) / length).abs() < 1e-6);
        }
    }
}

#[test]
fn whitened_coordinates_have_unit_variance_and_go_back() {
    let values = falling(50, 6);
    let rows = Rows::new(&values, 6).unwrap();
    let pca = fit(rows, 6).unwrap().whiten(true);
    let white = pca.transform(rows).unwrap();
    for k in 0..6 {
        let squares = white.iter().skip(k).step_by(6).map(|&x| f64::from(x).powi(2));
        assert!((squares.sum::<f64>() / 49.0 - 1.0).abs() < 1e-5);
    }
    let back = pca.inverse_transform(Rows::new(&white, 6).unwrap()).unwrap();
    assert!(values.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-4));
    let again = Pca::from_parameters(
        pca.mean.clone(),
        pca.components.clone(),
        pca.variance.clone(),
        pca.total,
    );
    assert_eq!(again.unwrap().whiten(true), pca);
    assert!(Pca::from_parameters(vec![0.0; 2], vec![1.0; 3], vec![1.0], 1.0).is_err());
}

#[test]
fn the_fewest_components_explain_a_part_of_the_variance() {
    let pca = Pca::from_parameters(vec![0.0; 2], vec![1.0, 0.0, 0.0, 1.0], vec![9.0, 1.0], 10.0);
    let pca = pca.unwrap();
    assert_eq!([0.5, 0.9, 0.95, 1.0].map(|part| pca.components_for(part)), [1, 1, 2, 2]);
}

#[test]
fn few_wide_rows_have_the_components_of_their_covariance() {
    let mut s = latents_random::stream(3, latents_random::Purpose::Synthetic, 0, 0);
    let values: Vec<f32> = (0..12 * 20).map(|_| s.normal() as f32).collect();
    let rows = Rows::new(&values, 20).unwrap();
    let few = fit(rows, 11).unwrap();
    let scale = 1.0 / 11.0;
    let monitor = Monitor::default();
    let covariance = scatter(rows, &few.mean, None, &monitor).unwrap();
    let covariance: Vec<f64> = covariance.iter().map(|s| s * scale).collect();
    let whole = eigen(&covariance, 20, &monitor).unwrap();
    for k in 0..11 {
        assert!((few.variance[k] - whole.values[k]).abs() < 1e-9);
        let same: f64 = dot(&few.components[k * 20..][..20], &whole.vectors[k * 20..][..20]);
        assert!((same - 1.0).abs() < 1e-9, "component {k}: {same}");
    }
    let all: f64 = (0..20).map(|i| covariance[i * 20 + i]).sum();
    assert!((few.total - all).abs() < 1e-9);
    assert!(few.reconstruction_error(rows).unwrap() < 1e-9, "twelve rows span eleven directions");
}

/// Rows whose variance falls as that of images does.
fn falling(n: usize, d: usize) -> Vec<f32> {
    let mut s = latents_random::stream(5, latents_random::Purpose::Synthetic, 0, 0);
    let directions: Vec<f64> = (0..d * d).map(|_| s.normal()).collect();
    let row = |_| {
        let mut row = vec![0.5; d];
        for (k, direction) in directions.chunks(d).enumerate() {
            axpy(s.normal() / (k + 1) as f64, direction, &mut row);
        }
        row.into_iter().map(|v| v as f32)
    };
    (0..n).flat_map(row).collect()
}

#[test]
fn large_matrices_have_the_components_of_their_covariance() {
    let (d, k) = (200, 12);
    for n in [500, 150] {
        let values = falling(n, d);
        let rows = Rows::new(&values, d).unwrap();
        let ours = fit(rows, k).unwrap();
        let monitor = Monitor::default();
        let covariance = scatter(rows, &ours.mean, None, &monitor).unwrap();
        let covariance: Vec<f64> = covariance.iter().map(|s| s / (n - 1) as f64).collect();
        let whole = eigen(&covariance, d, &monitor).unwrap();
        let of_rows = Fit::new(rows, &monitor).by_rows(k).unwrap();
        let total: f64 = (0..d).map(|i| covariance[i * d + i]).sum();
        for (pca, accuracy) in [(&ours, 1e-6), (&of_rows, 1e-4)] {
            assert!((pca.total / total - 1.0).abs() < 1e-6);
            for i in 0..k {
                let ratio = pca.variance[i] / whole.values[i];
                assert!((ratio - 1.0).abs() < accuracy, "{n} {i}: {ratio}");
                let same = dot(&pca.components[i * d..][..d], &whole.vectors[i * d..][..d]);
                assert!((same - 1.0).abs() < 100.0 * accuracy, "{n} {i}: {same}");
            }
        }
    }
}

#[test]
fn limits_bring_images_nearer() {
    let images: Vec<f32> = falling(60, 30).iter().map(|v| v.clamp(0.0, 1.0)).collect();
    let rows = Rows::new(&images, 30).unwrap();
    let pca = fit(rows, 3).unwrap();
    let [free, clipped] =
        [pca.reconstruction_error(rows).unwrap(), pca.clipped_reconstruction_error(rows).unwrap()];
    assert!(clipped < free && clipped > 0.0, "{clipped} {free}");
}

#[test]
fn more_components_than_directions_are_zero() {
    let values = falling(140, 300);
    let rows = Rows::new(&values, 300).unwrap();
    let pca = fit(rows, 160).unwrap();
    assert!(pca.reconstruction_error(rows).unwrap() < 1e-5 * pca.total / 300.0);
    assert!(pca.components[139 * 300..].iter().all(|&c| c == 0.0));
    assert_eq!((pca.variance.len(), pca.components.len()), (160, 160 * 300));
}

#[test]
fn bits_do_not_depend_on_threads() {
    let values = falling(400, 190);
    let rows = Rows::new(&values, 190).unwrap();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(rows, 20).unwrap())
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn equal_rows_span_no_directions() {
    let mut s = latents_random::stream(3, latents_random::Purpose::Synthetic, 0, 0);
    let three: Vec<f32> = (0..3 * 40).map(|_| s.normal() as f32).collect();
    let values = three.repeat(5);
    let rows = Rows::new(&values, 40).unwrap();
    let pca = fit(rows, 12).unwrap();
    let others: Vec<f32> = (0..6 * 40).map(|_| s.normal() as f32).collect();
    let others = Rows::new(&others, 40).unwrap();
    let error = |pca: &Pca| pca.reconstruction_error(others).unwrap();
    assert!((error(&pca) - error(&pca.truncated(2))).abs() < 1e-9);
    let length = |k: usize| dot(&pca.components[k * 40..][..40], &pca.components[k * 40..][..40]);
    assert!((0..2).all(|k| (length(k) - 1.0).abs() < 1e-12));
    assert!((2..12).all(|k| length(k) == 0.0));
}

#[test]
fn memory_is_that_of_the_rows_a_copy_of_some_and_a_matrix() {
    // Few rows: also in double precision. Otherwise: at most 1,024 of them are packed.
    assert_eq!(Pca::memory(100, 1_000), 1_200_000 + 160_000);
    assert_eq!(Pca::memory(100_000, 3_072), 4 * 3_072 * 101_024 + 16 * 3_072 * 3_072);
    assert_eq!(Pca::memory(20_000, 5_000), 4 * 5_000 * 21_024);
}
