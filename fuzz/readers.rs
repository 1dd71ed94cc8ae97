//! Every reader of files that users bring, fed with any bytes: each may refuse them, and none may panic; each says whether it took them. The fuzz targets and a test of
//! the command share these.

use std::path::Path;

use ::latents::data::{Locations, Pictures, Source, idx, npz};
use ::latents::models::Tensors;
use ::latents::train::RunConfig;

/// Images or labels in IDX.
pub(crate) fn idx(bytes: &[u8]) -> bool {
    let images = idx::parse_images(bytes, Path::new("images")).is_ok();
    idx::parse_labels(bytes, Path::new("labels")).is_ok() || images
}

/// Latents with labels, or a data set, in an `.npz` file.
pub(crate) fn npz(bytes: &[u8]) -> bool {
    with_file("data.npz", bytes, |file| {
        let latents = npz::read_f32(file, "z").is_ok();
        let labels = npz::read_labels(file, "labels").is_ok();
        load(&format!("npz:{}", file.display())) || latents && labels
    })
}

/// A picture in a folder, under the name of each kind.
pub(crate) fn picture(bytes: &[u8]) -> bool {
    with_file("a.png", bytes, |file| {
        let folder = file.parent().expect("a folder");
        for kind in ["jpg", "gif", "webp"] {
            std::fs::write(file.with_extension(kind), bytes).expect("a scratch file");
        }
        load(&format!("folder:{}", folder.display()))
    })
}

/// Weights.
pub(crate) fn safetensors(bytes: &[u8]) -> bool {
    with_file("model.safetensors", bytes, |file| Tensors::load(file).is_ok())
}

/// Settings.
pub(crate) fn config(bytes: &[u8]) -> bool {
    let mut base = RunConfig::default();
    base.data.shape = [1, 28, 28];
    let config = base.overlaid(&String::from_utf8_lossy(bytes));
    config.is_ok_and(|config| config.check().is_ok())
}

fn load(source: &str) -> bool {
    let pictures = Pictures { size: Some([4, 4]), test_fraction: 0.0, ..Pictures::default() };
    let source = source.parse::<Source>().expect("a source");
    source.load_with(&pictures, &Locations::nowhere(), &mut |_| {}).is_ok()
}

fn with_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> bool) -> bool {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let file = folder.path().join(name);
    std::fs::write(&file, bytes).expect("a scratch file");
    read(&file)
}
