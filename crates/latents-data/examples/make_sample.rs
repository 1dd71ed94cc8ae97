//! Makes the files of `fashion-mnist-sample` from Fashion-MNIST:
//!
//! ```text
//! cargo run --release -p latents-data --example make_sample
//! ```
//!
//! It draws 250 training and 50 test images of each class at random, always the same ones: the random numbers are those of the
//! stream with seed 0 (training) or 1 (test) and purpose `Subset` at the class. The images stay in their original order.

use std::error::Error;
use std::fs;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use latents_data::{Labelled, Locations, Source, idx};
use latents_progress::Monitor;
use latents_random::{Purpose, stream};

fn main() -> Result<(), Box<dyn Error>> {
    let data = Source::FashionMnist.load(&Locations::default(), &Monitor::default())?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample");
    fs::create_dir_all(&folder)?;
    let classes = data.classes.len();
    write_part(&folder, "train", &data.train, classes, 250, 0)?;
    write_part(&folder, "t10k", &data.test, classes, 50, 1)
}

fn write_part(
    folder: &Path,
    name: &str,
    part: &Labelled,
    classes: usize,
    per_class: usize,
    seed: u64,
) -> Result<(), Box<dyn Error>> {
    let labels = part.all_labels().ok_or("no labels")?;
    let mut chosen = Vec::new();
    for class in 0..classes {
        let mut members: Vec<usize> =
            (0..labels.len()).filter(|&i| usize::from(labels[i]) == class).collect();
        stream(seed, Purpose::Subset, class as u64, 0).shuffle(&mut members);
        chosen.extend(members.into_iter().take(per_class));
    }
    chosen.sort_unstable();

    let images = part.images.at(&chosen);
    let labels: Vec<u8> = chosen.iter().map(|&i| labels[i] as u8).collect();

    // The gzip header has no file name and no time, so the files are the same each time.
    let create = |kind: &str| {
        fs::File::create(folder.join(format!("{name}-{kind}-ubyte.gz")))
            .map(|file| GzBuilder::new().write(file, Compression::best()))
    };
    let mut out = create("images-idx3")?;
    idx::write_images(&mut out, &images)?;
    out.finish()?;
    let mut out = create("labels-idx1")?;
    idx::write_labels(&mut out, &labels)?;
    out.finish()?;
    Ok(())
}
