//! The modes of PyTorch, and a short trial that finds the fastest, so that `latents` is compared with what a careful user of PyTorch would choose.

use anyhow::{Context, Result};
use serde_json::Value;

/// How PyTorch runs a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    /// `eager`, or `compile` for `torch.compile`.
    pub(super) mode: &'static str,
    /// `f32`, or `bf16` for automatic mixed precision.
    pub(super) precision: &'static str,
}

pub(super) const MODES: [Mode; 4] = [
    Mode { mode: "eager", precision: "f32" },
    Mode { mode: "eager", precision: "bf16" },
    Mode { mode: "compile", precision: "f32" },
    Mode { mode: "compile", precision: "bf16" },
];

/// What a mode did in the trial: a line of JSON, with the number `key` or with an `error`.
pub(super) struct Tried {
    pub(super) mode: Mode,
    pub(super) line: Value,
}

/// The fastest mode, and the fastest in f32 if that is another one.
pub(super) fn chosen(trial: &[Tried], key: &str) -> Result<Vec<Mode>> {
    let fastest = |precisions: &[&str]| {
        let speeds = trial.iter().filter(|tried| precisions.contains(&tried.mode.precision));
        let speeds = speeds.filter_map(|tried| Some((tried.line[key].as_f64()?, tried.mode)));
        speeds.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, mode)| mode)
    };
    let best = fastest(&["f32", "bf16"]).context("PyTorch could not run in any mode")?;
    let single = fastest(&["f32"]).filter(|&mode| mode != best);
    Ok([Some(best), single].into_iter().flatten().collect())
}

/// The trial as a table. A mode that could not run says why.
pub(super) fn table(trial: &[Tried], key: &str) -> String {
    let mut lines =
        vec!["| PyTorch's mode | precision | samples/s |".to_owned(), "|---|---|---|".to_owned()];
    for Tried { mode: Mode { mode, precision }, line } in trial {
        let result = match line[key].as_f64() {
            Some(speed) => format!("{speed:.0}"),
            None => format!("could not run: {}", line["error"].as_str().unwrap_or("no speed")),
        };
        lines.push(format!("| {mode} | {precision} | {result} |"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// In the order of [`MODES`]; `None` could not run.
    fn trial(speeds: [Option<f64>; 4]) -> Vec<Tried> {
        let line = |speed| match speed {
            Some(speed) => json!({ "x": speed }),
            None => json!({ "error": "no compiler" }),
        };
        let tried = MODES.into_iter().zip(speeds);
        tried.map(|(mode, speed)| Tried { mode, line: line(speed) }).collect()
    }

    #[test]
    fn the_fastest_mode_is_chosen_and_the_fastest_in_f32() {
        let chosen = |speeds| super::chosen(&trial(speeds), "x").unwrap();
        let [eager, eager_bf16, compiled, compiled_bf16] = MODES;
        let all = chosen([Some(1.0), Some(2.0), Some(3.0), Some(4.0)]);
        assert_eq!(all, [compiled_bf16, compiled]);
        let single = chosen([Some(9.0), Some(2.0), Some(3.0), Some(4.0)]);
        assert_eq!(single, [eager]);
        assert_eq!(chosen([Some(1.0), Some(2.0), None, None]), [eager_bf16, eager]);
        assert_eq!(chosen([None, Some(2.0), None, None]), [eager_bf16]);
        let none = super::chosen(&trial([None; 4]), "x").unwrap_err();
        assert!(none.to_string().contains("any mode"), "{none}");
    }

    #[test]
    fn a_mode_that_could_not_run_says_why() {
        let text = table(&trial([Some(1000.4), Some(2.0), None, Some(4.0)]), "x");
        assert!(text.contains("| eager | f32 | 1000 |"), "{text}");
        assert!(text.contains("| compile | f32 | could not run: no compiler |"), "{text}");
    }
}
