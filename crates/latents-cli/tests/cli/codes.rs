//! A VQ-VAE: from training to new images, and through every command that latents go through.

use ::latents::data::npz;
use serde_json::json;

use crate::support::{Sandbox, TRAIN, assert_same_run};

const SMALL: &str = "--stages 8k4s2p1,8k4s2p1 --blocks 1 --prior-channels 12 --prior-blocks 1";

fn train() -> String {
    TRAIN.replace("train ae", "train vqvae").replace("--latent-dim 8", SMALL)
}

fn images(sandbox: &Sandbox, file: &str) -> (Vec<usize>, Vec<f32>) {
    npz::read_f32(&sandbox.path(file), "image").unwrap()
}

#[test]
fn codes_go_through_every_command() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("{} --levels 5,4 --out vq", train()));
    let config = sandbox.text("vq/config.toml");
    assert!(config.contains("kind = \"levels\"") && config.contains("levels = [5, 4]"), "{config}");
    let last = &sandbox.metrics("vq")[1];
    let term = |name: &str| last[name].as_f64().unwrap();
    let sum = term("val_reconstruction") + term("val_codes");
    assert!((sum - term("val_loss")).abs() < 1e-9 * sum, "{last}");

    let result = sandbox.json("sample --run vq --n 30 --nearest --out new.npz");
    assert_eq!(result["sampler"], "prior");
    assert_eq!(images(&sandbox, "new.npz").0, [30, 1, 28, 28]);
    sandbox.ok("sample --run vq --n 30 --threads 1 --isa portable --out again.npz");
    assert_eq!(sandbox.read("again.npz"), sandbox.read("new.npz"));
    let said = sandbox.run("sample --run vq --sampler mixture --out mixture.npz");
    assert!(said.code == Some(1) && said.stderr.contains("leave --sampler out"), "{}", said.stderr);

    // What is encoded are codes, and they are decoded as the images are reconstructed.
    sandbox.ok("encode --run vq --out z.npz");
    let (shape, z) = npz::read_f32(&sandbox.path("z.npz"), "z").unwrap();
    assert_eq!(shape, [64, 98]);
    let fifths = [-0.8, -0.4, 0.0, 0.4, 0.8];
    let of_first = z.chunks_exact(98).flat_map(|z| &z[..49]);
    assert!(of_first.copied().all(|x| fifths.iter().any(|level| (x - level).abs() < 1e-6)));
    sandbox.ok("decode --run vq --latents z.npz --out d.npz");
    sandbox.ok("reconstruct --run vq --out r.npz");
    assert_eq!(images(&sandbox, "d.npz").1, images(&sandbox, "r.npz").1);

    sandbox.ok("traverse --run vq --from 0 --to 1 --steps 3 --out path.png");
    sandbox.ok("outliers --run vq --out unlike.json");
    sandbox.ok("map --run vq --iterations 30 --out map.csv");
    sandbox.ok("search --run vq --image 0 --out near.csv");
    sandbox.ok("figures vq");
    let card = sandbox.ok("evaluate vq");
    assert!(card.contains("98 latents, codes of 212 bits") && card.contains("the learned prior"));
    sandbox.ok("train classifier --encoder vq --epochs 1 --batch-size 64 --out cl");

    sandbox.ok("train vqvae --config vq/config.toml --out same");
    assert_same_run(&sandbox.run_files("same"), &sandbox.run_files("vq"), "repeated");
}

#[test]
fn a_table_of_codes_is_learned_instead() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("{} --codes 40 --code-dim 6 --commitment 0.5 --out vq", train()));
    let config = sandbox.text("vq/config.toml");
    for expected in ["kind = \"table\"", "codes = 40", "dim = 6", "commitment = 0.5"] {
        assert!(config.contains(expected), "{expected}: {config}");
    }
    sandbox.ok("encode --run vq --out z.npz");
    assert_eq!(npz::read_f32(&sandbox.path("z.npz"), "z").unwrap().0, [64, 6 * 49]);
    let said = sandbox.run(&format!("{} --codes 40 --levels 4,4 --out other", train()));
    assert!(said.code == Some(2) && said.stderr.contains("--levels"), "{}", said.stderr);
}

#[test]
fn new_codes_are_of_a_class() {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("{} --conditional --out vq", train()));
    let result = sandbox.json("sample --run vq --n 5 --class Coat --class Bag --out two.npz");
    let expected = json!([{ "class": "Coat", "images": 3 }, { "class": "Bag", "images": 2 }]);
    assert_eq!(result["classes"], expected);
    assert!(images(&sandbox, "two.npz").1.iter().all(|x| (0.0..=1.0).contains(x)));
    sandbox.ok("traverse --run vq --from 0 --to 1 --class Bag --steps 3 --out bag.png");
    sandbox.ok("evaluate vq");
}

#[test]
fn settings_of_a_vq_vae_are_searched() {
    let sandbox = Sandbox::new();
    let tune =
        "tune vqvae --data fashion-mnist-sample --train-limit 128 --test-limit 32 --epochs 1";
    sandbox.ok(&format!("{tune} --trials 2 --stages 4k4s2p1,4k4s2p1 --out tuned"));
    let study = "--from-study sqlite:///tuned/study.db --epochs 1 --out best";
    sandbox.ok(&format!("train vqvae {study}"));
    let config = sandbox.text("best/config.toml");
    assert!(config.contains("prior_blocks") && config.contains("channels = 4"), "{config}");
}
