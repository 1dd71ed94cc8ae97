//! S5: the variational autoencoder, tuned and trained; its traversals, its samples, and how they compare (T7, F11, F5b, F6). And the
//! explorer, in which both latent spaces are side by side.

use anyhow::Result;
use latents::data::{Labelled, spread};
use latents::engine::Schedule;
use latents::explore::card::Card;
use latents::explore::{Rows, kmeans, samplers};
use latents::models::ModelConfig;
use latents::report::{
    Block, Cell, Explored as Shown, ExploredModel, Explorer, Finding, Section, Show, Table, Tone,
};
use latents::train::RunConfig;

use super::lane::{Lane, Study};
use super::results::{Autoencoder, Mapped, Search};
use super::s1::autoencoder;
use super::s2::{self, summary};
use super::s4::{self, map, mapped_labels, measure, measures};
use super::stages::Stage;
use super::words;
use crate::commands::Split;
use crate::commands::evaluate::images::OWN;
use crate::commands::figures::loss;
use crate::commands::map::coloured;
use crate::commands::sample::gallery;
use crate::commands::settings::{ModelFlags, VaeFlags};
use crate::commands::traverse::square;
use crate::commands::tune::vae::VAE;

/// The run of the best settings.
const BEST: &str = "vae";
/// Images along each side of a square among four.
const SIDE: usize = 8;
const SHOWN: usize = 80;
/// Most bytes of images in the explorer.
const MOST_BYTES: usize = 8 << 20;

/// The stages of this part.
pub(super) fn stages<'a>() -> Vec<Stage<Lane<'a>>> {
    vec![
        Stage {
            name: "tune-vae",
            title: "tuning the variational autoencoder",
            part: "S5",
            cost: 150.0,
            after: &[],
            run: |lane| {
                let base = base(lane);
                let trials = lane.tune("tune-vae", &VAE, &base)?;
                lane.study.results.put("tune-vae", &summary(&trials))
            },
        },
        Stage {
            name: BEST,
            title: "variational autoencoder, best settings",
            part: "S5",
            cost: 70.0,
            after: &["tune-vae"],
            run: |lane| {
                let best = lane.best("tune-vae", &VAE)?;
                let config = lane.config(best, |config| {
                    lasting(config, lane.study.budget.vae_epochs, lane.study.budget.vae_warmup);
                    config.training.schedule = Schedule::Cosine;
                });
                let result = autoencoder(lane, BEST, &config)?;
                lane.study.results.put(BEST, &result)
            },
        },
        Stage {
            name: "map-vae",
            title: "map of the variational latents",
            part: "S5",
            cost: 25.0,
            after: &[BEST],
            run: |lane| map(lane, "map-vae", BEST),
        },
        Stage {
            name: "card-vae",
            title: "measures of the variational autoencoder",
            part: "S5",
            cost: 60.0,
            after: &["map-vae"],
            run: |lane| measure(lane, "card-vae", BEST, "map-vae"),
        },
    ]
}

fn base(lane: &Lane<'_>) -> RunConfig {
    lane.config(VaeFlags::base_run(lane.study.data.shape), |config| {
        lasting(config, lane.study.budget.trial_epochs, lane.study.budget.vae_warmup);
    })
}

/// So many epochs, over a part of which the weight of the divergence rises.
fn lasting(config: &mut RunConfig, epochs: u64, warmup: f64) {
    config.training.epochs = epochs;
    if let ModelConfig::Vae(vae) = &mut config.model {
        vae.warmup_epochs = warmup * epochs as f64;
    }
}

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

/// T7's settings in PyTorch: bound on the negative log-likelihood per image, in nats.
const PYTORCH: f64 = 250.6;

/// What it came to.
pub(super) fn section(lane: &Lane<'_>) -> Result<Option<(Section, Vec<Finding>)>> {
    let study = lane.study;
    let results = &study.results;
    let (Some(search), Some(best), Some(mapped), Some(card)) = (
        results.get::<Search>("tune-vae")?,
        results.get::<Autoencoder>(BEST)?,
        results.get::<Mapped>("map-vae")?,
        results.get::<Card>("card-vae")?,
    ) else {
        return Ok(None);
    };
    let d = study.run(BEST).config()?.model.latents().map_or(0, |l| l.dim);
    let xy = lane.map("map-vae")?;
    let labels = mapped_labels(study, mapped.images);
    let mut blocks = vec![
        Block::Paragraph(format!(
            "The encoder gives a mean and a log-variance for each latent; the loss is the reconstruction term summed over pixels plus the divergence of the latents from N(0, I){}. {} trials; the best was trained for {} epochs.",
            if study.budget.vae_warmup > 0.0 {
                format!(
                    ", whose weight rises from 0 over the first {} of the epochs",
                    words::percent(study.budget.vae_warmup)
                )
            } else {
                String::new()
            },
            search.trials,
            best.epochs
        )),
        Block::Table {
            id: "T7".into(),
            table: words::settings(
                study,
                &study.trials("tune-vae", &VAE)?,
                reference,
                [Cell::Text("validation loss".into()), Cell::Empty, Cell::from(search.best)],
            ),
            caption: format!(
                "The best settings found; {} of {} trials were stopped early.",
                search.pruned, search.trials
            ),
        },
        Block::Figure {
            id: "F11".into(),
            picture: (&loss(&study.run(BEST))?).into(),
            caption: format!(
                "Loss by epoch with its two terms; {} of {} latents are active at the end.",
                card.latents.active_units, d
            ),
            alt: String::new(),
        },
    ];
    blocks.extend(pictures(lane, &card)?);
    blocks.extend([
        Block::Figure {
            id: "S5-map".into(),
            picture: (&coloured(
                "t-SNE of the variational latents",
                &xy,
                labels.as_deref(),
                &study.dataset.classes,
                None,
            ))
                .into(),
            caption: format!(
                "{} test images by t-SNE of their means (divergence {} nats).",
                words::count(mapped.images),
                words::error(mapped.kl)
            ),
            alt: String::new(),
        },
        Block::Table {
            id: "S5-card".into(),
            table: measures(&card),
            caption: format!(
                "Measures of the variational autoencoder on the test images. Distances of samples are in {}; they are not FID.",
                card.samples.extractor
            ),
        },
    ]);
    let mut findings: Vec<Finding> = bound(study, &card).into_iter().collect();
    if let Some(ae) = results.get::<Card>("card-ae")? {
        findings.push(compare(study, &ae, &card));
        // Numbers of two extractors cannot be held against each other, nor those of two encoders.
        let extractor = &card.samples.extractor;
        if ae.samples.extractor == *extractor && extractor != OWN {
            blocks.push(sources(&ae, &card));
            findings.extend(drawn(study, &ae, &card));
        }
    }
    Ok(Some((
        Section { id: "S5".into(), title: "Variational autoencoder".into(), blocks },
        findings.into_iter().map(|f| f.of("S5")).collect(),
    )))
}

/// Images among four, and new ones.
fn pictures(lane: &Lane<'_>, card: &Card) -> Result<[Block; 2]> {
    let study = lane.study;
    let mut explored = lane.explored(BEST)?;
    let (d, shape) = (explored.latents.dim, study.data.shape);
    let corners = corners(lane);
    let figure = square(
        &mut explored,
        Split::Test,
        corners,
        SIDE,
        latents::explore::traverse::Path::Linear,
    )?;
    let z = samplers::normal(SHOWN, d, study.seed);
    let decoded = explored.decode(&z)?;
    let normal = card.samples.samplers.iter().find(|s| s.name.starts_with("N(0"));
    let sampled = normal.map_or_else(String::new, |s| {
        format!(
            "Their Fréchet distance to real images is {} (test images themselves: {}).",
            words::error(s.frechet.value),
            words::error(card.samples.floor)
        )
    });
    Ok([
        Block::Figure {
            id: "F5b".into(),
            picture: (&figure).into(),
            caption: format!(
                "Equal steps among four test images. The largest step of a way is {} times the mean one (standard error {}).",
                words::times(card.traversals.linear.value),
                words::error(card.traversals.linear.error)
            ),
            alt: "A square of images; those at its corners are reconstructions of test images."
                .into(),
        },
        Block::Figure {
            id: "F6".into(),
            picture: (&gallery("New images, latents drawn from N(0, I)", &decoded, shape)).into(),
            caption: sampled,
            alt: String::new(),
        },
    ])
}

/// The evidence bound beside the reference's.
fn bound(study: &Study, card: &Card) -> Option<Finding> {
    let loss = -card.bounds.as_ref()?.elbo.value;
    let text = format!(
        "The variational autoencoder's bound on the negative log-likelihood of a test image is {} nats.",
        words::bound(loss)
    );
    let theirs = format!("The reference's settings in PyTorch give {PYTORCH}.");
    Some(study.against(&text, loss < PYTORCH, &theirs))
}

/// Whether traversals of the variational autoencoder are smoother, as the reference has it.
fn compare(study: &Study, ae: &Card, vae: &Card) -> Finding {
    let (a, v) = (&ae.traversals.linear, &vae.traversals.linear);
    let error = (a.error * a.error + v.error * v.error).sqrt();
    let smoother = a.value - v.value > 2.0 * error;
    let (verdict, tone) = if vae.latents.active_units == 0 {
        ("no latent of which is used, so there is nothing to be smooth", Tone::Neutral)
    } else if smoother {
        ("the variational latent space is smoother", Tone::Same)
    } else {
        ("this measure does not show that the variational latent space is smoother", Tone::Contrary)
    };
    let text = format!(
        "On ways between images the largest step is {} times the mean one with the autoencoder and {} times with the variational one: {verdict}.",
        words::error(a.value),
        words::error(v.value)
    );
    Finding::new(if study.is_comparable() { tone } else { Tone::Neutral }, text)
}

/// New images by where their latents are drawn from, of both models.
fn sources(ae: &Card, vae: &Card) -> Block {
    let number = |x: f64| Cell::Number(x, Show::Significant(3));
    let mut rows = vec![];
    for (model, card) in [("autoencoder", ae), ("variational autoencoder", vae)] {
        for s in &card.samples.samplers {
            let mut row = vec![Cell::Text(model.into()), Cell::Text(s.name.clone())];
            row.push(number(s.frechet.value));
            row.push(Cell::Number(s.frechet.error, Show::Significant(2)));
            row.extend([s.coverage.precision, s.coverage.recall].map(number));
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
        "confidence",
    ];
    Block::Table {
        id: "S5-samples".into(),
        table: Table {
            columns: columns.map(str::to_owned).into(),
            rows: rows.into_iter().map(|(_, row)| row).collect(),
        },
        caption: format!(
            "New images, nearest to real ones first (test images themselves: {}). The distance compares means and covariances of {}: torn images may be near on average. Precision is the part of the new images that lie among real ones, confidence what a classifier gives to its first choice; neither asks whether an image is whole. So look at F4 and F6 too.",
            words::error(vae.samples.floor),
            vae.samples.extractor
        ),
    }
}

/// Whether random latents give better images in the variational latent space, as the reference has it, and where the measures disagree.
fn drawn(study: &Study, ae: &Card, vae: &Card) -> Option<Finding> {
    let find = |card: &Card, name: &str| {
        let found = card.samples.samplers.iter().find(|s| s.name.starts_with(name));
        found.map(|s| (s.frechet.value, s.coverage.precision))
    };
    let (a, v, u) = (find(ae, "uniform")?, find(vae, "N(0")?, find(vae, "uniform")?);
    let (verdict, tone) = match (v.0 < a.0, v.1 > a.1) {
        (true, true) => ("by both the variational images are the better ones", Tone::Same),
        (false, false) => (
            "by both the autoencoder's are the better ones, whatever the eye says of F4 and F6: neither measure asks whether an image is whole",
            Tone::Contrary,
        ),
        _ => (
            "the two disagree, and neither asks whether an image is whole: F4 and F6 show it",
            Tone::Neutral,
        ),
    };
    let text = format!(
        "Images of random latents have a Fréchet distance to real ones of {} and a precision of {} with the autoencoder, {} and {} with the variational one: {verdict}.",
        words::error(a.0),
        words::error(a.1),
        words::error(v.0),
        words::error(v.1)
    );
    // The distance may prefer what is not an image at all.
    let torn = format!(
        " With the variational one, latents drawn uniformly come nearer than those from N(0, I) by the distance ({}), and fewer of their images lie among real ones (precision {}): means and covariances do not see what is torn.",
        words::error(u.0),
        words::error(u.1)
    );
    let text = if u.0 < v.0 && u.1 < v.1 { text + &torn } else { text };
    Some(Finding::new(if study.is_comparable() { tone } else { Tone::Neutral }, text))
}

/// Four test images of different classes, where classes are known.
fn corners(lane: &Lane<'_>) -> [usize; 4] {
    let test = &lane.study.dataset.test;
    let mut found: Vec<usize> = vec![];
    if let Some(labels) = &test.labels {
        for (i, label) in labels.iter().enumerate() {
            if found.len() < 4 && !found.iter().any(|&j| labels[j] == *label) {
                found.push(i);
            }
        }
    }
    let mut next = 0;
    while found.len() < 4 {
        if !found.contains(&next) || next >= test.len() {
            found.push(next.min(test.len().saturating_sub(1)));
        }
        next += 1;
    }
    [found[0], found[1], found[2], found[3]]
}

/// The explorer of all models that have a map.
pub(super) fn explorer(lane: &Lane<'_>) -> Result<Option<Section>> {
    let study = lane.study;
    let test = &study.dataset.test;
    let numbers: usize = study.data.shape.iter().product();
    let mut found = vec![];
    for (name, run, stage) in
        [("Autoencoder", s2::BEST, "map-ae"), ("Variational autoencoder", BEST, "map-vae")]
    {
        if let Some(Mapped { images, .. }) = study.results.get(stage)? {
            found.push((name, run, stage, images));
        }
    }
    let mapped = found.iter().map(|(.., images)| *images).min();
    let Some(mapped) = mapped.map(|images| images.min(test.len())) else { return Ok(None) };
    if !matches!(study.data.shape[0], 1 | 3) {
        return Ok(None);
    }
    // Of those on the maps, as many as the page can hold.
    let places: Vec<usize> = spread((MOST_BYTES / numbers).max(1), mapped).collect();
    let whole = s4::mapped(study, mapped);
    let numbers: Vec<u32> = places.iter().map(|&place| whole[place] as u32).collect();
    let images = test.at(&numbers.iter().map(|&i| i as usize).collect::<Vec<_>>());
    let models =
        found.iter().map(|&(name, run, stage, _)| model(lane, name, run, stage, &images, &places));
    let models = models.collect::<Result<Vec<_>>>()?;
    let labels: Option<Vec<usize>> =
        images.labels.as_ref().map(|l| l.iter().map(|&l| usize::from(l)).collect());
    let shown = Shown {
        shape: study.data.shape,
        pixels: images.images.pixels(),
        numbers: (numbers.len() < test.len()).then_some(&numbers[..]),
        classes: &study.dataset.classes,
        labels: labels.as_deref(),
        files: images.names.as_deref(),
        models: models
            .iter()
            .map(|m| ExploredModel {
                name: m.name,
                map_name: &m.map_name,
                network: &m.network,
                decode: m.decoder.clone(),
                parameters: &m.parameters,
                latents: &m.latents,
                map: &m.map,
                errors: Some(&m.errors),
                clusters: Some(&m.clusters),
            })
            .collect(),
    };
    let blocks = vec![
        Block::Paragraph("Each point is a test image. Hover to see it; click two to four to walk among them; drag anywhere on the map, or move an axis, and the decoder runs in this page.".into()),
        Block::Explorer(Explorer::new(&shown)?),
    ];
    Ok(Some(Section { id: "explore".into(), title: "Explore".into(), blocks }))
}

/// One model, as the explorer takes it.
struct Model {
    name: &'static str,
    map_name: String,
    network: latents::engine::Network,
    decoder: std::ops::Range<usize>,
    parameters: Vec<f32>,
    latents: Vec<f32>,
    map: Vec<[f32; 2]>,
    errors: Vec<f32>,
    clusters: Vec<usize>,
}

/// What a model makes of images that are at some places of its map.
fn model(
    lane: &Lane<'_>,
    name: &'static str,
    run: &str,
    stage: &str,
    images: &Labelled,
    places: &[usize],
) -> Result<Model> {
    let study = lane.study;
    let mut trained = lane.open(run)?;
    let latents = trained.latents()?;
    let z = trained.encode(images)?;
    let clusters = study.dataset.classes.len().clamp(2, 12).min(images.len());
    let clusters =
        lane.runtime.run(|| kmeans(Rows::new(&z, latents.dim)?, clusters, study.seed))?;
    let xy = lane.map(stage)?;
    Ok(Model {
        name,
        map_name: format!("t-SNE of {} latents", latents.dim),
        network: trained.config.network()?,
        decoder: latents.decode,
        errors: trained.errors(images)?,
        parameters: trained.parameters,
        latents: z,
        map: places.iter().map(|&i| [xy[2 * i], xy[2 * i + 1]]).collect(),
        clusters: clusters.of.iter().map(|&c| c as usize).collect(),
    })
}
