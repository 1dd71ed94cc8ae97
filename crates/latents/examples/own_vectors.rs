//! Explores vectors that come from anywhere, such as embeddings of another model: principal components, clusters, a map, outliers.
//! `cargo run --release -p latents --example own_vectors -- z.npz` reads an array `z` `[n, d]`; without a file it makes three clusters.

#![allow(clippy::print_stdout)] // An example prints what it finds.

use latents::explore::metrics::latents::{largest, mahalanobis};
use latents::explore::{Pca, kmeans};
use latents::{LatentMap, Latents, Session, Tsne};

fn main() -> latents::Result<()> {
    let session = Session::default();
    let vectors = match std::env::args().nth(1) {
        Some(file) => Latents::load(file)?,
        None => three_clusters()?,
    };
    let (rows, runtime) = (vectors.rows()?, session.runtime()?);
    let d = vectors.dim;
    println!("{} vectors of {d} dimensions", vectors.len());

    let pca = runtime.run(|| Pca::fit(rows, 2, &session))?;
    println!("two components explain {:.3?} of the variance", pca.explained_variance_ratio());
    let clusters = runtime.run(|| kmeans(rows, 3, 0, &session))?;
    let sizes = [0, 1, 2].map(|k| clusters.labels.iter().filter(|&&label| label == k).count());
    println!("three clusters have {sizes:?} vectors");
    let far = runtime.run(|| mahalanobis(rows, rows, &session))?;
    println!("the farthest vectors are {:?}", largest(&far, 5));

    Tsne::default().fit(&vectors, &session)?.figure().save("runs/example/vectors-tsne.svg")?;
    LatentMap::pca(&vectors, &session)?.figure().save("runs/example/vectors-pca.svg")?;
    Ok(())
}

/// 300 vectors around three centres, with labels.
fn three_clusters() -> latents::Result<Latents> {
    let noise = latents::explore::samplers::normal(300, 8, 1);
    let centre = |i: usize, axis: usize| if axis == i % 3 { 6.0 } else { 0.0 };
    let z = noise.iter().enumerate().map(|(at, x)| x + centre(at / 8, at % 8)).collect();
    let mut vectors = Latents::new(z, 8)?;
    vectors.labels = Some((0..300).map(|i| Some(i % 3)).collect());
    vectors.classes = ["first", "second", "third"].map(String::from).into();
    Ok(vectors)
}
