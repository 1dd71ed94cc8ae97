//! Times a training step of a plain convolutional classifier (two convolutions of 32 channels, two of 64, each normalised; batch 256),
//! and of this project's own, with the machine's peak beside it: `bench_cnn plain --seconds 5` and `bench_cnn default`.

mod common;

use common::Bench;
use latents_engine::{Layer, Loss, Network, Section};
use latents_models::CnnConfig;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bench = Bench::from_arguments()?;
    let network = match bench.what.as_str() {
        "plain" => plain(),
        "default" => CnnConfig::default().network([1, 28, 28], 10)?,
        _ => {
            return Err(
                "usage: bench_cnn plain|default [--seconds S] [--threads T] [--isa NAME]".into()
            );
        }
    };
    let subject = bench.subject(&network)?;
    // Forward, input gradients and weight gradients; what the first layer does not need of those is little.
    let flops = 3.0 * 2.0 * subject.engine.multiply_adds() as f64;
    bench.train_step(subject, Loss::CrossEntropy { label_smoothing: 0.0 }, flops)
}

/// The network that `xtask/python/bench_torch.py` has as well.
fn plain() -> Network {
    let mut features = vec![];
    for channels in [32, 64] {
        for _ in 0..2 {
            let (kernel, stride, padding) = ([3, 3], [1, 1], [1, 1]);
            features.push(Layer::Conv2d { out_channels: channels, kernel, stride, padding });
            features.push(Layer::BatchNorm2d { momentum: 0.1, epsilon: 1e-5 });
            features.push(Layer::Relu);
        }
        features.push(Layer::MaxPool2d { kernel: [2, 2], stride: [2, 2], padding: [0, 0] });
    }
    let classifier =
        vec![Layer::Linear { out_features: 256 }, Layer::Relu, Layer::Linear { out_features: 10 }];
    let sections = [("features", features), ("classifier", classifier)];
    let sections = sections.map(|(name, layers)| Section { name: name.into(), layers });
    Network { input: [1, 28, 28], sections: sections.into() }
}
