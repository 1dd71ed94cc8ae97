//! S2: tuning the autoencoder, and the best of it trained to the end (T4, F8, F2, F10a, F10b), beside principal components.

use anyhow::{Context as _, Result};
use latents::data::{split, spread};
use latents::engine::Schedule;
use latents::explore::{Pca, Rows};
use latents::models::ModelConfig;
use latents::report::{
    Block, Cell, Figure, Finding, ImageView, Section, Show, Table, Tile, Tone, grid, slices, trials,
};
use latents::train::RunConfig;
use latents::tune::TrialState;

use super::lane::{Lane, Study};
use super::results::{Autoencoder, Components, Search};
use super::s1::autoencoder;
use super::stages::Stage;
use super::words;
use crate::commands::figures::reconstructions::one_of_each;
use crate::commands::settings::{AutoencoderFlags, ModelFlags};
use crate::commands::tune::ae::AE;

/// The run of the best settings.
pub(super) const BEST: &str = "ae-best";

/// The stages of this part.
pub(super) fn stages<'a>() -> Vec<Stage<Lane<'a>>> {
    vec![
        Stage {
            name: "tune-ae",
            title: "tuning the autoencoder",
            part: "S2",
            cost: 150.0,
            after: &[],
            run: |lane| {
                let base = base(lane);
                let trials = lane.tune("tune-ae", &AE, &base)?;
                lane.study.results.put("tune-ae", &summary(&trials))
            },
        },
        Stage {
            name: BEST,
            title: "autoencoder, best settings",
            part: "S2",
            cost: 55.0,
            after: &["tune-ae"],
            run: |lane| {
                let best = lane.best("tune-ae", &AE)?;
                let config = lane.config(best, |config| {
                    config.training.epochs = lane.study.budget.refit_epochs;
                    config.training.schedule = Schedule::Cosine;
                });
                let result = autoencoder(lane, BEST, &config)?;
                lane.study.results.put(BEST, &result)
            },
        },
        Stage {
            name: "pca",
            title: "principal components",
            part: "S2",
            cost: 10.0,
            after: &[BEST],
            run: components,
        },
    ]
}

/// What is the same in all trials.
fn base(lane: &Lane<'_>) -> RunConfig {
    lane.config(AutoencoderFlags::base_run(lane.study.data.shape), |config| {
        config.training.epochs = lane.study.budget.trial_epochs;
    })
}

pub(super) fn summary(trials: &crate::commands::tune::results::Results) -> Search {
    let [complete, pruned, failed] =
        [TrialState::Complete, TrialState::Pruned, TrialState::Failed].map(|s| trials.in_state(s));
    let best = trials.history().best().and_then(|t| t.value).unwrap_or(f64::NAN);
    Search { trials: complete + pruned + failed, complete, pruned, failed, best }
}

/// Projects the test images on the principal components of the images that train.
fn components(lane: &Lane<'_>) -> Result<()> {
    let study = lane.study;
    let best = study.run(BEST).config()?;
    let latents = best.model.latents().context("an autoencoder has latents")?;
    let (train, test) = (&study.dataset.train.images, &study.dataset.test.images);
    let numbers: usize = train.shape().iter().product();
    let float = |pixels: &[u8]| pixels.iter().map(|&x| f32::from(x) / 255.0).collect::<Vec<f32>>();
    let (ours, _) = split(train.len(), best.training.validation_fraction, best.training.seed);
    let some = spread(Pca::enough(ours.len(), numbers), ours.len());
    let ours: Vec<f32> = some.flat_map(|i| float(train.image(ours[i] as usize))).collect();
    let test = float(test.pixels());
    // As many as an image has numbers would be the image.
    let most = (numbers - 1).min((ours.len() / numbers).saturating_sub(1));
    let mut wanted: Vec<usize> = [16, 32, 44, 64, 128, 185, latents.dim].into();
    wanted.retain(|&d| d <= most);
    wanted.sort_unstable();
    wanted.dedup();
    let largest = wanted.last().copied().unwrap_or(1);
    let errors = lane.runtime.run(|| -> Result<_> {
        let rows = Rows::new(&ours, numbers)?;
        let test = Rows::new(&test, numbers)?;
        let whole = Pca::fit(rows, largest)?;
        wanted
            .iter()
            .map(|&d| Ok((d, whole.truncated(d).reconstruction_error(test)?)))
            .collect::<Result<Vec<_>>>()
    })?;
    study.results.put("pca", &Components { errors })
}

/// T4 of the reference study.
fn reference(name: &str) -> Cell {
    match name {
        "latent_dim" => Cell::Integer(185),
        "optimizer" => Cell::Text("adam".into()),
        "learning_rate" => Cell::Number(0.0058, Show::UpTo(4)),
        "dropout" => Cell::Number(0.005, Show::UpTo(4)),
        "weight_decay" => Cell::Number(1.038e-5, Show::UpTo(4)),
        _ => Cell::Empty,
    }
}

/// The reference's settings of T4 in PyTorch: test error after 42 epochs.
const PYTORCH_TEST: f64 = 0.0100;

/// What it came to.
pub(super) fn section(lane: &Lane<'_>) -> Result<Option<(Section, Vec<Finding>)>> {
    let study = lane.study;
    let results = &study.results;
    let (Some(search), Some(best), Some(components)) = (
        results.get::<Search>("tune-ae")?,
        results.get::<Autoencoder>(BEST)?,
        results.get::<Components>("pca")?,
    ) else {
        return Ok(None);
    };
    let found = study.trials("tune-ae", &AE)?;
    let plain = found.plain();
    let model = study.run(BEST).config()?.model;
    let latents = model.latents().map_or(0, |l| l.dim);
    let at_same = components.errors.iter().find(|(d, _)| *d == latents).map(|(_, e)| *e);
    let finding = finding(study, &best, latents)?;
    let beside = at_same.map(|pca| {
        let verdict = if pca < best.test_error {
            "so a linear map of as many numbers is better still"
        } else {
            "so the autoencoder makes more of its latents than any linear map could"
        };
        let narrower = match &model {
            ModelConfig::Ae(ae) => ae.hidden.iter().any(|&width| width < latents),
            _ => false,
        };
        let why = if pca < best.test_error && narrower {
            ": the latents are fed by a narrower layer"
        } else {
            ""
        };
        format!(
            "Principal components at the same {latents} dimensions have {}, {verdict}{why}.",
            words::error(pca)
        )
    });

    let blocks = vec![
        Block::Paragraph(format!(
            "{} trials of at most {} epochs{}; {} ran to the end, {} were stopped by the median of those before them. The best was trained again for {} epochs, with a rate that falls as a cosine.",
            search.trials,
            study.budget.trial_epochs,
            if study.budget.is_small() { ", the first with the settings that are not tuned" } else { "" },
            search.complete,
            search.pruned,
            best.epochs
        )),
        Block::Table {
            id: "T4".into(),
            table: words::settings(
                study,
                &found,
                reference,
                [Cell::Text("validation loss".into()), Cell::Empty, Cell::from(search.best)],
            ),
            caption: format!("The best settings found; their validation loss is {}.", words::error(search.best)),
        },
        Block::Figure {
            id: "F8".into(),
            picture: (&trials("Trials", &plain)).into(),
            caption: "Final validation loss of each trial, the best in red.".into(),
            alt: String::new(),
        },
        Block::Figure {
            id: "F8-slices".into(),
            picture: (&slices("Validation loss by parameter", &plain)).into(),
            caption: "The same trials by the value of each parameter.".into(),
            alt: String::new(),
        },
    ]
    .into_iter()
    .chain(found.importances().map(|figure| Block::Figure {
        id: "F8-importances".into(),
        picture: (&figure).into(),
        caption: "How much of the spread among the good trials each parameter explains (PED-ANOVA).".into(),
        alt: String::new(),
    }))
    .chain([
        Block::Figure {
            id: "F10".into(),
            picture: (&reconstructions(lane)?).into(),
            caption: format!(
                "Test images and what the tuned autoencoder makes of them{}; the mean error is {}.",
                if study.is_of_the_reference() { " (F2, F10a and F10b of the reference)" } else { "" },
                words::error(best.test_error)
            ),
            alt: "Two rows of images: originals above, reconstructions below.".into(),
        },
        Block::Table {
            id: "S2-components".into(),
            table: components_table(&components, latents, &best),
            caption: beside.clone().unwrap_or_else(|| "Principal components of the images that train.".into()),
        },
    ])
    .collect();
    let mut findings = vec![finding.of("S2")];
    if let Some(beside) = beside {
        findings.push(Finding::new(Tone::Neutral, beside).of("S2"));
    }
    Ok(Some((Section { id: "S2".into(), title: "Tuning".into(), blocks }, findings)))
}

/// How the tuned autoencoder compares.
fn finding(study: &Study, best: &Autoencoder, latents: usize) -> Result<Finding> {
    let error = words::error(best.test_error);
    let beside = study.results.get::<Autoencoder>("ae-adam")?.map_or_else(String::new, |untuned| {
        let part = words::percent_rounded(best.test_error / untuned.test_error);
        format!(", {part} of the untuned one's {}", words::error(untuned.test_error))
    });
    let text = format!(
        "The tuned autoencoder of {latents} latents has a test error of {error} after {} epochs{beside}.",
        best.epochs
    );
    if !study.is_comparable() {
        return Ok(Finding::new(Tone::Neutral, text));
    }
    let tone = match best.test_error / PYTORCH_TEST {
        ratio if ratio < 0.995 => Tone::Better,
        ratio if ratio < 1.02 => Tone::Same,
        _ => Tone::Worse,
    };
    let theirs = words::error(PYTORCH_TEST);
    Ok(Finding::new(tone, format!("{text} The reference's settings in PyTorch give {theirs}.")))
}

/// The components beside the tuned autoencoder.
fn components_table(components: &Components, latents: usize, best: &Autoencoder) -> Table {
    let row = |name: String, d: usize, error: f64| {
        vec![Cell::Text(name), Cell::Integer(d as i128), Cell::Number(error, Show::Significant(3))]
    };
    let mut rows: Vec<_> = components
        .errors
        .iter()
        .map(|&(d, error)| row(format!("{d} principal components"), d, error))
        .collect();
    rows.push(row("tuned autoencoder".into(), latents, best.test_error));
    let columns = ["model", "dimensions", "test error"].map(str::to_owned).into();
    Table { columns, rows }
}

/// A test image of each class, and what the tuned autoencoder makes of it.
fn reconstructions(lane: &Lane<'_>) -> Result<Figure> {
    let test = &lane.study.dataset.test;
    let (shape, chosen) = (lane.study.data.shape, one_of_each(&lane.study.dataset));
    let index: Vec<u32> = chosen.iter().map(|(i, _)| *i as u32).collect();
    let decoded = lane.open(BEST)?.reconstruct(test, &index)?;
    let original = |&i: &u32| test.images.image(i as usize).iter().map(|&x| f32::from(x) / 255.0);
    let originals: Vec<f32> = index.iter().flat_map(original).collect();
    let rows = [originals, decoded];
    let tiles = rows.each_ref().map(|images| {
        let images = images.chunks_exact(shape.iter().product());
        let named = chosen.iter().zip(images).map(|((_, name), pixels)| Tile {
            caption: name.clone(),
            image: ImageView { shape, pixels },
        });
        named.collect()
    });
    let captions = ["original", "reconstruction"].map(str::to_owned);
    Ok(grid("Reconstructions of test images", &tiles, &captions))
}
