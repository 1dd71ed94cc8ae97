//! Which settings a run has that nobody gave: those of its kind, of its file, of its encoder; and what the help says of them.

use toml::Table;

use crate::support::Sandbox;

fn config(sandbox: &Sandbox, run: &str) -> Table {
    sandbox.text(&format!("{run}/config.toml")).parse().unwrap()
}

#[test]
fn a_section_in_a_file_leaves_what_it_does_not_name() {
    let sandbox = Sandbox::new();
    let cnn =
        "train cnn --data fashion-mnist-sample --train-limit 32 --epochs 1 --stem 4 --channels 4";
    sandbox.write("flip.toml", "[training.augmentation]\nflip = 0.1\n");
    sandbox.ok(&format!("{cnn} --config flip.toml --out flip"));
    let augmentation = &config(&sandbox, "flip")["training"]["augmentation"];
    assert_eq!(augmentation["flip"].as_float(), Some(0.1));
    assert_eq!(augmentation["shift"].as_integer(), Some(2));
    assert_eq!(augmentation["erase"].as_float(), Some(0.25));
    // What a run left repeats it, also where it leaves images as they are, which its kind does not.
    sandbox.ok(&format!("{cnn} --no-augmentation --out none"));
    sandbox.ok("train cnn --config none/config.toml --out again");
    assert_eq!(sandbox.text("again/config.toml"), sandbox.text("none/config.toml"));
    assert_eq!(sandbox.read("again/model.safetensors"), sandbox.read("none/model.safetensors"));
}

#[test]
fn an_encoder_keeps_its_own_settings_but_for_those_of_the_file() {
    let sandbox = Sandbox::new();
    sandbox.train("ae", "--optimizer adamw --lr 0.003 --weight-decay 0.02");
    sandbox.write("cl.toml", "[training]\nepochs = 2\n[training.encoder]\nweight_decay = 0.5\n");
    sandbox.ok("train classifier --config cl.toml --encoder ae --out cl");
    let settings = config(&sandbox, "cl");
    let encoder = &settings["training"]["encoder"];
    assert_eq!(encoder["weight_decay"].as_float(), Some(0.5), "the file's");
    assert_eq!(encoder["learning_rate"].as_float(), Some(0.003), "its own");
    assert_eq!(encoder["optimizer"].as_str(), Some("adamw"), "its own");
    assert_eq!(encoder["weights"].as_str(), Some("ae/model.safetensors"));
    assert_eq!(settings["data"]["source"].as_str(), Some("fashion-mnist-sample"));
    assert_eq!(settings["model"]["encoder"]["latent_dim"].as_integer(), Some(8));
    // Another encoder in the place of a file's.
    sandbox.train("other", "--seed 5");
    sandbox.ok("train classifier --config cl/config.toml --encoder other --encoder-lr 0.001 --out other-cl");
    let encoder = &config(&sandbox, "other-cl")["training"]["encoder"];
    assert_eq!(encoder["weights"].as_str(), Some("other/model.safetensors"));
    assert_eq!(encoder["learning_rate"].as_float(), Some(0.001), "the flag's");
    assert_eq!(encoder["weight_decay"].as_float(), Some(0.5), "the file's");
}

#[test]
fn a_flag_that_names_what_is_there_changes_nothing() {
    let sandbox = Sandbox::new();
    let cnn =
        "train cnn --data fashion-mnist-sample --train-limit 32 --epochs 1 --stem 4 --channels 4";
    let peak = |flags: &str, run: &str| {
        sandbox.ok(&format!("{cnn} {flags} --out {run}"));
        config(&sandbox, run)["training"]["schedule"].get("peak").and_then(toml::Value::as_float)
    };
    assert_eq!(peak("", "none"), Some(0.2));
    assert_eq!(peak("--schedule one-cycle", "same"), Some(0.2));
    assert_eq!(peak("--schedule one-cycle --warmup 0.4", "given"), Some(0.4));
    sandbox.train("ae", "--schedule one-cycle");
    let schedule = &config(&sandbox, "ae")["training"]["schedule"];
    assert_eq!(schedule["peak"].as_float(), Some(0.3), "where the default is another");
}

#[test]
fn an_encoder_of_any_kind_takes_dropout_and_another_optimiser() {
    let sandbox = Sandbox::new();
    let vae = "train vae --data fashion-mnist-sample --train-limit 64 --test-limit 64 --epochs 1 --latent-dim 8";
    sandbox.ok(&format!("{vae} --optimizer sgd --lr 1e-4 --momentum 0.9 --nesterov --out vae"));
    sandbox.ok("train classifier --encoder vae --epochs 1 --encoder-dropout 0.3 --out cl");
    let settings = config(&sandbox, "cl");
    assert_eq!(settings["model"]["encoder"]["dropout"].as_float(), Some(0.3));
    // It is trained like the head, whatever it was trained with before.
    let training = |run: &str| {
        let encoder = &config(&sandbox, run)["training"]["encoder"];
        let optimizer = encoder["optimizer"].as_str().unwrap().to_owned();
        (optimizer, encoder["learning_rate"].as_float(), encoder["momentum"].as_float())
    };
    assert_eq!(training("cl"), ("adamw".into(), Some(3e-3), Some(0.0)));
    sandbox.ok("train classifier --encoder vae --epochs 1 --encoder-optimizer adam --encoder-lr 0.01 --out other");
    assert_eq!(training("other"), ("adam".into(), Some(1e-2), Some(0.0)));
}

#[test]
fn some_of_a_folder_are_of_all_its_classes() {
    let sandbox = Sandbox::new();
    let png = include_bytes!("../../../../fuzz/corpus/picture/rgb.png");
    for i in 0..30 {
        sandbox.write(&format!("mine/{}/{i}.png", ["a", "b", "c"][i / 10]), png);
    }
    let flags = "--train-limit 6 --test-limit 3 --size 8 --epochs 1 --validation 0";
    sandbox.ok(&format!("train cnn --data mine {flags} --stem 4 --channels 4 --out cnn"));
    let judged = sandbox.json("evaluate cnn");
    let rows = judged["confusion"].as_array().unwrap();
    let of_class = |row: &serde_json::Value| -> u64 {
        row.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum()
    };
    assert_eq!(rows.iter().map(of_class).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn other_pictures_are_brought_to_what_an_encoder_knows() {
    let sandbox = Sandbox::trained();
    let png = include_bytes!("../../../../fuzz/corpus/picture/rgb.png");
    for i in 0..10 {
        sandbox.write(&format!("mine/{}/{i}.png", ["a", "b"][i % 2]), png);
    }
    sandbox.ok("train classifier --encoder ae --data mine --epochs 1 --out cl");
    let settings = config(&sandbox, "cl");
    let shape: Vec<_> = settings["data"]["shape"].as_array().unwrap().iter().collect();
    assert_eq!(shape.iter().map(|n| n.as_integer().unwrap()).collect::<Vec<_>>(), [1, 28, 28]);
    assert_eq!(settings["data"]["source"].as_str(), Some("folder:mine"));
    assert_eq!(settings["data"]["classes"].as_array().map(Vec::len), Some(2));
    sandbox.ok("predict --run cl --data mine");
}

#[test]
fn the_help_tells_the_defaults_of_its_own_command() {
    let sandbox = Sandbox::new();
    let told = |command: &str, about: &str| {
        let help = sandbox.ok(&format!("{command} --help"));
        let words: Vec<&str> = help.split_whitespace().collect();
        let help = words.join(" ");
        let at = help.find(about).unwrap_or_else(|| panic!("{command}: {about}: {help}"));
        let rest = &help[at + about.len()..];
        rest.split_once(']').unwrap().0.trim_start_matches(" [default: ").to_owned()
    };
    let epochs = "Passes over the training images";
    let commands = ["train ae", "train vae", "train classifier", "train cnn", "tune ae"];
    assert_eq!(commands.map(|c| told(c, epochs)), ["42", "50", "10", "25", "10"]);
    assert_eq!(told("train classifier", "--lr <RATE> Learning rate"), "0.003");
    assert_eq!(told("train cnn", "Optimiser"), "adamw");
    assert_eq!(told("train cnn", "left and right exchanged"), "0.5");
    assert_eq!(told("train vae", "Probability of dropout after the linear layers"), "0");
    assert_eq!(told("train cnn", "Schedule of the learning rate over the run"), "one-cycle");
    assert_eq!(told("tune ae", "Optimiser"), "searched");
    assert_eq!(told("tune ae", "Dimensions of a latent vector"), "searched");
    assert_eq!(told("tune ae", "Images in a step"), "256");
    assert_eq!(
        told("tune classifier", "Fraction of the training images kept for validation"),
        "0.2"
    );
}

#[test]
fn the_long_help_says_what_a_command_writes() {
    let sandbox = Sandbox::new();
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (command, expected) in [
        ("encode", "`z` [n, d] (float32)"),
        ("map", "`xy` [n, 2]"),
        ("evaluate", "their mean and deviation"),
        ("predict", "comma-separated values"),
        ("study", "the same command continues"),
        ("tune show", "of a study that Optuna made"),
        ("completions", "installs it"),
    ] {
        let long = words(sandbox.ok(&format!("help {command}")));
        assert!(long.contains(expected), "{command}: {long}");
        let short = words(sandbox.ok(&format!("{command} -h")));
        assert!(!short.contains(expected), "{command}: {short}");
    }
}
