//! Probes and outliers of vectors without a model.

use super::*;

/// Vectors around the corners of a square, with one far away.
fn clusters() -> Latents {
    let noise = latents_explore::samplers::normal(200, 2, 1);
    let corner = |i: usize, axis: usize| if i >> axis & 1 == 0 { -6.0 } else { 6.0 };
    let z = noise.iter().enumerate().map(|(at, x)| x + corner(at / 2 % 4, at % 2));
    let mut z: Vec<f32> = z.collect();
    z[14] = 400.0;
    let mut latents = Latents::new(z, 2).unwrap();
    latents.labels = Some((0..200).map(|i| (i != 3).then_some(i % 4)).collect());
    latents.classes = ["a", "b", "c", "d"].map(String::from).into();
    latents
}

#[test]
fn vectors_are_probed_on_their_test_part_or_on_a_fifth_of_each_class() {
    let mut latents = clusters();
    let config = ProbeConfig { labels: vec![20], draws: 2, ..ProbeConfig::default() };
    let session = Session::default();
    let found = latents.probe("z.npz", &config, &session).unwrap();
    assert_eq!((found.train_images, found.test_images), (159, 40));
    assert!(found.probes[0].neighbours > 0.97, "{found:?}");
    assert_eq!((found.run.as_str(), found.few_labels[0].labels), ("z.npz", 20));
    let part = |i: usize| if i < 150 { Part::Train } else { Part::Test };
    latents.parts = Some((0..200).map(part).collect());
    let found = latents.probe("z.npz", &config, &session).unwrap();
    assert_eq!((found.train_images, found.test_images), (149, 50));
    latents.labels = None;
    let said = latents.probe("z.npz", &config, &session).unwrap_err();
    assert!(matches!(said, Error::Unlabelled { .. }), "{said}");
}

#[test]
fn the_farthest_vector_is_an_outlier() {
    let mut latents = clusters();
    latents.z.copy_within(40..42, 80);
    let config = crate::OutlierConfig { top: 3, same: 0.0 };
    let found = latents.outliers(config, &Session::default()).unwrap();
    assert_eq!((found.farthest[0].image, found.farthest[0].class.as_deref()), (7, Some("d")));
    assert_eq!(found.near_duplicates[0].names, ["20", "40"]);
    assert!(found.hardest.is_empty() && found.farthest[0].squared_error.is_none());
    found.table().unwrap();
}
