//! Disks that are full, and folders that may not be written to: what is said, that nothing is left half written, and that the same command
//! goes on once there is room.

use std::path::Path;
use std::process::Output;

use crate::support::{Said, Sandbox, TRAIN, assert_same_run};
use crate::tune::trials;

/// A search of two short trials.
const TUNE: &str = "tune ae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 2 --batch-size 64 --trials 2 \
    --seed 1";

/// What a script ends with where nothing can be mounted.
const CANNOT_MOUNT: i32 = 77;

/// Runs a script where it may mount what it likes, whoever runs it; none where the system does not let us, which is said.
#[allow(clippy::print_stderr)] // Whoever reads the tests should know what is not tested.
fn with_mounts(sandbox: &Sandbox, script: &str) -> Option<Output> {
    let output = sandbox.shell(&["unshare", "--map-root-user", "--mount"], script).output().ok();
    let output = output.filter(|o| o.status.success() || o.status.code() != Some(CANNOT_MOUNT));
    // Without leave to make a namespace, the script is not begun.
    let output = output.filter(|o| !String::from_utf8_lossy(&o.stderr).starts_with("unshare: "));
    if output.is_none() {
        eprintln!("nothing can be mounted here, so this is not tested");
    }
    output
}

/// Runs a command on a disk of a size that is too small for it, and another one once there is room; what both said, and `disk/NAME` is copied to `copy`.
fn on_a_full_disk(
    sandbox: &Sandbox,
    size: &str,
    [first, again]: [&str; 2],
    [name, copy]: [&str; 2],
) -> Option<Said> {
    let script = format!(
        "mkdir -p disk && mount -t tmpfs -o size={size} none disk || exit {CANNOT_MOUNT}
        \"$latents\" {first} --out disk/{name} && exit 1
        find disk -name '*.tmp' >&2
        mount -o remount,size=20m disk
        \"$latents\" {again} --out disk/{name} && cp -r disk/{name} {copy}"
    );
    let said = Said::new(size, &with_mounts(sandbox, &script)?);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(!said.stderr.contains(".tmp"), "{}", said.stderr);
    Some(said)
}

/// Files below a folder that were being written.
fn half_written(folder: &Path) -> Vec<String> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(half_written(&path));
        } else if path.extension().is_some_and(|ending| ending == "tmp") {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Runs a command that may write no file of more than 350 KB: checkpoints are larger, and the rest is smaller.
fn with_small_files(sandbox: &Sandbox, arguments: &str) -> Said {
    // The system would end the process by a signal, unless that is ignored; then a write fails, as on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f 700; exec \"$latents\" {arguments}");
    Said::new(arguments, &sandbox.shell(&[], &script).output().unwrap())
}

#[test]
fn a_run_whose_checkpoint_cannot_be_written_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.train("whole", "");
    // The run does not begin without a checkpoint, so it is begun again.
    for _ in 0..2 {
        let said = with_small_files(&sandbox, &format!("{TRAIN} --out ae"));
        let expected = "\nerror: cannot write ae/checkpoint/last.safetensors: ";
        assert_eq!(said.code, Some(1), "{}", said.stderr);
        assert!(said.stderr.contains(expected), "{}", said.stderr);
        assert_eq!(half_written(&sandbox.path("ae")), [""; 0]);
    }
    sandbox.train("ae", "");
    assert_same_run(&sandbox.run_files("ae"), &sandbox.run_files("whole"), "after a full disk");
}

#[test]
fn a_search_whose_checkpoints_cannot_be_written_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("{TUNE} --out whole"));
    let tune = format!("{TUNE} --out study");
    let said = with_small_files(&sandbox, &tune);
    let expected =
        "\nerror: trial 0: cannot write study/trials/00000/checkpoint/last.safetensors: ";
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.stderr.contains(expected), "{}", said.stderr);
    assert_eq!(half_written(&sandbox.path("study")), [""; 0]);
    sandbox.ok(&tune);
    assert_eq!(trials(&sandbox, "study"), trials(&sandbox, "whole"));
}

#[test]
fn a_run_on_a_full_disk_goes_on_once_there_is_room() {
    let sandbox = Sandbox::new();
    sandbox.train("whole", "");
    // Full before the first checkpoint, and full at the second.
    for (size, file, again) in [("600k", "last", TRAIN), ("1200k", "previous", "train ae --resume")]
    {
        let (commands, copy) = ([TRAIN, again], format!("ae-{size}"));
        let said = on_a_full_disk(&sandbox, size, commands, ["ae", &copy]);
        let Some(said) = said else { return };
        let expected = format!("\nerror: cannot write disk/ae/checkpoint/{file}.safetensors: ");
        assert!(said.stderr.contains(&expected), "{}", said.stderr);
        assert!(said.stderr.contains("\nhint: free some space"), "{}", said.stderr);
        let run = sandbox.run_files(&copy);
        assert_same_run(&run, &sandbox.run_files("whole"), size);
    }
}

#[test]
fn a_search_on_a_full_disk_goes_on_once_there_is_room() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("{TUNE} --out whole"));
    // Full while the tables of the study are made, and full in the middle of trials.
    for (size, reason) in [("60k", "the disk is full"), ("900k", "trial ")] {
        let copy = format!("study-{size}");
        let said = on_a_full_disk(&sandbox, size, [TUNE, TUNE], ["study", &copy]);
        let Some(said) = said else { return };
        let error = said.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
        assert!(error.contains(reason) && error.contains("disk/study"), "{}", said.stderr);
        assert_eq!(trials(&sandbox, &copy), trials(&sandbox, "whole"));
    }
}

#[test]
fn folders_that_may_not_be_written_to() {
    let sandbox = Sandbox::trained();
    let commands = [
        (format!("{TRAIN} --out disk/ae"), "cannot create disk/ae"),
        (format!("{TUNE} --out disk/study"), "cannot create disk/study"),
        (format!("{TUNE} --study sqlite:///disk/s.db --out o"), "sqlite:///disk/s.db: cannot open"),
        ("encode --run ae --out disk/z.npz".into(), "cannot write disk/z.npz"),
        ("study fashion-mnist-sample --out disk/all".into(), "cannot create disk/all"),
        ("init --out disk/latents.toml".into(), "cannot write disk/latents.toml"),
    ];
    std::fs::create_dir(sandbox.path("disk")).unwrap();
    for (arguments, expected) in commands {
        let mount = format!("mount -t tmpfs -o ro none disk || exit {CANNOT_MOUNT}");
        let script = format!("{mount}\n\"$latents\" {arguments}");
        let Some(output) = with_mounts(&sandbox, &script) else { return };
        let said = Said::new(&arguments, &output);
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{arguments}");
        let error = said.stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
        assert!(error.contains(expected), "{arguments}: {error}");
    }
}
