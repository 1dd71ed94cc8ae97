//! `cargo xtask faults`: disturbs the command at its work, goes on, and compares the end with that of undisturbed work.
//!
//! A disturbance (`disturb.rs`) is an end of the process, a full disk or an error at one step of `latents-files` (the variable `LATENTS_FAULT`), a signal at any
//! instant, a second process with the same folder, or a flipped bit in one of the files. Each kind of work (`work.rs`) is disturbed many times, with
//! the same seed in the same way. The end must be the same bytes, times apart (`results.rs`), or an error that names the file; anything else is printed and is a failure.

mod disturb;
mod results;
mod work;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;

use crate::Workspace;
use disturb::{Disturbance, End};
use work::{Prepared, Work};

#[derive(Args)]
pub(crate) struct Options {
    /// Disturbances in all; with --kind, of each kind of work.
    #[arg(long, default_value_t = 300)]
    faults: usize,
    /// Only disturbances of this kind, as the table names it: `--kind TERM --faults 20`.
    #[arg(long, value_parser = disturb::NAMES)]
    kind: Option<String>,
    /// Only kinds of work whose names contain this.
    #[arg(long, default_value = "")]
    only: String,
    /// What is drawn, is drawn from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The outcomes of one kind of work, by kind of disturbance.
#[derive(Clone, Default)]
struct Counts {
    same: usize,
    undisturbed: usize,
    named: usize,
    wrong: usize,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let postgres = work::postgres();
    workspace.build(&["--bin=latents"])?;
    let latents = workspace.release("latents");

    let kinds: Vec<Work> = work::kinds(postgres.as_deref())
        .into_iter()
        .filter(|work| work.name.contains(&options.only))
        .collect();
    ensure!(!kinds.is_empty(), "no kind of work has `{}` in its name", options.only);
    let weights: usize = kinds.iter().map(|work| work.weight).sum();
    let mut failures = vec![];
    println!(
        "| work | steps | faults | {} | the same end | of these undisturbed | an error that names the file | wrong | seconds |",
        disturb::NAMES.join(" | ")
    );
    println!("|---|{}", "---|".repeat(disturb::NAMES.len() + 7));
    for work in &kinds {
        let began = Instant::now();
        let prepared = Prepared::new(work, &latents)?;
        let list = if let Some(kind) = &options.kind {
            disturb::of_kind(&prepared, kind, options.faults, options.seed)
        } else {
            let faults = (options.faults * work.weight).div_ceil(weights);
            disturb::spread(&prepared, faults, options.seed)
        };
        let (counts, found) = disturb_all(&prepared, &list)?;
        print_row(&prepared, &list, &counts, began.elapsed().as_secs());
        failures.extend(found.into_iter().map(|text| format!("{}: {text}", work.name)));
    }
    for failure in &failures {
        println!("\n{failure}");
    }
    ensure!(failures.is_empty(), "{} faults ended wrong", failures.len());
    Ok(())
}

/// Tries all disturbances, as many at a time as there are cores.
fn disturb_all(prepared: &Prepared<'_>, list: &[Disturbance]) -> Result<(Counts, Vec<String>)> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Counts::default(), vec![]));
    let worker = || -> Result<()> {
        while let Some(disturbance) = list.get(next.fetch_add(1, Ordering::Relaxed)) {
            let end = disturbance.try_on(prepared)?;
            let mut done = done.lock().expect("no worker panics");
            let (counts, failures) = &mut *done;
            match end {
                End::Same => counts.same += 1,
                End::Undisturbed => {
                    counts.same += 1;
                    counts.undisturbed += 1;
                }
                End::Named => counts.named += 1,
                End::Wrong(what) => {
                    counts.wrong += 1;
                    failures.push(format!("{disturbance:?}: {what}"));
                }
            }
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    Ok(done.into_inner().expect("no worker panics"))
}

fn print_row(prepared: &Prepared<'_>, list: &[Disturbance], counts: &Counts, seconds: u64) {
    let of_kind = |name: &&str| list.iter().filter(|d| d.name() == *name).count().to_string();
    let kinds: Vec<String> = disturb::NAMES.iter().map(of_kind).collect();
    let (name, steps) = (prepared.work.name, prepared.steps);
    let Counts { same, undisturbed, named, wrong } = counts;
    println!(
        "| {name} | {steps} | {} | {} | {same} | {undisturbed} | {named} | {wrong} | {seconds} |",
        list.len(),
        kinds.join(" | ")
    );
}
