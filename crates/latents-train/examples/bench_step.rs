//! Times the engine on the reference study's autoencoders (d = 64; variational: d = 44, Bernoulli likelihood; batch 256, no dropout),
//! and the machine's peak beside it: `bench_step train-step --seconds 5`, `bench_step vae-step --seconds 5` and `bench_step encode
//! --images 10000 --seconds 5`.
#![allow(clippy::print_stdout)]

mod common;

use std::hint::black_box;

use common::{Bench, Subject, peak_rss_mb};
use latents_engine::{Inputs, Loss, Objective};
use latents_models::{AutoencoderConfig, ENCODER, VaeConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bench = Bench::from_arguments()?;
    let vae = VaeConfig::default();
    let (network, objective) = if bench.what == "vae-step" {
        (vae.network([1, 28, 28])?, vae.objective())
    } else {
        let ae = AutoencoderConfig { dropout: 0.0, ..Default::default() };
        (ae.network([1, 28, 28])?, Objective::from(Loss::MeanSquaredError))
    };
    let subject = bench.subject(&network)?;
    match bench.what.as_str() {
        "train-step" | "vae-step" => {
            // Forward, input gradients and weight gradients: three times the forward pass, less the first layer's input gradient.
            // Along an axis, 54 pairs of a pixel and a place of the kernel meet the image.
            let first = 2.0 * f64::from(8 * 54 * 54);
            let flops = 3.0 * 2.0 * subject.engine.multiply_adds() as f64 - first;
            bench.train_step(subject, objective, flops)
        }
        "encode" => {
            let Subject { mut engine, parameters, pixels } = subject;
            let index: Vec<u32> = (0..bench.images).collect();
            let rate = bench.rate(|_| {
                let inputs = Inputs::Bytes { pixels: &pixels, index: &index };
                let latents = engine.forward(&parameters, inputs, ENCODER..ENCODER + 1)?;
                Ok(black_box(latents).len() / 64)
            })?;
            println!("{{\"encode_samples_per_second\": {rate:.0}, \"peak_rss_mb\": {}}}", peak_rss_mb());
            Ok(())
        }
        _ => Err("usage: bench_step train-step|vae-step|encode [--seconds S] [--images N] [--threads T] [--isa NAME]".into()),
    }
}
