//! How many images a second augmentation changes on one core: `cargo run --release -p latents-data --example bench_augment`.

use std::time::Instant;

use latents_data::{Augmentation, Augmented, Locations, Mix, Source};

fn main() -> Result<(), latents_data::Error> {
    let data = Source::FashionMnistSample.load(&Locations::nowhere(), &mut |_| {})?;
    let images = &data.train.images;
    let index: Vec<u32> = (0..256).collect();
    let usual = Augmentation { flip: 0.5, shift: 2, erase: 0.25, ..Augmentation::default() };
    let turned = Augmentation { rotation: 10.0, ..usual };
    let mixed = Augmentation { mix: Some(Mix::Mixup { alpha: 0.2 }), ..turned };
    for (name, augmentation) in [
        ("flip, shift, erase", usual),
        ("flip, shift, erase, rotation", turned),
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
