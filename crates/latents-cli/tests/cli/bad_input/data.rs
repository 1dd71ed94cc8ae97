//! Images that cannot be read: IDX, NPZ, pictures, and names of data sets.

use ::latents::data::npz::Numbers;
use ::latents::data::{Images, idx};

use super::Table;
use crate::support::Sandbox;

const TRAIN: &str = "train-images-idx3-ubyte";
const TEST: &str = "t10k-images-idx3-ubyte";
const PNG: &[u8] = include_bytes!("../../../../../fuzz/corpus/picture/rgb.png");

pub(super) fn idx_images(n: usize, side: usize) -> Vec<u8> {
    let mut file = vec![];
    let images = Images::new(1, side, side, vec![128; n * side * side]).unwrap();
    idx::write_images(&mut file, &images).unwrap();
    file
}

fn idx_labels(labels: &[u8]) -> Vec<u8> {
    let mut file = vec![];
    idx::write_labels(&mut file, labels).unwrap();
    file
}

#[test]
fn names() {
    let mut t = Table::new("names", Sandbox::new());
    t.file("one.png", PNG).file("digits.mat", "MATLAB 5.0").file("empty/notes.txt", "");
    t.refuse("a name with a typing error", "data show fashon-mnist-sampl");
    t.refuse("a part of a name", "data show MNIST");
    t.refuse("a path that is not there", "data show my/images");
    t.refuse("a path that is not there, to train on", "train ae --data ./photos --out ae");
    t.refuse("a folder of pictures that is not there", "data show folder:none");
    t.refuse("one picture", "data show one.png");
    t.refuse("a file of another kind", "study digits.mat --out study");
    t.refuse("a set that must be fetched, and may not be", "data fetch");
    t.refuse("a set that cannot be fetched", "data fetch mnist");
    t.refuse("another size for a set that is as it is", "data show fashion-mnist-sample --size 14");
    t.refuse("settings of pictures, and no pictures", "train ae --grey --out ae");
    t.finish();
}

#[test]
fn idx_files() {
    let mut t = Table::new("idx", Sandbox::new());
    let whole = idx_images(30, 12);
    t.file("only/notes.txt", "");
    t.refuse("no such folder", "data show idx:none");
    t.refuse("a folder of other files", "data show idx:only");
    t.file(&format!("half/{TRAIN}"), &whole);
    t.refuse("no test images", "data show idx:half");
    t.refuse("no test images, to train on", "train ae --data idx:half --out ae");
    t.file(&format!("cut/{TRAIN}"), &whole[..whole.len() - 5]);
    t.refuse("images that are cut short", "data show idx:cut");
    t.file(&format!("more/{TRAIN}"), [&whole[..], b"more"].concat());
    t.refuse("more bytes than images", "data show idx:more");
    t.file(&format!("empty/{TRAIN}"), "");
    t.refuse("an empty file", "data show idx:empty");
    t.file(&format!("zip/{TRAIN}.gz"), b"\x1f\x8b\x08\x00 and no more");
    t.refuse("a gzip file that is cut short", "data show idx:zip");
    t.file(&format!("text/{TRAIN}"), "these are no images");
    t.refuse("a text", "data show idx:text");
    t.file(&format!("nothing/{TRAIN}"), b"\0\0\x08\x03\0\0\0\0\0\0\0\x0c\0\0\0\x0c");
    t.refuse("no image at all", "data show idx:nothing");
    t.file(
        &format!("huge/{TRAIN}"),
        b"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    );
    t.refuse("a header that promises too much", "data show idx:huge");
    t.file(&format!("sizes/{TRAIN}"), &whole).file(&format!("sizes/{TEST}"), idx_images(3, 10));
    t.refuse("parts of two sizes", "data show idx:sizes");
    for folder in ["labels", "swapped"] {
        t.file(&format!("{folder}/{TRAIN}"), &whole).file(&format!("{folder}/{TEST}"), &whole);
    }
    t.file("labels/train-labels-idx1-ubyte", idx_labels(&[0, 1, 2]));
    t.refuse("fewer labels than images", "data show idx:labels");
    t.file("swapped/train-labels-idx1-ubyte", &whole);
    t.refuse("images where labels should be", "data show idx:swapped");
    for name in [TRAIN, TEST] {
        t.file(&format!("tiny/{name}"), idx_images(30, 3));
    }
    t.refuse(
        "images that are too small for the model",
        "train ae --data idx:tiny --stages 8k4s2p1,16k4s2p1,32k3s2p0 --out ae",
    );
    t.refuse("images without labels, for a classifier", "train cnn --data idx:tiny --out cnn");
    t.finish();
}

#[test]
fn npz_files() {
    let mut t = Table::new("npz", Sandbox::new());
    let floats = |n: usize| Numbers::F32((0..n).map(|i| i as f32 / n as f32).collect());
    t.refuse("no such file", "data show digits.npz");
    t.file("text.npz", "these are no arrays");
    t.refuse("a text", "data show text.npz");
    t.sandbox.npz("whole.npz", &[("image", &[10, 4, 4], floats(160))]);
    let whole = t.sandbox.read("whole.npz");
    t.file("cut.npz", &whole[..whole.len() / 2]);
    t.refuse("a file that is cut short", "data show cut.npz");
    let mut flipped = whole.clone();
    flipped[300] ^= 1;
    t.file("flipped.npz", &flipped);
    t.refuse("a flipped bit", "data show flipped.npz");
    let header = |from: &str, to: &str| {
        let at = whole.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        [&whole[..at], to.as_bytes(), &whole[at + from.len()..]].concat()
    };
    t.file("objects.npz", header("<f4", "|O8"));
    t.refuse("Python objects", "data show objects.npz");
    t.file("shape.npz", header("(10, 4, 4)", "(10, 4, x)"));
    t.refuse("a shape that is none", "data show shape.npz");
    t.file("promise.npz", header("(10, 4, 4), }  ", "(10, 4, 99), } "));
    t.refuse("fewer numbers than the shape says", "data show promise.npz");
    t.sandbox.npz(
        "latents.npz",
        &[("z", &[20, 8], floats(160)), ("label", &[20], Numbers::I64(vec![0; 20]))],
    );
    t.refuse("arrays, but no images", "data show latents.npz");
    t.sandbox.npz("rows.npz", &[("image", &[10, 15], floats(150))]);
    t.refuse("rows that are no squares", "data show rows.npz");
    t.sandbox.npz("two.npz", &[("image", &[10, 2, 4, 5], floats(400))]);
    t.refuse("two channels", "data show two.npz");
    t.sandbox.npz("empty.npz", &[("image", &[0, 4, 4], floats(0))]);
    t.refuse("no image at all", "data show empty.npz");
    t.sandbox.npz("nan.npz", &[("image", &[1, 1, 2], Numbers::F32(vec![0.5, f32::NAN]))]);
    t.refuse("a pixel that is no number", "data show nan.npz");
    t.sandbox.npz("far.npz", &[("image", &[1, 1, 2], Numbers::F32(vec![0.5, 1e9]))]);
    t.refuse("a pixel that is far too bright", "data show far.npz");
    t.sandbox.npz(
        "labels.npz",
        &[("image", &[10, 4, 4], floats(160)), ("label", &[3], Numbers::I64(vec![0; 3]))],
    );
    t.refuse("fewer labels than images", "data show labels.npz");
    let n = (1 << 16) + 1;
    let many = Numbers::I64((0..n as i64).collect());
    t.sandbox.npz("many.npz", &[("image", &[n, 1, 1], floats(n)), ("label", &[n], many)]);
    t.refuse(
        "more classes than there can be, to tell apart",
        "train cnn --data many.npz --out cnn",
    );
    t.sandbox.npz(
        "sizes.npz",
        &[("x_train", &[10, 4, 4], floats(160)), ("x_test", &[10, 5, 5], floats(250))],
    );
    t.refuse("parts of two sizes", "data show sizes.npz");
    t.refuse(
        "no image left to train on",
        "train ae --data whole.npz --test-fraction 0.99 --out ae",
    );
    t.refuse("a part that is no fraction", "data show whole.npz --test-fraction 1");
    t.finish();
}

#[test]
fn pictures() {
    let mut t = Table::new("pictures", Sandbox::new());
    std::fs::create_dir(t.sandbox.path("empty")).unwrap();
    t.refuse("an empty folder", "data show empty");
    t.file("texts/notes.txt", "").file("texts/more.txt", "").file("texts/film.mp4", "");
    t.refuse("a folder of other files", "data show texts");
    t.file("broken/a.png", "").file("broken/b.jpg", "no picture").file("broken/c.png", &PNG[..60]);
    t.refuse("damaged pictures alone", "study broken --out study");
    t.file("some/a.png", PNG).file("some/b.png", &PNG[..60]).file("some/c.gif", "GIF89a");
    t.refuse("damaged pictures, which are not to be passed over", "data show some --strict");
    t.file("one/a.png", PNG);
    t.refuse("one picture is too few", "train ae --data one --out ae");
    t.refuse("a study among its pictures", "study some --out some/study");
    t.refuse(
        "a run in the folder of the pictures itself",
        "train ae --data ./some/ --out one/../some",
    );
    t.refuse("a size of none", "data show some --size 0");
    t.refuse("a size in words", "data show some --size large");
    t.refuse("a colour that is none", "data show some --background rose");
    t.refuse("a part that is no fraction", "data show some --test-fraction=-0.1");
    t.finish();
}
