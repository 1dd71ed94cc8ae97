//! Tunes any function: `cargo run --release -p latents --example tune_function`. The study is an SQLite file that Optuna and
//! optuna-dashboard can open; run the example again and it continues the study.

#![allow(clippy::print_stdout)] // An example prints what it finds.

use std::path::Path;

use latents::progress::Monitor;
use latents::tune::{
    Error, Objective, Outcome, Params, Space, StudyConfig, StudyTarget, Trial, Value, optimize,
};
use latents::{Session, TuneResults};

/// The Rosenbrock function, whose minimum of 0 is at (1, 1).
struct Rosenbrock;

impl Objective for Rosenbrock {
    fn run(
        &self,
        _: &mut Trial,
        params: &Params,
        _: usize,
        monitor: &Monitor,
    ) -> Result<Outcome, Error> {
        monitor.check()?;
        let number = |name: &str| match params.get(name) {
            Some(Value::Float(x)) => *x,
            _ => f64::NAN,
        };
        let (x, y) = (number("x"), number("y"));
        Ok(Outcome::Value((1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2)))
    }
}

fn main() -> latents::Result<()> {
    let session = Session::default();
    let folder = Path::new("runs/example/rosenbrock");
    let text = "x = { float = [-2.0, 2.0] }\ny = { float = [-1.0, 3.0] }";
    let space: Space = latents::parse_space(text, "the search space")?;
    let config = StudyConfig { trials: 60, ..StudyConfig::default() };
    let target = StudyTarget { seed: Some(1), ..StudyTarget::new("rosenbrock") };
    let study = config.open(folder, &target, &space)?;
    optimize(&study, &space, config.options(), &Rosenbrock, &session, &mut |_| {})?;
    let results = TuneResults::of(&study, &space, "value")?;
    results.save(folder)?; // tables and figures
    println!("{}", results.text(folder));
    Ok(())
}
