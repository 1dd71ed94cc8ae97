//! What images other than the reference study's have in place of S1 and S2: a residual autoencoder, principal components to compare it with,
//! and how many dimensions are enough.

use latents::RunConfig;
use latents::explore::{Pca, Rows};
use latents::figures::losses;
use latents::report::{Block, Curve, Finding, PageSection, Tone, curves, log_curves};
use latents::train::choose_augmentation;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::few;
use crate::results::{Autoencoder, StageOutput};
use crate::stages::{BEST_AE, Stage};
use crate::words;
use crate::worker::{Context, Worker};

/// The stage of principal components.
const COMPONENTS: &str = "components";
/// Numbers of components that are compared, besides the model's own number of dimensions.
const DIMENSIONS: [usize; 9] = [2, 4, 8, 16, 32, 64, 128, 256, 512];
/// Shares of the variance that are told with the number of components that they need.
const SHARES: [f64; 2] = [0.9, 0.95];

/// Principal components of all training images.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Linear {
    /// Numbers of components and their errors on the test images, limited to the range of pixels.
    errors: Vec<(usize, f64)>,
    /// Shares of the variance of the training images, and how many components they need; of those that the computed components reach.
    enough: Vec<(f64, usize)>,
}

impl StageOutput for Linear {}

/// The stages of this part.
pub(crate) fn stages<'a>() -> Vec<Stage<Worker<'a>>> {
    vec![
        Stage {
            name: BEST_AE,
            title: "residual autoencoder",
            part: "S2",
            cost: 100.0,
            after: &[],
            run: |worker| {
                let config = config(worker)?;
                worker.autoencoder(BEST_AE, &config)
            },
        },
        Stage {
            name: COMPONENTS,
            title: "principal components",
            part: "S2",
            cost: 10.0,
            after: &[],
            run: components,
        },
    ]
}

/// The default settings of the autoencoder for the collection, with the augmentation that suits it and as many epochs as the budget allows.
pub(crate) fn config(worker: &Worker<'_>) -> Result<RunConfig> {
    let study = worker.study;
    let mut config = worker.for_collection("ae", study.budget.residual_share)?;
    let runtime = worker.session.runtime()?;
    let choose = || choose_augmentation(&config, &study.dataset, worker.session.monitor());
    let chosen = runtime.run(choose).map_err(latents::Error::from)?;
    if let Some(augmentation) = chosen {
        config.training.augmentation = augmentation;
    }
    Ok(config)
}

/// Measures components on the test images.
fn components(worker: &Worker<'_>) -> Result<()> {
    let study = worker.study;
    let (train, test) = (&study.dataset.train.images, &study.dataset.test.images);
    let shape = study.data.shape;
    let numbers: usize = shape.iter().product();
    let model = RunConfig::for_collection("ae", shape, train.len())?.model;
    let dim = model.latents(shape).map_or(1, |latents| latents.dim);
    let mut wanted: Vec<usize> = DIMENSIONS.into_iter().chain([dim]).collect();
    wanted.retain(|&d| d < numbers.min(train.len()));
    wanted.sort_unstable();
    wanted.dedup();
    let most = wanted.last().copied().unwrap_or(1);
    let (train, test) = (train.to_unit(), test.to_unit());
    let linear = worker.session.runtime()?.run(|| -> Result<_> {
        let all = Pca::fit(Rows::new(&train, numbers)?, most, &worker.session)?;
        let test = Rows::new(&test, numbers)?;
        let error = |&d: &usize| Ok((d, all.truncated(d).clipped_reconstruction_error(test)?));
        let errors = wanted.iter().map(error).collect::<Result<_>>()?;
        let ratios = all.explained_variance_ratio();
        let needed = |&share: &f64| {
            let mut sum = 0.0;
            let reached = |ratio: &f64| {
                sum += ratio;
                sum >= share
            };
            Some((share, ratios.iter().position(reached)? + 1))
        };
        Ok(Linear { errors, enough: SHARES.iter().filter_map(needed).collect() })
    })?;
    study.results.put(COMPONENTS, &linear)
}

/// The part of the page, once its stages are finished.
pub(crate) fn section(worker: &Worker<'_>) -> Result<Option<(PageSection, Vec<Finding>)>> {
    let study = worker.study;
    let results = &study.results;
    let (Some(best), Some(linear)) =
        (results.get::<Autoencoder>(BEST_AE)?, results.get::<Linear>(COMPONENTS)?)
    else {
        return Ok(None);
    };
    let run = study.run(BEST_AE);
    let (config, metrics) = (run.config()?, run.metrics()?);
    let dim = config.model.latents(config.data.shape).map_or(0, |latents| latents.dim);
    let augmentation = &config.training.augmentation;
    let changed = match (augmentation.flip > 0.0, augmentation.shift > 0) {
        (true, true) => ", and of flipped and shifted copies of them",
        (true, false) => ", and of flipped copies of them",
        (false, true) => ", and of shifted copies of them",
        (false, false) => "",
    };
    let reconstructions = worker.open(BEST_AE)?.reconstructions_figure(&study.dataset)?;
    let mut blocks = vec![
        Block::Paragraph(format!(
            "The model describes an image by {dim} numbers: its coordinates along principal components of the training images{changed}. What the components alone cannot show is added by a network, which is 0 before training; the epoch with the lowest validation loss is kept, so the model is never worse than the components on the validation images. It has {} parameters and was trained for {} epochs.",
            words::count(best.parameters),
            best.epochs,
        )),
        Block::Figure {
            id: "F10".into(),
            picture: (&reconstructions).into(),
            caption: format!(
                "Test images and their reconstructions; the mean squared error is {}.",
                words::error(best.test_error)
            ),
            alt: "Two rows of images: originals above, reconstructions below.".into(),
        },
        Block::Figure {
            id: "S2-dimensions".into(),
            picture: (&dimensions_figure(&linear, dim, best.test_error)).into(),
            caption: dimensions(&linear),
            alt: "Test error of principal components by their number, and of the model.".into(),
        },
        Block::Table {
            id: "S2-components".into(),
            table: words::components(
                &linear.errors,
                |_| "principal components".into(),
                [("residual autoencoder", dim, best.test_error)],
            ),
            caption: "Error on the test images, limited to the range of pixels.".into(),
        },
        Block::Figure {
            id: "F1".into(),
            picture: (&curves(
                "Reconstruction loss",
                "epoch",
                "mean squared error",
                &losses("residual autoencoder", &metrics, 0),
            ))
                .into(),
            caption: "Loss by epoch; epoch 0 is that of the principal components.".into(),
            alt: String::new(),
        },
    ];
    let mut findings = vec![finding(study, &best, &linear, dim).of("S2")];
    if study.few.is_some() {
        let Some((table, finding)) = few::of_autoencoder(study)? else { return Ok(None) };
        blocks.insert(1, table);
        findings = vec![finding];
    }
    Ok(Some((PageSection { id: "S2".into(), title: "Reconstruction".into(), blocks }, findings)))
}

/// How the model compares with as many components, and with more.
fn finding(study: &Context, best: &Autoencoder, linear: &Linear, dim: usize) -> Finding {
    let error = words::error(best.test_error);
    let Some(&(_, same)) = linear.errors.iter().find(|(d, _)| *d == dim) else {
        let text = format!(
            "With {dim} numbers for an image, the residual autoencoder has a test error of {error}; {} training images do not have as many principal components.",
            words::count(study.dataset.train.len())
        );
        return Finding::new(Tone::Neutral, text);
    };
    let components = words::error(same);
    if best.test_error >= same {
        let text = format!(
            "{dim} principal components describe these images with a test error of {components}, and the residual autoencoder on top of them is not better ({error})."
        );
        return Finding::new(Tone::Neutral, text);
    }
    let share = words::percent_rounded(best.test_error / same);
    let more = linear.errors.iter().find(|(_, other)| *other <= best.test_error);
    let instead = match (more, linear.errors.last()) {
        (Some((d, _)), _) => format!("; it takes between {dim} and {d} components to be as good"),
        (None, Some((d, _))) if *d > dim => format!("; not even {d} components are as good"),
        _ => String::new(),
    };
    Finding::new(
        Tone::Neutral,
        format!(
            "The best model of these images is the residual autoencoder: with {dim} numbers for an image its test error is {error}, {share} of that of {dim} principal components ({components}){instead}."
        ),
    )
}

/// How many components some shares of the variance need, as a sentence.
fn dimensions(linear: &Linear) -> String {
    let one = |(share, d): &(f64, usize)| {
        format!("{} of the variance is in the first {d}", words::percent(*share))
    };
    let known: Vec<String> = linear.enough.iter().map(one).collect();
    let known = if known.is_empty() {
        "Fewer components than were computed do not have nine tenths of the variance".to_owned()
    } else {
        words::list(&known)
    };
    format!("Error of principal components by their number. Of the training images, {known}.")
}

fn dimensions_figure(linear: &Linear, dim: usize, error: f64) -> latents::report::Figure {
    let points = |points: Vec<(f64, f64)>, name: &str, group| Curve {
        name: name.into(),
        points,
        dashed: false,
        group,
    };
    let of_linear = linear.errors.iter().map(|&(d, error)| (d as f64, error)).collect();
    let lines = [
        points(of_linear, "principal components", 1),
        points(vec![(dim as f64, error)], "residual autoencoder", 0),
    ];
    log_curves("Test error by dimensions", "dimensions", "mean squared error", &lines)
}
