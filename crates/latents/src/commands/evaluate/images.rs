//! The evaluation card of a model with latents: reconstructions, samples, traversals, maps and outliers on the test images. What is
//! measured and how is the library's; here a run's arrays come together, and files are written.

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use latents::engine::{Inputs, Objective, Pass, Targets};
use latents::explore::card::{Card, Subject, Tools};
use latents::explore::extractor::Extractor;
use latents::explore::{Pca, Rows, TsneConfig, tsne};
use latents::models::{importance_bound, posterior};

use crate::Shared;
use crate::commands::explored::Explored;
use crate::commands::{Split, all, stop_on_ctrl_c};
use crate::output::{Output, duration};
use crate::progress::MapProgress;

/// What samples are measured in where there is nothing to train an extractor with; distances in it cannot be held against another model's.
pub(crate) const OWN: &str =
    "this model's own encoder, as there are no labels to train another with";

/// Training images that principal components are found in, and that samples are held against, at most.
const REAL: usize = 20_000;
/// Test images, at least.
pub(crate) const LEAST: usize = 32;
/// Draws of each latent vector for the importance-weighted bound.
const DRAWS: u64 = 50;

pub(super) fn evaluate(dir: &Path, shared: &Shared, output: Output) -> Result<ExitCode> {
    let start = Instant::now();
    let stop = stop_on_ctrl_c()?;
    let mut explored = Explored::open(dir, shared, output)?;
    let card = card(&mut explored, None, &stop, output)?;
    let title = format!("Evaluation of {}", dir.display());
    let markdown = card.markdown(&title);
    latents_files::write(&dir.join("evaluation.json"), &serde_json::to_vec_pretty(&card)?)?;
    latents_files::write(&dir.join("evaluation.md"), markdown.as_bytes())?;
    let seconds = start.elapsed().as_secs_f64();
    let files =
        format!("{} and .json, in {}", dir.join("evaluation.md").display(), duration(seconds));
    output.result(&format!("{markdown}\n{files}"), &card)?;
    Ok(ExitCode::SUCCESS)
}

/// Measures a run. `map` is a t-SNE of the test latents `[n, 2]`, where there is one already.
pub(crate) fn card(
    explored: &mut Explored,
    map: Option<Vec<f32>>,
    stop: &AtomicBool,
    output: Output,
) -> Result<Card> {
    let (shape, d) = (explored.shape(), explored.latents.dim);
    let numbers: usize = shape.iter().product();
    let seed = explored.trained.config.training.seed;
    let runtime = explored.runtime();
    let n = explored.dataset.test.len();
    ensure!(
        n >= LEAST,
        "an evaluation needs at least {LEAST} test images, but {} has {n}",
        explored.trained.dir.display()
    );

    let pixels = explored.pixels(Split::Test);
    let z = explored.encode(Split::Test)?;
    let log_variances = log_variances(explored, d)?;
    let bounds = bounds(explored, seed, stop, output)?;
    let decoded = explored.decode(&z)?;
    let z_train = explored.encode(Split::Train)?;
    let train = Rows::new(&explored.pixels(Split::Train), numbers)?.spread(REAL);

    let mut extractor = train_extractor(explored, seed, stop, output)?;
    let latents = Rows::new(&z, d)?;
    let by_tsne = if let Some(xy) = map {
        xy
    } else {
        output.note("mapping the latents");
        let config = TsneConfig { seed, ..Default::default() };
        let mut bar = MapProgress::new(output);
        let mut show = |progress| bar.show(progress);
        let made = runtime.run(|| tsne(latents, &config, stop, &mut show));
        bar.finish();
        made?.xy
    };
    let by_pca = runtime.run(|| Pca::fit(latents, d.min(2))?.transform(latents))?;
    let maps = [("t-SNE", Rows::new(&by_tsne, 2)?), ("PCA", Rows::new(&by_pca, d.min(2))?)];

    let labels = explored.dataset.test.labels.clone();
    let classes = explored.dataset.classes.len();
    let subject = Subject {
        images: Rows::new(&pixels, numbers)?,
        shape,
        labels: labels.as_deref().map(|l| (l, classes)),
        latents,
        log_variances: log_variances.as_deref().map(|l| Rows::new(l, d)).transpose()?,
        reconstructions: Rows::new(&decoded, numbers)?,
        train: Rows::new(&train, numbers)?,
        train_latents: Rows::new(&z_train, d)?,
        bounds: bounds.as_ref().map(|(elbo, iwae)| (&elbo[..], &iwae[..], DRAWS)),
        maps: &maps,
        seed,
    };
    let description = match &extractor {
        Some(extractor) => extractor.description(),
        None => OWN.into(),
    };
    let extractor = std::cell::RefCell::new(&mut extractor);
    let explored = std::cell::RefCell::new(explored);
    let mut tools: Tools<'_, anyhow::Error> = Tools {
        decode: &mut |z| {
            go_on(stop)?;
            explored.borrow_mut().decode(z)
        },
        features: &mut |images| {
            if let Some(extractor) = extractor.borrow_mut().as_mut() {
                return Ok((extractor.features(images)?, extractor.dim()));
            }
            Ok((explored.borrow_mut().encode_values(images)?, d))
        },
        opinion: &mut |images| {
            let mut extractor = extractor.borrow_mut();
            let Some(extractor) = extractor.as_mut() else { return Ok(None) };
            let features = extractor.features(images)?;
            let opinion = extractor.opinion(&features)?;
            Ok(Some((opinion.class, opinion.confidence)))
        },
        extractor: description,
        progress: &mut |what| output.note(&format!("measuring {what}")),
    };
    Card::measure(&subject, &mut tools)
}

fn go_on(stop: &AtomicBool) -> Result<(), latents::explore::Error> {
    if stop.load(Ordering::Relaxed) { Err(latents::explore::Error::Stopped) } else { Ok(()) }
}

/// Log-variances `[n, d]` of the test images' posteriors, of a variational model.
fn log_variances(explored: &mut Explored, d: usize) -> Result<Option<Vec<f32>>> {
    let trained = &mut explored.trained;
    let Some(layers) = posterior(trained.engine.layout()) else { return Ok(None) };
    let mut index = vec![];
    let inputs: Inputs<'_, f32> = all(&explored.dataset.test, &mut index);
    let both = trained.engine.forward_layers(&trained.parameters, inputs, layers)?;
    Ok(Some(both.chunks_exact(2 * d).flat_map(|row| row[d..].to_vec()).collect()))
}

/// The evidence bound of each test image `[n]`, with one draw of its latent vector, and its importance-weighted bound with
/// [`DRAWS`], in nats, of a variational model. Both are of log p(x), whatever weight training gave the divergence.
#[allow(clippy::type_complexity)] // Two lists of numbers.
fn bounds(
    explored: &mut Explored,
    seed: u64,
    stop: &AtomicBool,
    output: Output,
) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
    let trained = &mut explored.trained;
    if posterior(trained.engine.layout()).is_none() {
        return Ok(None);
    }
    output.note("bounding the likelihood");
    let objective = Objective { weight: 1.0, free_bits: 0.0, ..trained.config.model.objective() };
    let (engine, parameters) = (&mut trained.engine, &trained.parameters);
    let test = &explored.dataset.test;
    let index: Vec<u32> = (0..test.len() as u32).collect();
    let inputs = || Inputs::Bytes { pixels: test.images.pixels(), index: &index };
    let pass = Pass::Sample { seed, draw: 0 };
    let losses = engine.losses(parameters, inputs(), Targets::Inputs, objective, pass)?;
    let elbo = losses.fit.iter().zip(&losses.penalty).map(|(fit, kl)| -fit - kl).collect();
    go_on(stop)?;
    let iwae = importance_bound(engine, parameters, inputs(), objective, seed, DRAWS)?;
    Ok(Some((elbo, iwae)))
}

fn train_extractor(
    explored: &Explored,
    seed: u64,
    stop: &AtomicBool,
    output: Output,
) -> Result<Option<Extractor>> {
    let (part, classes) = (&explored.dataset.train, explored.dataset.classes.len());
    let Some(labels) = part.labels.as_ref().filter(|_| classes > 1) else { return Ok(None) };
    output.note("training a small classifier for its features");
    let mut watch = |_, _| stop.load(Ordering::Relaxed);
    let (pixels, shape, runtime) = (part.images.pixels(), explored.shape(), explored.runtime());
    Ok(Some(Extractor::train(pixels, labels, shape, classes, seed, &runtime, &mut watch)?))
}
