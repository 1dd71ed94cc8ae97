//! `latents train ae`: what it prints and leaves, repeating a run, and refusing to spoil one.

use serde_json::json;

use ::latents::data::npz::Numbers;

use crate::support::{Sandbox, TRAIN, assert_same_run};

#[test]
fn it_ends_with_a_line_that_agrees_with_the_metrics() {
    let sandbox = Sandbox::new();
    let said = sandbox.run(&format!("{TRAIN} --out runs/ae"));
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let metrics = sandbox.metrics("runs/ae");
    assert_eq!(metrics.len(), 2);
    for (i, epoch) in metrics.iter().enumerate() {
        let mut keys: Vec<&String> = epoch.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(
            keys,
            ["epoch", "learning_rate", "samples_per_second", "seconds", "train_loss", "val_loss"]
        );
        assert_eq!(epoch["epoch"], i + 1);
        assert_eq!(epoch["learning_rate"], 5e-4);
        assert!(epoch["seconds"].as_f64() > Some(0.0));
        // The time of an epoch includes its validation; its speed does not.
        let slowest = 205.0 / epoch["seconds"].as_f64().unwrap();
        assert!(epoch["samples_per_second"].as_f64() > Some(slowest));
    }
    let loss = |epoch: usize, name: &str| metrics[epoch][name].as_f64().unwrap();
    assert!(loss(1, "train_loss") < loss(0, "train_loss"));
    assert!(loss(1, "val_loss") < loss(0, "val_loss"));
    let (train, validation) = (loss(1, "train_loss"), loss(1, "val_loss"));
    let start = format!("train loss {train:.6}  validation loss {validation:.6}  2 epochs in ");
    assert!(said.stdout.starts_with(&start), "{}", said.stdout);
    assert!(said.stdout.ends_with(" s  runs/ae\n"), "{}", said.stdout);
    assert_eq!(said.stdout.lines().count(), 1);
    for expected in [
        "fashion-mnist-sample: a sample of Fashion-MNIST, compiled in",
        "205 training and 51 validation images; 51,961 parameters; 2 of 2 epochs to go",
        &format!("epoch 1/2  train {:.5}", loss(0, "train_loss")),
        &format!("epoch 2/2  train {train:.5}  validation {validation:.5}"),
    ] {
        assert!(said.stderr.contains(expected), "{expected}: {}", said.stderr);
    }
}

#[test]
fn json_holds_the_same_and_threads_do_not_matter() {
    let sandbox = Sandbox::trained();
    let result = sandbox.json(&format!("{TRAIN} --threads 3 --out other"));
    let metrics = sandbox.metrics("other");
    assert_eq!(result["run"], "other");
    assert_eq!((&result["epochs"], &result["kept_epoch"]), (&json!(2), &json!(2)));
    assert_eq!(result["train_loss"], metrics[1]["train_loss"]);
    assert_eq!(result["val_loss"], metrics[1]["val_loss"]);
    let seconds: f64 = metrics.iter().map(|epoch| epoch["seconds"].as_f64().unwrap()).sum();
    assert!((result["seconds"].as_f64().unwrap() - seconds).abs() < 1e-9);
    assert_same_run(&sandbox.run_files("other"), &sandbox.run_files("ae"), "3 threads");
}

#[test]
fn config_repeats_a_run_and_flags_override_it() {
    let sandbox = Sandbox::new();
    let flags = "--seed 7 --schedule warmup-cosine --optimizer sgd --lr 0.05 --momentum 0.5 \
                 --nesterov --clip-norm 1 --nonlinearity silu --stages 4k4s2p1,6k3s2p1 \
                 --hidden 20,12 --init pytorch --dropout 0.1 --weight-decay 0 --validation 0.25";
    sandbox.train("first", flags);
    sandbox.ok("train ae --config first/config.toml --out again");
    let first = sandbox.run_files("first");
    assert_same_run(&sandbox.run_files("again"), &first, "--config");
    for setting in [
        "seed = 7",
        "kind = \"warmup-cosine\"\nwarmup = 0.1",
        "momentum = 0.5\nnesterov = true",
        "clip_norm = 1.0",
        "hidden = [20, 12]",
        "init = \"pytorch\"",
        "validation_fraction = 0.25",
    ] {
        assert!(sandbox.text("first/config.toml").contains(setting), "{setting}");
    }
    sandbox.ok("train ae --config first/config.toml --seed 8 --out other");
    assert_ne!(sandbox.read("other/model.safetensors"), first["model.safetensors"]);
    let expected = sandbox.text("first/config.toml").replace("seed = 7", "seed = 8");
    assert_eq!(sandbox.text("other/config.toml"), expected);
}

#[test]
fn a_run_is_never_overwritten() {
    let sandbox = Sandbox::trained();
    let before = sandbox.run_files("ae");
    for arguments in [format!("{TRAIN} --out ae"), format!("{TRAIN} --seed 1 --out ae")] {
        let said = sandbox.run(&arguments);
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
        for expected in ["error: ae already holds a run", "\nhint: add --resume to resume it"] {
            assert!(said.stderr.contains(expected), "{}", said.stderr);
        }
    }
    assert_same_run(&sandbox.run_files("ae"), &before, "refused");
}

#[test]
fn resume_takes_no_other_settings() {
    let sandbox = Sandbox::trained();
    let before = sandbox.run_files("ae");
    for flag in ["--epochs 1", "--seed 1", "--train-limit 255", "--nesterov"] {
        let said = sandbox.run(&format!("train ae --resume {flag} --out ae"));
        assert_eq!(said.code, Some(1), "{flag}");
        let expected = "error: the run in ae began with other settings";
        assert!(said.stderr.contains(expected), "{flag}: {}", said.stderr);
    }
    let losses = |line: String| line.split("  2 epochs").next().unwrap().to_owned();
    let first = losses(sandbox.ok("train ae --resume --out ae"));
    assert!(first.starts_with("train loss 0."), "{first}");
    assert_eq!(losses(sandbox.ok(&format!("{TRAIN} --resume --out ae"))), first);
    assert_same_run(&sandbox.run_files("ae"), &before, "resumed when it was over");
}

/// What was written by hand into `config.toml` counts as a flag does.
#[test]
fn a_run_goes_on_with_what_it_began_with() {
    let sandbox = Sandbox::trained();
    let whole = sandbox.text("ae/config.toml");
    for (was, is, said) in [
        ("seed = 0", "seed = 9", "training.seed was 0, is 9"),
        ("epochs = 2", "epochs = 1", "training.epochs was 2, is 1"),
        ("latent_dim = 8", "latent_dim = 9", "model.latent_dim was 8, is 9"),
        ("learning_rate = 0.0005", "learning_rate = nan", "learning rate"),
    ] {
        assert!(whole.contains(was), "{was} is not in\n{whole}");
        sandbox.write("ae/config.toml", whole.replace(was, is));
        let refused = sandbox.run("train ae --resume --out ae");
        assert_eq!(refused.code, Some(1), "{is}");
        assert!(refused.stderr.contains(said), "{is}: {}", refused.stderr);
        let refused = sandbox.run("evaluate ae");
        assert_eq!(refused.code, Some(1), "{is}");
        assert!(refused.stderr.contains("config.toml"), "{is}: {}", refused.stderr);
    }
    sandbox.write("ae/config.toml", whole);
    // More epochs are what three from the beginning are.
    sandbox.ok("train ae --resume --epochs 3 --out ae");
    sandbox.ok(&format!("{} --out three", TRAIN.replace("--epochs 2", "--epochs 3")));
    let [ours, theirs] =
        ["ae", "three"].map(|run| sandbox.read(&format!("{run}/model.safetensors")));
    assert!(ours == theirs, "2 epochs and 1 are 3");
    assert!(sandbox.text("ae/config.toml").contains("epochs = 3"));
    sandbox.ok("evaluate ae");
}

#[test]
fn what_needs_more_memory_than_there_is_is_refused_before_it_begins() {
    let sandbox = Sandbox::new();
    let said = sandbox.run(&format!("{TRAIN} --out ae --memory 3MB"));
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    for expected in
        ["training on images of 28x28 pixels", "and 3.0 MB of memory are free", "hint: "]
    {
        assert!(said.stderr.contains(expected), "{}", said.stderr);
    }
    assert!(!sandbox.path("ae").exists());
    sandbox.train("ae", "");
    let said = sandbox.run("sample --run ae --n 1000000000 --out s.npz --memory 1GB");
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    for expected in ["making 1000000000 images needs about", "hint: --memory 64GB allows"] {
        assert!(said.stderr.contains(expected), "{}", said.stderr);
    }
    // An array that unfolds to 1,000 times the bytes of its file.
    let zeros = "zeros.npz";
    sandbox.npz(zeros, &[("images", &[5, 1000, 1000], Numbers::F32(vec![0.0; 5_000_000]))]);
    let said = sandbox.run(&format!("data show {zeros} --memory 10MB"));
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(
        said.stderr.contains("needs about 25.0 MB, and 10.0 MB of memory are free"),
        "{}",
        said.stderr
    );
}

#[test]
fn weights_of_another_run_are_told_and_used_by_force_alone() {
    let sandbox = Sandbox::trained();
    sandbox.train("other", "--seed 3");
    std::fs::copy(sandbox.path("other/model.safetensors"), sandbox.path("ae/model.safetensors"))
        .unwrap();
    let said = sandbox.run("encode --run ae --out z.npz");
    assert_eq!(said.code, Some(1));
    for expected in ["model.safetensors has changed since", "hint: --force uses it as it is"] {
        assert!(said.stderr.contains(expected), "{}", said.stderr);
    }
    sandbox.ok("encode --run ae --out z.npz --force");
    // As the encoder of a classifier, too.
    let train = "train classifier --encoder ae --epochs 1 --batch-size 64 --out cl";
    assert_eq!(sandbox.run(train).code, Some(1));
    sandbox.ok(&format!("{train} --force"));
}

/// A weight that is finite, but too large: what the model computes is not.
#[test]
fn what_is_computed_is_finite() {
    let sandbox = Sandbox::trained();
    sandbox.ok(
        "train cnn --data fashion-mnist-sample --train-limit 64 --test-limit 40 --epochs 1 --stem 4 --channels 8 --out cnn",
    );
    for run in ["ae", "cnn"] {
        let mut weights = sandbox.read(&format!("{run}/model.safetensors"));
        let data = 8 + u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
        for number in weights[data..].as_chunks_mut::<4>().0 {
            *number = 3e38_f32.to_le_bytes();
        }
        sandbox.write(&format!("{run}/model.safetensors"), weights);
    }
    for command in [
        "encode --run ae --out z.npz",
        "evaluate cnn",
        "predict --run cnn --data fashion-mnist-sample",
    ] {
        let said = sandbox.run(&format!("{command} --force"));
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{command}: {}", said.stderr);
        let run = if command.contains("cnn") { "cnn" } else { "ae" };
        let told = format!("error: what the model of {run} computes of number 0");
        assert!(said.stderr.contains(&told), "{command}: {}", said.stderr);
    }
}

#[test]
fn all_images_may_train_and_none_validate() {
    let sandbox = Sandbox::new();
    let said = sandbox.train("ae", "--validation 0");
    let metrics = sandbox.metrics("ae");
    assert!(said.starts_with(&format!(
        "train loss {:.6}  2 epochs in ",
        metrics[1]["train_loss"].as_f64().unwrap()
    )));
    assert!(metrics.iter().all(|epoch| epoch.get("val_loss").is_none()));
    assert_eq!(sandbox.json("reconstruct --run ae --split train")["images"], 256);

    let said = sandbox.run("train ae --validation 0 --patience 3 --out other");
    assert!(said.stderr.contains("patience needs images to validate on"), "{}", said.stderr);
    let said = sandbox.run("tune ae --data fashion-mnist-sample --validation 0 --out tuned");
    assert!(said.stderr.contains("--validation must be more than 0"), "{}", said.stderr);
}
