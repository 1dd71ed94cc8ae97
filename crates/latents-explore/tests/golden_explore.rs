//! Compares metrics, principal components, clusters, Gaussian mixtures and rows added to maps with scikit-learn, scikit-image, SciPy and
//! openTSNE, on `tests/golden/explore.json`, made by `xtask/python/golden_explore.py`.

// Test helpers may unwrap; values that are exactly 1 by definition are compared exactly.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use latents_explore::metrics::{distributions, latents, maps, reconstruction};
use latents_explore::{GaussianMixture, Pca, Rows, TransformConfig, kmeans, tsne_transform};
use latents_progress::Monitor;
use serde_json::Value;

struct Golden(Value);

impl Golden {
    fn read() -> Self {
        Golden(serde_json::from_str(include_str!("golden/explore.json")).unwrap())
    }

    fn floats(&self, path: &str) -> Vec<f64> {
        let list = self.0.pointer(path).and_then(Value::as_array);
        let list = list.unwrap_or_else(|| panic!("no list {path}"));
        list.iter().map(|v| v.as_f64().unwrap()).collect()
    }

    fn array(&self, path: &str) -> Vec<f32> {
        self.floats(path).iter().map(|&v| v as f32).collect()
    }

    fn number(&self, path: &str) -> f64 {
        self.0.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number {path}"))
    }

    fn labels(&self) -> Vec<u16> {
        self.floats("/labels").iter().map(|&v| v as u16).collect()
    }
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{i}: {a}, not {b}");
    }
}

#[test]
fn principal_components() {
    let golden = Golden::read();
    let x = golden.array("/x");
    let x = Rows::new(&x, 6).unwrap();
    let pca = Pca::fit(x, 4, &Monitor::default()).unwrap();
    near(pca.components(), &golden.floats("/pca/components"), 1e-9);
    near(pca.explained_variance(), &golden.floats("/pca/explained_variance"), 1e-10);
    let ratio = golden.floats("/pca/explained_variance_ratio");
    near(&pca.explained_variance_ratio(), &ratio, 1e-10);
    let transformed: Vec<f64> = pca.transform(x).unwrap().iter().map(|&v| f64::from(v)).collect();
    near(&transformed, &golden.floats("/pca/transformed"), 1e-6);
    let error = pca.reconstruction_error(x).unwrap();
    near(&[error], &[golden.number("/pca/error")], 1e-6);
}

#[test]
fn gaussian_mixture() {
    let golden = Golden::read();
    let x = golden.array("/x");
    let x = Rows::new(&x, 6).unwrap();
    // The initialisation differs, but clusters this far apart give every initialisation the same result.
    let mixture = GaussianMixture::fit(x, 3, 2, &Monitor::default()).unwrap();
    near(&[mixture.score(x).unwrap()], &[golden.number("/mixture/score")], 1e-4);
    near(&[mixture.bic(x).unwrap()], &[golden.number("/mixture/bic")], 1e-4);
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| mixture.weights()[a].total_cmp(&mixture.weights()[b]));
    let weights: Vec<f64> = order.iter().map(|&c| mixture.weights()[c]).collect();
    near(&weights, &golden.floats("/mixture/weights"), 2e-3);
    let means: Vec<f64> = order.iter().flat_map(|&c| mixture.mean(c).to_vec()).collect();
    near(&means, &golden.floats("/mixture/means"), 2e-2);
    let all: Vec<f64> = order.iter().flat_map(|&c| mixture.covariance(c).to_vec()).collect();
    near(&all, &golden.floats("/mixture/covariances"), 3e-2);
}

#[test]
fn clusters() {
    let golden = Golden::read();
    let x = golden.array("/x");
    // One initialisation each; clusters this far apart give the same result.
    for seed in 1..4 {
        let found = kmeans(Rows::new(&x, 6).unwrap(), 3, seed, &Monitor::default()).unwrap();
        near(&[found.inertia], &[golden.number("/kmeans/inertia")], 1e-6);
        let mut centres: Vec<&[f32]> = found.centres.chunks(6).collect();
        centres.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let centres: Vec<f64> = centres.concat().iter().map(|&v| f64::from(v)).collect();
        near(&centres, &golden.floats("/kmeans/centres"), 1e-6);
    }
}

#[test]
fn rows_added_to_a_map() {
    let golden = Golden::read();
    let (x, new) = (golden.array("/x"), golden.array("/place/new"));
    let (x, new) = (Rows::new(&x, 6).unwrap(), Rows::new(&new, 6).unwrap());
    let map = golden.array("/place/map");
    let xy =
        tsne_transform(x, &map, new, &TransformConfig::default(), &Monitor::default()).unwrap();
    let xy: Vec<f64> = xy.iter().map(|&v| f64::from(v)).collect();
    // The repulsion is interpolated here and exact in openTSNE; the standard deviation of the map is 11.
    near(&xy, &golden.floats("/place/places"), 5e-2);
}

#[test]
fn reconstructions() {
    let golden = Golden::read();
    let (images, noisy) = (golden.array("/images"), golden.array("/noisy"));
    let (images, noisy) = (Rows::new(&images, 663).unwrap(), Rows::new(&noisy, 663).unwrap());
    let errors = reconstruction::squared_errors(images, noisy).unwrap();
    near(&errors, &golden.floats("/mse"), 1e-9);
    let psnr: Vec<f64> = errors.iter().map(|&e| reconstruction::psnr(e)).collect();
    near(&psnr, &golden.floats("/psnr"), 1e-9);
    let ssim = reconstruction::ssim(images, noisy, [3, 17, 13]).unwrap().unwrap();
    near(&ssim, &golden.floats("/ssim"), 1e-6);
    assert_eq!(reconstruction::ssim(images, noisy, [3, 221, 1]).unwrap(), None);
}

#[test]
fn maps_of_rows() {
    let golden = Golden::read();
    let (x, y) = (golden.array("/x"), golden.array("/y"));
    let (x, y) = (Rows::new(&x, 6).unwrap(), Rows::new(&y, 2).unwrap());
    let monitor = Monitor::default();
    let found = [
        maps::trustworthiness(x, y, 7, &monitor).unwrap(),
        maps::continuity(x, y, 7, &monitor).unwrap(),
        maps::neighbour_accuracy(y, &golden.labels(), 5, &monitor).unwrap(),
    ];
    let expected = ["/trustworthiness", "/continuity", "/neighbour_accuracy"];
    near(&found, &expected.map(|path| golden.number(path)), 1e-12);
    assert_eq!(maps::trustworthiness(x, x, 7, &monitor).unwrap(), 1.0);
}

#[test]
fn distributions_of_features() {
    let golden = Golden::read();
    let (x, z) = (golden.array("/x"), golden.array("/z"));
    let (x, z) = (Rows::new(&x, 6).unwrap(), Rows::new(&z, 6).unwrap());
    let monitor = Monitor::default();
    let both = distributions::precision_recall(x, z, 3, &monitor).unwrap();
    let kernel = distributions::kernel_distance(x, z, &monitor).unwrap();
    let found = [
        distributions::frechet_distance(x, z, &monitor).unwrap(),
        kernel.value,
        kernel.error,
        both.precision,
        both.recall,
    ];
    let expected = ["/frechet", "/kernel", "/kernel_error", "/precision", "/recall"];
    near(&found, &expected.map(|path| golden.number(path)), 1e-7);
    assert!(distributions::frechet_distance(x, x, &monitor).unwrap() < 1e-9);
    let estimate = distributions::frechet_estimate(x, z, &monitor).unwrap();
    near(&[estimate.value, estimate.error], &[found[0], golden.number("/frechet_error")], 1e-7);
}

#[test]
fn axes_and_outliers() {
    let golden = Golden::read();
    let (x, z) = (golden.array("/x"), golden.array("/z"));
    let (x, z) = (Rows::new(&x, 6).unwrap(), Rows::new(&z, 6).unwrap());
    let distances = latents::mahalanobis(z, x, &Monitor::default()).unwrap();
    near(&distances, &golden.floats("/mahalanobis"), 1e-7);
    let logs = golden.array("/log_variances");
    let kl = latents::kl_per_axis(x, Rows::new(&logs, 6).unwrap()).unwrap();
    near(&kl, &golden.floats("/kl_per_axis"), 1e-6);
    assert_eq!(latents::active_units(x), 6);
}
