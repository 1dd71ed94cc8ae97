//! Draws one figure of each kind into a folder, to be looked at: `cargo run -p latents-report --example gallery -- DIR`.
//! The numbers and pictures are made up here; nothing is trained.

use std::path::PathBuf;

use latents_report::{Curve, Error, ImageView, Tile, curves, grid, strip};

fn main() -> Result<(), Error> {
    let dir = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "gallery".into()));

    let adam = [(1, 0.0562), (2, 0.0342), (5, 0.0263), (10, 0.0233), (20, 0.0215), (42, 0.0207)];
    let sgd = [(1, 0.183), (10, 0.162), (42, 0.131)];
    let four = [
        curve("Adam, train", 0, false, &adam, 1.16),
        curve("Adam, validation", 0, true, &adam, 1.0),
        curve("SGD, train", 1, false, &sgd, 1.02),
        curve("SGD, validation", 1, true, &sgd, 1.0),
    ];
    let loss = "mean squared error";
    curves("Reconstruction loss: Adam against SGD", "epoch", loss, &four).save(&dir, "loss-log")?;
    curves("Reconstruction loss with Adam", "epoch", loss, &four[..2]).save(&dir, "loss-linear")?;

    let many: Vec<Curve> = (0..24)
        .map(|i| {
            curve(
                &format!("trial {i}, d {}", 8 * (i + 1)),
                i,
                i % 2 == 1,
                &adam,
                1.0 + i as f64 * 0.07,
            )
        })
        .collect();
    curves("Validation loss of the trials", "epoch", loss, &many).save(&dir, "loss-many")?;

    let noisy: Vec<(f64, f64)> = (0..10_000)
        .map(|i| {
            (
                f64::from(i),
                2.0 / (1.0 + f64::from(i) / 50.0) * (1.2 + (f64::from(i) * 12.9898).sin() * 0.2),
            )
        })
        .collect();
    let long = Curve { name: "batch loss".into(), points: noisy, dashed: false, group: 2 };
    curves("Ten thousand batches", "batch", "loss", &[long]).save(&dir, "loss-long")?;

    let gaps =
        vec![(1.0, 3.0), (2.0, f64::NAN), (3.0, 2.0), (4.0, 1.8), (5.0, f64::INFINITY), (6.0, 1.5)];
    let odd = [
        Curve { name: "with gaps <script>".into(), points: gaps, dashed: false, group: 0 },
        Curve { name: "one point".into(), points: vec![(4.0, 2.5)], dashed: false, group: 1 },
        Curve { name: "empty".into(), points: vec![], dashed: true, group: 2 },
    ];
    curves("Gaps & single points", "epoch", "loss", &odd).save(&dir, "loss-odd")?;
    curves("Nothing yet", "epoch", "loss", &[]).save(&dir, "loss-empty")?;

    let epochs = [None, Some(1), Some(2), Some(3), Some(5), Some(10), Some(20), Some(30), Some(42)];
    let frames: Vec<Vec<f32>> =
        epochs.iter().map(|e| bag(e.map_or(0.0, |e| 5.0 / e as f32))).collect();
    let tiles: Vec<Tile<'_>> = epochs
        .iter()
        .zip(&frames)
        .map(|(e, pixels)| Tile {
            caption: e.map_or("original".into(), |e| format!("epoch {e}")),
            image: ImageView { shape: [1, 28, 28], pixels },
        })
        .collect();
    strip("One image through the epochs (Adam)", &tiles).save(&dir, "strip")?;
    strip("First epochs", &tiles[..4]).save(&dir, "strip-short")?;

    let names = ["bag", "wide bag of another kind", "coloured"].map(String::from);
    let colour: Vec<f32> = (0..3).flat_map(|c| bag(c as f32)).collect();
    let shown = [(&frames[0], 1, &frames[5]), (&frames[0], 1, &frames[7]), (&colour, 3, &colour)];
    let rows: Vec<Vec<Tile<'_>>> = shown
        .iter()
        .map(|&(original, c, reconstruction)| {
            [("original", original), ("reconstruction", reconstruction)]
                .map(|(caption, pixels)| Tile {
                    caption: caption.into(),
                    image: ImageView { shape: [c, 28, 28], pixels },
                })
                .into()
        })
        .collect();
    grid("Originals and reconstructions", &rows, &names).save(&dir, "grid")
}

/// A curve through `knots`, smooth in the logarithms, with the jitter of training.
fn curve(name: &str, group: usize, dashed: bool, knots: &[(u32, f64)], factor: f64) -> Curve {
    let last = knots[knots.len() - 1].0;
    let points = (1..=last)
        .map(|epoch| {
            let x = f64::from(epoch).ln();
            let after = knots.iter().position(|k| k.0 >= epoch).unwrap_or(0).max(1);
            let ((a, from), (b, to)) = (knots[after - 1], knots[after]);
            let (a, b) = (f64::from(a).ln(), f64::from(b).ln());
            let y = from.ln() + (to / from).ln() * (x - a) / (b - a);
            let jitter = 1.0 + 0.006 * (f64::from(epoch) * (7.0 + factor)).sin();
            (f64::from(epoch), y.exp() * factor * jitter)
        })
        .collect();
    Curve { name: name.into(), points, dashed, group }
}

/// A drawing of a bag, 28 x 28, with edges `blur` pixels soft.
fn bag(blur: f32) -> Vec<f32> {
    let soft = |distance: f32| 1.0 / (1.0 + (distance / (0.2 + blur)).exp());
    (0..28 * 28)
        .map(|i| {
            let (x, y) = ((i % 28) as f32 - 13.5, (i / 28) as f32 - 13.5);
            let body = soft((x.abs() - 9.0).max((y - 4.0).abs() - 6.5));
            let handle = soft(((x * x + (y + 3.0) * (y + 3.0)).sqrt() - 7.5).abs() - 1.0);
            let clasp = soft((x.abs() - 1.5).max((y - 1.0).abs() - 1.5));
            (body * (0.75 - 0.45 * clasp) + handle * 0.6 * soft(y + 3.0)).min(1.0)
        })
        .collect()
}
