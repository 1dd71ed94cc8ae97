//! Times the engine on the reference study's autoencoder (d = 64, batch 256, no dropout), and the machine's peak beside it:
//! `bench_step train-step --seconds 5` and `bench_step encode --images 10000 --seconds 5` print one JSON object each.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use latents_engine::{
    Engine, Group, Init, Inputs, Isa, Loss, Optimizer, Pass, Rule, Runtime, Targets, initialize,
};
use latents_models::{AutoencoderConfig, ENCODER};
use latents_random::{Purpose, stream};

const BATCH: usize = 256;
const IMAGES: u32 = 48_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1).cloned()
    };
    let seconds: f64 = option("--seconds").map_or(Ok(5.0), |s| s.parse())?;
    let images: u32 = option("--images").map_or(Ok(10_000), |s| s.parse())?;
    let threads = option("--threads").map(|s| s.parse()).transpose()?;
    let isa: Option<Isa> = option("--isa").map(|s| s.parse()).transpose()?;

    let runtime = Arc::new(Runtime::new(threads, isa)?);
    let config = AutoencoderConfig { dropout: 0.0, ..Default::default() };
    let network = config.network([1, 28, 28])?;
    let mut engine = Engine::<f32>::new(&network, Arc::clone(&runtime))?;
    let mut parameters = initialize(engine.layout(), Init::default(), 1);
    let mut pixels = vec![0u8; IMAGES as usize * 784];
    stream(1, Purpose::Synthetic, 0, 0).fill_bytes(&mut pixels);
    let flops = 2.0 * engine.multiply_adds() as f64;

    match arguments.first().map(String::as_str) {
        Some("train-step") => {
            let rule = Rule::Adam { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 1e-4 };
            let group = Group { parameters: 0..parameters.len(), rule, learning_rate: 5e-4 };
            let mut optimizer = Optimizer::new(vec![group], parameters.len())?;
            let mut gradients = vec![0.0; parameters.len()];
            let mut step = |at: u32| {
                let index: Vec<u32> = (0..BATCH as u32).map(|i| (at * 256 + i * 7) % IMAGES).collect();
                let inputs = Inputs::Bytes { pixels: &pixels, index: &index };
                let losses = engine.gradients(
                    &parameters,
                    inputs,
                    Targets::Inputs,
                    Loss::MeanSquaredError,
                    Pass::Evaluate,
                    &mut gradients,
                );
                optimizer.step(&runtime, &mut parameters, &gradients, 1.0);
                losses.map(|l| l.fit.len())
            };
            let peak = latents_engine::peak_gflops(&runtime);
            let rate = runtime.run(|| rate(seconds, &mut step))?;
            // Forward, input gradients and weight gradients: three times the forward pass, less the first layer's input gradient.
            // Along an axis, 54 pairs of a pixel and a place of the kernel meet the image.
            let first = 2.0 * f64::from(8 * 54 * 54);
            let gflops = rate * (3.0 * flops - first) / 1e9;
            println!(
                "{{\"train_samples_per_second\": {rate:.0}, \"gflops\": {gflops:.1}, \"peak_gflops\": {peak:.1}, \
                 \"fraction_of_peak\": {:.3}, \"isa\": \"{}\", \"threads\": {}, \"peak_rss_mb\": {}}}",
                gflops / peak,
                runtime.isa(),
                runtime.threads(),
                peak_rss_mb(),
            );
        }
        Some("encode") => {
            let index: Vec<u32> = (0..images).collect();
            let mut encode = |_| {
                let inputs = Inputs::Bytes { pixels: &pixels, index: &index };
                engine.forward(&parameters, inputs, ENCODER..ENCODER + 1).map(|z| black_box(z).len() / 64)
            };
            let rate = runtime.run(|| rate(seconds, &mut encode))?;
            println!("{{\"encode_samples_per_second\": {rate:.0}, \"peak_rss_mb\": {}}}", peak_rss_mb());
        }
        _ => return Err("usage: bench_step train-step|encode [--seconds S] [--images N] [--threads T] [--isa NAME]".into()),
    }
    Ok(())
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
