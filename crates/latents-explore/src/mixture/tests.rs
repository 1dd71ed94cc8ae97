//! Mixtures of known Gaussians, and those of their parameters.

use super::*;

fn fit(rows: Rows<'_>, k: usize, seed: u64) -> GaussianMixture {
    GaussianMixture::fit(rows, k, seed, &Monitor::default()).unwrap()
}

/// Two Gaussians of 600 and 300 rows.
fn rows() -> Vec<f32> {
    let mut s = stream(8, Purpose::Synthetic, 0, 0);
    (0..900)
        .flat_map(|i| {
            let (a, b) = (s.normal(), s.normal());
            if i % 3 > 0 { [a, 0.5 * a + 0.2 * b] } else { [6.0 + 0.3 * a, b - 4.0] }
        })
        .map(|v| v as f32)
        .collect()
}

#[test]
fn components_are_recovered_and_sampled() {
    let x = rows();
    let rows = Rows::new(&x, 2).unwrap();
    let mixture = fit(rows, 2, 3);
    let big = usize::from(mixture.weights()[1] > mixture.weights()[0]);
    assert!((mixture.weights()[big] - 2.0 / 3.0).abs() < 0.01);
    assert!((mixture.covariance(big)[1] - 0.5).abs() < 0.1, "{:?}", mixture.covariance(big));
    assert!((mixture.mean(1 - big)[0] - 6.0).abs() < 0.1);
    let drawn = mixture.sample(4000, 1);
    let again = fit(Rows::new(&drawn, 2).unwrap(), 2, 5);
    let other = usize::from(again.weights()[1] > again.weights()[0]);
    assert!((again.covariance(other)[1] - mixture.covariance(big)[1]).abs() < 0.08);
    assert_eq!(drawn[..20], mixture.sample(10, 1)[..], "each draw depends on its own index only");
    let bic: Vec<f64> = (1..5).map(|k| fit(rows, k, 3).bic(rows).unwrap()).collect();
    assert!(bic[1] < bic[0] && bic[1] < bic[2] && bic[1] < bic[3], "{bic:?}");
}

#[test]
fn a_mixture_is_its_parameters() {
    let x = rows();
    let rows = Rows::new(&x, 2).unwrap();
    let config = MixtureConfig { components: 2, starts: 3, ..MixtureConfig::default() };
    let (mixture, fit) = GaussianMixture::fit_with(rows, &config, &Monitor::default()).unwrap();
    assert!(fit.converged && fit.iterations < 100, "{fit:?}");
    let all =
        |of: fn(&GaussianMixture, usize) -> &[f64]| [of(&mixture, 0), of(&mixture, 1)].concat();
    let (means, covariances) = (all(GaussianMixture::mean), all(GaussianMixture::covariance));
    let again = GaussianMixture::from_parameters(mixture.weights(), &means, &covariances).unwrap();
    assert_eq!(again.sample(20, 1), mixture.sample(20, 1));
    let half = Temperature::new(0.5).unwrap();
    let (cold, warm) = (again.clone().tempered(half).sample(20, 1), again.sample_labelled(20, 1));
    for (i, component) in warm.1.iter().enumerate() {
        for (j, mean) in again.mean(*component as usize).iter().enumerate() {
            let [cold, warm] = [&cold, &warm.0].map(|z| f64::from(z[2 * i + j]) - mean);
            assert!((cold - 0.5 * warm).abs() < 1e-6, "{cold} {warm}");
        }
    }
    let posterior = again.posterior(rows, &Monitor::default()).unwrap();
    let mean = posterior.log_densities.iter().sum::<f64>() / rows.len() as f64;
    assert!((mean - mixture.score(rows).unwrap()).abs() < 1e-12);
    // The third of each three rows is of the other component.
    for (i, p) in posterior.probabilities.chunks_exact(2).enumerate() {
        assert!((p[0] + p[1] - 1.0).abs() < 1e-12);
        assert_eq!(p[0] > p[1], (i % 3 == 0) == (means[0] > 3.0), "row {i}: {p:?}");
    }
    assert!(GaussianMixture::from_parameters(&[1.0], &means, &covariances).is_err());
}

#[test]
fn equal_rows_are_fitted() {
    let x = [1.5; 12];
    let mixture = fit(Rows::new(&x, 2).unwrap(), 2, 1);
    assert!(mixture.sample(5, 1).iter().all(|v| (v - 1.5).abs() < 0.02));
}
