//! `cargo xtask versus tsne`: compares t-SNE with openTSNE on the latents of a file. The programs that measure are
//! `xtask/python/bench_tsne.py` and the benchmark `tsne` of `latents-explore`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::{Spread, environment, load_average, measure, number, warn_of};
use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// Latents to map: the array `z` of an .npz file with labels, as `latents encode` writes it.
    #[arg(long, value_name = "FILE.npz")]
    latents: PathBuf,
    /// Another such file with more latents, which only `latents` maps, once.
    #[arg(long, value_name = "FILE.npz")]
    large: Option<PathBuf>,
    /// How often each program is measured.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let load = load_average();
    let python = environment(workspace, "python-tsne", "openTSNE", "requirements-tsne.txt")?;
    let benchmark = workspace.benchmark("latents-explore", "tsne")?;
    warn_of(load);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let map = workspace.target.join("versus-map.npz");
    // One program scores the maps of both.
    let with = |mut command: Command, latents: &Path| -> Result<Value> {
        command.arg("--latents").arg(latents).args(["--threads", &threads]);
        let mut line = measure(command.arg("--out").arg(&map))?;
        let mut judge = Command::new(&benchmark);
        judge.arg("--latents").arg(latents).arg("--judge").arg(&map);
        let judged = measure(judge.args(["--threads", &threads]))?;
        for key in ["trustworthiness", "neighbour_accuracy"] {
            line[key] = judged[key].clone();
        }
        std::fs::remove_file(&map)?;
        Ok(line)
    };
    let (mut theirs, mut ours) = (vec![], vec![]);
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        let mut command = Command::new(&python);
        command.arg(workspace.script("bench_tsne.py"));
        theirs.push(with(command, &options.latents)?);
        ours.push(with(Command::new(&benchmark), &options.latents)?);
    }
    println!("\n{}", table(&theirs, &ours)?);
    if let Some(large) = &options.large {
        let line = with(Command::new(&benchmark), large)?;
        println!("\n{}", alone(&line)?);
    }
    Ok(())
}

/// The rows of the tables: title, key, and digits after the point.
const ROWS: [(&str, &str, usize); 5] = [
    ("seconds", "seconds", 1),
    ("KL", "kl", 3),
    ("accuracy of 10 nearest others on the map", "neighbour_accuracy", 4),
    ("trustworthiness", "trustworthiness", 4),
    ("peak memory, MiB", "peak_rss_mib", 0),
];

/// The table of a larger file, without a peer.
fn alone(line: &Value) -> Result<String> {
    let mut lines = vec![format!("| | latents, {} points |", number(line, "points")?)];
    lines.push("|---|---|".to_owned());
    for (title, key, digits) in ROWS {
        lines.push(format!("| {title} | {:.digits$} |", number(line, key)?));
    }
    Ok(lines.join("\n"))
}

fn table(theirs: &[Value], ours: &[Value]) -> Result<String> {
    let version = theirs.first().and_then(|line| line["openTSNE"].as_str());
    let mut lines = vec![
        format!("| | openTSNE {} | latents | ratio |", version.unwrap_or("?")),
        "|---|---|---|---|".to_owned(),
    ];
    for (title, key, digits) in ROWS {
        let (theirs, ours) = (Spread::of(theirs, key)?, Spread::of(ours, key)?);
        let ratio = ours.median / theirs.median;
        lines.push(format!("| {title} | {theirs:.digits$} | {ours:.digits$} | {ratio:.2} |"));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ratio_is_ours_over_theirs() {
        let line = |s: f64| {
            let line = json!({"points": 7, "seconds": s, "kl": 1.5, "peak_rss_mib": 100,
                "neighbour_accuracy": 0.8, "trustworthiness": 0.99});
            vec![line]
        };
        let text = table(&line(60.0), &line(6.0)).unwrap();
        assert!(
            text.contains("| seconds | 60.0 (60.0 to 60.0) | 6.0 (6.0 to 6.0) | 0.10 |"),
            "{text}"
        );
        let text = alone(&line(6.0)[0]).unwrap();
        assert!(text.contains("7 points |") && text.contains("| KL | 1.500 |"), "{text}");
    }
}
