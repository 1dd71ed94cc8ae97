//! Trains a variational autoencoder, maps its latents, makes new images, and measures it:
//! `cargo run --release -p latents --example train_and_map -- ./photos`. Without a source it uses the built-in sample of Fashion-MNIST. Results go to
//! `runs/example`; run it again and it opens the trained model.

#![allow(clippy::print_stdout)] // An example prints what it finds.

use latents::{Dataset, Recipe, Sampler, Session, Tsne};

fn main() -> latents::Result<()> {
    let source = std::env::args().nth(1).unwrap_or_else(|| "fashion-mnist-sample".into());
    let session = Session::default(); // threads, cancel token, reporter
    let data = Dataset::open(&source, &session)?;
    let recipe = Recipe::vae(&data).latent_dim(16).epochs(2).seed(1);
    let mut model = recipe.train(&data, "runs/example/vae", &session)?; // resumes if it was stopped
    let z = model.encode(&data.test)?; // [n, 16], with names and labels
    Tsne::default().perplexity(30.0).fit(&z, &session)?.figure().save("runs/example/map.svg")?;
    model.sample(100, Sampler::Mixture { components: 10 }, 1)?.save("runs/example/new.npz")?;
    println!("{}", model.evaluate(&data, &session)?.markdown());
    Ok(())
}
