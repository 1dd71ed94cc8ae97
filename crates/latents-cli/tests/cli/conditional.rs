//! A conditional variational autoencoder: images of a class, from training to paths.

use ::latents::data::npz::{self, Numbers};
use serde_json::json;

use crate::support::{Sandbox, TRAIN, assert_same_run};

/// With a conditional run in `cvae`.
fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&format!("{} --conditional --out cvae", TRAIN.replace("train ae", "train vae")));
    sandbox
}

fn images(sandbox: &Sandbox, file: &str) -> (Vec<usize>, Vec<f32>) {
    npz::read_f32(&sandbox.path(file), "image").unwrap()
}

#[test]
fn every_class_or_one_is_sampled() {
    let sandbox = trained();
    assert!(sandbox.text("cvae/config.toml").contains("conditional = true"));
    let said = sandbox.ok("sample --run cvae --n 23 --out new.npz");
    assert!(said.starts_with("23 images of 10 classes in new.npz"), "{said}");
    assert_eq!(images(&sandbox, "new.npz").0, [23, 1, 28, 28]);
    let mut archive = npz::open(&sandbox.path("new.npz")).unwrap();
    let mut read = |name: &str| archive.read(name).unwrap();
    let labels = read("label").i64s().unwrap();
    assert_eq!(labels[..9], [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    assert_eq!((labels.len(), labels[22]), (23, 9));
    assert_eq!(read("classes").texts()[8], "Bag");
    let figure = sandbox.text("new.svg");
    assert!(figure.contains("a row for each class") && figure.contains("Ankle boot"), "{figure}");

    // The same latents as images of one class; in the order that the classes are named in.
    let result = sandbox.json("sample --run cvae --n 23 --class Bag --out bags.npz");
    assert_eq!(result["classes"], json!([{ "class": "Bag", "images": 23 }]));
    assert!(images(&sandbox, "bags.npz").1 != images(&sandbox, "new.npz").1);
    let two = "sample --run cvae --sampler mixture --components 2 --n 5 --class Coat --class Bag";
    let result = sandbox.json(&format!("{two} --nearest --out two.npz"));
    let expected = json!([{ "class": "Coat", "images": 3 }, { "class": "Bag", "images": 2 }]);
    assert_eq!(result["classes"], expected);
    let table = sandbox.text("two-nearest.csv");
    assert!(table.starts_with("sample,class,nearest,label,difference\n0,Coat,"), "{table}");
    sandbox.ok(&format!("{two} --threads 1 --isa portable --out again.npz"));
    assert_eq!(sandbox.read("again.npz"), sandbox.read("two.npz"));
}

#[test]
fn what_was_encoded_is_decoded_as_its_class_or_as_another() {
    let sandbox = trained();
    sandbox.ok("encode --run cvae --out z.npz");
    sandbox.ok("decode --run cvae --latents z.npz --out own.npz");
    let result = sandbox.json("reconstruct --run cvae --out r.npz --draws 3");
    assert_eq!(result["conditional"], true);
    assert_eq!(sandbox.read("own.npz"), sandbox.read("r.npz"));
    sandbox.ok("decode --run cvae --latents z.npz --class Bag --out bags.npz");
    assert!(images(&sandbox, "own.npz").1 != images(&sandbox, "bags.npz").1);
    // A table has the names of classes.
    sandbox.ok("encode --run cvae --out z.csv");
    sandbox.ok("decode --run cvae --latents z.csv --out table.npz");
    assert_eq!(images(&sandbox, "table.npz").0, [64, 1, 28, 28]);

    sandbox.ok("traverse --run cvae --from 0 --to 1 --steps 3 --out path.png");
    let path = sandbox.text("path.svg");
    assert!(path.contains("as each class") && path.contains("Sandal"), "{path}");
    sandbox.ok("traverse --run cvae --from 0 --to 1 --class Bag --steps 3 --out bag.png");
    assert!(sandbox.text("bag.svg").contains(", as Bag"));
    sandbox.ok("traverse --run cvae --latents z.npz --from 0 --axis 1 --steps 3 --out axis.png");
    sandbox.ok("traverse --run cvae --corners 0 1 2 3 --steps 3 --class Bag --out square.png");

    let said = sandbox.ok("evaluate cvae");
    assert!(said.contains("log p(x|y)"), "{said}");
    sandbox.ok("outliers --run cvae --out unlike.json");
    sandbox.ok("figures cvae");
    sandbox.ok("map --run cvae --out map.csv");
    sandbox.ok("search --run cvae --image 0 --out near.csv");
    let train = "train classifier --encoder cvae --epochs 1 --batch-size 64 --out cl";
    sandbox.ok(train);
}

#[test]
fn a_conditional_run_is_repeated_and_resumed() {
    let sandbox = trained();
    sandbox.ok("train vae --config cvae/config.toml --out again");
    assert_same_run(&sandbox.run_files("again"), &sandbox.run_files("cvae"), "repeated");
    let train = TRAIN.replace("train ae", "train vae").replace("--epochs 2", "--epochs 1");
    sandbox.ok(&format!("{train} --conditional --out resumed"));
    sandbox.ok("train vae --resume --epochs 2 --out resumed");
    assert_same_run(&sandbox.run_files("resumed"), &sandbox.run_files("cvae"), "resumed");
}

/// The classes of images from elsewhere are found by their names, whatever their numbers.
#[test]
fn images_from_elsewhere_have_the_classes_that_they_name() {
    let sandbox = Sandbox::new();
    let pixels = |n: usize| (0..n * 100).map(|i| ((i * 37) % 101) as f32 / 100.0).collect();
    let classes = |names: [&str; 2]| Numbers::Text(names.map(str::to_owned).to_vec());
    let labels = |n: i64, first: i64| Numbers::I64((0..n).map(|i| (i + first) % 2).collect());
    let arrays = |n: usize, names, first| -> [(&str, Vec<usize>, Numbers); 3] {
        [
            ("images", vec![n, 10, 10], Numbers::F32(pixels(n))),
            ("labels", vec![n], labels(n as i64, first)),
            ("classes", vec![2], classes(names)),
        ]
    };
    let write = |name: &str, arrays: &[(&str, Vec<usize>, Numbers); 3]| {
        let arrays = arrays.each_ref().map(|(name, shape, n)| (*name, &shape[..], n.clone()));
        sandbox.npz(name, &arrays);
    };
    write("own.npz", &arrays(200, ["cat", "dog"], 0));
    let train = "train vae --conditional --data own.npz --epochs 1 --latent-dim 3 --out cvae";
    sandbox.ok(train);
    assert!(sandbox.text("cvae/config.toml").contains("design = \"study\""));
    let error = |file: &str| {
        let result = sandbox.json(&format!("reconstruct --run cvae --data {file}"));
        result["mean_squared_error"].as_f64().unwrap()
    };
    write("same.npz", &arrays(40, ["cat", "dog"], 0));
    write("turned.npz", &arrays(40, ["dog", "cat"], 1));
    write("wrong.npz", &arrays(40, ["dog", "cat"], 0));
    assert_eq!(error("same.npz").to_bits(), error("turned.npz").to_bits());
    assert!(error("same.npz").to_bits() != error("wrong.npz").to_bits());
}
