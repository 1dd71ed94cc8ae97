//! Times a training step of a plain convolutional classifier (two convolutions of 32 channels, two of 64, each normalised; batch 256),
//! and of this project's own, with the machine's peak beside it: `bench_cnn plain --seconds 5` and `bench_cnn default` print one JSON
//! object each.
#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use latents_engine::{
    Engine, Group, Init, Inputs, Isa, Layer, Loss, Network, Optimizer, Pass, Rule, Runtime,
    Section, Targets, initialize,
};
use latents_models::CnnConfig;
use latents_random::{Purpose, stream};

const BATCH: usize = 256;
const IMAGES: u32 = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1).cloned()
    };
    let seconds: f64 = option("--seconds").map_or(Ok(5.0), |s| s.parse())?;
    let threads = option("--threads").map(|s| s.parse()).transpose()?;
    let isa: Option<Isa> = option("--isa").map(|s| s.parse()).transpose()?;
    let runtime = Arc::new(Runtime::new(threads, isa)?);
    let network = match arguments.first().map(String::as_str) {
        Some("plain") => plain(),
        Some("default") => CnnConfig::default().network([1, 28, 28], 10)?,
        _ => {
            return Err(
                "usage: bench_cnn plain|default [--seconds S] [--threads T] [--isa NAME]".into()
            );
        }
    };
    let mut engine = Engine::<f32>::new(&network, Arc::clone(&runtime))?;
    let mut parameters = initialize(engine.layout(), Init::default(), 1);
    let mut pixels = vec![0u8; IMAGES as usize * 784];
    stream(1, Purpose::Synthetic, 0, 0).fill_bytes(&mut pixels);
    // Forward, input gradients and weight gradients; what the first layer does not need of those is little.
    let flops = 3.0 * 2.0 * engine.multiply_adds() as f64;

    let rule = Rule::Adam { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 1e-4 };
    let groups = Group::of(engine.layout(), 0..parameters.len(), rule, 1e-3);
    let mut optimizer = Optimizer::new(groups, parameters.len())?;
    let mut gradients = vec![0.0; parameters.len()];
    let mut step = |at: u32| {
        let index: Vec<u32> = (0..BATCH as u32).map(|i| (at * 256 + i * 7) % IMAGES).collect();
        let classes: Vec<u8> = index.iter().map(|i| (i % 10) as u8).collect();
        let inputs = Inputs::Bytes { pixels: &pixels, index: &index };
        let loss = Loss::CrossEntropy { label_smoothing: 0.0 };
        let (targets, pass) = (Targets::Classes(&classes), Pass::Train { seed: 1, epoch: 0 });
        let losses = engine.gradients(&parameters, inputs, targets, loss, pass, &mut gradients);
        optimizer.step(&runtime, &mut parameters, &gradients, 1.0);
        losses.map(|l| l.fit.len())
    };
    let peak = latents_engine::peak_gflops(&runtime);
    let rate = runtime.run(|| rate(seconds, &mut step))?;
    let gflops = rate * flops / 1e9;
    println!(
        "{{\"train_samples_per_second\": {rate:.1}, \"gflops\": {gflops:.1}, \"peak_gflops\": {peak:.1}, \
         \"fraction_of_peak\": {:.3}, \"isa\": \"{}\", \"threads\": {}, \"peak_rss_mb\": {}}}",
        gflops / peak,
        runtime.isa(),
        runtime.threads(),
        peak_rss_mb(),
    );
    Ok(())
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

/// Samples a second of a call that says how many it did, after a warm-up.
fn rate<E>(seconds: f64, call: &mut impl FnMut(u32) -> Result<usize, E>) -> Result<f64, E> {
    let warm_up = Instant::now();
    let mut at = 0;
    while warm_up.elapsed().as_secs_f64() < 0.2 * seconds {
        call(at)?;
        at += 1;
    }
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < seconds {
        done += call(at)?;
        at += 1;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}

/// The most memory this process has had, in MB, where the system tells.
fn peak_rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kb = line.and_then(|l| l.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kb.map_or(0, |kb| kb / 1024)
}
