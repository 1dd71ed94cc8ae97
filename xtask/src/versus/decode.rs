//! `cargo xtask versus decode`: compares how fast JPEG files become images of 64 x 64 with torchvision. Ours are listed, decoded, arranged and
//! kept in the cache; `xtask/python/bench_decode.py` decodes alone.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::{Spread, load_average, measure, pictures, warn_of};
use crate::{Workspace, call};

#[derive(Args)]
pub(crate) struct Options {
    /// Files that are made, of 512 x 512 pixels.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    files: u32,
    /// How often each program is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let load = load_average();
    let python = pictures(workspace)?;
    workspace.build_command()?;
    let folder = workspace.target.join(format!("versus-jpegs-{}", options.files));
    if !folder.exists() {
        println!("making {} files", options.files);
        let make = workspace.script("make_jpegs.py");
        call(Command::new(&python).arg(make).arg(&folder).arg(options.files.to_string()))?;
    }
    warn_of(load);
    let cache = workspace.target.join("versus-cache");
    let ours = || -> Result<Value> {
        if cache.exists() {
            std::fs::remove_dir_all(&cache)?;
        }
        let mut command = Command::new(workspace.release("latents"));
        command.env("LATENTS_CACHE", &cache).args(["data", "show", "--size", "64"]).arg(&folder);
        let start = Instant::now();
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(status.success(), "{command:?} ended with {status}");
        let speed = f64::from(options.files) / start.elapsed().as_secs_f64();
        println!("  latents: {speed:.0} pictures a second");
        Ok(json!({ "pictures_per_second": speed }))
    };
    let (mut theirs, mut all_ours) = (vec![], vec![]);
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        let script = workspace.script("bench_decode.py");
        theirs.push(measure(Command::new(&python).arg(script).arg(&folder))?);
        all_ours.push(ours()?);
    }
    println!("\n{}", table(&theirs, &all_ours)?);
    Ok(())
}

fn table(theirs: &[Value], ours: &[Value]) -> Result<String> {
    let version = theirs.first().and_then(|line| line["torchvision"].as_str());
    let mut lines = vec![
        format!("| pictures a second | torchvision {} | latents | ratio |", version.unwrap_or("?")),
        "|---|---|---|---|".to_owned(),
    ];
    let ours = Spread::of(ours, "pictures_per_second")?;
    for (title, key) in [("two worker processes", "loader"), ("two threads", "threads")] {
        let theirs = Spread::of(theirs, key)?;
        let ratio = ours.median / theirs.median;
        lines.push(format!("| {title} | {theirs} | {ours} | {ratio:.2} |"));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratio_is_ours_over_theirs() {
        let theirs = [json!({"torchvision": "1", "loader": 100.0, "threads": 200.0})];
        let text = table(&theirs, &[json!({"pictures_per_second": 300.0})]).unwrap();
        assert!(text.contains("| two threads | 200 (200 to 200) | 300 (300 to 300) | 1.50 |"));
    }
}
