//! What the page says about the variational autoencoder, and how it compares with the autoencoder.

use latents::evaluate::OWN_ENCODER;
use latents::explore::card::{Card, SampleMeasures, SamplerScore};
use latents::figures::loss;
use latents::report::{Block, Cell, Finding, PageSection, Show, Table, Tone};
use latents::{Interpolation, LatentPoint, Part, Sampler, Samples};

use super::{BEST, TUNING};
use crate::error::Result;
use crate::results::{Autoencoder, Mapped, Search};
use crate::s4::{how_measured, measures_table};
use crate::words;
use crate::worker::{Context, Worker};

/// Images along each side of a square among four.
const SIDE: usize = 8;
/// Random images that are shown.
const SHOWN: usize = 80;

/// T7 of the reference study.
fn reference(name: &str) -> Cell {
    match name {
        "latent_dim" => Cell::Integer(44),
        "optimizer" => Cell::Text("adam".into()),
        "learning_rate" => Cell::Number(0.0002, Show::UpTo(4)),
        "weight_decay" => Cell::Number(0.0018, Show::UpTo(4)),
        _ => Cell::Empty,
    }
}

/// The reference's settings of T7 in PyTorch: bound on the negative log-likelihood per image, in nats.
const PYTORCH: f64 = 250.6;

/// The part of the page, once its stages are finished.
pub(crate) fn section(worker: &Worker<'_>) -> Result<Option<(PageSection, Vec<Finding>)>> {
    let study = worker.study;
    let results = &study.results;
    let (Some(best), Some(mapped), Some(card)) = (
        results.get::<Autoencoder>(BEST)?,
        results.get::<Mapped>("map-vae")?,
        results.get::<Card>("card-vae")?,
    ) else {
        return Ok(None);
    };
    let mut blocks = match results.get::<Search>(TUNING)? {
        Some(search) => tuned(study, &search, &best)?,
        None => vec![residual(&best)],
    };
    blocks.push(Block::Figure {
        id: "F11".into(),
        picture: (&loss(&study.run(BEST))?).into(),
        caption: format!(
            "Loss by epoch with its two terms; {} of {} latent dimensions are active at the end.",
            card.latents.active_units, card.latent_dim
        ),
        alt: String::new(),
    });
    blocks.extend(pictures(worker, &card)?);
    blocks.extend([
        Block::Figure {
            id: "S5-map".into(),
            picture: (&study.map_figure(
                "t-SNE of the variational latents",
                "map-vae",
                mapped.images,
            )?)
                .into(),
            caption: format!(
                "{} {} by t-SNE of their latent means (KL divergence {} nats).",
                words::count(mapped.images),
                study.shown_are(),
                words::error(mapped.kl)
            ),
            alt: String::new(),
        },
        Block::Table {
            id: "S5-card".into(),
            table: measures_table(&card),
            caption: format!(
                "Measures of the variational autoencoder on the test images.{}",
                how_measured(&card)
            ),
        },
    ]);
    // A few test images say nothing about bounds and paths.
    let is_few = study.few.is_some();
    let mut findings: Vec<Finding> = bound(study, &card).filter(|_| !is_few).into_iter().collect();
    if let Some(ae) = results.get::<Card>("card-ae")?.filter(|_| !is_few) {
        findings.extend(smoothness(study, &ae, &card));
        // Distances in the features of two extractors, or of two encoders, cannot be compared.
        if let (Some(of_ae), Some(of_vae)) = (&ae.samples, &card.samples)
            && of_ae.extractor == of_vae.extractor
            && of_ae.extractor != OWN_ENCODER
        {
            blocks.push(samples(of_ae, of_vae));
            findings.extend(sample_quality(study, of_ae, of_vae));
        }
    }
    Ok(Some((
        PageSection { id: "S5".into(), title: "Variational autoencoder".into(), blocks },
        findings.into_iter().map(|f| f.of("S5")).collect(),
    )))
}

/// How the reference's model was tuned, and the best settings.
fn tuned(study: &Context, search: &Search, best: &Autoencoder) -> Result<Vec<Block>> {
    let warmup = match study.budget.vae_warmup {
        fraction if fraction > 0.0 => format!(
            ", whose weight rises from 0 over the first {} of the epochs",
            words::percent(fraction)
        ),
        _ => String::new(),
    };
    Ok(vec![
        Block::Paragraph(format!(
            "The encoder gives a mean and a log-variance for each latent dimension. The loss is the reconstruction term, summed over pixels, plus the KL divergence of the latents from N(0, I){warmup}. There were {} trials, and the model with the best settings was trained for {} epochs.",
            search.trials, best.epochs
        )),
        Block::Table {
            id: "T7".into(),
            table: words::settings(
                study,
                &study.trials(TUNING)?,
                reference,
                [Cell::Text("validation loss".into()), Cell::Empty, Cell::from(search.best)],
            ),
            caption: format!(
                "The best settings found; the pruner stopped {} of {} trials.",
                search.pruned, search.trials
            ),
        },
    ])
}

/// What the residual model is.
fn residual(best: &Autoencoder) -> Block {
    Block::Paragraph(format!(
        "The encoder gives a mean and a log-variance for each latent dimension. The loss is the negative logarithm of a normal likelihood, summed over pixels, plus the KL divergence of the latents from N(0, I). Training starts from probabilistic principal component analysis, to which networks add; the deviation of the likelihood is learnt. The model has {} parameters and was trained for {} epochs, and the epoch with the lowest validation loss is kept.",
        words::count(best.parameters),
        best.epochs
    ))
}

/// Images among four, if there are four, and new ones.
fn pictures(worker: &Worker<'_>, card: &Card) -> Result<Vec<Block>> {
    let study = worker.study;
    let mut model = worker.open(BEST)?;
    let mut blocks = vec![];
    if let Some([a, b, c, d]) = corners(study) {
        let mut corner = |index| model.point(&study.dataset, Part::Test, index);
        let corners: [LatentPoint; 4] = [corner(a)?, corner(b)?, corner(c)?, corner(d)?];
        let square = model.traverse_square(corners.each_ref(), SIDE, Interpolation::Linear)?;
        let pace = card.traversals.as_ref().map_or_else(String::new, |traversals| {
            format!(
                " The largest step of a path is {} times its mean step (standard error {}).",
                words::times(traversals.linear.value),
                words::error(traversals.linear.error)
            )
        });
        blocks.push(Block::Figure {
            id: "F5b".into(),
            picture: (&square.figure).into(),
            caption: format!("Equal steps among four test images.{pace}"),
            alt: "A square of images; those at its corners are reconstructions of test images."
                .into(),
        });
    }
    let normal = model.sample(SHOWN, Sampler::Normal, study.seed)?;
    let score = of_normal(card).map(|(samples, normal)| {
        format!(
            "The Fréchet distance of such images to real ones is {} (that of test images: {}).",
            words::error(normal.frechet.value),
            words::error(samples.floor)
        )
    });
    blocks.push(Block::Figure {
        id: "F6".into(),
        picture: (&normal.images.gallery("New images, latents drawn from N(0, I)")).into(),
        caption: score.unwrap_or_default(),
        alt: String::new(),
    });
    blocks.push(nearest(worker, &normal, card)?);
    Ok(blocks)
}

/// The scores of new images, and those of N(0, I) among them.
fn of_normal(card: &Card) -> Option<(&SampleMeasures, &SamplerScore)> {
    let samples = card.samples.as_ref()?;
    Some((samples, scores_of(samples, "N(0")?))
}

/// The scores of the sampler whose name begins so.
fn scores_of<'a>(samples: &'a SampleMeasures, name: &str) -> Option<&'a SamplerScore> {
    samples.samplers.iter().find(|s| s.name.starts_with(name))
}

/// The first new images above the training images that they are most like: a copy is no new image.
fn nearest(worker: &Worker<'_>, new: &Samples, card: &Card) -> Result<Block> {
    let data = &worker.study.dataset;
    let near = new.nearest(&data.train, &data.classes, &worker.session)?;
    let copies = of_normal(card).and_then(|(samples, normal)| {
        Some(format!(
            " Of {} such images, {} are near copies, which differ from a training image by a root mean square of at most 0.03 (of the test images: {}).",
            words::count(samples.number),
            words::accuracy(normal.near_copies?),
            words::accuracy(samples.near_copies_of_test?)
        ))
    });
    Ok(Block::Figure {
        id: "S5-nearest".into(),
        picture: (&new.nearest_figure(&near, &data.train)).into(),
        caption: format!(
            "The first of these images, and below each the training image that its pixels are nearest to, with the root mean squared difference.{}",
            copies.unwrap_or_default()
        ),
        alt: "Rows of new images, each above the most similar training image.".into(),
    })
}

/// Four test images, of different classes if so many are known.
fn corners(study: &Context) -> Option<[usize; 4]> {
    let test = &study.dataset.test;
    let mut found: Vec<usize> = vec![];
    if let Some(labels) = &test.labels {
        for (i, label) in labels.iter().enumerate() {
            if found.len() < 4 && !found.iter().any(|&j| labels[j] == *label) {
                found.push(i);
            }
        }
    }
    for i in 0..test.len() {
        if found.len() < 4 && !found.contains(&i) {
            found.push(i);
        }
    }
    found.try_into().ok()
}

/// The evidence bound next to the reference's.
fn bound(study: &Context, card: &Card) -> Option<Finding> {
    let loss = -card.bounds.as_ref()?.elbo.value;
    let text = format!(
        "The variational autoencoder's bound on the negative log-likelihood of a test image is {} nats.",
        words::bound(loss)
    );
    let reference = format!("The reference's settings in PyTorch give {PYTORCH}.");
    Some(study.compared(&text, loss < PYTORCH, &reference))
}

/// Whether traversals of the variational autoencoder are smoother, as the reference says.
fn smoothness(study: &Context, ae: &Card, vae: &Card) -> Option<Finding> {
    let (a, v) = (&ae.traversals.as_ref()?.linear, &vae.traversals.as_ref()?.linear);
    let error = (a.error * a.error + v.error * v.error).sqrt();
    let smoother = a.value - v.value > 2.0 * error;
    let (verdict, tone) = if vae.latents.active_units == 0 {
        (
            "no latent dimension of the latter is active, so its smoothness means nothing",
            Tone::Neutral,
        )
    } else if smoother {
        ("the variational latent space is smoother", Tone::Same)
    } else {
        ("this does not show that the variational latent space is smoother", Tone::Contrary)
    };
    let text = format!(
        "On paths between images, the largest step is {} times the mean step with the autoencoder and {} times with the variational autoencoder: {verdict}.",
        words::error(a.value),
        words::error(v.value)
    );
    Some(study.toned(tone, text))
}

/// Samples of both models by sampler.
fn samples(ae: &SampleMeasures, vae: &SampleMeasures) -> Block {
    let number = |x: f64| Cell::Number(x, Show::Significant(3));
    let mut rows = vec![];
    for (model, measures) in [("autoencoder", ae), ("variational autoencoder", vae)] {
        for s in &measures.samplers {
            let mut row = vec![Cell::Text(model.into()), Cell::Text(s.name.clone())];
            row.push(number(s.frechet.value));
            row.push(Cell::Number(s.frechet.error, Show::Significant(2)));
            row.extend([s.coverage.precision, s.coverage.recall].map(number));
            row.push(
                s.near_copies
                    .map_or(Cell::Empty, |share| Cell::Number(100.0 * share, Show::Decimals(2))),
            );
            row.push(s.confidence.map_or(Cell::Empty, number));
            rows.push((s.frechet.value, row));
        }
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let columns = [
        "model",
        "latents from",
        "Fréchet distance",
        "standard error",
        "precision",
        "recall",
        "near copies, %",
        "confidence",
    ];
    Block::Table {
        id: "S5-samples".into(),
        table: Table {
            columns: columns.map(str::to_owned).into(),
            rows: rows.into_iter().map(|(_, row)| row).collect(),
        },
        caption: format!(
            "New images, the smallest distance to real ones first (test images: {}). The distance compares means and covariances of {}, so torn images may be near on average. Precision is the fraction of the new images that lie among real ones; confidence is the mean probability that a classifier gives to the class it predicts. Neither measures whether an image is whole, so compare F4 and F6 too.",
            words::error(vae.floor),
            vae.extractor
        ),
    }
}

/// Whether random latents give better images with the variational autoencoder, as the reference says, and where the measures disagree.
fn sample_quality(study: &Context, ae: &SampleMeasures, vae: &SampleMeasures) -> Option<Finding> {
    let find = |measures: &SampleMeasures, name: &str| {
        scores_of(measures, name).map(|s| (s.frechet.value, s.coverage.precision))
    };
    let of_ae = if study.is_of_the_reference() { "uniform" } else { "mixture" };
    let (a, v, u) = (find(ae, of_ae)?, find(vae, "N(0")?, find(vae, "uniform")?);
    let (verdict, tone) = match (v.0 < a.0, v.1 > a.1) {
        (true, true) => ("by both, the variational autoencoder's images are better", Tone::Same),
        (false, false) => (
            "by both, the autoencoder's images are better, but neither measures whether an image is whole: compare F4 and F6",
            Tone::Contrary,
        ),
        _ => (
            "the two measures disagree, and neither measures whether an image is whole: compare F4 and F6",
            Tone::Neutral,
        ),
    };
    let text = format!(
        "Images of random latents have a Fréchet distance to real ones of {} and a precision of {} with the autoencoder, and {} and {} with the variational autoencoder: {verdict}.",
        words::error(a.0),
        words::error(a.1),
        words::error(v.0),
        words::error(v.1)
    );
    // The distance may prefer what is not an image at all.
    let torn = format!(
        " With the variational autoencoder, latents drawn uniformly have a smaller distance ({}) than those drawn from N(0, I), although fewer of their images lie among real ones (precision {}): means and covariances do not show that an image is torn.",
        words::error(u.0),
        words::error(u.1)
    );
    let text = if u.0 < v.0 && u.1 < v.1 { text + &torn } else { text };
    Some(study.toned(tone, text))
}
