//! Input that nothing can be made of: what is wrong, where, and in words that help; exit code 1 and never a panic.

use ::latents::data::npz::{self, Array, Numbers};
use ::latents::data::{Images, idx};

use crate::support::{Sandbox, TRAIN, assert_same_run};

/// Runs each command, which must fail with all of the texts.
#[track_caller]
fn assert_refused(sandbox: &Sandbox, cases: &[(&str, &[&str])]) {
    for (arguments, expected) in cases {
        let said = sandbox.run(arguments);
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{arguments}");
        let message = said.stderr.lines().find(|line| line.starts_with("error: "));
        assert!(message.is_some(), "{arguments}: {}", said.stderr);
        for text in *expected {
            assert!(said.stderr.contains(text), "{arguments}: {}", said.stderr);
        }
        // A cause is told once.
        assert!(said.stderr.matches("(os error").count() <= 1, "{arguments}: {}", said.stderr);
    }
}

fn idx_images(n: usize, side: usize) -> Vec<u8> {
    let mut file = vec![];
    let images = Images::new(1, side, side, vec![128; n * side * side]).unwrap();
    idx::write_images(&mut file, &images).unwrap();
    file
}

#[test]
fn sources_of_images() {
    let sandbox = Sandbox::new();
    let (train, test) = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte");
    let whole = idx_images(30, 12);
    sandbox.write("only/notes.txt", "");
    sandbox.write(&format!("half/{train}"), &whole);
    sandbox.write(&format!("cut/{train}"), &whole[..whole.len() - 5]);
    sandbox.write(&format!("zip/{train}.gz"), b"\x1f\x8b\x08\x00 and no more");
    sandbox.write(&format!("text/{train}"), "these are no images");
    sandbox.write(&format!("sizes/{train}"), &whole);
    sandbox.write(&format!("sizes/{test}"), idx_images(3, 10));
    for name in [train, test] {
        sandbox.write(&format!("labels/{name}"), &whole);
        sandbox.write(&format!("tiny/{name}"), idx_images(30, 3));
    }
    let mut labels = vec![];
    idx::write_labels(&mut labels, &[0, 1, 2]).unwrap();
    sandbox.write("labels/train-labels-idx1-ubyte", labels);
    assert_refused(
        &sandbox,
        &[
            (
                "data show fashon-mnist-sampl",
                &[
                    "unknown data set \"fashon-mnist-sampl\"",
                    "did you mean \"fashion-mnist-sample\"?",
                ],
            ),
            ("data show MNIST", &["did you mean \"fashion-mnist\"?", "Known: fashion-mnist, "]),
            ("data show my/images", &["there is no folder or file my/images", "folder:DIR"]),
            ("data show idx:none", &[&format!("none holds neither {train} nor {train}.gz")]),
            ("data show idx:only", &[&format!("only holds neither {train} nor {train}.gz")]),
            ("data show idx:half", &[&format!("half holds neither {test} nor {test}.gz")]),
            ("data show idx:cut", &[train, "holds 4315 of the 4320 bytes"]),
            ("data show idx:zip", &[&format!("{train}.gz"), "not a whole gzip file"]),
            ("data show idx:text", &[train, "starts with 0x74686573", "0x00000803"]),
            ("data show idx:sizes", &["[1, 12, 12]", "[1, 10, 10]", "images of one shape"]),
            ("data show idx:labels", &["train-labels-idx1-ubyte has 3 labels", "30 images"]),
            ("train ae --data idx:half --out ae", &["half holds neither"]),
            (
                "train ae --data idx:tiny --stages 8k4s2p1,16k4s2p1,32k3s2p0 --out ae",
                &["layer encoder.2 (conv2d)", "[8, 1, 1]", "larger than the padded image"],
            ),
            ("data fetch", &["fashion-mnist", "downloads are switched off"]),
        ],
    );
    assert!(!sandbox.path("ae").exists(), "nothing is begun");
}

#[test]
fn settings_of_a_run() {
    let sandbox = Sandbox::trained();
    let config = sandbox.text("ae/config.toml");
    sandbox.write("unknown.toml", config.replace("epochs", "epoch"));
    sandbox.write("value.toml", config.replace("\"adam\"", "\"adamm\""));
    sandbox.write("type.toml", config.replace("seed = 0", "seed = \"one\""));
    sandbox.write("cut.toml", "[data");
    sandbox.write("photos/a.png", "");
    sandbox
        .write("sizes.toml", "[data]\nsource = \"folder:photos\"\npictures = { size = [0, 4] }\n");
    sandbox.write("sise.toml", "[data.pictures]\nsise = 3\n");
    sandbox.write("bytes.toml", b"\xff\xfe");
    sandbox.write("file", "");
    let small = |flags: &str| format!("{TRAIN} --out new {flags}");
    let cases: &[(&str, &[&str])] = &[
        (
            "train ae --config unknown.toml --out new",
            &["unknown.toml", "unknown field `epoch`", "did you mean `epochs`?"],
        ),
        ("train ae --config value.toml --out new", &["value.toml", "`adamm`", "`adamw`"]),
        ("train ae --config type.toml --out new", &["type.toml", "seed", "\"one\""]),
        ("train ae --config cut.toml --out new", &["cut.toml", "line 1"]),
        ("train ae --config sizes.toml --out new", &["size = [0, 4] must have sides of 1 to 4096"]),
        ("train ae --config sise.toml --out new", &["sise.toml", "line 2", "did you mean `size`?"]),
        ("train ae --config bytes.toml --out new", &["cannot read bytes.toml"]),
        ("train ae --config none.toml --out new", &["cannot read none.toml", "(os error 2)"]),
        ("train ae --resume --out new", &["new holds no run (it has no config.toml)"]),
        (&small("--stages 8k40s2p1"), &["encoder.0 (conv2d)", "[1, 28, 28]", "kernel [40, 40]"]),
        (&small("--stages 8k4s0p1"), &["encoder.0 (conv2d)", "stride [0, 0]"]),
        (&small("--stages 8k4s2p18446744073709551615"), &["encoder.0 (conv2d)", "padding"]),
        (&small("--stages 18446744073709551615k4s2p1"), &["encoder.0 (conv2d)", "too large"]),
        (&small("--hidden 18446744073709551615"), &["encoder.6 (linear)", "too large"]),
        (&small("--hidden 3000000"), &["encoder.6 (linear)", "brings the parameters over"]),
        (&small("--hidden 0"), &["encoder.6 (linear)", "out_features must be at least 1"]),
        (&small("--dropout 1"), &["dropout", "p = 1 must be at least 0 and less than 1"]),
        (&small("--dropout NaN"), &["dropout", "p = NaN must be"]),
        (&TRAIN.replace("size 64", "size 0 --out new"), &["batch_size must be at least 1"]),
        (&small("--validation 1"), &["validation_fraction = 1 must be at least 0 and less than 1"]),
        (&small("--validation 1e-9"), &["256 images are too few"]),
        (&small("--lr nan"), &["learning rate = NaN is out of range"]),
        (&small("--weight-decay=-1"), &["weight decay = -1 is out of range"]),
        (&small("--momentum 0.9"), &["momentum and nesterov belong to the optimiser sgd"]),
        (&small("--optimizer sgd --nesterov"), &["momentum = 0 is out of range", "Nesterov"]),
        (&small("--clip-norm 0"), &["clip_norm must be more than 0"]),
        (&small("--patience 0"), &["patience must be at least 1"]),
        (&small("--schedule one-cycle --warmup 1"), &["must be a fraction of the run"]),
        (&TRAIN.replace("--epochs 2", "--epochs 0 --out new"), &["epochs must be at least 1"]),
        (&TRAIN.replace("dim 8", "dim 0 --out new"), &["latent_dim must be at least 1"]),
        (&TRAIN.replace("limit 256", "limit 0 --out new"), &["0 images are too few to train"]),
        (&format!("{TRAIN} --out file/new"), &["file/new", "(os error"]),
    ];
    assert_refused(&sandbox, cases);
    assert!(!sandbox.path("new").exists(), "nothing is begun");
}

#[test]
fn runs_that_are_damaged_or_not_there() {
    let sandbox = Sandbox::trained();
    let copy = |name: &str, damage: &dyn Fn(&str)| {
        for file in ["config.toml", "model.safetensors", "metrics.jsonl"] {
            sandbox.write(&format!("{name}/{file}"), sandbox.read(&format!("ae/{file}")));
        }
        damage(name);
    };
    let put = |file: &'static str, bytes: Vec<u8>| {
        let sandbox = &sandbox;
        move |name: &str| sandbox.write(&format!("{name}/{file}"), &bytes)
    };
    let model = sandbox.read("ae/model.safetensors");
    let config = sandbox.text("ae/config.toml");
    copy("cut", &put("model.safetensors", model[..model.len() - 1].to_vec()));
    copy("empty", &put("model.safetensors", vec![]));
    copy("wider", &put("config.toml", config.replace("latent_dim = 8", "latent_dim = 9").into()));
    copy("taller", &put("config.toml", config.replace("[1, 28, 28]", "[1, 30, 28]").into()));
    copy("huge", &put("config.toml", config.replace("[1, 28, 28]", "[1, 400, 28]").into()));
    copy("gone", &put("config.toml", config.replace("sample\"", "samples\"").into()));
    copy("typo", &put("config.toml", config.replace("dropout", "drop_out").into()));
    copy("words", &put("metrics.jsonl", b"first the loss fell\n".to_vec()));
    copy("nothing", &put("metrics.jsonl", vec![]));
    copy("unfinished", &|name| {
        std::fs::remove_file(sandbox.path(&format!("{name}/model.safetensors"))).unwrap();
    });
    sandbox.write("ae/snapshots/epoch-00002.safetensors", b"no snapshot");
    sandbox.train("untested", "--seed 1");
    let none = config.replace("test_limit = 64", "test_limit = 0");
    sandbox.write("untested/config.toml", none);
    let unmade = "holds no run (it has no config.toml): train one with `latents train ae";
    assert_refused(
        &sandbox,
        &[
            ("encode --run none --out z.npz", &["none ", unmade]),
            ("decode --run none --latents z.npz --out d.npz", &["none ", unmade]),
            ("reconstruct --run none", &["none ", unmade]),
            ("figures ae none", &["none ", unmade]),
            ("encode --run cut --out z.npz", &["cut/model.safetensors", "not a whole safetensors"]),
            ("reconstruct --run empty", &["empty/model.safetensors", "not a whole safetensors"]),
            (
                "encode --run wider --out z.npz",
                &["wider/model.safetensors: tensor `encoder.9.weight` is [8, 64]", "[9, 64]"],
            ),
            (
                "encode --run taller --out z.npz",
                &["the images of fashion-mnist-sample are [1, 28, 28]", "trained on [1, 30, 28]"],
            ),
            ("reconstruct --run huge", &["huge/model.safetensors: tensor `encoder.6.weight` is ["]),
            ("reconstruct --run gone", &["the data of this run", "\"fashion-mnist-samples\""]),
            ("encode --run typo --out z.npz", &["typo/config.toml", "unknown field `drop_out`"]),
            ("train ae --resume --out typo", &["typo/config.toml", "unknown field `drop_out`"]),
            ("encode --run unfinished --out z.npz", &["unfinished has no model.safetensors yet"]),
            ("reconstruct --run untested", &["there are no images to reconstruct"]),
            ("figures words", &["words/metrics.jsonl: line 1"]),
            ("figures ae", &["ae/snapshots/epoch-00002.safetensors"]),
            ("figures untested --image 8", &["--image is from 0 to 7"]),
            ("encode --run untested --out untested", &["cannot write untested", "(os error"]),
        ],
    );
    assert!(!sandbox.path("z.npz").exists(), "nothing is written");
}

#[test]
fn images_that_changed_since_the_run_began() {
    let sandbox = Sandbox::new();
    for name in ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"] {
        sandbox.write(&format!("mine/{name}"), idx_images(40, 28));
    }
    sandbox.ok("train ae --data idx:mine --epochs 1 --latent-dim 8 --out ae");
    sandbox.ok("train ae --resume --out ae");
    sandbox.write("mine/train-images-idx3-ubyte", idx_images(41, 28));
    let expected = "the images of idx:mine are not those that the run in ae began with";
    assert_refused(&sandbox, &[("train ae --resume --out ae", &[expected])]);
}

#[test]
fn latents_of_another_shape_or_none_at_all() {
    let sandbox = Sandbox::trained();
    let numbers = |n| Numbers::F32(vec![0.5; n]);
    let array = |name: &str, shape: &[usize]| Array {
        name: name.into(),
        shape: shape.to_vec(),
        numbers: numbers(shape.iter().product()),
    };
    for (file, array) in [
        ("narrow", array("z", &[4, 7])),
        ("flat", array("z", &[8])),
        ("deep", array("z", &[2, 4, 8])),
        ("renamed", array("latents", &[4, 8])),
        ("whole", Array { numbers: Numbers::I64(vec![1; 8]), ..array("z", &[1, 8]) }),
    ] {
        npz::write(&sandbox.path(&format!("{file}.npz")), &[array]).unwrap();
    }
    sandbox.write("text.npz", "no zip");
    let decode = |file: &str| format!("decode --run ae --latents {file}.npz --out d.npz");
    assert_refused(
        &sandbox,
        &[
            (
                &decode("narrow"),
                &["narrow.npz: array `z` is [4, 7], but the run's latents are [n, 8]"],
            ),
            (&decode("flat"), &["flat.npz: array `z` is [8], but"]),
            (&decode("deep"), &["deep.npz: array `z` is [2, 4, 8], but"]),
            (&decode("renamed"), &["renamed.npz: it has no array `z`; it has: latents"]),
            (&decode("whole"), &["whole.npz: array `z` is of type <i8; float32 is expected"]),
            (&decode("text"), &["text.npz: it is not a whole .npz file"]),
            (&decode("none"), &["cannot read none.npz", "(os error 2)"]),
        ],
    );
    assert!(!sandbox.path("d.npz").exists());
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let sandbox = Sandbox::trained();
    let whole = sandbox.run_files("ae");
    let last = "ae/checkpoint/last.safetensors";
    let bytes = sandbox.read(last);
    for damaged in [&bytes[..bytes.len() / 2], b"no tensors"] {
        std::fs::remove_file(sandbox.path("ae/model.safetensors")).unwrap();
        sandbox.write(last, damaged);
        let said = sandbox.run("train ae --resume --out ae");
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        assert!(said.stderr.contains("1 of 2 epochs to go"), "{}", said.stderr);
        assert_same_run(&sandbox.run_files("ae"), &whole, "from the checkpoint before");
    }
    for file in [last, "ae/checkpoint/previous.safetensors"] {
        sandbox.write(file, "no tensors");
    }
    let expected = "ae/checkpoint/last.safetensors: it is not a whole safetensors file";
    assert_refused(&sandbox, &[("train ae --resume --out ae", &[expected])]);
}
