//! A folder of its own for each test, the command run in it, and what a run left, less the clock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ::latents::data::npz::{self, Array, Numbers};
use serde_json::Value;

/// A run of a fraction of a second: 205 training, 51 validation and 64 test images.
pub(crate) const TRAIN: &str = "train ae --data fashion-mnist-sample --train-limit 256 \
    --test-limit 64 --epochs 2 --latent-dim 8 --batch-size 64";

/// A folder in which the command runs, with nothing of the user's around it.
pub(crate) struct Sandbox(tempfile::TempDir);

impl Sandbox {
    pub(crate) fn new() -> Self {
        Sandbox(tempfile::tempdir().expect("a temporary folder"))
    }

    /// With a run in `ae`.
    pub(crate) fn trained() -> Self {
        let sandbox = Self::new();
        sandbox.train("ae", "");
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    /// Writes an `.npz` file of arrays, each with its name, shape and numbers.
    pub(crate) fn npz(&self, name: &str, arrays: &[(&str, &[usize], Numbers)]) {
        let array = |(name, shape, numbers): &(&str, &[usize], Numbers)| Array {
            name: (*name).into(),
            shape: shape.to_vec(),
            numbers: numbers.clone(),
        };
        let arrays: Vec<Array> = arrays.iter().map(array).collect();
        npz::write(&self.path(name), &arrays).expect("a file of arrays");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).expect("text")
    }

    /// The command with arguments that are parted by white space.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_latents"));
        command.args(arguments.split_whitespace());
        command
    }

    /// A script of the shell, behind the words of another program, in which the command is `$latents`.
    #[cfg(unix)]
    pub(crate) fn shell(&self, before: &[&str], script: &str) -> Command {
        let words = [before, &["sh", "-c", script]].concat();
        let mut command = self.program(words[0]);
        command.args(&words[1..]).env("latents", env!("CARGO_BIN_EXE_latents"));
        command
    }

    pub(crate) fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.0.path())
            .env("LATENTS_OFFLINE", "1")
            .env("LATENTS_CACHE", self.path("cache"));
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Said {
        let output = self.command(arguments).output().expect("the command can be run");
        Said::new(arguments, &output)
    }

    /// Standard output of a command that must succeed.
    pub(crate) fn ok(&self, arguments: &str) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(0), "{arguments}: {}", said.stderr);
        said.stdout
    }

    /// The result of a command with `--json`, which must succeed and say nothing else.
    pub(crate) fn json(&self, arguments: &str) -> Value {
        let said = self.run(&format!("{arguments} --json"));
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{arguments}");
        assert_eq!(said.stdout.lines().count(), 1, "{}", said.stdout);
        serde_json::from_str(&said.stdout).expect("JSON")
    }

    /// Trains into the folder `name`.
    pub(crate) fn train(&self, name: &str, flags: &str) -> String {
        self.ok(&format!("{TRAIN} {flags} --out {name}"))
    }

    /// The lines of a run's metrics.
    pub(crate) fn metrics(&self, name: &str) -> Vec<Value> {
        let text = self.text(&format!("{name}/metrics.jsonl"));
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// What a run left that does not depend on the clock, nor on where it was stopped, by its path: weights, snapshots,
    /// settings, and metrics without their times.
    pub(crate) fn run_files(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let dir = self.path(name);
        let mut paths = ["config.toml", "model.safetensors"].map(|name| dir.join(name)).to_vec();
        // A finished trial has no checkpoints.
        paths.extend(Some(dir.join("checkpoint/best.safetensors")).filter(|path| path.exists()));
        let snapshots = std::fs::read_dir(dir.join("snapshots")).expect("a folder of snapshots");
        // What a killed process was writing is left under a name that begins with a dot.
        paths.extend(snapshots.map(|f| f.expect("a file").path()).filter(|p| !is_hidden(p)));
        let read = |path: PathBuf| {
            let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path.strip_prefix(&dir).expect("it is in there").display().to_string(), bytes)
        };
        let mut files: BTreeMap<_, _> = paths.into_iter().map(read).collect();
        let mut metrics = self.metrics(name);
        for epoch in &mut metrics {
            let fields = epoch.as_object_mut().expect("an object");
            fields.retain(|name, _| name != "seconds" && name != "samples_per_second");
        }
        files.insert("metrics.jsonl".into(), format!("{metrics:?}").into_bytes());
        files
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Says which file of two runs differs, rather than print them all.
#[track_caller]
pub(crate) fn assert_same_run(
    got: &BTreeMap<String, Vec<u8>>,
    expected: &BTreeMap<String, Vec<u8>>,
    how: &str,
) {
    assert!(got.keys().eq(expected.keys()), "{how}: {:?}, {:?}", got.keys(), expected.keys());
    for (name, bytes) in got {
        assert!(*bytes == expected[name], "{how}: {name} is another");
    }
}

/// How the command ended and what it said. None of it may ever be a panic.
pub(crate) struct Said {
    /// None where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn new(what: &str, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
        let said = Said {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        assert!(!said.stderr.contains("panicked"), "{what}: {}", said.stderr);
        said
    }
}
