//! `cargo xtask versus tsne`: our t-SNE beside openTSNE on the latents of a file. The programs that measure are
//! `xtask/python/bench_tsne.py` and the example `bench_tsne` of `latents-explore`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::{Spread, environment, load_average, measure, warn_of};
use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// What is mapped: the array `z` of an .npz file, as `latents encode` writes it.
    #[arg(long, value_name = "FILE.npz")]
    latents: PathBuf,
    /// How often each is measured.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let load = load_average();
    let python = environment(workspace, "python-tsne", "openTSNE", "requirements-tsne.txt")?;
    workspace.build(&["--package", "latents-explore", "--example", "bench_tsne"])?;
    warn_of(load);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let with = |mut command: Command| {
        command.arg("--latents").arg(&options.latents);
        measure(command.args(["--threads", &threads]))
    };
    let (mut theirs, mut ours) = (vec![], vec![]);
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        let mut command = Command::new(&python);
        command.arg(workspace.script("bench_tsne.py"));
        theirs.push(with(command)?);
        ours.push(with(Command::new(workspace.release("examples/bench_tsne")))?);
    }
    println!("\n{}", table(&theirs, &ours)?);
    Ok(())
}

fn table(theirs: &[Value], ours: &[Value]) -> Result<String> {
    let version = theirs.first().and_then(|line| line["openTSNE"].as_str());
    let mut lines = vec![
        format!("| | openTSNE {} | latents | ratio |", version.unwrap_or("?")),
        "|---|---|---|---|".to_owned(),
    ];
    for (title, key, digits) in
        [("seconds", "seconds", 1), ("KL", "kl", 3), ("peak memory, MB", "peak_rss_mb", 0)]
    {
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
        let line = |s: f64| vec![json!({"seconds": s, "kl": 1.5, "peak_rss_mb": 100})];
        let text = table(&line(60.0), &line(6.0)).unwrap();
        assert!(
            text.contains("| seconds | 60.0 (60.0 to 60.0) | 6.0 (6.0 to 6.0) | 0.10 |"),
            "{text}"
        );
    }
}
