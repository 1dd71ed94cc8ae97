//! What the page says about the tuned autoencoder.

use latents::models::ModelConfig;
use latents::report::{Block, Cell, Finding, PageSection, Show, Tone, slices, trials};

use super::RESIDUAL;
use crate::error::Result;
use crate::results::{Autoencoder, Components, Search};
use crate::stages::BEST_AE;
use crate::words;
use crate::worker::{Context, Worker};

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

/// Test error of the reference's settings of T4 in PyTorch after 42 epochs.
const PYTORCH_TEST: f64 = 0.0100;

/// The part of the page, once its stages are finished.
pub(crate) fn section(worker: &Worker<'_>) -> Result<Option<(PageSection, Vec<Finding>)>> {
    let study = worker.study;
    let results = &study.results;
    let (Some(search), Some(best), Some(components), Some(residual)) = (
        results.get::<Search>("tune-ae")?,
        results.get::<Autoencoder>(BEST_AE)?,
        results.get::<Components>("pca")?,
        results.get::<Autoencoder>(RESIDUAL)?,
    ) else {
        return Ok(None);
    };
    let found = study.trials("tune-ae")?;
    let view = found.view();
    let model = study.run(BEST_AE).config()?.model;
    let latents = model.latents(study.data.shape).map_or(0, |l| l.dim);
    let finding = finding(study, &best, latents)?;
    let linear = linear(&model, latents, &best, &components);
    let mut blocks = vec![
        Block::Paragraph(format!(
            "{} trials of at most {} epochs{}: {} complete, {} pruned by the median rule. The model with the best settings was trained again for {} epochs, with a cosine schedule of the learning rate.",
            search.trials,
            study.budget.trial_epochs,
            if study.budget.is_small() { ", the first with the default settings" } else { "" },
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
            caption: format!(
                "The best settings found; their validation loss is {}.",
                words::error(search.best)
            ),
        },
        Block::Figure {
            id: "F8".into(),
            picture: (&trials("Trials", &view)).into(),
            caption: "Final validation loss of each trial, the best in red.".into(),
            alt: String::new(),
        },
        Block::Figure {
            id: "F8-slices".into(),
            picture: (&slices("Validation loss by parameter", &view)).into(),
            caption: "The same trials by the value of each parameter.".into(),
            alt: String::new(),
        },
    ];
    blocks.extend(found.importances().map(|figure| Block::Figure {
        id: "F8-importances".into(),
        picture: (&figure).into(),
        caption: "How much of the variance among the good trials each parameter explains (PED-ANOVA).".into(),
        alt: String::new(),
    }));
    blocks.extend(compared(worker, latents, [&best, &residual], &components, linear.as_deref())?);
    let mut findings = vec![finding.of("S2")];
    findings.extend(linear.map(|text| Finding::new(Tone::Neutral, text).of("S2")));
    let of_residual = format!(
        "With as many numbers for an image, the residual autoencoder, which starts from principal components, has a test error of {}: {} of the tuned autoencoder's.",
        words::error(residual.test_error),
        words::percent_rounded(residual.test_error / best.test_error),
    );
    findings.push(Finding::new(Tone::Neutral, of_residual).of("S2"));
    Ok(Some((PageSection { id: "S2".into(), title: "Tuning".into(), blocks }, findings)))
}

/// Reconstructions by the tuned and the residual autoencoder, and their errors beside those of principal components.
fn compared(
    worker: &Worker<'_>,
    latents: usize,
    [best, residual]: [&Autoencoder; 2],
    components: &Components,
    linear: Option<&str>,
) -> Result<[Block; 4]> {
    let study = worker.study;
    let reconstructions = |id: &str, run: &str, model: String, error: f64| -> Result<Block> {
        Ok(Block::Figure {
            id: id.into(),
            picture: (&worker.open(run)?.reconstructions_figure(&study.dataset)?).into(),
            caption: format!(
                "Test images and their reconstructions by the {model}; the mean squared error is {}.",
                words::error(error)
            ),
            alt: "Two rows of images: originals above, reconstructions below.".into(),
        })
    };
    let of_reference = "tuned autoencoder (F2, F10a and F10b of the reference)";
    Ok([
        reconstructions("F10", BEST_AE, of_reference.into(), best.test_error)?,
        reconstructions(
            "F10-residual",
            RESIDUAL,
            format!("residual autoencoder with {latents} latent dimensions"),
            residual.test_error,
        )?,
        Block::Paragraph(format!(
            "The residual autoencoder is not of the reference study. It starts from {latents} principal components of the training images, and a network adds what they cannot show; the epoch with the lowest validation loss is kept, so it is never worse than the components on the validation images. It has {} parameters and was trained for {} epochs.",
            words::count(residual.parameters),
            residual.epochs,
        )),
        Block::Table {
            id: "S2-components".into(),
            table: words::components(
                &components.errors,
                |d| format!("{d} principal components"),
                [
                    ("tuned autoencoder", latents, best.test_error),
                    ("residual autoencoder", latents, residual.test_error),
                ],
            ),
            caption: linear.unwrap_or("Principal components of the images that train.").into(),
        },
    ])
}

/// How the tuned autoencoder compares with the untuned one and with the reference.
fn finding(study: &Context, best: &Autoencoder, latents: usize) -> Result<Finding> {
    let error = words::error(best.test_error);
    let untuned =
        study.results.get::<Autoencoder>("ae-adam")?.map_or_else(String::new, |untuned| {
            let part = words::percent_rounded(best.test_error / untuned.test_error);
            format!(", {part} of the untuned one's {}", words::error(untuned.test_error))
        });
    let text = format!(
        "The tuned autoencoder with {latents} latent dimensions has a test error of {error} after {} epochs{untuned}.",
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

/// How the tuned autoencoder compares with as many principal components, if there are as many.
fn linear(
    model: &ModelConfig,
    latents: usize,
    best: &Autoencoder,
    components: &Components,
) -> Option<String> {
    let &(_, pca) = components.errors.iter().find(|(d, _)| *d == latents)?;
    let narrower = match model {
        ModelConfig::Ae(ae) => ae.hidden.iter().any(|&width| width < latents),
        _ => false,
    };
    let verdict = match (pca < best.test_error, narrower) {
        (true, true) => {
            "so a linear map is better, because a hidden layer narrower than the latent vector limits the autoencoder"
        }
        (true, false) => "so a linear map is better",
        (false, _) => "so the autoencoder is better than any linear map of that size",
    };
    let error = words::error(pca);
    Some(format!(
        "{latents} principal components, as many as the autoencoder has latent dimensions, have a test error of {error}, {verdict}."
    ))
}
