//! Measures the engine, and the machine's peak next to it. Each command prints one line of JSON:
//!
//! ```text
//! cargo bench -p latents-train -- COMMAND [--seconds S] [--batch N] [--images N] [--threads T] [--isa NAME] [--precision f32|bf16]
//! ```
//!
//! - `train-step`: a training step of the reference study's autoencoder (64 latents, no dropout);
//! - `vae-step`: one of its variational autoencoder (44 latents, Bernoulli likelihood);
//! - `cnn-step`: one of a plain convolutional classifier (two convolutions of 32 channels, two of 64, each normalised);
//! - `default-cnn-step`: one of this project's own convolutional classifier;
//! - `pictures-step`: one of an autoencoder of the study's design for colour images of 64x64;
//! - `residual-pictures-step`: one of the residual autoencoder for a large collection of them;
//! - `encode`: the autoencoder's encoder, on `--images` images at a time.
//!
//! Steps are of Adam, on batches of 256 unless told otherwise. `xtask/python/bench_torch.py` takes the same measurements with PyTorch, under the
//! same names. Without a command all are taken in turn, and the peak memory is that of all so far.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use latents_engine::{
    Criterion, Engine, EngineOptions, Group, Init, Inputs, Isa, Layer, Loss, Network, Optimizer,
    Pass, Precision, Rule, Runtime, Section, Shape, Targets, initialize,
};
use latents_models::{AutoencoderConfig, CnnConfig, ENCODER, Model, VaeConfig};
use latents_random::{Purpose, stream};

const COMMANDS: [&str; 7] = [
    "train-step",
    "vae-step",
    "cnn-step",
    "default-cnn-step",
    "pictures-step",
    "residual-pictures-step",
    "encode",
];
const BATCH: u32 = 256;
/// Grey images that are kept, and encoded at once; of colour images, as many as have no more bytes.
const IMAGES: u32 = 10_000;
const GREY: Shape = [1, 28, 28];
const COLOUR: Shape = [3, 64, 64];

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
    /// Samples of a training step.
    batch: u32,
    /// Images that are encoded at once.
    images: u32,
    precision: Precision,
    runtime: Arc<Runtime>,
}

/// A network with its initial weights, and images.
struct Subject {
    engine: Engine,
    parameters: Vec<f32>,
    /// `[n, c, h, w]`, random.
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
            batch: option("--batch").map_or(Ok(BATCH), |s| s.parse())?,
            images: option("--images").map_or(Ok(IMAGES), |s| s.parse())?.min(IMAGES),
            precision: match option("--precision").map(String::as_str) {
                None | Some("f32") => Precision::Full,
                Some("bf16") => Precision::Bf16,
                Some(other) => {
                    return Err(format!("the precisions are f32 and bf16, not `{other}`").into());
                }
            },
            runtime: Arc::new(Runtime::new(threads, isa)?),
        })
    }

    fn measure(&self, command: &str) -> Result<(), Box<dyn Error>> {
        let mean_squared_error = Criterion::from(Loss::MeanSquaredError);
        let cross_entropy = Criterion::from(Loss::CrossEntropy { label_smoothing: 0.0 });
        let study = |shape| {
            let design = AutoencoderConfig::for_images(shape);
            AutoencoderConfig { dropout: 0.0, ..design }.network(shape, 0)
        };
        let vae = VaeConfig::default();
        match command {
            "train-step" => self.train_step(command, &study(GREY)?, mean_squared_error),
            "vae-step" => self.train_step(command, &vae.network(GREY, 0)?, vae.criterion()),
            "cnn-step" => self.train_step(command, &plain_cnn(), cross_entropy),
            "default-cnn-step" => {
                self.train_step(command, &CnnConfig::default().network(GREY, 10)?, cross_entropy)
            }
            "pictures-step" => self.train_step(command, &study(COLOUR)?, mean_squared_error),
            "residual-pictures-step" => {
                let residual = AutoencoderConfig::for_collection(COLOUR, 10_000);
                self.train_step(command, &residual.network(COLOUR, 0)?, mean_squared_error)
            }
            "encode" => self.encode(&study(GREY)?),
            _ => Err(format!("the commands are {}, not `{command}`", COMMANDS.join(", ")).into()),
        }
    }

    fn subject(&self, network: &Network) -> Result<Subject, Box<dyn Error>> {
        let options = EngineOptions { precision: self.precision, ..EngineOptions::default() };
        let engine = Engine::with_options(network, Arc::clone(&self.runtime), options)?;
        let parameters = initialize(engine.layout(), Init::default(), 1);
        let [grey, numbers] = [GREY, network.input].map(|shape| shape.iter().product::<usize>());
        let mut pixels = vec![0u8; IMAGES as usize * grey / numbers * numbers];
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
        // Forward, input gradients and weight gradients: three times the forward pass. The first layers need no input gradient.
        let first = first_layers(&network.sections[0].layers[0]);
        let firsts = first.into_iter().map(|layer| self.multiply_adds(network.input, layer));
        let first = firsts.sum::<Result<u64, _>>()?;
        let flops = 2.0 * (3 * engine.multiply_adds() - first) as f64;
        let rule = Rule::Adam { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 1e-4 };
        let groups = Group::of(engine.layout(), 0..parameters.len(), rule, 5e-4);
        let mut optimizer = Optimizer::new(groups, parameters.len())?;
        let mut gradients = vec![0.0; parameters.len()];
        let peak = latents_engine::peak_gflops(&self.runtime);
        let images = (pixels.len() / network.input.iter().product::<usize>()) as u32;
        let is_cnn = matches!(criterion.loss, Loss::CrossEntropy { .. });
        let rate = self.rate(|at| {
            let batch = self.batch;
            let index: Vec<u32> = (0..batch).map(|i| (at * batch + i * 7) % images).collect();
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
            "{{\"command\": \"{command}\", \"parameters\": {}, \"train_samples_per_second\": {rate:.1}, \"gflops\": {gflops:.1}, \"peak_gflops\": {peak:.1}, \
             \"fraction_of_peak\": {:.3}, \"isa\": \"{}\", \"threads\": {}, \"peak_rss_mib\": {}}}",
            parameters.len(),
            gflops / peak,
            self.runtime.isa(),
            self.runtime.threads(),
            peak_rss_mib(),
        );
        Ok(())
    }

    /// Multiply-adds of the forward pass of one image through one layer.
    fn multiply_adds(&self, input: Shape, layer: &Layer) -> Result<u64, latents_engine::Error> {
        let section = Section { name: "first".into(), layers: vec![layer.clone()] };
        let network = Network { input, sections: vec![section] };
        Ok(Engine::<f32>::new(&network, Arc::clone(&self.runtime))?.multiply_adds())
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
            "{{\"command\": \"encode\", \"parameters\": {}, \"encode_samples_per_second\": {rate:.0}, \"peak_rss_mib\": {}}}",
            parameters.len(),
            peak_rss_mib(),
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

/// The layers that the input reaches first: those of the branch and of the shortcut of a sum.
fn first_layers(layer: &Layer) -> Vec<&Layer> {
    let Layer::Residual { layers, shortcut, .. } = layer else { return vec![layer] };
    [layers, shortcut].iter().filter_map(|path| path.first()).flat_map(first_layers).collect()
}

/// The convolutional network of `xtask/python/torch_networks.py`.
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
    Network { input: GREY, sections: sections.into() }
}

/// Peak memory of this process, in MiB; 0 if the system does not report it.
fn peak_rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    // The system writes kB for KiB.
    let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kib.map_or(0, |kib| kib / 1024)
}
