//! Classifiers as their users meet them: trained on an encoder or from scratch, tuned, evaluated, asked; and that no test image has a
//! say in any choice.

use latents::data::idx;
use latents::{Dataset, Session};
use serde_json::Value;

use crate::support::{Sandbox, assert_same_run};

const DATA: &str = "--data fashion-mnist-sample --train-limit 512 --test-limit 200";

/// With an autoencoder in `ae`, and a classifier on it in `cl`.
fn classified() -> Sandbox {
    let sandbox = Sandbox::trained();
    sandbox.ok(&format!(
        "train classifier --encoder ae {DATA} --epochs 10 --batch-size 32 --lr 0.003 --weight-decay 0.0001 --seed 1 --out cl"
    ));
    sandbox
}

#[test]
fn a_classifier_is_trained_and_judged() {
    let sandbox = classified();
    let card = sandbox.json("evaluate cl");
    let confusion = card["confusion"].as_array().unwrap();
    let right: u64 = (0..10).map(|i| confusion[i][i].as_u64().unwrap()).sum();
    assert!((card["accuracy"].as_f64().unwrap() - right as f64 / 200.0).abs() < 1e-12);
    assert!(right > 80, "far better than chance: {right} of 200");
    assert_eq!(card["f1"].as_object().unwrap().len(), 10);
    let [low, high] = [0, 1].map(|i| card["intervals"]["accuracy"][i].as_f64().unwrap());
    assert!(low < right as f64 / 200.0 && right as f64 / 200.0 < high);
    assert!(sandbox.text("cl/tables/classes.md").contains("study's CL"));
    for name in ["confusion", "reliability", "mistakes"] {
        assert!(sandbox.read(&format!("cl/figures/{name}.png")).starts_with(b"\x89PNG"), "{name}");
    }
    let mistakes = sandbox.text("cl/tables/mistakes.csv");
    assert!(mistakes.starts_with("name,label,predicted,confidence\n"), "{mistakes}");
    assert_eq!(mistakes.lines().count() as u64, 1 + 200 - right);
    // What is predicted of images is what was judged.
    let told = sandbox.json("predict --run cl --data fashion-mnist-sample");
    let told = told["predictions"].as_array().unwrap();
    let p: f64 =
        told[0]["probabilities"].as_array().unwrap().iter().filter_map(Value::as_f64).sum();
    assert!((p - 1.0).abs() < 1e-5);
    let labels = sample().test.all_labels().unwrap();
    let hits = labels[..200].iter().zip(told).filter(|(l, p)| p["label"] == **l).count();
    assert_eq!(hits as u64, right);
    // The mirror image has as much of a say as the image, in either command.
    let first = &told[0]["probabilities"];
    let both = sandbox.json("predict --run cl --data fashion-mnist-sample --tta flip");
    assert!(&both["predictions"][0]["probabilities"] != first);
    let averaged = sandbox.json("evaluate cl --tta flip");
    let hits = labels[..200].iter().zip(both["predictions"].as_array().unwrap());
    let hits = hits.filter(|(l, p)| p["label"] == **l).count();
    assert!((averaged["accuracy"].as_f64().unwrap() - hits as f64 / 200.0).abs() < 1e-12);
    assert_eq!((&averaged["tta"], &card["tta"]), (&"flip".into(), &Value::Null));
    assert!(
        sandbox
            .ok("predict --run cl --data fashion-mnist-sample")
            .starts_with("input,class,probability\n")
    );
    // Pictures of any size, of which a figure is one.
    let told =
        sandbox.json("predict --run cl --input cl/figures/mistakes.png cl/figures/confusion.png");
    let told = told["predictions"].as_array().unwrap();
    assert_eq!((told.len(), &told[1]["input"]), (2, &"cl/figures/confusion.png".into()));
    let said = sandbox.run("predict --run cl --input cl/config.toml");
    assert!(said.code == Some(1) && said.stderr.contains("cl/config.toml: "), "{}", said.stderr);
}

#[test]
fn seeds_have_a_mean_and_a_spread() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("train cnn {DATA} --stem 4 --channels 4,8 --epochs 1 --seeds 2 --out cnn"));
    let all = sandbox.json("evaluate cnn --replicates 10");
    let each: Vec<f64> =
        all["runs"].as_array().unwrap().iter().map(|r| r["accuracy"].as_f64().unwrap()).collect();
    assert_eq!(each.len(), 2);
    assert!(
        (all["accuracy"]["mean"].as_f64().unwrap() - f64::midpoint(each[0], each[1])).abs() < 1e-12
    );
    let deviation = (each[0] - each[1]).abs() / 2.0f64.sqrt();
    assert!((all["accuracy"]["deviation"].as_f64().unwrap() - deviation).abs() < 1e-12);
}

#[test]
fn seeds_of_a_model_with_latents_have_them_too() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("train ae {DATA} --latent-dim 8 --epochs 1 --seeds 2 --out ae"));
    let all = sandbox.json("evaluate ae");
    let each = [0, 1].map(|i| all["runs"][i]["mean_squared_error"].as_f64().unwrap());
    let found = |name: &str| all["measures"]["mean_squared_error"][name].as_f64().unwrap();
    assert!((found("mean") - f64::midpoint(each[0], each[1])).abs() < 1e-12);
    assert!((found("deviation") - (each[0] - each[1]).abs() / 2.0f64.sqrt()).abs() < 1e-12);
    let text = sandbox.ok("evaluate ae");
    assert!(text.contains("| mean_squared_error ") && text.ends_with("2 runs  ae\n"), "{text}");
    for name in ["ae/evaluation.json", "ae/tables/seeds.csv", "ae/seed-1/evaluation.md"] {
        assert!(sandbox.path(name).exists(), "{name}");
    }
}

#[test]
fn probes_of_latents_and_pixels() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!(
        "train ae {DATA} --latent-dim 8 --dropout 0 --epochs 20 --batch-size 32 --lr 0.003 --out ae"
    ));
    let found = sandbox.json("probe --run ae --labels 10,100 --draws 2");
    let probes = found["probes"].as_array().unwrap();
    assert_eq!(probes.len(), 4);
    for probe in probes {
        assert_eq!(probe["logistic_converged"], true);
        for score in ["logistic", "neighbours"] {
            assert!(probe[score].as_f64().unwrap() > 0.5, "{probe}");
        }
    }
    assert_eq!(found["few_labels"].as_array().unwrap().len(), 8);
    assert!(sandbox.read("ae/figures/few-labels.png").starts_with(b"\x89PNG"));
}

fn sample() -> Dataset {
    Dataset::open("fashion-mnist-sample", &Session::default()).unwrap()
}

/// The sample's first training images, and test images that are all of one class where `nonsense` is asked for.
fn write_idx(sandbox: &Sandbox, name: &str, nonsense: bool) {
    let mut data = sample();
    data.train.truncate(256);
    data.test.truncate(64);
    let test_labels: Vec<u16> = data.test.all_labels().unwrap();
    let test_labels = if nonsense { vec![3; 64] } else { test_labels };
    let test_images = if nonsense {
        let [c, h, w] = data.test.images.shape();
        latents::data::Images::new(c, h, w, vec![77; 64 * c * h * w]).unwrap()
    } else {
        data.test.images
    };
    for (part, images, labels) in [
        ("train", &data.train.images, data.train.all_labels().unwrap()),
        ("t10k", &test_images, test_labels),
    ] {
        let mut file = vec![];
        idx::write_images(&mut file, images).unwrap();
        sandbox.write(&format!("{name}/{part}-images-idx3-ubyte"), file);
        let mut file = vec![];
        let labels: Vec<u8> = labels.iter().map(|&label| label as u8).collect();
        idx::write_labels(&mut file, &labels).unwrap();
        sandbox.write(&format!("{name}/{part}-labels-idx1-ubyte"), file);
    }
}

#[test]
fn no_test_image_has_a_say() {
    // Two data sets that differ in their test images alone give the same run, stopped early at the same epoch with the same
    // weights, and the same study.
    let sandboxes = [Sandbox::new(), Sandbox::new()];
    for (sandbox, nonsense) in sandboxes.iter().zip([false, true]) {
        write_idx(sandbox, "images", nonsense);
        sandbox.ok("train ae --data idx:images --epochs 1 --latent-dim 8 --batch-size 64 --out ae");
        sandbox.ok(
            "train classifier --encoder ae --validation 0.25 --patience 1 --epochs 40 --lr 0.02 --batch-size 64 --out cl",
        );
        sandbox.ok(
            "tune classifier --encoder ae --epochs 2 --batch-size 64 --trials 4 --seed 1 --out study",
        );
    }
    let [real, nonsense] = &sandboxes;
    let files = |sandbox: &Sandbox, name: &str| {
        ["model.safetensors", "checkpoint/best.safetensors", "config.toml"]
            .map(|file| sandbox.read(&format!("{name}/{file}")))
    };
    assert!(real.metrics("cl").len() < 40, "it stopped early");
    assert!(files(real, "cl") == files(nonsense, "cl"));
    assert_same_run(&real.run_files("ae"), &nonsense.run_files("ae"), "autoencoder");
    let rows = |sandbox: &Sandbox| -> Value {
        let mut table: Value =
            serde_json::from_str(&sandbox.text("study/tables/trials.json")).unwrap();
        for row in table.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().remove("seconds");
        }
        table
    };
    assert_eq!(rows(real), rows(nonsense));
    // The test images do differ.
    assert_ne!(
        real.json("evaluate cl --replicates 10")["confusion"],
        nonsense.json("evaluate cl --replicates 10")["confusion"]
    );
}

#[test]
fn what_cannot_be_is_named() {
    let sandbox = classified();
    for (arguments, expected) in [
        ("train classifier --out x", "name the run with --encoder DIR"),
        ("train classifier --encoder cl --out x", "kind `classifier`, which has no encoder"),
        ("train classifier --encoder none --out x", "holds no run"),
        ("train ae --config cl/config.toml --out x", "use `latents train classifier`"),
        ("predict --run ae --data fashion-mnist-sample", "which does not classify"),
        ("probe --run cl", "has no latents"),
        ("evaluate ae --tta flip", "hint: leave --tta out"),
        ("train cnn --flip 2 --out x", "flip = 2 must be from 0 to 1"),
    ] {
        let said = sandbox.run(arguments);
        assert_eq!(said.code, Some(1), "{arguments}: {}", said.stdout);
        assert!(said.stderr.contains(expected), "{arguments}: {}", said.stderr);
    }
}
