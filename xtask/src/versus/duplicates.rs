//! `cargo xtask versus duplicates`: plants copies among pictures and looks for them, with imagededup beside. The program that plants, runs the
//! peer and judges is `xtask/python/bench_duplicates.py`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use super::{number, pictures, result_of};
use crate::{Workspace, call};

#[derive(Args)]
pub(crate) struct Options {
    /// PNG files, in any sub-folders, of which 1,500 are taken.
    #[arg(long, value_name = "DIR", default_value = "/usr/share/openclipart/png")]
    pictures: PathBuf,
    /// Which of them are taken and copied.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave imagededup out.
    #[arg(long)]
    alone: bool,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let python = pictures(workspace)?;
    workspace.build_command()?;
    let script = || {
        let mut command = Command::new(&python);
        command.arg(workspace.script("bench_duplicates.py"));
        command
    };
    let folder = workspace.target.join("versus-duplicates");
    let seed = options.seed.to_string();
    call(script().arg("plant").arg(&options.pictures).arg(&folder).arg(seed))?;

    let mut command = Command::new(workspace.release("latents"));
    command.args(["duplicates", "--json", "--data"]).arg(&folder);
    let start = Instant::now();
    let output = command.output()?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{command:?} ended with {}", output.status);
    let found = folder.with_extension("json");
    std::fs::write(&found, &output.stdout)?;
    let mut line = result_of(script().arg("judge").arg(&folder).arg(&found))?;
    line["method"] = "latents duplicates".into();
    line["seconds"] = seconds.into();
    let mut lines = vec![line];
    if !options.alone {
        let theirs = result_of(script().arg("imagededup").arg(&folder))?;
        lines.extend(theirs.as_array().context("not a list")?.iter().cloned());
    }
    println!("\n{}", table(&lines)?);
    Ok(())
}

fn table(lines: &[Value]) -> Result<String> {
    let mut rows = vec![
        "| | copies found, of 150 | groups of different pictures | seconds |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    for line in lines {
        let method = line["method"].as_str().unwrap_or("?");
        let [found, wrong] = [number(line, "found")?, number(line, "false_groups")?];
        rows.push(format!("| {method} | {found} | {wrong} | {:.1} |", number(line, "seconds")?));
    }
    Ok(rows.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_for_each_method() {
        let line = json!({"method": "m", "found": 147, "false_groups": 3, "seconds": 9.04});
        assert!(table(&[line]).unwrap().ends_with("| m | 147 | 3 | 9.0 |"));
    }
}
