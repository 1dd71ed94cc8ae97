//! Draws figures of every kind into a folder, for inspection: `cargo run -p latents-report --example gallery -- DIR`.
//! The numbers and pictures are made up; nothing is trained.

use std::path::{Path, PathBuf};

use latents_report::{
    Curve, Error, ImageView, ParameterKind, ParameterView, StudyView, Tile, TrialOutcome,
    TrialView, curves, grid, importances, parallel_coordinates, slices, strip, trials,
};

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
    curves("Reconstruction loss: Adam against SGD", "epoch", loss, &four)
        .save_both(&dir, "loss-log")?;
    curves("Reconstruction loss with Adam", "epoch", loss, &four[..2])
        .save_both(&dir, "loss-linear")?;

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
    curves("Validation loss of the trials", "epoch", loss, &many).save_both(&dir, "loss-many")?;

    let noisy: Vec<(f64, f64)> = (0..10_000)
        .map(|i| {
            (
                f64::from(i),
                2.0 / (1.0 + f64::from(i) / 50.0) * (1.2 + (f64::from(i) * 12.9898).sin() * 0.2),
            )
        })
        .collect();
    let long = Curve { name: "batch loss".into(), points: noisy, dashed: false, group: 2 };
    curves("Ten thousand batches", "batch", "loss", &[long]).save_both(&dir, "loss-long")?;

    let gaps =
        vec![(1.0, 3.0), (2.0, f64::NAN), (3.0, 2.0), (4.0, 1.8), (5.0, f64::INFINITY), (6.0, 1.5)];
    let odd = [
        Curve { name: "with gaps <script>".into(), points: gaps, dashed: false, group: 0 },
        Curve { name: "one point".into(), points: vec![(4.0, 2.5)], dashed: false, group: 1 },
        Curve { name: "empty".into(), points: vec![], dashed: true, group: 2 },
    ];
    curves("Gaps & single points", "epoch", "loss", &odd).save_both(&dir, "loss-odd")?;
    curves("Nothing yet", "epoch", "loss", &[]).save_both(&dir, "loss-empty")?;

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
    strip("One image through the epochs (Adam)", &tiles).save_both(&dir, "strip")?;
    strip("First epochs", &tiles[..4]).save_both(&dir, "strip-short")?;

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
    grid("Originals and reconstructions", &rows, &names).save_both(&dir, "grid")?;
    studies(&dir)
}

/// Figures of studies of several sizes, some of them hard to draw.
fn studies(dir: &Path) -> Result<(), Error> {
    let shown = [("1", 1, 2), ("3", 3, 4), ("20", 20, 5), ("500", 500, 8), ("10000", 10_000, 1)];
    for (stem, count, parameters) in shown {
        let study = study(count, parameters);
        let plural = if count == 1 { "" } else { "s" };
        let title = format!("Autoencoder on Fashion-MNIST, {count} trial{plural}");
        draw(dir, stem, &title, &study)?;
    }
    let mut accuracy = study(60, 3);
    accuracy.objective = "accuracy of a linear probe on the validation images".into();
    accuracy.lower_is_better = false;
    for trial in &mut accuracy.trials {
        trial.value = trial.value.map(|v| 0.91 - 3.0 * v);
    }
    draw(dir, "maximise", "Linear probe", &accuracy)?;

    let mut long = study(100, 12);
    for (i, parameter) in long.parameters.iter_mut().enumerate() {
        let block = ["encoder", "decoder", "optimizer.schedule"][i % 3];
        parameter.name = format!("{block}.{} of the second stage", parameter.name);
        if let ParameterKind::Choices(names) = &mut parameter.kind {
            for name in names {
                *name = format!("{name} with a long description");
            }
        }
    }
    draw(dir, "long-names", "Twelve parameters with long names", &long)?;

    let mut huge = study(40, 6);
    huge.objective = "loss".into();
    for (i, trial) in huge.trials.iter_mut().enumerate() {
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][i % 3];
        trial.value =
            if i % 7 == 3 { Some(odd) } else { trial.value.map(|v| (v * 800.0).exp() * 1e-12) };
        trial.params[3] = Some(odd).filter(|_| i % 5 == 0).or(trial.params[3]);
    }
    draw(dir, "huge", "Values over many orders, some no numbers", &huge)?;
    for trial in &mut huge.trials {
        trial.value = trial.value.map(|v| -10.0 - v.min(1e9).ln());
    }
    draw(dir, "negative", "Negative values", &huge)?;
    let mut choices = study(200, 2);
    let names = (0..40).map(|i| format!("resnet-{i} with {} blocks", i % 7)).collect();
    choices.parameters[1].kind = ParameterKind::Choices(names);
    for (i, trial) in choices.trials.iter_mut().enumerate() {
        trial.params[1] = Some((noise(i) * 40.0).floor());
    }
    draw(dir, "choices", "Forty choices", &choices)?;
    let one = study(50, 1);
    parallel_coordinates("One parameter", &one).save_both(dir, "parallel-one")?;
    slices("One parameter", &one).save_both(dir, "slices-one")?;
    draw(dir, "empty", "Nothing yet", &study(0, 3))?;

    let shares = [0.512, 0.2217, 0.131, 0.0871, 0.0316, 0.012, 0.0039, 0.000_021];
    let bars = |name: &dyn Fn(&str) -> String| -> Vec<(String, f64)> {
        let parameters = space().into_iter().map(|p| name(&p.name));
        parameters.zip(shares).collect()
    };
    let plain = bars(&str::to_owned);
    importances("Importances", "share of variance (fANOVA)", &plain)
        .save_both(dir, "importances")?;
    importances("One", "importance", &plain[..1]).save_both(dir, "importances-one")?;
    importances("None", "importance", &[]).save_both(dir, "importances-none")?;
    let mut odd = bars(&|name| format!("encoder.block_3.{name} of the second stage of training"));
    odd[1].1 = f64::NAN;
    odd[2].1 = -0.08;
    odd[5].1 = -0.000_3;
    importances("Long names & negative values", "loss of accuracy", &odd)
        .save_both(dir, "importances-odd")?;
    Ok(())
}

fn draw(dir: &Path, stem: &str, title: &str, study: &StudyView) -> Result<(), Error> {
    trials(title, study).save_both(dir, &format!("trials-{stem}"))?;
    if study.trials.len() > 1_000 {
        return Ok(());
    }
    parallel_coordinates(title, study).save_both(dir, &format!("parallel-{stem}"))?;
    slices(title, study).save_both(dir, &format!("slices-{stem}"))?;
    Ok(())
}

/// Twelve parameters of an autoencoder.
fn space() -> Vec<ParameterView> {
    let number = |name: &str, log| (name.to_owned(), ParameterKind::Number { log });
    let choices = |name: &str, names: &[&str]| {
        (name.to_owned(), ParameterKind::Choices(names.iter().map(|&n| n.to_owned()).collect()))
    };
    let all = [
        number("learning_rate", true),
        choices("optimizer", &["adam", "adamw", "sgd", "rmsprop"]),
        number("latent_dim", false),
        number("weight_decay", true),
        choices("activation", &["relu", "leaky_relu", "gelu", "silu", "tanh"]),
        number("batch_size", true),
        number("dropout", false),
        choices("schedule", &["constant", "cosine with warm restarts", "linear"]),
        number("beta1", false),
        number("channels", true),
        choices("skip", &["true", "false"]),
        number("offset", false),
    ];
    all.map(|(name, kind)| ParameterView { name, kind }).into()
}

/// A study of the first `parameters` of the space. Its values fall as if a sampler had learnt.
fn study(count: usize, parameters: usize) -> StudyView {
    let trial = |i: usize| {
        let draw = |k: usize| noise(i * 31 + k * 7 + 3);
        let skill = 1.0 - 1.0 / (1.0 + i as f64 / 20.0);
        let rate = -3.0 + (draw(0) * 4.0 - 2.2) * (1.0 - 0.7 * skill);
        let optimizer = (draw(1) * (4.0 - 2.5 * skill)).floor();
        let latent = (4.0 + draw(2) * 60.0).floor();
        let params = [
            10.0_f64.powf(rate),
            optimizer,
            latent,
            10.0_f64.powf(draw(3) * 5.0 - 7.0),
            (draw(4) * 5.0).floor(),
            (2.0_f64).powf((4.0 + draw(5) * 6.0).floor()),
            draw(6) * 0.5,
            (draw(7) * 3.0).floor(),
            0.85 + draw(8) * 0.14,
            (2.0_f64).powf((3.0 + draw(9) * 4.0).floor()),
            (draw(10) * 2.0).floor(),
            draw(11) * 4e4 - 3e4,
        ];
        let value = 0.0204
            + 0.02 * (rate + 3.0) * (rate + 3.0)
            + 0.004 * optimizer
            + 0.1 / latent
            + 0.004 * draw(12);
        let outcome = match i % 10 {
            7 => TrialOutcome::Failed,
            3 | 5 if i > 3 => TrialOutcome::Pruned,
            _ => TrialOutcome::Complete,
        };
        let late = if outcome == TrialOutcome::Pruned { value * 1.3 } else { value };
        TrialView {
            number: i as u64,
            outcome,
            value: Some(late).filter(|_| outcome != TrialOutcome::Failed),
            // Only some optimizers have the parameter at index 3.
            params: params
                .into_iter()
                .take(parameters)
                .enumerate()
                .map(|(k, v)| Some(v).filter(|_| k != 3 || optimizer < 2.0))
                .collect(),
        }
    };
    StudyView {
        objective: "validation loss".into(),
        lower_is_better: true,
        parameters: space().into_iter().take(parameters).collect(),
        trials: (0..count).map(trial).collect(),
    }
}

/// A pseudorandom number in `0..1`.
fn noise(seed: usize) -> f64 {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    ((mixed ^ (mixed >> 32)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A curve through `knots`, interpolated in the logarithms, with some noise.
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

/// A drawing of a bag of 28 x 28 pixels, with edges blurred by `blur` pixels.
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
