//! Learning-rate schedules, step by step.

use latents_engine::Schedule;
use serde::Deserialize;

use crate::FOLDER;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    schedule: Schedule,
    base_rate: f64,
    steps: u64,
    rates: Vec<f64>,
}

#[test]
fn schedules_are_pytorchs() {
    let text = std::fs::read_to_string(format!("{FOLDER}/schedules.json")).unwrap();
    let cases: Vec<Run> = serde_json::from_str(&text).unwrap();
    let of = |kind: fn(&Schedule) -> bool| cases.iter().filter(|c| kind(&c.schedule)).count();
    assert_eq!(of(|s| matches!(s, Schedule::OneCycle { .. })), 4);
    assert_eq!(of(|s| matches!(s, Schedule::Cosine)), 2);
    assert_eq!(of(|s| matches!(s, Schedule::WarmupCosine { .. })), 3);
    for Run { schedule, base_rate, steps, rates } in &cases {
        assert!(rates.len() as u64 >= *steps);
        for (step, rate) in rates.iter().enumerate() {
            let ours = base_rate * schedule.factor(step as u64, *steps);
            // PyTorch computes each rate from the previous one, so its rounding errors accumulate.
            let off = (ours - rate).abs() / base_rate;
            assert!(off < 1e-14, "{schedule:?}, step {step} of {steps}: {ours} is not {rate}");
        }
    }
}
