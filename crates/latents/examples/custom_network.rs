//! Builds a network from layers and trains it with the engine itself: `cargo run --release -p latents --example custom_network`. This is what a model
//! of one's own starts from; the book's page "Add a model" makes it a kind that `latents train` knows.

#![allow(clippy::print_stdout)] // An example prints what it finds.

use std::sync::Arc;

use latents::data::{epoch_order, split};
use latents::engine::{
    Engine, Group, Init, Layer, Loss, Network, Optimizer, Pass, Rule, Section, Targets, initialize,
};
use latents::{Dataset, Session};

fn main() -> latents::Result<()> {
    let session = Session::default();
    let data = Dataset::open("fashion-mnist-sample", &session)?;
    let (image, images) = (data.shape(), &data.train.images);
    let numbers: usize = image.iter().product();
    let layers = |sizes: &[usize]| -> Vec<Layer> {
        sizes.iter().map(|&out_features| Layer::Linear { out_features }).collect()
    };
    let mut encoder = vec![Layer::Reshape { shape: [numbers, 1, 1] }];
    encoder.extend([layers(&[64]), vec![Layer::Silu], layers(&[8])].concat());
    let mut decoder = [layers(&[64]), vec![Layer::Silu], layers(&[numbers])].concat();
    decoder.extend([Layer::Sigmoid, Layer::Reshape { shape: image }]);
    let section = |name: &str, layers| Section { name: name.into(), layers };
    let network = Network {
        input: image,
        sections: vec![section("encoder", encoder), section("decoder", decoder)],
    };

    let runtime = session.runtime()?;
    let mut engine = Engine::new(&network, Arc::clone(&runtime))?;
    let count = engine.layout().parameter_count();
    let mut parameters = initialize(engine.layout(), Init::KaimingNormal, 1);
    let rule = Rule::Adam { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0 };
    let mut optimizer = Optimizer::new(Group::of(engine.layout(), 0..count, rule, 2e-3), count)?;
    let mut gradients = vec![0.0; count];
    let (train, validation) = split(images.len(), 0.2, 1);
    for epoch in 0..5 {
        for batch in epoch_order(&train, 1, epoch).chunks(64) {
            let inputs = latents::train::inputs(images, batch);
            let (loss, pass) = (Loss::MeanSquaredError, Pass::Train { seed: 1, epoch });
            engine.gradients(&parameters, inputs, Targets::Inputs, loss, pass, &mut gradients)?;
            optimizer.step(&runtime, &mut parameters, &gradients, 1.0);
        }
        let inputs = latents::train::inputs(images, &validation);
        let loss = Loss::MeanSquaredError;
        let losses = engine.losses(&parameters, inputs, Targets::Inputs, loss, Pass::Evaluate)?;
        println!("epoch {}: validation loss {:.5}", epoch + 1, losses.mean_loss());
    }
    Ok(())
}
