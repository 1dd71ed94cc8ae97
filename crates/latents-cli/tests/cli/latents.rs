//! `latents encode`, `decode` and `reconstruct`: the three agree with each other and with the images.

use ::latents::data::npz::Numbers;
use ::latents::data::{Images, idx, npz};
use ::latents::{Dataset, Session};
use serde_json::json;

use crate::support::{Sandbox, TRAIN};

/// Of the compiled-in sample's test part, the first 64: pixels from 0 to 1, and labels.
fn test_images() -> (Vec<f32>, Vec<u16>) {
    let dataset = Dataset::open("fashion-mnist-sample", &Session::default()).unwrap().test;
    (
        dataset.images.pixels().units().take(64 * 784).collect(),
        dataset.all_labels().unwrap()[..64].to_vec(),
    )
}

/// The largest difference of two arrays.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn decoding_what_was_encoded_is_the_reconstruction() {
    let sandbox = Sandbox::trained();
    assert_eq!(sandbox.ok("encode --run ae --out z.npz"), "64 latents of 8 in z.npz\n");
    let said = sandbox.ok("decode --run ae --latents z.npz --out d.npz");
    assert_eq!(said, "64 images of [1, 28, 28] in d.npz\n");
    let said = sandbox.ok("reconstruct --run ae --split test --out r.npz");

    let read = |file: &str, array| npz::read_f32(&sandbox.path(file), array).unwrap();
    let ((z_shape, z), (d_shape, decoded)) = (read("z.npz", "z"), read("d.npz", "image"));
    let (r_shape, reconstructed) = read("r.npz", "image");
    assert_eq!((z_shape, &d_shape, &r_shape), (vec![64, 8], &r_shape, &vec![64, 1, 28, 28]));
    assert!(distance(&decoded, &reconstructed) <= 1e-6);
    assert!(z.iter().any(|x| x.abs() > 1e-3), "latents say something");
    assert!(reconstructed.iter().all(|x| (0.0..=1.0).contains(x)));

    let (originals, labels) = test_images();
    let squares = originals.iter().zip(&reconstructed).map(|(a, b)| f64::from(a - b).powi(2));
    let mse = squares.sum::<f64>() / originals.len() as f64;
    let start = format!("mean squared error {mse:.5}");
    assert!(said.starts_with(&start) && said.ends_with(" over 64 images  r.npz\n"), "{said}");
    // Arrays are stored as they are.
    let labels: Vec<u8> = labels.iter().flat_map(|&l| i64::from(l).to_le_bytes()).collect();
    let file = sandbox.read("z.npz");
    assert!(file.windows(labels.len()).any(|bytes| bytes == labels), "labels are in z.npz");
    assert!(String::from_utf8_lossy(&file).contains("'descr': '<i8', 'fortran_order': False"));

    // The same as JSON, and from the images that trained.
    assert_eq!(
        sandbox.json("encode --run ae --out z2.npz"),
        json!({"out": "z2.npz", "images": 64, "latent_dim": 8})
    );
    assert_eq!(sandbox.read("z2.npz"), file);
    assert_eq!(
        sandbox.json("decode --run ae --latents z.npz --out d2.npz"),
        json!({"out": "d2.npz", "images": 64, "shape": [1, 28, 28]})
    );
    let result = sandbox.json("reconstruct --run ae");
    assert_eq!((&result["out"], &result["images"]), (&json!(null), &json!(64)));
    assert!((result["mean_squared_error"].as_f64().unwrap() - mse).abs() < 1e-6);
    assert_eq!(
        sandbox.json("encode --run ae --split train --out t.npz")["images"],
        256,
        "the images of training are those under its limit"
    );
}

#[test]
fn a_variational_autoencoder_is_a_run_like_any_other() {
    let sandbox = Sandbox::new();
    let train = TRAIN.replace("train ae", "train vae");
    sandbox.ok(&format!("{train} --likelihood continuous-bernoulli --free-bits 0.01 --out vae"));
    let config = sandbox.text("vae/config.toml");
    assert!(
        config.contains("kind = \"vae\"") && config.contains("weight_decay = 0.0018"),
        "{config}"
    );
    sandbox.ok("encode --run vae --out z.npz");
    let read = |file: &str, array| npz::read_f32(&sandbox.path(file), array).unwrap();
    let ((shape, _), (same, logvar)) = (read("z.npz", "z"), read("z.npz", "logvar"));
    assert_eq!((&shape, &same), (&vec![64, 8], &shape));
    assert!(logvar.iter().any(|x| x.abs() > 1e-3));
    sandbox.ok("decode --run vae --latents z.npz --out d.npz");
    let result = sandbox.json("reconstruct --run vae --out r.npz --draws 20");
    assert!(distance(&read("d.npz", "image").1, &read("r.npz", "image").1) <= 1e-6);
    let number = |name: &str| result[name].as_f64().unwrap();
    let bound = -(number("reconstruction") + number("kl"));
    assert!(number("importance_bound") > bound && number("kl") > 0.0, "{result}");
    sandbox.ok("figures vae");
    assert!(sandbox.text("vae/figures/loss.svg").contains("KL divergence, validation"));
    sandbox.ok("train vae --config vae/config.toml --out again");
    assert_eq!(sandbox.read("again/model.safetensors"), sandbox.read("vae/model.safetensors"));
    let said = sandbox.run("train ae --config vae/config.toml --out other");
    assert!(said.code == Some(1) && said.stderr.contains("latents train vae"), "{}", said.stderr);
    sandbox.train("ae", "");
    let said = sandbox.run("reconstruct --run ae --draws 2");
    assert!(said.code == Some(1) && said.stderr.contains("--draws"), "{}", said.stderr);
}

#[test]
fn threads_and_instruction_sets_change_no_latent() {
    let sandbox = Sandbox::trained();
    sandbox.ok("encode --run ae --out a.npz --threads 1");
    sandbox.ok("encode --run ae --out b.npz --threads 3 --isa portable");
    assert_eq!(sandbox.read("a.npz"), sandbox.read("b.npz"));
}

#[test]
fn images_of_ones_own_work_without_labels() {
    let sandbox = Sandbox::new();
    for (name, n) in [("train-images-idx3-ubyte", 40), ("t10k-images-idx3-ubyte", 9)] {
        let pixels = (0..n * 20 * 13).map(|i| (i * 7 % 256) as u8).collect();
        let mut file = vec![];
        idx::write_images(&mut file, &Images::new(1, 20, 13, pixels).unwrap()).unwrap();
        sandbox.write(&format!("own/{name}"), file);
    }
    let shape = sandbox.json("data show idx:own")["shape"].clone();
    assert_eq!(shape, json!([1, 20, 13]));
    let train = TRAIN.replace("fashion-mnist-sample", "idx:own");
    sandbox.ok(&format!("{train} --out ae"));
    sandbox.ok("encode --run ae --out z.npz");
    assert_eq!(npz::read_f32(&sandbox.path("z.npz"), "z").unwrap().0, [9, 8]);
    let error = npz::read_f32(&sandbox.path("z.npz"), "label").unwrap_err().to_string();
    assert!(error.ends_with("no array `label`; it has: z, part"), "{error}");
    sandbox.ok("decode --run ae --latents z.npz --out d.npz");
    assert_eq!(npz::read_f32(&sandbox.path("d.npz"), "image").unwrap().0, [9, 1, 20, 13]);
    sandbox.ok("figures ae");
}

/// The usual user of a container may replace devices.
#[cfg(unix)]
#[test]
fn devices_and_pipes_are_written_to_and_stay() {
    use std::os::unix::fs::FileTypeExt;
    let sandbox = Sandbox::trained();
    std::os::unix::fs::symlink("/dev/null", sandbox.path("null.csv")).unwrap();
    sandbox.ok("encode --run ae --out null.csv");
    let null = std::fs::metadata(sandbox.path("null.csv")).unwrap();
    assert!(null.file_type().is_char_device() && sandbox.path("null.csv").is_symlink());
    sandbox.ok("encode --run ae --out z.csv");
    let fifo = std::process::Command::new("mkfifo").arg(sandbox.path("pipe.csv")).status();
    assert!(fifo.unwrap().success());
    let read = sandbox
        .shell(&[], "cat pipe.csv > read.csv & $latents encode --run ae --out pipe.csv; wait");
    let output = { read }.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(sandbox.text("read.csv"), sandbox.text("z.csv"));
}

/// What cannot be said of tiny images, or of images of one class, is left out.
#[test]
fn tiny_images_and_a_single_class_have_a_card() {
    let sandbox = Sandbox::new();
    for side in [1, 2] {
        let pixels = (0..160 * side * side).map(|i| ((i * 37) % 101) as f32 / 100.0).collect();
        let labels = Numbers::I64((0..160).map(|i| i % 2).collect());
        let shape = [160, side, side];
        let arrays: [(&str, &[usize], Numbers); 2] =
            [("images", &shape, Numbers::F32(pixels)), ("labels", &[160], labels)];
        sandbox.npz("tiny.npz", &arrays);
        let run = format!("tiny-{side}");
        sandbox.ok(&format!("train ae --data tiny.npz --epochs 2 --out {run}"));
        let card = sandbox.json(&format!("evaluate {run}"));
        assert!(card["mean_squared_error"].as_f64().unwrap() < 0.1, "{card}");
        // A copy of a picture stays on its side, so there are not just 32.
        assert!(card["images"].as_u64().unwrap() > 20, "{card}");
    }
    let pixels = (0..400 * 64).map(|i| ((i * 37) % 101) as f32 / 100.0).collect();
    let arrays: [(&str, &[usize], Numbers); 2] = [
        ("images", &[400, 8, 8], Numbers::F32(pixels)),
        ("labels", &[400], Numbers::I64(vec![0; 400])),
    ];
    sandbox.npz("one.npz", &arrays);
    sandbox.ok("train ae --design study --data one.npz --latent-dim 300 --epochs 1 --out one");
    let card = sandbox.json("evaluate one");
    assert_eq!(card["samples"], serde_json::Value::Null);
    let left_out = card["left_out"].to_string();
    assert!(left_out.contains("take at least 150 test and training images"), "{left_out}");
}

#[test]
fn known_factors_of_variation_are_scored() {
    let sandbox = Sandbox::new();
    // Of so few training images, samples are not measured, which would take most of the time.
    let train = "train ae --data shapes --train-limit 30 --epochs 1 --latent-dim 3";
    sandbox.ok(&format!("{train} --test-limit 150 --out run"));
    let card = sandbox.json("evaluate run");
    let scores = &card["disentanglement"];
    assert_eq!(scores["images"], 150);
    let factors = scores["factors"].as_array().unwrap();
    let found =
        factors.iter().map(|f| (f["name"].as_str().unwrap(), f["values"].as_u64().unwrap()));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [("shape", 3), ("scale", 4), ("orientation", 6), ("x", 10), ("y", 10)]
    );
    assert!(factors.iter().all(|f| f["importances"].as_array().unwrap().len() == 3));
    let markdown = std::fs::read_to_string(sandbox.path("run/evaluation.md")).unwrap();
    let row = format!("| orientation | 6 | {:.3} |", factors[2]["mig"].as_f64().unwrap());
    assert!(markdown.contains("## Disentanglement") && markdown.contains(&row), "{markdown}");

    // Of fewer images, the card says why it has no scores.
    sandbox.ok(&format!("{train} --test-limit 90 --out few"));
    let card = sandbox.json("evaluate few");
    assert!(card.get("disentanglement").is_none(), "{card}");
    let expected = "Scores of disentanglement take at least 100 test images and 2 latents, and there are 90 and 3.";
    assert!(card["left_out"].to_string().contains(expected), "{card}");
}
