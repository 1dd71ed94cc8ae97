//! Measures the engine, and the machine's peak next to it. Each command prints one line of JSON:
//!
//! ```text
//! cargo bench -p latents-train -- COMMAND [--seconds S] [--images N] [--threads T] [--isa NAME] [--precision full|bf16]
//! ```
//!
//! - `train-step`: a training step of the reference study's autoencoder (64 latents, batch 256, no dropout);
//! - `vae-step`: one of its variational autoencoder (44 latents, Bernoulli likelihood);
//! - `cnn-step`: one of a plain convolutional classifier (two convolutions of 32 channels, two of 64, each normalised);
//! - `default-cnn-step`: one of this project's own convolutional classifier;
//! - `encode`: the autoencoder's encoder, on `--images` images at a time.
//!
//! `xtask/python/bench_torch.py` takes the same measurements with PyTorch, under the same names. Without a command all are taken in turn, and the
//! peak memory is that of all so far.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use latents_engine::{
    Criterion, Engine, EngineOptions, Group, Init, Inputs, Isa, Layer, Loss, Network, Optimizer,
    Pass, Precision, Rule, Runtime, Section, Targets, initialize,
};
use latents_models::{AutoencoderConfig, CnnConfig, ENCODER, Model, VaeConfig};
use latents_random::{Purpose, stream};

const COMMANDS: [&str; 5] = ["train-step", "vae-step", "cnn-step", "default-cnn-step", "encode"];
const BATCH: u32 = 256;
const IMAGES: u32 = 10_000;
/// Of an image.
const SHAPE: [usize; 3] = [1, 28, 28];

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let bench = Bench::new(&arguments)?;
    match arguments.first().filter(|first| !first.starts_with("--")) {
        Some(command) => bench.measure(command),
        None => COMMANDS.iter().try_for_each(|command| bench.measure(command)),
    }
}

/// The options of the command line.
struct Bench {
    /// Of each measurement.
    seconds: f64,
    /// Images that are encoded at once.
    images: u32,
    precision: Precision,
    runtime: Arc<Runtime>,
}

/// A network with its initial weights, and images.
struct Subject {
    engine: Engine,
    parameters: Vec<f32>,
    /// `[IMAGES, 1, 28, 28]`, random.
    pixels: Vec<u8>,
}

impl Bench {
    fn new(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let option = |name: &str| {
            let at = arguments.iter().position(|a| a == name)?;
            arguments.get(at + 1)
        };
        let threads = option("--threads").map(|s| s.parse()).transpose()?;
        let isa: Option<Isa> = option("--isa").map(|s| s.parse()).transpose()?;
        Ok(Bench {
            seconds: option("--seconds").map_or(Ok(5.0), |s| s.parse())?,
            images: option("--images").map_or(Ok(IMAGES), |s| s.parse())?.min(IMAGES),
            precision: match option("--precision").map(String::as_str) {
                None | Some("full") => Precision::Full,
                Some("bf16") => Precision::Bf16,
                Some(other) => {
                    return Err(format!("the precisions are full and bf16, not `{other}`").into());
                }
            },
            runtime: Arc::new(Runtime::new(threads, isa)?),
        })
    }

    fn measure(&self, command: &str) -> Result<(), Box<dyn Error>> {
        let mean_squared_error = Criterion::from(Loss::MeanSquaredError);
        let cross_entropy = Criterion::from(Loss::CrossEntropy { label_smoothing: 0.0 });
        let autoencoder =
            || AutoencoderConfig { dropout: 0.0, ..Default::default() }.network(SHAPE, 0);
        let vae = VaeConfig::default();
        match command {
            "train-step" => self.train_step(command, &autoencoder()?, mean_squared_error),
            "vae-step" => self.train_step(command, &vae.network(SHAPE, 0)?, vae.criterion()),
            "cnn-step" => self.train_step(command, &plain_cnn(), cross_entropy),
            "default-cnn-step" => {
                self.train_step(command, &CnnConfig::default().network(SHAPE, 10)?, cross_entropy)
            }
            "encode" => self.encode(&autoencoder()?),
            _ => Err(format!("the commands are {}, not `{command}`", COMMANDS.join(", ")).into()),
        }
    }

    fn subject(&self, network: &Network) -> Result<Subject, Box<dyn Error>> {
        let options = EngineOptions { precision: self.precision, ..EngineOptions::default() };
        let engine = Engine::with_options(network, Arc::clone(&self.runtime), options)?;
        let parameters = initialize(engine.layout(), Init::default(), 1);
        let mut pixels = vec![0u8; IMAGES as usize * 784];
        stream(1, Purpose::Synthetic, 0, 0).fill_bytes(&mut pixels);
        Ok(Subject { engine, parameters, pixels })
    }

    /// Measures training steps of Adam.
    fn train_step(
        &self,
        command: &str,
        network: &Network,
        criterion: Criterion,
    ) -> Result<(), Box<dyn Error>> {
        let Subject { mut engine, mut parameters, pixels } = self.subject(network)?;
        // Forward, input gradients and weight gradients: three times the forward pass. The first layer needs no input gradient: for an
        // autoencoder that is left out (along an axis, 54 pairs of a pixel and a position of the kernel are inside the image); for a CNN it is
        // little.
        let is_cnn = matches!(criterion.loss, Loss::CrossEntropy { .. });
        let first = if is_cnn { 0.0 } else { 2.0 * f64::from(8 * 54 * 54) };
        let flops = 3.0 * 2.0 * engine.multiply_adds() as f64 - first;
        let rule = Rule::Adam { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 1e-4 };
        let groups = Group::of(engine.layout(), 0..parameters.len(), rule, 5e-4);
        let mut optimizer = Optimizer::new(groups, parameters.len())?;
        let mut gradients = vec![0.0; parameters.len()];
        let peak = latents_engine::peak_gflops(&self.runtime);
        let rate = self.rate(|at| {
            let index: Vec<u32> = (0..BATCH).map(|i| (at * BATCH + i * 7) % IMAGES).collect();
            let classes: Vec<u16> = index.iter().map(|i| (i % 10) as u16).collect();
            let inputs = Inputs::Images { pixels: pixels[..].into(), index: &index };
            let targets = if is_cnn { Targets::Classes(&classes) } else { Targets::Inputs };
            let pass = Pass::Train { seed: 1, epoch: 0 };
            let losses =
                engine.gradients(&parameters, inputs, targets, criterion, pass, &mut gradients)?;
            optimizer.step(&self.runtime, &mut parameters, &gradients, 1.0);
            Ok(losses.loss.len())
        })?;
        let gflops = rate * flops / 1e9;
        println!(
            "{{\"command\": \"{command}\", \"train_samples_per_second\": {rate:.1}, \"gflops\": {gflops:.1}, \"peak_gflops\": {peak:.1}, \
             \"fraction_of_peak\": {:.3}, \"isa\": \"{}\", \"threads\": {}, \"peak_rss_mib\": {}}}",
            gflops / peak,
            self.runtime.isa(),
            self.runtime.threads(),
            peak_rss_mib(),
        );
        Ok(())
    }

    fn encode(&self, network: &Network) -> Result<(), Box<dyn Error>> {
        let Subject { mut engine, parameters, pixels } = self.subject(network)?;
        let index: Vec<u32> = (0..self.images).collect();
        let rate = self.rate(|_| {
            let inputs = Inputs::Images { pixels: pixels[..].into(), index: &index };
            let latents = engine.forward(&parameters, inputs, ENCODER..ENCODER + 1)?;
            Ok(black_box(latents).len() / 64)
        })?;
        println!(
            "{{\"command\": \"encode\", \"encode_samples_per_second\": {rate:.0}, \"peak_rss_mib\": {}}}",
            peak_rss_mib()
        );
        Ok(())
    }

    /// Samples per second of a call that returns the number of its samples, after a warm-up.
    fn rate(
        &self,
        mut call: impl FnMut(u32) -> Result<usize, latents_engine::Error> + Send,
    ) -> Result<f64, Box<dyn Error>> {
        let mut measure = || {
            let (warm_up, mut at) = (Instant::now(), 0);
            while warm_up.elapsed().as_secs_f64() < 0.2 * self.seconds {
                call(at)?;
                at += 1;
            }
            let (start, mut done) = (Instant::now(), 0);
            while start.elapsed().as_secs_f64() < self.seconds {
                done += call(at)?;
                at += 1;
            }
            Ok::<f64, latents_engine::Error>(done as f64 / start.elapsed().as_secs_f64())
        };
        Ok(self.runtime.run(&mut measure)?)
    }
}

/// The convolutional network of `xtask/python/bench_torch.py`.
fn plain_cnn() -> Network {
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
    Network { input: SHAPE, sections: sections.into() }
}

/// Peak memory of this process, in MiB; 0 if the system does not report it.
fn peak_rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    // The system writes kB for KiB.
    let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kib.map_or(0, |kib| kib / 1024)
}
