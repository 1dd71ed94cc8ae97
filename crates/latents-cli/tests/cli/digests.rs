//! Results stay the same bytes from version to version: the SHA-256 of what a fixed list of commands leaves, compared with
//! `digests.txt`, which an earlier build of the command made. To make the file from such a build (when results change on purpose, from
//! this one), run `LATENTS_BLESS=1 LATENTS_BINARY=/path/to/latents cargo test --release -p latents-cli digests`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{Sandbox, TRAIN};

/// What is run, in this order, each in the same folder. `[train]` stands for a small run's flags.
const COMMANDS: &[&str] = &[
    "[train] --out ae",
    "[train] --noise 0.2 --normalize --nonlinearity gelu --optimizer adamw --schedule one-cycle --flip 0.5 --shift 2 --clip-norm 1 --patience 3 --out denoising",
    "train vae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 2 --latent-dim 8 --batch-size 64 --warmup-epochs 1 --out vae",
    "train vae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 1 --latent-dim 4 --likelihood gaussian --regularizer mmd --out wae",
    "train vae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 1 --latent-dim 4 --likelihood continuous-bernoulli --regularizer l2 --out rae",
    "train vae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 2 --latent-dim 4 --prior mixture --prior-components 7 --out learned",
    "train vae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 2 --latent-dim 4 --prior vamp --prior-components 7 --out vamp",
    "train vqvae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 2 --stages 8k4s2p1,8k4s2p1 --prior-channels 16 --out codes",
    "train vqvae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 1 --stages 8k4s2p1,8k4s2p1 --prior-channels 16 --codes 30 --likelihood gaussian --conditional --out table",
    "train classifier --encoder ae --epochs 2 --validation 0.2 --layer-decay 0.9 --encoder-optimizer sgd --out classifier",
    "train classifier --encoder vae --epochs 2 --freeze-encoder --out frozen",
    "train cnn --data fashion-mnist-sample --train-limit 128 --test-limit 64 --epochs 1 --stem 4 --channels 8,8 --stochastic-depth 0.2 --mixup 0.2 --out cnn",
    "encode --run ae --out ae-z.npz",
    "encode --run vae --split train --out vae-z.npz",
    "decode --run ae --latents ae-z.npz --out decoded.npz",
    "reconstruct --run vae --draws 3 --out reconstructed.npz",
    "map --run ae --iterations 50 --out tsne.npz",
    "map --latents vae-z.npz --method pca --out pca.npz",
    "sample --run vae --n 20 --out normal.npz",
    "sample --run ae --sampler mixture --components 3 --n 20 --out mixture.npz",
    "sample --run vae --sampler flow --n 20 --out flow.npz",
    "sample --run ae --sampler uniform --n 20 --seed 5 --out uniform.npz",
    "sample --run learned --n 20 --out learned.npz",
    "sample --run vamp --n 20 --out vamp.npz",
    "sample --run codes --n 20 --out codes.npz",
    "sample --run table --class Bag --n 20 --out table.npz",
    "traverse --run ae --from 0 --to 5 --out way.png",
    "traverse --run vae --from 3 --axis all --steps 4 --out axes.png",
    "traverse --run vae --corners 0 1 2 3 --spherical --steps 4 --out corners.png",
    "outliers --run ae --top 3 --out outliers.json",
    "evaluate ae",
    "evaluate vae",
    "evaluate learned",
    "evaluate vamp",
    "evaluate codes",
    "evaluate cnn --replicates 50 --tta flip",
    "probe --run ae --labels 20,50 --draws 2 --fine-tune",
    "predict --run classifier --data fashion-mnist-sample --out predictions.json",
    "tune ae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 2 --trials 5 --sampler tpe --out tune-ae",
    "tune vae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 1 --trials 3 --sampler qmc --out tune-vae",
    "tune vae --data fashion-mnist-sample --train-limit 256 --test-limit 64 --epochs 1 --trials 2 --prior vamp --prior-components 5 --out tune-vamp",
    "tune classifier --encoder ae --epochs 1 --trials 3 --sampler random --pruner none --out tune-classifier",
    "study fashion-mnist-sample --quick --out study",
];

/// Files whose bytes depend on nothing but settings and seed, by their ending. Databases and pages hold times; figures hold words.
const KEPT: [&str; 5] = ["safetensors", "npz", "jsonl", "json", "csv"];

#[test]
fn results_are_the_bytes_of_the_version_before() {
    let sandbox = Sandbox::new();
    let other = std::env::var_os("LATENTS_BINARY");
    for arguments in COMMANDS {
        let arguments = arguments.replace("[train]", TRAIN);
        let mut command = match &other {
            Some(binary) => sandbox.program(&binary.to_string_lossy()),
            None => sandbox.program(env!("CARGO_BIN_EXE_latents")),
        };
        let output = command.args(arguments.split_whitespace()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {said}");
    }
    let mut found = BTreeMap::new();
    digests(&sandbox.path(""), &sandbox.path(""), &mut found);
    let mut text = String::new();
    for (name, digest) in &found {
        writeln!(text, "{digest}  {name}").unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/digests.txt");
    if std::env::var_os("LATENTS_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let other = |line: &&str| !text.lines().any(|ours| ours == *line);
    let differ: Vec<&str> = expected.lines().filter(other).collect();
    assert!(differ.is_empty(), "no longer as they were:\n{}", differ.join("\n"));
    assert!(found.len() > 200, "{} files are too few", found.len());
}

/// The digest of each file that is kept, by its path.
fn digests(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if path.is_dir() {
            // A checkpoint holds times, and the cache is of this machine.
            if !name.ends_with("checkpoint") && name != "cache" {
                digests(root, &path, found);
            }
            continue;
        }
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if KEPT.contains(&ending) && !name.starts_with('.') {
            let bytes = without_times(ending, &std::fs::read(&path).unwrap());
            let sum = Sha256::digest(bytes);
            let digits = sum.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            found.insert(name, digits);
        }
    }
}

/// A file's bytes without the times in it.
fn without_times(ending: &str, bytes: &[u8]) -> Vec<u8> {
    let text = || std::str::from_utf8(bytes).unwrap();
    match ending {
        "json" => untimed(serde_json::from_str(text()).unwrap()).to_string().into_bytes(),
        "jsonl" => {
            let lines = text().lines().map(|line| serde_json::from_str(line).unwrap());
            lines.map(|line| untimed(line).to_string() + "\n").collect::<String>().into_bytes()
        }
        "csv" => {
            let column = |line: &str| line.split(',').position(|name| name == "seconds");
            let timed = text().lines().next().and_then(column);
            let lines = text()
                .lines()
                .filter(|line| !line.contains("seconds (") && !line.starts_with("seconds,"));
            let untimed = |line: &str| -> String {
                let cells = line.split(',').enumerate().filter(|(i, _)| Some(*i) != timed);
                cells.map(|(_, cell)| cell).collect::<Vec<_>>().join(",") + "\n"
            };
            lines.map(untimed).collect::<String>().into_bytes()
        }
        _ => bytes.to_vec(),
    }
}

/// A value without the members that are times, and without the one that is only words.
fn untimed(value: Value) -> Value {
    const TIMES: [&str; 4] =
        ["seconds", "samples_per_second", "seconds (reference: on a GPU)", "extractor"];
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(name, _)| !TIMES.contains(&name.as_str()))
            .map(|(name, value)| (name, untimed(value)))
            .collect(),
        // A row of a table that is a time has its name first.
        Value::Array(items) => items
            .into_iter()
            .filter(|item| {
                !item
                    .as_object()
                    .and_then(|row| row.get("")?.as_str())
                    .is_some_and(|name| name.starts_with("seconds"))
            })
            .map(untimed)
            .collect(),
        other => other,
    }
}
