//! `latents figures`: which files it draws, of one run and of several.

use serde_json::json;

use crate::support::Sandbox;

fn assert_drawn(sandbox: &Sandbox, stem: &str, texts: &[&str]) {
    let svg = sandbox.text(&format!("{stem}.svg"));
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{stem}");
    for text in texts {
        assert!(svg.contains(text), "{stem}: {text}");
    }
    let png = sandbox.read(&format!("{stem}.png"));
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xae\x42\x60\x82"));
}

#[test]
fn one_run_gives_its_loss_and_an_image_through_the_epochs() {
    let sandbox = Sandbox::trained();
    let said = sandbox.ok("figures ae");
    let names = [
        "loss.svg",
        "loss.png",
        "epochs.svg",
        "epochs.png",
        "reconstructions.svg",
        "reconstructions.png",
    ];
    let listed = names.map(|name| format!("ae/figures/{name}"));
    assert_eq!(said.lines().collect::<Vec<_>>(), listed);
    assert_drawn(&sandbox, "ae/figures/loss", &["training", "validation", "mean squared error"]);
    assert_drawn(&sandbox, "ae/figures/epochs", &["original", "epoch 1", "epoch 2"]);
    assert_drawn(&sandbox, "ae/figures/reconstructions", &["Bag", "Trouser"]);

    // Drawn again it is the same; another image is another picture.
    let result = sandbox.json("figures ae --out again");
    assert_eq!(result, json!({"figures": names.map(|name| format!("again/{name}"))}));
    for name in names {
        let (first, again) = (format!("ae/figures/{name}"), format!("again/{name}"));
        assert!(sandbox.read(&first) == sandbox.read(&again), "{name}");
    }
    sandbox.ok("figures ae --out other --image 7");
    assert!(sandbox.read("other/loss.svg") == sandbox.read("again/loss.svg"));
    assert!(sandbox.read("other/epochs.svg") != sandbox.read("again/epochs.svg"));
}

#[test]
fn two_runs_are_compared_by_name() {
    let sandbox = Sandbox::new();
    sandbox.train("runs/adam", "");
    sandbox.train("runs/sgd", "--optimizer sgd --lr 0.1 --weight-decay 0");
    let said = sandbox.ok("figures runs/adam runs/sgd/");
    assert_eq!(
        said, "runs/adam/figures/comparison.svg\nruns/adam/figures/comparison.png\n",
        "nothing else is drawn"
    );
    let names = ["adam, training", "adam, validation", "sgd, training", "sgd, validation"];
    assert_drawn(&sandbox, "runs/adam/figures/comparison", &names);
}

#[test]
fn a_run_that_was_stopped_in_its_first_epoch_has_nothing_to_draw_yet() {
    let sandbox = Sandbox::trained();
    sandbox.write("ae/metrics.jsonl", "");
    for name in ["ae/model.safetensors", "ae/SHA256SUMS"] {
        std::fs::remove_file(sandbox.path(name)).unwrap();
    }
    std::fs::remove_dir_all(sandbox.path("ae/snapshots")).unwrap();
    let said = sandbox.run("figures ae");
    assert_eq!(said.code, Some(1));
    assert_eq!(said.stderr, "error: ae has no finished epoch to draw yet\n");
    assert!(!sandbox.path("ae/figures").exists(), "no picture of nothing");
}
