//! What the examples that time training share: their options, the training step, samples a second, memory. Each prints one JSON object.
#![allow(clippy::print_stdout, dead_code)] // Not all of it is for each of them.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use latents_engine::{
    Engine, Group, Init, Inputs, Isa, Loss, Network, Objective, Optimizer, Pass, Rule, Runtime,
    Targets, initialize,
};
use latents_random::{Purpose, stream};

const BATCH: u32 = 256;
const IMAGES: u32 = 10_000;

/// What the command line asks for: `WHAT [--seconds S] [--images N] [--threads T] [--isa NAME]`.
pub(crate) struct Bench {
    pub(crate) what: String,
    seconds: f64,
    /// Images that are encoded at once.
    pub(crate) images: u32,
    runtime: Arc<Runtime>,
}

/// A network with its initial weights.
pub(crate) struct Subject {
    pub(crate) engine: Engine,
    pub(crate) parameters: Vec<f32>,
    /// Images of 28x28.
    pub(crate) pixels: Vec<u8>,
}

impl Bench {
    pub(crate) fn from_arguments() -> Result<Self, Box<dyn Error>> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let option = |name: &str| {
            let at = arguments.iter().position(|a| a == name)?;
            arguments.get(at + 1).cloned()
        };
        let threads = option("--threads").map(|s| s.parse()).transpose()?;
        let isa: Option<Isa> = option("--isa").map(|s| s.parse()).transpose()?;
        Ok(Bench {
            what: arguments.first().cloned().unwrap_or_default(),
            seconds: option("--seconds").map_or(Ok(5.0), |s| s.parse())?,
            images: option("--images").map_or(Ok(IMAGES), |s| s.parse())?.min(IMAGES),
            runtime: Arc::new(Runtime::new(threads, isa)?),
        })
    }

    pub(crate) fn subject(&self, network: &Network) -> Result<Subject, Box<dyn Error>> {
        let engine = Engine::new(network, Arc::clone(&self.runtime))?;
        let parameters = initialize(engine.layout(), Init::default(), 1);
        let mut pixels = vec![0u8; IMAGES as usize * 784];
        stream(1, Purpose::Synthetic, 0, 0).fill_bytes(&mut pixels);
        Ok(Subject { engine, parameters, pixels })
    }

    /// Times training steps of Adam; a sample's step is counted as so many floating-point operations.
    pub(crate) fn train_step(
        &self,
        subject: Subject,
        objective: impl Into<Objective>,
        flops: f64,
    ) -> Result<(), Box<dyn Error>> {
        let objective = objective.into();
        let Subject { mut engine, mut parameters, pixels } = subject;
        let rule = Rule::Adam { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 1e-4 };
        let groups = Group::of(engine.layout(), 0..parameters.len(), rule, 5e-4);
        let mut optimizer = Optimizer::new(groups, parameters.len())?;
        let mut gradients = vec![0.0; parameters.len()];
        let peak = latents_engine::peak_gflops(&self.runtime);
        let rate = self.rate(|at| {
            let index: Vec<u32> = (0..BATCH).map(|i| (at * BATCH + i * 7) % IMAGES).collect();
            let classes: Vec<u8> = index.iter().map(|i| (i % 10) as u8).collect();
            let inputs = Inputs::Bytes { pixels: &pixels, index: &index };
            let targets = match objective.loss {
                Loss::CrossEntropy { .. } => Targets::Classes(&classes),
                _ => Targets::Inputs,
            };
            let pass = Pass::Train { seed: 1, epoch: 0 };
            let losses =
                engine.gradients(&parameters, inputs, targets, objective, pass, &mut gradients)?;
            optimizer.step(&self.runtime, &mut parameters, &gradients, 1.0);
            Ok(losses.fit.len())
        })?;
        let gflops = rate * flops / 1e9;
        println!(
            "{{\"train_samples_per_second\": {rate:.1}, \"gflops\": {gflops:.1}, \"peak_gflops\": {peak:.1}, \
             \"fraction_of_peak\": {:.3}, \"isa\": \"{}\", \"threads\": {}, \"peak_rss_mb\": {}}}",
            gflops / peak,
            self.runtime.isa(),
            self.runtime.threads(),
            peak_rss_mb(),
        );
        Ok(())
    }

    /// Samples a second of a call that says how many it did, after a warm-up.
    pub(crate) fn rate(
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

/// The most memory this process has had, in MB, where the system tells.
pub(crate) fn peak_rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kb = line.and_then(|l| l.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kb.map_or(0, |kb| kb / 1024)
}
