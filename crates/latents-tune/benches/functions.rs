//! A benchmark: the best values that TPE finds for test functions. `cargo bench -p latents-tune --bench functions -- --trials 100 --seeds 20`
//! prints one JSON object, `{function: {"direction", "best": [for each seed]}}`. `xtask/python/bench_functions.py` has the same functions for Optuna. Five are
//! standard ones (S. Surjanovic and D. Bingham, "Virtual Library of Simulation Experiments"). The Styblinski-Tang function is negated and
//! maximised. In `conditional`, a choice decides which parameters exist. `mixed` has only discrete parameters, and values that binary
//! fractions represent exactly.
#![allow(clippy::print_stdout)]

use std::f64::consts::{E, PI};

use latents_progress::Monitor;
use latents_tune::pruner::Never;
use latents_tune::sampler::Tpe;
use latents_tune::{
    Dimension, Direction, Distribution, Error, Objective, OptimizeOptions, Outcome, Params, Space,
    Strategy, Study, Trial, Value, optimize, storage,
};

const HARTMANN_WEIGHTS: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
const HARTMANN_SCALES: [[f64; 6]; 4] = [
    [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
    [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
    [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
    [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
];
const HARTMANN_CENTRES: [[f64; 6]; 4] = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
];
const CONDITIONAL: &str = r#"{
    "kind": {"choices": ["ridge", "bowl"]},
    "a": {"float": [-5, 5], "when": {"kind": "ridge"}},
    "b": {"float": [1e-3, 1e3], "log": true, "when": {"kind": "ridge"}},
    "n": {"int": [1, 50], "when": {"kind": "bowl"}},
    "c": {"float": [0, 1], "when": {"kind": "bowl"}}
}"#;
const MIXED: &str = r#"{
    "kind": {"choices": ["a", "b", "c", "d"]},
    "size": {"choices": [8, 16, 32, 64]},
    "depth": {"int": [1, 16]},
    "width": {"int": [1, 256], "log": true},
    "rate": {"float": [0, 2], "step": 0.25}
}"#;

struct Function {
    name: &'static str,
    direction: Direction,
    space: Space,
    value: fn(&Params) -> f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str, default: u64| {
        let at = arguments.iter().position(|a| a == name);
        at.and_then(|at| arguments.get(at + 1)).map_or(Ok(default), |s| s.parse())
    };
    let (trials, seeds) = (option("--trials", 100)?, option("--seeds", 20)?);
    let mut found = serde_json::Map::new();
    for function in functions()? {
        let best = (0..seeds).map(|seed| best(&function, seed, trials));
        let best = best.collect::<Result<Vec<f64>, _>>()?;
        let line = serde_json::json!({ "direction": function.direction, "best": best });
        found.insert(function.name.into(), line);
    }
    println!("{}", serde_json::Value::from(found));
    Ok(())
}

fn functions() -> Result<[Function; 8], Box<dyn std::error::Error>> {
    let function = |name, space, value| {
        let direction = Direction::Minimize;
        Function { name, direction, space, value }
    };
    Ok([
        function("sphere", cube(&[[-5.12, 5.12]; 5])?, sphere),
        function("Rosenbrock", cube(&[[-2.048, 2.048]; 4])?, rosenbrock),
        function("Branin", cube(&[[-5.0, 10.0], [0.0, 15.0]])?, branin),
        function("Hartmann6", cube(&[[0.0, 1.0]; 6])?, hartmann6),
        function("Ackley", cube(&[[-32.768, 32.768]; 5])?, ackley),
        function("conditional", serde_json::from_str(CONDITIONAL)?, conditional),
        function("mixed", serde_json::from_str(MIXED)?, mixed),
        Function {
            direction: Direction::Maximize,
            ..function("Styblinski-Tang", cube(&[[-5.0, 5.0]; 3])?, styblinski_tang)
        },
    ])
}

/// The best value of a study.
fn best(function: &Function, seed: u64, trials: u64) -> Result<f64, Box<dyn std::error::Error>> {
    let strategy = Strategy {
        sampler: Box::new(Tpe::default()),
        pruner: Box::new(Never),
        seed: Some(seed),
        lockstep: None,
    };
    let study =
        Study::open(storage::open("memory:")?, function.name, function.direction, strategy)?;
    let options =
        OptimizeOptions { trials: Some(trials), workers: 1, ..OptimizeOptions::default() };
    optimize(&study, &function.space, options, function, &Monitor::default(), &mut |_| {})?;
    let best = study.best()?.and_then(|trial| trial.value);
    Ok(best.ok_or("no trial is complete")?)
}

impl Objective for Function {
    fn run(
        &self,
        _trial: &mut Trial,
        params: &Params,
        _worker: usize,
        _monitor: &Monitor,
    ) -> Result<Outcome, Error> {
        Ok(Outcome::Value((self.value)(params)))
    }
}

/// Parameters `x0`, `x1`, ... within bounds.
fn cube(bounds: &[[f64; 2]]) -> Result<Space, Error> {
    let dimension = |(i, &[low, high]): (usize, &[f64; 2])| {
        Ok(Dimension::new(format!("x{i}"), Distribution::float(low, high)?))
    };
    Space::new(bounds.iter().enumerate().map(dimension).collect::<Result<_, Error>>()?)
}

/// A parameter of the function. NaN if there is none, which fails the trial.
fn number(params: &Params, name: &str) -> f64 {
    params.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn text<'a>(params: &'a Params, name: &str) -> &'a str {
    params.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The parameters of a [`cube`].
fn point(params: &Params) -> Vec<f64> {
    params.values().filter_map(Value::as_f64).collect()
}

fn square(x: f64) -> f64 {
    x * x
}

fn sphere(params: &Params) -> f64 {
    point(params).into_iter().map(square).sum()
}

fn rosenbrock(params: &Params) -> f64 {
    let valley = |x: &[f64]| 100.0 * square(x[1] - square(x[0])) + square(1.0 - x[0]);
    point(params).windows(2).map(valley).sum()
}

fn branin(params: &Params) -> f64 {
    let (x, y) = (number(params, "x0"), number(params, "x1"));
    let valley = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    square(valley) + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * libm::cos(x) + 10.0
}

fn hartmann6(params: &Params) -> f64 {
    let x = point(params);
    let mut sum = 0.0;
    for ((weight, scales), centres) in
        HARTMANN_WEIGHTS.iter().zip(&HARTMANN_SCALES).zip(&HARTMANN_CENTRES)
    {
        let distances = x.iter().zip(scales).zip(centres).map(|((x, s), c)| s * square(x - c));
        sum += weight * libm::exp(-distances.sum::<f64>());
    }
    -sum
}

fn ackley(params: &Params) -> f64 {
    let x = point(params);
    let mean = |f: fn(f64) -> f64| x.iter().map(|&x| f(x)).sum::<f64>() / x.len() as f64;
    let wave = mean(|x| libm::cos(2.0 * PI * x));
    20.0 + E - 20.0 * libm::exp(-0.2 * mean(square).sqrt()) - libm::exp(wave)
}

fn conditional(params: &Params) -> f64 {
    if text(params, "kind") == "ridge" {
        return 0.5 + square(number(params, "a")) + square(libm::log10(number(params, "b")));
    }
    square((number(params, "n") - 17.0) / 10.0) + 4.0 * square(number(params, "c") - 0.3)
}

fn mixed(params: &Params) -> f64 {
    let (cost, depth) = match text(params, "kind") {
        "a" => (0.5, 3.0),
        "b" => (0.25, 12.0),
        "c" => (0.0, 7.0),
        _ => (0.75, 10.0),
    };
    let misfit = match number(params, "size") as i64 {
        8 => 0.5,
        16 | 64 => 0.25,
        _ => 0.0,
    };
    let far = (number(params, "depth") - depth).abs() / 8.0
        + (number(params, "width") - 48.0).abs() / 64.0
        + (number(params, "rate") - 0.75).abs();
    cost + misfit + far
}

fn styblinski_tang(params: &Params) -> f64 {
    let valleys = |x: f64| square(square(x)) - 16.0 * square(x) + 5.0 * x;
    -point(params).into_iter().map(valleys).sum::<f64>() / 2.0
}
