//! Everything that takes a while stops when its monitor is cancelled.

#![allow(clippy::unwrap_used)] // Test helpers may unwrap.

use std::sync::Arc;

use latents_engine::Runtime;
use latents_explore::classification::bootstrap;
use latents_explore::metrics::{distributions, latents, maps};
use latents_explore::probes::{Logistic, LogisticConfig};
use latents_explore::{
    Error, GaussianMixture, Pca, Rows, TransformConfig, kmeans, samplers, tsne_transform,
};
use latents_progress::Monitor;

#[test]
fn a_cancelled_monitor_stops_everything_long() {
    let stopped = Monitor::default();
    stopped.cancel().cancel();
    let (values, labels) = (samplers::normal(60, 4, 1), [0, 1].repeat(30));
    let wide = samplers::normal(10, 24, 1);
    let (rows, few) = (Rows::new(&values, 4).unwrap(), Rows::new(&wide, 24).unwrap());
    let map = &values[..120];
    let xy = Rows::new(map, 2).unwrap();
    let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
    let all = |monitor: &Monitor| -> Vec<(&str, Result<(), Error>)> {
        let (of_logistic, of_map) = (LogisticConfig::default(), TransformConfig::default());
        vec![
            ("PCA", Pca::fit(rows, 2, monitor).map(drop)),
            ("PCA of few rows", Pca::fit(few, 2, monitor).map(drop)),
            ("k-means", kmeans(rows, 3, 1, monitor).map(drop)),
            ("mixture", GaussianMixture::fit(rows, 2, 1, monitor).map(drop)),
            ("bootstrap", bootstrap(&labels, &labels, 2, 0.9, 9, 1, monitor).map(drop)),
            (
                "regression",
                Logistic::fit(&values, 4, &labels, 2, of_logistic, &runtime, monitor).map(drop),
            ),
            ("places on a map", tsne_transform(rows, map, rows, &of_map, monitor).map(drop)),
            ("trustworthiness", maps::trustworthiness(rows, xy, 3, monitor).map(drop)),
            ("accuracy", maps::neighbour_accuracy(rows, &labels, 3, monitor).map(drop)),
            ("Fréchet", distributions::frechet_distance(rows, rows, monitor).map(drop)),
            ("jackknife", distributions::frechet_estimate(rows, rows, monitor).map(drop)),
            ("kernel", distributions::kernel_distance(rows, rows, monitor).map(drop)),
            ("precision", distributions::precision_recall(rows, rows, 3, monitor).map(drop)),
            ("distances", latents::mahalanobis(rows, rows, monitor).map(drop)),
            ("duplicates", latents::near_duplicates(rows, 0.1, monitor).map(drop)),
        ]
    };
    for (what, result) in all(&Monitor::default()) {
        result.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    for (what, result) in all(&stopped) {
        assert!(matches!(result, Err(Error::Interrupted(_))), "{what}: {result:?}");
    }
}
