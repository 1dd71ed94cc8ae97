//! Runs that are damaged, not there, or of another kind than the command needs; and where its result cannot go.

use ::latents::data::npz::Numbers;

use super::Table;
use super::data::idx_images;
use crate::support::{Sandbox, TRAIN};

/// A copy of the run `ae`, as far as it is used, under another name.
fn copy(t: &Table, name: &str) {
    for file in ["config.toml", "model.safetensors", "metrics.jsonl"] {
        t.file(&format!("{name}/{file}"), t.sandbox.read(&format!("ae/{file}")));
    }
}

#[test]
fn damaged() {
    let mut t = Table::new("runs", Sandbox::trained());
    let model = t.sandbox.read("ae/model.safetensors");
    let config = t.sandbox.text("ae/config.toml");
    let with = |t: &Table, name: &str, file: &str, bytes: &[u8]| {
        copy(t, name);
        t.file(&format!("{name}/{file}"), bytes);
    };
    t.refuse("no run to encode with", "encode --run none --out z.npz");
    t.refuse("no run to decode with", "decode --run none --latents z.npz --out d.npz");
    t.refuse("no run to reconstruct with", "reconstruct --run none");
    t.refuse("no run to evaluate", "evaluate none");
    t.refuse("no run to draw", "figures ae none");
    t.refuse("no run to predict with", "predict --run none --input a.png");
    t.refuse("no run to repeat", "train ae --config none/config.toml --out new");
    with(&t, "cut", "model.safetensors", &model[..model.len() - 1]);
    t.refuse("weights that are cut short", "encode --run cut --out z.npz");
    with(&t, "empty", "model.safetensors", b"");
    t.refuse("a file of weights that is empty", "reconstruct --run empty");
    with(&t, "wider", "config.toml", config.replace("latent_dim = 8", "latent_dim = 9").as_bytes());
    t.refuse("weights of another size than the settings", "encode --run wider --out z.npz");
    let renamed = |from: &str, to: &str| {
        let at = model.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        [&model[..at], to.as_bytes(), &model[at + from.len()..]].concat()
    };
    with(&t, "other", "model.safetensors", &renamed("encoder.0.weight", "encoder.1.weight"));
    t.refuse("weights of another model", "encode --run other --out z.npz");
    with(&t, "half", "model.safetensors", &renamed("F32", "F16"));
    t.refuse("weights of another type", "encode --run half --out z.npz");
    let taller = config.replace("[1, 28, 28]", "[1, 30, 28]");
    with(&t, "taller", "config.toml", taller.as_bytes());
    t.refuse("images of another size than the settings", "encode --run taller --out z.npz");
    t.refuse("the same, to explore", "sample --run taller --sampler uniform --out s.npz");
    let huge = config.replace("[1, 28, 28]", "[1, 400, 28]");
    with(&t, "huge", "config.toml", huge.as_bytes());
    t.refuse("settings for larger images than the weights", "reconstruct --run huge");
    with(&t, "gone", "config.toml", config.replace("sample\"", "samples\"").as_bytes());
    t.refuse("images that are no more", "reconstruct --run gone");
    with(&t, "typo", "config.toml", config.replace("dropout", "drop_out").as_bytes());
    t.refuse("settings with a typing error", "encode --run typo --out z.npz");
    t.refuse("the same, to go on with", "train ae --resume --out typo");
    copy(&t, "unfinished");
    std::fs::remove_file(t.sandbox.path("unfinished/model.safetensors")).unwrap();
    t.refuse("a run that is not finished", "encode --run unfinished --out z.npz");
    with(&t, "untested", "config.toml", config.replace("limit = 64", "limit = 0").as_bytes());
    t.refuse("no images to reconstruct", "reconstruct --run untested");
    t.refuse("no images to measure by", "evaluate untested");
    t.refuse("no images to find odd ones among", "outliers --run untested --out o.json");
    with(&t, "words", "metrics.jsonl", b"first the loss fell\n");
    t.refuse("metrics that are none", "figures words");
    with(&t, "nothing", "metrics.jsonl", b"");
    t.refuse("no metrics yet", "figures nothing");
    t.refuse("an image beyond those that were kept", "figures ae --image 8");
    t.file("ae/model.safetensors", &model[..model.len() - 1]);
    t.refuse("weights that training can write again", "encode --run ae --out z.npz");
    t.file("ae/model.safetensors", &model);
    t.file("ae/snapshots/epoch-00002.safetensors", b"no snapshot");
    t.refuse("a snapshot that is none", "figures ae");
    t.finish();
}

#[test]
fn of_another_kind() {
    let mut t = Table::new("kinds", Sandbox::trained());
    t.sandbox.ok(
        "train cnn --data fashion-mnist-sample --train-limit 64 --test-limit 40 --epochs 1 --stem 4 --channels 8 --out cnn",
    );
    t.refuse("the class of an image, of an autoencoder", "predict --run ae --input a.png");
    t.refuse("latents of a CNN", "encode --run cnn --out z.npz");
    t.refuse("reconstructions of a CNN", "reconstruct --run cnn");
    t.refuse("samples of a CNN", "sample --run cnn --out s.npz");
    t.refuse("a map of a CNN", "map --run cnn --out map.npz");
    t.refuse("a probe of a CNN", "probe --run cnn");
    t.refuse("a classifier on a CNN", "train classifier --encoder cnn --out new");
    t.refuse("a classifier on nothing", "train classifier --data fashion-mnist-sample --out new");
    t.refuse("a classifier on a run that is none", "train classifier --encoder none --out new");
    t.refuse("draws of an autoencoder", "reconstruct --run ae --draws 10");
    t.refuse("a CNN from an autoencoder's settings", "train cnn --config ae/config.toml --out new");
    for name in ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"] {
        t.file(&format!("small/{name}"), idx_images(40, 20));
    }
    t.refuse(
        "images without labels, for a classifier",
        "train classifier --encoder ae --data idx:small --out new",
    );
    t.file("small/train-labels-idx1-ubyte", [&b"\0\0\x08\x01\0\0\0\x28"[..], &[1; 40]].concat());
    t.refuse(
        "an encoder of larger images",
        "train classifier --encoder ae --data idx:small --out new",
    );
    t.refuse("images of another size to predict", "predict --run cnn --data idx:small");
    t.refuse("a picture that is not there", "predict --run cnn --input none.png");
    t.file("note.png", "no picture");
    t.refuse("a picture that is none", "predict --run cnn --input note.png");
    t.finish();
}

#[test]
fn latents() {
    let mut t = Table::new("latents", Sandbox::trained());
    let floats = |n: usize| Numbers::F32((0..n).map(|i| (i % 7) as f32).collect());
    let decode = |file: &str| format!("decode --run ae --latents {file} --out d.npz");
    let map = |file: &str| format!("map --latents {file} --out m.npz");
    t.refuse("no such file", &decode("none.npz"));
    t.file("text.npz", "no zip");
    t.refuse("a text", &decode("text.npz"));
    t.sandbox.npz("narrow.npz", &[("z", &[4, 7], floats(28))]);
    t.refuse("too few numbers in a latent", &decode("narrow.npz"));
    t.sandbox.npz("flat.npz", &[("z", &[8], floats(8))]);
    t.refuse("one latent, not a list of them", &decode("flat.npz"));
    t.sandbox.npz("deep.npz", &[("z", &[2, 4, 8], floats(64))]);
    t.refuse("three axes", &decode("deep.npz"));
    t.refuse("three axes, to map", &map("deep.npz"));
    t.sandbox.npz("two.npz", &[("a", &[4, 8], floats(32)), ("b", &[4, 8], floats(32))]);
    t.refuse("two arrays of other names", &decode("two.npz"));
    t.refuse("two arrays of other names, to map", &map("two.npz"));
    t.sandbox.npz("texts.npz", &[("z", &[1, 8], Numbers::Text(vec!["1".into(); 8]))]);
    t.refuse("text", &decode("texts.npz"));
    t.sandbox.npz("few.npz", &[("z", &[2, 8], floats(16))]);
    t.refuse("too few for a map", &map("few.npz"));
    t.sandbox.npz("nine.npz", &[("z", &[9, 2], floats(18))]);
    t.refuse("a perplexity of less than one", &format!("{} --perplexity 0.5", map("nine.npz")));
    t.sandbox.npz("line.npz", &[("z", &[9, 1], floats(9))]);
    t.refuse("one number for two axes", &format!("{} --method pca", map("line.npz")));
    t.sandbox
        .npz("nan.npz", &[("z", &[9, 2], Numbers::F32([vec![0.0; 17], vec![f32::NAN]].concat()))]);
    t.refuse("a latent that is no number", &map("nan.npz"));
    let nan = Numbers::F32([vec![0.0; 15], vec![f32::INFINITY]].concat());
    t.sandbox.npz("infinite.npz", &[("z", &[2, 8], nan)]);
    t.refuse("the same, to decode", &decode("infinite.npz"));
    t.refuse(
        "the same, at the end of a path",
        "traverse --run ae --latents infinite.npz --from 0 --to 1 --out p.png",
    );
    t.refuse("the same, to study", "study --latents infinite.npz --out study");
    t.sandbox.npz(
        "labels.npz",
        &[("z", &[9, 2], floats(18)), ("label", &[3], Numbers::I64(vec![0; 3]))],
    );
    t.refuse("fewer labels than latents", &map("labels.npz"));
    t.sandbox.npz(
        "words.npz",
        &[("z", &[9, 2], floats(18)), ("label", &[8], Numbers::Text(vec!["a".into(); 8]))],
    );
    t.refuse("fewer words than latents", &map("words.npz"));
    t.finish();
}

#[test]
fn explored() {
    let mut t = Table::new("explored", Sandbox::trained());
    t.file("file", "");
    let way = |flags: &str| format!("traverse --run ae {flags} --out way.png");
    t.refuse("a way from nowhere", &way(""));
    t.refuse("a way to nowhere", &way("--from 0"));
    t.refuse("an image beyond the last", &way("--from 0 --to 64"));
    t.refuse("a corner beyond the last", &way("--corners 0 1 2 999"));
    t.refuse("an axis beyond the last", &way("--from 0 --axis 8"));
    t.refuse("an axis in words", &way("--from 0 --axis first"));
    t.refuse("a file that is a folder", "encode --run ae --out ae");
    t.refuse("a file in a file", "encode --run ae --out file/z.npz");
    t.refuse("a figure in a file", "sample --run ae --n 4 --out file/s.npz");
    t.refuse("no name for a file", "sample --run ae --n 4 --out ..");
    t.refuse("numbers in the place of their figure", "sample --run ae --n 4 --out new.png");
    t.refuse("numbers in the place of a map's figure", "map --run ae --out m.SVG");
    t.refuse("numbers in the place of the outliers' figure", "outliers --run ae --out o.png");
    t.refuse(
        "a mixture of more than there are",
        "sample --run ae --sampler mixture --components 999 --out s.npz",
    );
    t.refuse("a negative difference", "outliers --run ae --same=-1 --out o.json");
    t.refuse("regression without a penalty", "probe --run ae --c 0");
    t.refuse("no numbers of labels", "probe --run ae --labels 0");
    t.sandbox.ok(&format!("{TRAIN} --seeds 2 --out seeds"));
    t.refuse("other runs in their folders", &format!("{TRAIN} --seeds 2 --lr 0.1 --out seeds"));
    t.finish();
}

#[test]
fn conditional() {
    let sandbox = Sandbox::trained();
    let train = TRAIN.replace("train ae", "train vae");
    sandbox.ok(&format!("{train} --conditional --out cvae"));
    sandbox.ok("encode --run ae --out bare.csv");
    let bare = sandbox.text("bare.csv");
    let without = |line: &str| line.split(',').skip(2).collect::<Vec<_>>().join(",");
    let bare: Vec<String> = bare.lines().map(without).collect();
    let mut t = Table::new("conditional", sandbox);
    t.file("bare.csv", bare.join("\n"));
    t.refuse("no such class to sample", "sample --run cvae --class Boat --out s.npz");
    t.refuse("a class for a model without one", "sample --run ae --class Coat --out s.npz");
    t.refuse("the same, to decode", "decode --run ae --latents bare.csv --class Coat --out d.npz");
    t.refuse("the same, for a path", "traverse --run ae --from 0 --to 1 --class Coat --out p.png");
    t.refuse("latents without a class", "decode --run cvae --latents bare.csv --out d.npz");
    t.refuse(
        "an axis through a latent without a class",
        "traverse --run cvae --latents bare.csv --from 0 --axis 1 --out p.png",
    );
    let pixels = Numbers::F32((0..40 * 784).map(|i| ((i * 37) % 101) as f32 / 100.0).collect());
    t.sandbox.npz("bare.npz", &[("images", &[40, 28, 28], pixels.clone())]);
    t.refuse("images without classes", "reconstruct --run cvae --data bare.npz");
    t.refuse("the same, for outliers", "outliers --run cvae --data bare.npz --out o.json");
    t.refuse(
        "the same, to train on",
        "train vae --conditional --data bare.npz --epochs 1 --out new",
    );
    let some = Numbers::I64((0..40).map(|i| i % 3 - 1).collect());
    t.sandbox.npz("some.npz", &[("images", &[40, 28, 28], pixels), ("labels", &[40], some)]);
    t.refuse(
        "some images without classes, to train on",
        "train vae --conditional --data some.npz --epochs 1 --out new",
    );
    t.file("residual.toml", "[model]\nkind = \"vae\"\ndesign = \"residual\"\nconditional = true\n");
    t.refuse(
        "a condition in the residual design",
        "train vae --data fashion-mnist-sample --config residual.toml --out new",
    );
    t.finish();
}
