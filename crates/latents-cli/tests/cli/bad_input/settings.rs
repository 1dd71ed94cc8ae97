//! Settings that no run can have, as flags and in files; and command lines that are none.

use super::Table;
use crate::support::{Sandbox, TRAIN};

#[test]
fn flags() {
    let mut t = Table::new("flags", Sandbox::new());
    t.file("file", "");
    let small = |flags: &str| format!("{TRAIN} --out new {flags}");
    t.refuse("a kernel larger than the image", &small("--stages 8k40s2p1"));
    t.refuse("a stride of none", &small("--stages 8k4s0p1"));
    t.refuse("padding beyond all numbers", &small("--stages 8k4s2p18446744073709551615"));
    t.refuse("channels beyond all numbers", &small("--stages 18446744073709551615k4s2p1"));
    t.refuse("stages that are none", &small("--stages 8x4"));
    t.refuse("a width beyond all numbers", &small("--hidden 18446744073709551615"));
    t.refuse("a model beyond all memory", &small("--hidden 3000000"));
    t.refuse("a width of none", &small("--hidden 0"));
    t.refuse("dropout of everything", &small("--dropout 1"));
    t.refuse("dropout that is no number", &small("--dropout NaN"));
    t.refuse("no latents", &TRAIN.replace("dim 8", "dim 0 --out new"));
    t.refuse("no epochs", &TRAIN.replace("--epochs 2", "--epochs 0 --out new"));
    t.refuse("batches of none", &TRAIN.replace("size 64", "size 0 --out new"));
    t.refuse("no images", &TRAIN.replace("limit 256", "limit 0 --out new"));
    t.refuse("all images validate", &small("--validation 1"));
    t.refuse("too few images to validate", &small("--validation 1e-9"));
    t.refuse("a rate that is no number", &small("--lr nan"));
    t.refuse("negative weight decay", &small("--weight-decay=-1"));
    t.refuse("momentum without SGD", &small("--momentum 0.9"));
    t.refuse("Nesterov without momentum", &small("--optimizer sgd --nesterov"));
    t.refuse("a gradient of no length", &small("--clip-norm 0"));
    t.refuse("no patience", &small("--patience 0"));
    t.refuse("patience without images to validate", &small("--patience 3 --validation 0"));
    t.refuse("nothing but warm-up", &small("--schedule one-cycle --warmup 1"));
    t.refuse("warm-up without a schedule", &small("--warmup 0.1"));
    t.refuse("warm-up of a constant rate", &small("--schedule constant --warmup 0.1"));
    t.refuse("warm-up of a rate that only falls", &small("--schedule cosine --warmup 0.1"));
    t.refuse("a flip that is more than certain", &small("--flip 1.5"));
    t.refuse("erasing a negative part", &small("--erase=-0.1"));
    t.refuse("mixing by no distribution", &small("--mixup 0"));
    t.refuse("mixing in two ways", &small("--mixup 1 --cutmix 1"));
    t.refuse("a fraction in words", &small("--dropout some"));
    t.refuse("an optimiser that is none", &small("--optimizer adamm"));
    t.refuse("a folder that is a file", &format!("{TRAIN} --out file"));
    t.refuse("a folder within a file", &format!("{TRAIN} --out file/new"));
    let vae = TRAIN.replace("train ae", "train vae --out new");
    t.refuse("a negative beta", &format!("{vae} --beta=-1"));
    t.refuse("negative free bits", &format!("{vae} --free-bits=-1"));
    t.refuse("a likelihood that is none", &format!("{vae} --likelihood gauss"));
    t.refuse("parts of the normal prior", &format!("{vae} --prior normal --prior-components 3"));
    t.refuse("no learned images", &format!("{vae} --prior vamp --prior-components 0"));
    t.refuse("learned images of a class", &format!("{vae} --prior vamp --conditional"));
    t.refuse("free bits of learned images", &format!("{vae} --prior vamp --free-bits 0.1"));
    t.refuse(
        "more learned images than images",
        &format!("{vae} --prior vamp --prior-components 999"),
    );
    let cnn = "train cnn --data fashion-mnist-sample --train-limit 64 --epochs 1 --out new";
    t.refuse("a network without stages of any width", &format!("{cnn} --channels 0"));
    t.refuse("labels that are smoothed away", &format!("{cnn} --label-smoothing 1"));
    t.finish();
}

#[test]
fn command_lines() {
    let mut t = Table::new("command-lines", Sandbox::new());
    t.refuse("a command that is none", "trian ae --out ae");
    t.refuse("a model that is none", "train gan --out gan");
    t.refuse("a flag that is none", "train ae --epoch 3 --out ae");
    t.refuse("no folder for the run", "train ae");
    t.refuse("no threads", "data list --threads 0");
    t.refuse(
        "settings from two places",
        "train ae --config a.toml --from-study sqlite:///b.db --out ae",
    );
    t.refuse("a part of the study that is none", "study --only S6");
    t.refuse("a sampler that is none", "tune ae --sampler bayes");
    t.refuse(
        "one step from image to image",
        "traverse --run ae --from 0 --to 1 --steps 1 --out t.png",
    );
    t.refuse("three corners", "traverse --run ae --corners 0 1 2 --out t.png");
    t.refuse("nothing to map", "map --out map.npz");
    t.refuse("nothing to predict", "predict --run cnn");
    t.refuse("a shell that is none", "completions command.com");
    t.finish();
}

#[test]
fn config_files() {
    let mut t = Table::new("config", Sandbox::trained());
    let config = t.sandbox.text("ae/config.toml");
    let run = |file: &str| format!("train ae --config {file} --out new");
    t.refuse("no such file", &run("none.toml"));
    t.file("bytes.toml", b"\xff\xfe");
    t.refuse("no text", &run("bytes.toml"));
    t.file("cut.toml", "[data");
    t.refuse("a file that is cut short", &run("cut.toml"));
    t.file("unknown.toml", config.replace("epochs", "epoch"));
    t.refuse("a setting that is none", &run("unknown.toml"));
    t.file("section.toml", "[trainig]\nepochs = 3\n");
    t.refuse("a section that is none", &run("section.toml"));
    t.file("sise.toml", "[data.pictures]\nsise = 3\n");
    t.refuse("a setting of pictures that is none", &run("sise.toml"));
    t.file("model.toml", "[model]\nkind = \"ae\"\nlatent_dims = 3\n");
    t.refuse("a setting of the model that is none", &run("model.toml"));
    t.file("kind.toml", "[model]\nkind = \"gan\"\n");
    t.refuse("a model that is none", &run("kind.toml"));
    t.file("untold.toml", "[training]\nepochs = 3\n[model]\nlatent_dim = 3\n");
    t.refuse("a model of no kind", &run("untold.toml"));
    t.file("mix.toml", "[training.augmentation]\nmix = { alpha = 1.0 }\n");
    t.refuse("a mixture of no kind", &run("mix.toml"));
    t.file("value.toml", config.replace("\"adam\"", "\"adamm\""));
    t.refuse("a value that is none", &run("value.toml"));
    t.file("type.toml", config.replace("seed = 0", "seed = \"one\""));
    t.refuse("a value of another type", &run("type.toml"));
    t.file("negative.toml", "[training]\nepochs = -3\n");
    t.refuse("a negative count", &run("negative.toml"));
    t.file("twice.toml", "[training]\nepochs = 3\nepochs = 4\n");
    t.refuse("a setting that is there twice", &run("twice.toml"));
    t.file(
        "range.toml",
        "[data]\nsource = \"fashion-mnist-sample\"\n[training]\nvalidation_fraction = 1.5\n",
    );
    t.refuse("a value out of range", &run("range.toml"));
    t.file(
        "shift.toml",
        "[data]\nsource = \"fashion-mnist-sample\"\n[training.augmentation]\nrotation = 400.0\n",
    );
    t.refuse("an augmentation out of range", &run("shift.toml"));
    t.file("photos/a.png", "");
    t.file("sizes.toml", "[data]\nsource = \"folder:photos\"\npictures = { size = [0, 4] }\n");
    t.refuse("a size of none", &run("sizes.toml"));
    t.file("source.toml", "[data]\nsource = \"fashion-mnist-sampel\"\n");
    t.refuse("images that are none", &run("source.toml"));
    t.file("vae.toml", "[model]\nkind = \"vae\"\n");
    t.refuse("settings of another model", &run("vae.toml"));
    t.file("latents.toml", "");
    t.refuse("a file that is there already", "init");
    t.refuse("a file in a folder that is a file", "init --out latents.toml/new.toml");
    t.finish();
}
