//! What training goes on from, damaged: the one before takes its place, and what cannot be mended is said.

use ::latents::models::Tensors;

use super::Table;
use super::data::idx_images;
use crate::support::{Sandbox, assert_same_run};

/// What is done to a checkpoint.
type Change = fn(&mut Tensors);

const LAST: &str = "ae/checkpoint/last.safetensors";
const PREVIOUS: &str = "ae/checkpoint/previous.safetensors";

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let sandbox = Sandbox::trained();
    let whole = sandbox.run_files("ae");
    let bytes = sandbox.read(LAST);
    for damaged in [&bytes[..bytes.len() / 2], b"no tensors"] {
        std::fs::remove_file(sandbox.path("ae/model.safetensors")).unwrap();
        sandbox.write(LAST, damaged);
        let said = sandbox.run("train ae --resume --out ae");
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(said.stderr.contains("1 of 2 epochs to go"), "{}", said.stderr);
        assert_same_run(&sandbox.run_files("ae"), &whole, "from the checkpoint before");
    }
}

#[test]
fn checkpoints() {
    let mut t = Table::new("checkpoints", Sandbox::trained());
    let go_on = "train ae --resume --out ae";
    let whole = t.sandbox.read(LAST);
    let metrics = t.sandbox.text("ae/metrics.jsonl");
    t.refuse("a folder that holds a run", "train ae --data fashion-mnist-sample --out ae");
    t.refuse("other settings than it began with", "train ae --resume --epochs 1 --seed 4 --out ae");
    t.refuse("other images than it began with", "train ae --resume --data fashion-mnist --out ae");
    t.refuse("another kind of model", "train vae --resume --out ae");
    t.refuse("no run to go on with", "train ae --resume --out new");
    for (wrong, bytes) in [("empty", vec![]), ("cut short", whole[..whole.len() - 7].to_vec())] {
        t.file(LAST, &bytes).file(PREVIOUS, &bytes);
        t.refuse(&format!("both checkpoints are {wrong}"), go_on);
    }
    // Whole files, but not of this run.
    let changes: [(&str, Change); 4] = [
        ("a checkpoint that does not say how far it is", |t| t.notes.clear()),
        ("a checkpoint that is at no epoch", |t| {
            t.notes.insert("position".into(), "{\"epoch\": -1}".into());
        }),
        ("a checkpoint without some of its weights", |t| drop(t.take("encoder.0.weight"))),
        ("a checkpoint without some of its optimiser's memory", |t| {
            drop(t.take("optimizer.first.encoder.0.weight"));
        }),
    ];
    for (wrong, change) in changes {
        t.file(LAST, &whole);
        let mut tensors = Tensors::load(&t.sandbox.path(LAST)).unwrap();
        change(&mut tensors);
        for file in [LAST, PREVIOUS] {
            tensors.save(&t.sandbox.path(file)).unwrap();
        }
        t.refuse(wrong, go_on);
    }
    t.file(LAST, &whole).file(PREVIOUS, &whole);
    t.file("ae/metrics.jsonl", metrics.lines().next().unwrap());
    t.refuse("an epoch without metrics", go_on);
    t.file("ae/metrics.jsonl", format!("first the loss fell\n{metrics}"));
    t.refuse("metrics that are none", go_on);
    t.file("ae/metrics.jsonl", &metrics);
    t.sandbox.ok(go_on);

    for name in ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"] {
        t.file(&format!("mine/{name}"), idx_images(40, 28));
    }
    t.sandbox.ok("train ae --data idx:mine --epochs 1 --latent-dim 8 --out mine-ae");
    t.sandbox.ok("train ae --resume --out mine-ae");
    t.file("mine/train-images-idx3-ubyte", idx_images(41, 28));
    t.refuse("images that have changed since", "train ae --resume --out mine-ae");
    t.finish();
}
