//! Runs that are interrupted or killed, and go on: they end with the same bytes as one that was left alone.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use latents_random::{Purpose, stream};

use crate::support::{Said, Sandbox, assert_same_run};

/// A run of some seconds: epochs of four steps, which are brought to disk some at a time.
const TRAIN: &str = "train ae --data fashion-mnist-sample --train-limit 256 --epochs 300 \
    --latent-dim 8 --batch-size 64 --schedule cosine --patience 300 --out";
const EPOCHS: usize = 300;
const KILLS: usize = 6;

fn spawn(sandbox: &Sandbox, arguments: &str) -> Child {
    let mut command = sandbox.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command can be run")
}

fn lines_of_metrics(sandbox: &Sandbox, run: &str) -> usize {
    let text = std::fs::read_to_string(sandbox.path(&format!("{run}/metrics.jsonl")));
    text.map_or(0, |text| text.lines().count())
}

/// Waits until the run has that many lines of metrics, or is over.
fn wait_for(sandbox: &Sandbox, run: &str, epochs: usize, child: &mut Child) {
    let begun = Instant::now();
    while lines_of_metrics(sandbox, run) < epochs && child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{run} has not done {epochs} epochs");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("{TRAIN} whole"));
    let mut child = spawn(&sandbox, &format!("{TRAIN} run"));
    wait_for(&sandbox, "run", 2, &mut child);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let said = Said::new("interrupted", &child.wait_with_output().unwrap());
    assert_eq!((said.code, said.stdout.as_str()), (Some(130), ""), "{}", said.stderr);
    let done = lines_of_metrics(&sandbox, "run");
    assert!(done < EPOCHS, "it stopped before its end");
    let told = format!(
        "Stopped in epoch {} and saved. Resume with:\n  latents train ae --resume --out run\n",
        done + 1
    );
    assert!(said.stderr.ends_with(&told), "{}", said.stderr);
    assert!(!sandbox.path("run/model.safetensors").exists(), "it is not finished");

    let said = sandbox.run("train ae --resume --out run");
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let expected = format!("{} of {EPOCHS} epochs to go", EPOCHS - done);
    assert!(said.stderr.contains(&expected), "{}", said.stderr);
    assert_same_run(&sandbox.run_files("run"), &sandbox.run_files("whole"), "interrupted");
}

/// Whether the tests themselves run where a signal is ignored (under nohup, say), which the command inherits and respects.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal - 1) & 1 == 1)
}

/// Whatever manages jobs sends other signals; each exit code is the one that shells give.
#[test]
fn any_signal_that_stops_saves_and_goes_on_to_the_same_bytes() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("{TRAIN} whole"));
    let whole = sandbox.run_files("whole");
    for (i, (signal, code)) in
        [("TERM", 143), ("HUP", 129), ("USR1", 138), ("TERM", 143)].into_iter().enumerate()
    {
        if is_ignored(code - 128) {
            continue;
        }
        let run = format!("run-{i}");
        let mut child = spawn(&sandbox, &format!("{TRAIN} {run}"));
        wait_for(&sandbox, &run, 2 + 20 * i, &mut child);
        let kill = ["-s", signal, &child.id().to_string()];
        assert!(Command::new("kill").args(kill).status().unwrap().success());
        let said = Said::new(signal, &child.wait_with_output().unwrap());
        assert_eq!(said.code, Some(code), "{signal}: {}", said.stderr);
        let told = format!("latents train ae --resume --out {run}\n");
        assert!(said.stderr.ends_with(&told), "{signal}: {}", said.stderr);
        sandbox.ok(&format!("train ae --resume --out {run}"));
        assert_same_run(&sandbox.run_files(&run), &whole, signal);
    }
}

/// `nohup` and what keeps jobs ignore that a terminal closes.
#[test]
fn a_signal_that_was_ignored_before_stays_ignored() {
    let sandbox = Sandbox::new();
    let script = format!("trap '' HUP; exec $latents {TRAIN} run");
    let mut command = sandbox.shell(&[], &script);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&sandbox, "run", 2, &mut child);
    let kill = ["-s", "HUP", &child.id().to_string()];
    assert!(Command::new("kill").args(kill).status().unwrap().success());
    let said = Said::new("ignored", &child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(lines_of_metrics(&sandbox, "run"), EPOCHS);
}

#[test]
fn a_folder_that_is_removed_is_told() {
    let sandbox = Sandbox::new();
    let mut child = spawn(&sandbox, &format!("{TRAIN} run"));
    wait_for(&sandbox, "run", 2, &mut child);
    std::fs::rename(sandbox.path("run"), sandbox.path("away")).unwrap();
    let said = Said::new("removed", &child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.stderr.contains("run/config.toml was removed while"), "{}", said.stderr);
    assert!(!sandbox.path("run/model.safetensors").exists());
}

/// What saves nothing on the way ends as an interrupted command does, too.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_map() {
    let sandbox = Sandbox::new();
    sandbox.train("ae", "");
    let mut child =
        spawn(&sandbox, "map --run ae --split train --iterations 1000000 --out map.npz");
    let status = format!("/proc/{}/status", child.id());
    let listens = || {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & 2 != 0)
    };
    while !listens() {
        assert!(child.try_wait().unwrap().is_none(), "it has ended by itself");
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let said = Said::new("interrupted", &child.wait_with_output().unwrap());
    assert_eq!((said.code, said.stdout.as_str()), (Some(130), ""), "{}", said.stderr);
    assert!(
        said.stderr.ends_with("Stopped.\n") && !said.stderr.contains("error"),
        "{}",
        said.stderr
    );
    assert!(!sandbox.path("map.npz").exists());
}

#[test]
fn kill_9_at_any_instant_changes_no_byte() {
    let sandbox = Sandbox::new();
    let begun = Instant::now();
    sandbox.ok(&format!("{TRAIN} whole"));
    let epoch = begun.elapsed() / EPOCHS as u32;
    let whole = sandbox.run_files("whole");
    let (mut hits, mut depths) = (0, BTreeSet::new());
    for i in 0..KILLS {
        // An instant in each sixth of the run, found by the run's own clock: others may slow the machine down. The first is
        // while it starts.
        let after = i * EPOCHS / KILLS;
        let within = stream(9, Purpose::Synthetic, i as u64, 0).uniform();
        let run = format!("run-{i}");
        let mut child = spawn(&sandbox, &format!("{TRAIN} {run}"));
        wait_for(&sandbox, &run, after, &mut child);
        std::thread::sleep(epoch.mul_f64(15.0 * within));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        Said::new("killed", &output);
        if output.status.signal() == Some(9) {
            hits += 1;
            depths.insert(lines_of_metrics(&sandbox, &run));
        }
        // Before it has written its settings there is nothing to go on with, and nothing is lost.
        let begun = sandbox.path(&run).join("config.toml").exists();
        let again =
            if begun { format!("train ae --resume --out {run}") } else { format!("{TRAIN} {run}") };
        sandbox.ok(&again);
        let how = format!("killed {within} of some epochs after {after} epochs");
        assert_same_run(&sandbox.run_files(&run), &whole, &how);
    }
    assert!(hits >= 4, "only {hits} of {KILLS} runs were killed before they were over");
    assert!(depths.len() >= 3, "they were killed after {depths:?} epochs");
}
