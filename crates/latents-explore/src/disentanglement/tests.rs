//! Scores by hand and by definition, and compared with scikit-learn on `tests/golden/disentanglement.json`, made by
//! `xtask/python/golden_disentanglement.py`.

// Test helpers may unwrap; values that are exactly 0 or 1 by definition are compared exactly.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use latents_random::{Purpose, stream};
use serde::Deserialize;

use super::dci::of_importances;
use super::forest::{Forest, Samples, Tree};
use super::mig::entropy;
use super::sap::accuracies;
use super::split::Split;
use super::*;

#[derive(Deserialize)]
struct Golden {
    dim: usize,
    latents: Vec<f32>,
    factors: Vec<Vec<u16>>,
    fitted: usize,
    tree_leaf: usize,
    mig: Vec<f64>,
    entropies: Vec<f64>,
    accuracies: Vec<Vec<f64>>,
    tree: Vec<Vec<f64>>,
    forest: Vec<Vec<f64>>,
    forest_accuracies: Vec<f64>,
    importances: Vec<Vec<f64>>,
    disentanglement: f64,
    completeness: Vec<f64>,
}

impl Golden {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../tests/golden/disentanglement.json")).unwrap()
    }

    fn latents(&self) -> Rows<'_> {
        Rows::new(&self.latents, self.dim).unwrap()
    }

    fn factors(&self) -> Vec<Factor> {
        self.factors.iter().map(|values| Factor::new("a factor", values).unwrap()).collect()
    }

    /// The images that trees are fitted to, with the values of a factor.
    fn fitted(&self, factor: &Factor) -> Samples {
        let values = &factor.values()[..self.fitted];
        Samples::new(self.latents().slice(0..self.fitted), values, factor.count())
    }
}

#[track_caller]
fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let is_near = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance;
    assert!(found.iter().zip(expected).all(is_near), "{found:?}, not {expected:?}");
}

#[test]
fn information_is_scikit_learns() {
    let golden = Golden::read();
    let factors = golden.factors();
    near(&mutual_information_gaps(golden.latents(), &factors).unwrap(), &golden.mig, 1e-12);
    near(&factors.iter().map(entropy).collect::<Vec<_>>(), &golden.entropies, 1e-12);
}

#[test]
fn thresholds_are_scikit_learns() {
    let golden = Golden::read();
    let (n, fitted) = (golden.latents().len(), golden.fitted);
    let split = Split { train: (0..fitted).collect(), test: (fitted..n).collect() };
    for (factor, expected) in golden.factors().iter().zip(&golden.accuracies) {
        let found = accuracies(golden.latents(), factor, &split, &Monitor::default()).unwrap();
        near(&found, expected, 1e-12);
    }
}

#[test]
fn a_tree_is_scikit_learns() {
    let golden = Golden::read();
    for (factor, expected) in golden.factors().iter().zip(&golden.tree) {
        let mut samples = golden.fitted(factor);
        samples.leaf = golden.tree_leaf;
        near(&Tree::grow(&samples, None).importances(), expected, 1e-9);
    }
}

#[test]
fn a_forest_is_as_scikit_learns() {
    let golden = Golden::read();
    for (k, factor) in golden.factors().iter().enumerate() {
        let forest = Forest::fit(&golden.fitted(factor), 1, &Monitor::default()).unwrap();
        // Other random samples, and 20 trees rather than 500.
        near(&forest.importances(), &golden.forest[k], 0.02);
        let rows = golden.latents().slice(golden.fitted..golden.latents().len());
        let predicted: Vec<u16> = rows.iter().map(|row| forest.predict(row)).collect();
        let truth = &factor.values()[golden.fitted..];
        let accuracy = split::balanced_accuracy(truth, &predicted, factor.count()).unwrap();
        near(&[accuracy], &[golden.forest_accuracies[k]], 0.04);
    }
}

#[test]
fn importances_are_summed_up_as_in_the_paper() {
    let golden = Golden::read();
    let (disentanglement, completeness) = of_importances(&golden.importances);
    near(&[disentanglement], &[golden.disentanglement], 1e-12);
    near(&completeness, &golden.completeness, 1e-12);
    // Two latents of one factor each, one of which has another latent too: log 2 / log 3 is lost of it.
    let (disentanglement, completeness) =
        of_importances(&[vec![0.5, 0.5, 0.0], vec![0.0, 0.0, 1.0]]);
    near(
        &[disentanglement, completeness[0], completeness[1]],
        &[1.0, 1.0 - 2f64.ln() / 3f64.ln(), 1.0],
        1e-12,
    );
    // A factor that nothing predicts.
    assert_eq!(of_importances(&[vec![0.0, 0.0], vec![0.0, 1.0]]), (1.0, vec![0.0, 1.0]));
    assert_eq!(of_importances(&[vec![0.0, 0.0], vec![0.0, 0.0]]), (0.0, vec![0.0, 0.0]));
}

/// Values of three factors in `N` images, independent of each other.
const N: usize = 900;
const COUNTS: [u16; 3] = [2, 3, 5];

fn factors() -> Vec<Factor> {
    let mut draws = stream(5, Purpose::Synthetic, 0, 0);
    let mut one =
        |count: u16| -> Vec<u16> { (0..N).map(|_| draws.below(count.into()) as u16).collect() };
    let names = ["side", "size", "angle"].into_iter().zip(COUNTS);
    names.map(|(name, count)| Factor::new(name, &one(count)).unwrap()).collect()
}

/// Latents `[N, d]` of `d` functions of the values of an image and its noise.
fn latents<const D: usize>(of: impl Fn([f32; 3], &mut dyn FnMut() -> f32) -> [f32; D]) -> Vec<f32> {
    let factors = factors();
    let mut draws = stream(6, Purpose::Synthetic, 0, 0);
    let mut noise = || draws.normal() as f32;
    let image = |i: usize| [0, 1, 2].map(|k: usize| f32::from(factors[k].values()[i]));
    (0..N).flat_map(|i| of(image(i), &mut noise)).collect()
}

fn measure(latents: &[f32], dim: usize) -> Disentanglement {
    let rows = Rows::new(latents, dim).unwrap();
    Disentanglement::measure(rows, &factors(), 1, &Monitor::default()).unwrap()
}

#[test]
fn a_latent_for_each_factor_is_perfect() {
    let scores = measure(&latents(|[a, b, c], noise| [noise(), c, -a, 3.0 * b, noise()]), 5);
    assert_eq!(
        (scores.disentanglement, scores.completeness, scores.informativeness),
        (1.0, 1.0, 1.0)
    );
    // Five latents, two of which know as much as chance has it.
    for (factor, count) in scores.factors.iter().zip(COUNTS) {
        assert!(factor.mig > 0.95, "{factor:?}");
        let most = 1.0 - 1.0 / f64::from(count);
        assert!((factor.sap - most).abs() < 0.1, "{factor:?}");
        assert_eq!(factor.values, usize::from(count));
    }
    assert_eq!(scores.factors[1].importances, [0.0, 0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn a_mixture_of_factors_scores_low() {
    let perfect = |[a, b, c]: [f32; 3]| [2.0 * a, 1.2 * b, 0.7 * c];
    let turned = latents(|image, _| {
        // A rotation by 60 degrees around the axis of all three.
        let [x, y, z] = perfect(image);
        let of = |x: f32, y: f32, z: f32| (2.0 * x - y + 2.0 * z) / 3.0;
        [of(x, y, z), of(y, z, x), of(z, x, y)]
    });
    let scores = measure(&turned, 3);
    assert!(scores.mig < 0.25 && scores.sap < 0.25, "{scores:?}");
    assert!(scores.disentanglement < 0.5 && scores.completeness < 0.5, "{scores:?}");
    assert!(scores.informativeness > 0.8, "{scores:?}");
}

#[test]
fn noise_scores_nothing() {
    let scores = measure(&latents(|_, noise| [noise(), noise(), noise(), noise()]), 4);
    assert!(scores.mig < 0.02 && scores.sap < 0.06, "{scores:?}");
    assert!(scores.disentanglement < 0.1 && scores.completeness < 0.1, "{scores:?}");
    for (factor, count) in scores.factors.iter().zip(COUNTS) {
        assert!((factor.informativeness - 1.0 / f64::from(count)).abs() < 0.1, "{factor:?}");
    }
    // Latents that are all equal say nothing at all.
    let scores = measure(&[0.5; 3 * N], 3);
    assert_eq!(
        (scores.mig, scores.sap, scores.disentanglement, scores.completeness),
        (0.0, 0.0, 0.0, 0.0)
    );
    near(&[scores.informativeness], &[(1.0 / 2.0 + 1.0 / 3.0 + 1.0 / 5.0) / 3.0], 1e-12);
}

#[test]
fn a_factor_in_two_latents_is_not_complete() {
    let one = measure(&latents(|[a, b, c], noise| [a, b, c + 0.3 * noise(), noise()]), 4);
    let two = measure(&latents(|[a, b, c], noise| [a, b, c + 0.3 * noise(), c + 0.3 * noise()]), 4);
    let [one_angle, two_angle] = [&one, &two].map(|scores| &scores.factors[2]);
    assert!(two_angle.mig < 0.1 && one_angle.mig > 0.5, "{one_angle:?} {two_angle:?}");
    assert!(two_angle.sap < 0.1 && one_angle.sap > 0.5, "{one_angle:?} {two_angle:?}");
    assert!(
        two_angle.completeness < 0.6 && one_angle.completeness > 0.8,
        "{one_angle:?} {two_angle:?}"
    );
    assert!(two.disentanglement > 0.95 && one.disentanglement > 0.9, "{one:?} {two:?}");
}

#[test]
fn the_order_and_the_scale_of_latents_make_no_difference() {
    let plain = measure(&latents(|[a, b, c], n| [a + n(), b + n(), c + n() + a]), 3);
    let other = measure(
        &latents(|[a, b, c], n| {
            let [x, y, z] = [a + n(), b + n(), c + n() + a];
            // Powers of two are exact.
            [4.0 * z, x / 8.0, 2.0 * y]
        }),
        3,
    );
    near(&[plain.mig, plain.sap], &[other.mig, other.sap], 1e-12);
    // Of splits that are as good, a tree takes the one of the first latent.
    let dci = |s: &Disentanglement| [s.disentanglement, s.completeness, s.informativeness];
    near(&dci(&plain), &dci(&other), 0.01);
    let [x, y, z] = plain.factors[2].importances[..] else { panic!("three latents") };
    near(&other.factors[2].importances, &[z, x, y], 0.01);
}

#[test]
fn results_are_the_same_on_any_number_of_threads() {
    let z = latents(|[a, b, c], noise| [a + b, b + 0.5 * noise(), c + noise(), noise()]);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| measure(&z, 4))
    };
    assert_eq!(on(1), on(3));
    let other =
        Disentanglement::measure(Rows::new(&z, 4).unwrap(), &factors(), 2, &Monitor::default());
    assert_ne!(on(1), other.unwrap(), "another seed has other draws");
}

#[test]
fn errors_say_what_to_do() {
    let text = |latents: &[f32], dim: usize, factors: &[Factor]| {
        let rows = Rows::new(latents, dim).unwrap();
        let result = Disentanglement::measure(rows, factors, 1, &Monitor::default());
        result.unwrap_err().to_string()
    };
    let error = Factor::new("size", &[4; 12]).unwrap_err().to_string();
    assert_eq!(
        error,
        "factor `size` has the same value in all 12 images; leave it out, since it does not vary"
    );
    let factor =
        |name: &str, n: u16| Factor::new(name, &(0..n).map(|i| i % 2).collect::<Vec<_>>()).unwrap();
    let two = [factor("side", 100), factor("size", 100)];
    assert_eq!(
        text(&[0.0; 198], 2, &two),
        "a score of disentanglement needs at least 100 rows, but there are 99"
    );
    assert_eq!(
        text(&[0.0; 202], 2, &two),
        "factor `side` is given for 100 images, but there are latents of 101; give a value for each image"
    );
    assert_eq!(
        text(&[0.0; 100], 1, &two),
        "scores of disentanglement compare latents, but there is only one"
    );
    assert_eq!(
        text(&[0.0; 200], 2, &two[..1]),
        "disentanglement compares factors, but `side` is the only one"
    );
    assert!(text(&[0.0; 200], 2, &[]).contains("none is given"));
    let number = Factor::new("number", &(0..100).map(|i| i % 11).collect::<Vec<_>>()).unwrap();
    assert_eq!(
        text(&[0.0; 200], 2, &[two[0].clone(), number]),
        "factor `number` has 11 different values in 100 images, which leaves fewer than 10 images for each; join values, or leave it out"
    );
    let monitor = Monitor::default();
    monitor.cancel().cancel();
    let rows = Rows::new(&[0.0; 200], 2).unwrap();
    let stopped = Disentanglement::measure(rows, &two, 1, &monitor);
    assert!(matches!(stopped, Err(Error::Interrupted(_))));
}
