//! Measures augmentation on one core, in images/s: `cargo bench -p latents-data`.

use std::time::Instant;

use latents_data::{Augmentation, Augmented, Locations, Mix, Source};
use latents_progress::Monitor;

fn main() -> Result<(), latents_data::Error> {
    let data = Source::FashionMnistSample.load(&Locations::nowhere(), &Monitor::default())?;
    let images = &data.train.images;
    let index: Vec<u32> = (0..256).collect();
    let common = Augmentation { flip: 0.5, shift: 2, erase: 0.25, ..Augmentation::default() };
    let rotated = Augmentation { rotation: 10.0, ..common };
    let mixed = Augmentation { mix: Some(Mix::Mixup { alpha: 0.2 }), ..rotated };
    for (name, augmentation) in [
        ("flip, shift, erase", common),
        ("flip, shift, erase, rotation", rotated),
        ("flip, shift, erase, rotation, mixup", mixed),
    ] {
        let mut out = Augmented::default();
        let mut times: Vec<f64> = (0..200)
            .map(|epoch| {
                let start = Instant::now();
                augmentation.apply(images, &index, 1, epoch, &mut out);
                start.elapsed().as_secs_f64()
            })
            .collect();
        times.sort_by(f64::total_cmp);
        #[allow(clippy::print_stdout)]
        {
            println!("{name}: {:.0} images/s", 256.0 / times[times.len() / 2]);
        }
    }
    Ok(())
}
