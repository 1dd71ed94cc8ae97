//! A benchmark: the time of a trial besides its objective. `cargo bench -p latents-tune --bench overhead -- --trials 1000 --storage
//! sqlite:////tmp/study.db` prints one JSON object; without `--storage` the study is in memory. It samples five parameters by TPE with its
//! default settings; the objective takes almost no time.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use latents_progress::Monitor;
use latents_tune::pruner::Never;
use latents_tune::sampler::Tpe;
use latents_tune::{
    Direction, Error, Objective, OptimizeOptions, Outcome, Params, Space, Strategy, Study, Trial,
    Value, optimize, storage,
};

/// The same as in `xtask/python/bench_overhead.py`.
const SPACE: &str = r#"{
    "x": {"float": [-5, 5]},
    "rate": {"float": [1e-5, 1e-1], "log": true},
    "layers": {"int": [1, 10]},
    "width": {"int": [8, 512], "log": true},
    "kind": {"choices": ["adam", "sgd", "lion"]}
}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1).cloned()
    };
    let trials: u64 = option("--trials").map_or(Ok(1000), |s| s.parse())?;
    let url = option("--storage").unwrap_or_else(|| "memory:".to_owned());

    let space: Space = serde_json::from_str(SPACE)?;
    let start = Instant::now();
    let strategy = Strategy {
        sampler: Box::new(Tpe::default()),
        pruner: Box::new(Never),
        seed: Some(1),
        lockstep: None,
    };
    let study = Study::open(storage::open(&url)?, "overhead", Direction::Minimize, strategy)?;
    let options =
        OptimizeOptions { trials: Some(trials), workers: 1, ..OptimizeOptions::default() };
    optimize(&study, &space, options, &Bowl, &Monitor::default(), &mut |_| {})?;
    let seconds = start.elapsed().as_secs_f64();
    let best = study.best()?.and_then(|trial| trial.value).ok_or("no trial is complete")?;
    println!("{{\"ms_per_trial\": {:.4}, \"best\": {best}}}", 1000.0 * seconds / trials as f64);
    Ok(())
}

struct Bowl;

impl Objective for Bowl {
    fn run(
        &self,
        _trial: &mut Trial,
        params: &Params,
        _worker: usize,
        _monitor: &Monitor,
    ) -> Result<Outcome, Error> {
        let number = |name: &str| params.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let square = |x: f64| x * x;
        let bowls = square(number("x") - 1.0)
            + square(libm::log10(number("rate")) + 3.0)
            + square(number("layers") - 4.0)
            + square(libm::log2(number("width") / 64.0));
        let is_other = params["kind"] != Value::from("adam");
        Ok(Outcome::Value(bowls + f64::from(u8::from(is_other))))
    }
}
