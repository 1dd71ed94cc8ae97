//! S4: the latent space of the tuned autoencoder: maps, random latents, traversals, and the card of its measures (F3, F9, F4, F5a).

use anyhow::{Result, ensure};
use latents::data::npz::{self, Array, Numbers};
use latents::data::spread;
use latents::explore::card::Card;
use latents::explore::{Pca, Rows, TsneConfig, samplers, tsne};
use latents::report::{Block, Cell, Finding, Section, Show, Table, Tone};

use super::lane::{Lane, Study};
use super::results::Mapped;
use super::s2;
use super::stages::Stage;
use super::words;
use crate::commands::Split;
use crate::commands::evaluate::images;
use crate::commands::explored::Explored;
use crate::commands::map::coloured;
use crate::commands::sample::gallery;
use crate::commands::traverse::way;
use crate::output::Output;

/// Images on a way between two.
const STEPS: usize = 10;
/// Random images that are shown.
const SHOWN: usize = 80;

/// The stages of this part.
pub(super) fn stages<'a>() -> Vec<Stage<Lane<'a>>> {
    vec![
        Stage {
            name: "map-ae",
            title: "map of the autoencoder's latents",
            part: "S4",
            cost: 25.0,
            after: &[s2::BEST],
            run: |lane| map(lane, "map-ae", s2::BEST),
        },
        Stage {
            name: "card-ae",
            title: "measures of the autoencoder",
            part: "S4",
            cost: 60.0,
            after: &["map-ae"],
            run: |lane| measure(lane, "card-ae", s2::BEST, "map-ae"),
        },
    ]
}

impl Lane<'_> {
    /// A trained run with the study's images.
    pub(super) fn explored(&self, run: &str) -> Result<Explored> {
        let trained = self.open(run)?;
        let latents = trained.latents()?;
        Ok(Explored { trained, latents, dataset: self.study.dataset.clone() })
    }

    /// Places `[n, 2]` on a map of the test images that [`mapped`] tells.
    pub(super) fn map(&self, stage: &str) -> Result<Vec<f32>> {
        let path = self.study.out.join(format!("maps/{stage}.npz"));
        let (shape, xy) = npz::read_f32(&path, "xy")?;
        let mapped = self.study.results.get::<Mapped>(stage)?.map_or(0, |m| m.images);
        ensure!(
            shape == [mapped, 2] && mapped <= self.study.dataset.test.len(),
            "{}: array `xy` is {shape:?}, of {mapped} mapped images among {}; delete {stage}.json in results, and it is made again",
            path.display(),
            self.study.dataset.test.len()
        );
        Ok(xy)
    }
}

/// The test images that a map of so many has.
pub(super) fn mapped(study: &Study, images: usize) -> Vec<usize> {
    spread(images, study.dataset.test.len()).collect()
}

/// The classes of the images of a map, where they have any.
pub(super) fn mapped_labels(study: &Study, images: usize) -> Option<Vec<u8>> {
    let labels = study.dataset.test.labels.as_ref()?;
    Some(mapped(study, images).into_iter().map(|i| labels[i]).collect())
}

/// Maps the latents of the test images, as many as the budget allows.
pub(super) fn map(lane: &Lane<'_>, stage: &str, run: &str) -> Result<()> {
    let study = lane.study;
    let mut trained = lane.open(run)?;
    let d = trained.latents()?.dim;
    let part = study.dataset.test.at(&mapped(study, study.budget.map_images));
    let z = trained.encode(&part)?;
    let config = TsneConfig { seed: study.seed, ..TsneConfig::default() };
    let mut show = |progress| {
        let (what, done) = match progress {
            latents::explore::Progress::Neighbours(i, n) => {
                ("neighbours", 0.2 * i as f64 / n as f64)
            }
            latents::explore::Progress::Steps(i, n) => ("steps", 0.2 + 0.8 * i as f64 / n as f64),
        };
        study.progress.update(stage, done, what);
    };
    let rows = Rows::new(&z, d)?;
    let made = lane.runtime.run(|| tsne(rows, &config, &study.stop, &mut show));
    lane.go_on()?;
    let made = made?;
    let n = part.len();
    let path = study.out.join(format!("maps/{stage}.npz"));
    let xy = Array { name: "xy".into(), shape: vec![n, 2], numbers: Numbers::F32(made.xy) };
    npz::write(&path, &[xy])?;
    study.results.put(stage, &Mapped { images: n, kl: made.kl })
}

/// Measures a run by all that an evaluation measures.
pub(super) fn measure(lane: &Lane<'_>, stage: &str, run: &str, map: &str) -> Result<()> {
    let mut explored = lane.explored(run)?;
    let xy = lane.map(map)?;
    let xy = (xy.len() == 2 * explored.dataset.test.len()).then_some(xy);
    // The study shows its own progress.
    let card = images::card(&mut explored, xy, &lane.study.stop, Output::new(true));
    lane.go_on()?;
    let card = card?;
    let markdown = card.markdown(&format!("Evaluation of {run}"));
    let file = lane.study.out.join(format!("tables/{stage}.md"));
    latents_files::write(&file, markdown.as_bytes())?;
    lane.study.results.put(stage, &card)
}

/// The two test images that ways lead between: of different classes, where classes are known.
pub(super) fn ends(explored: &Explored) -> [usize; 2] {
    let test = &explored.dataset.test;
    let other = test.labels.as_ref().and_then(|labels| {
        let first = labels.first()?;
        labels.iter().position(|label| label != first)
    });
    [0, other.unwrap_or(test.len().saturating_sub(1))]
}

/// What it came to.
pub(super) fn section(lane: &Lane<'_>) -> Result<Option<(Section, Vec<Finding>)>> {
    let study = lane.study;
    let results = &study.results;
    let (Some(map), Some(card)) =
        (results.get::<Mapped>("map-ae")?, results.get::<Card>("card-ae")?)
    else {
        return Ok(None);
    };
    let mut explored = lane.explored(s2::BEST)?;
    let shape = study.data.shape;
    let z = explored.encode(Split::Test)?;
    let d = explored.latents.dim;
    let xy = lane.map("map-ae")?;
    let labels = mapped_labels(study, map.images);
    let classes = &study.dataset.classes;

    let mut blocks = vec![];
    blocks.push(Block::Figure {
        id: "F3".into(),
        picture: (&coloured(
            "t-SNE of the latents of the test images",
            &xy,
            labels.as_deref(),
            classes,
            None,
        ))
            .into(),
        caption: map_caption(&card, &map),
        alt: "A point for each test image, coloured by class.".into(),
    });
    let rows = Rows::new(&z, d)?;
    if d >= 2 {
        let pca = lane.runtime.run(|| Pca::fit(rows, 2))?;
        let flat = lane.runtime.run(|| pca.transform(rows))?;
        let ratio = pca.explained_variance_ratio();
        let axes =
            [0, 1].map(|i| format!("component {}: {}", i + 1, words::percent_rounded(ratio[i])));
        let labels = study.dataset.test.labels.as_deref();
        blocks.push(Block::Figure {
            id: "F9".into(),
            picture: (&coloured(
                "Principal components of the same latents",
                &flat,
                labels,
                classes,
                Some((&axes[0], &axes[1])),
            ))
                .into(),
            caption: format!(
                "The two directions of most variance hold {} of it.{}",
                words::percent_rounded(ratio[0] + ratio[1]),
                trust(&card, "PCA")
            ),
            alt: "A point for each test image, coloured by class.".into(),
        });
    }
    let train = explored.encode(Split::Train)?;
    let random = samplers::uniform(Rows::new(&train, d)?, SHOWN, study.seed);
    let decoded = explored.decode(&random)?;
    blocks.push(Block::Figure {
        id: "F4".into(),
        picture: (&gallery("Random latents of the autoencoder, decoded", &decoded, shape)).into(),
        caption: sampler_caption(&card),
        alt: "Images decoded from latents drawn uniformly from the box of the training latents."
            .into(),
    });
    let [from, to] = ends(&explored);
    let (figure, _) = way(
        &mut explored,
        Split::Test,
        [from, to],
        STEPS,
        latents::explore::traverse::Path::Linear,
    )?;
    let uneven = format!(
        "the largest step between neighbouring images is {} times the mean one, over {} pairs (standard error {})",
        words::times(card.traversals.linear.value),
        card.traversals.pairs,
        words::error(card.traversals.linear.error),
    );
    blocks.push(Block::Figure {
        id: "F5a".into(),
        picture: (&figure).into(),
        caption: format!(
            "Equal steps from one test image's latent to another's, decoded; {uneven}."
        ),
        alt: String::new(),
    });
    blocks.push(Block::Table {
        id: "S4-card".into(),
        table: measures(&card),
        caption: format!("Measures of the tuned autoencoder on the test images. Distances of samples are in {}; they are not FID.", card.samples.extractor),
    });
    let mut findings = vec![];
    if let Some(map_score) = card.maps.iter().find(|m| m.name == "t-SNE") {
        let votes = map_score.neighbour_accuracy.map_or_else(String::new, |a| {
            format!("; ten neighbours on it name the class of {}", words::accuracy(a))
        });
        findings.push(Finding::new(Tone::Neutral, format!("The map of the latents keeps neighbours together with a trustworthiness of {}{votes}.", words::error(map_score.trustworthiness))).of("S4"));
    }
    Ok(Some((Section { id: "S4".into(), title: "The latent space".into(), blocks }, findings)))
}

fn map_caption(card: &Card, map: &Mapped) -> String {
    format!(
        "{} test images by t-SNE of their latents (divergence {} nats).{}",
        words::count(map.images),
        words::error(map.kl),
        trust(card, "t-SNE")
    )
}

fn trust(card: &Card, name: &str) -> String {
    card.maps.iter().find(|m| m.name == name).map_or_else(String::new, |m| {
        let votes = m.neighbour_accuracy.map_or_else(String::new, |a| {
            format!(", and ten neighbours on it name the class of {}", words::accuracy(a))
        });
        format!(" Its trustworthiness is {}{votes}.", words::error(m.trustworthiness))
    })
}

fn sampler_caption(card: &Card) -> String {
    let list: Vec<String> = card
        .samples
        .samplers
        .iter()
        .map(|s| format!("{} {}", s.name, words::error(s.frechet.value)))
        .collect();
    format!(
        "Latents drawn uniformly from the box of the training latents, decoded. Fréchet distance to real images by where latents are drawn from: {} (test images themselves: {}).",
        words::list(&list),
        words::error(card.samples.floor)
    )
}

/// The measures of a card as a table.
pub(super) fn measures(card: &Card) -> Table {
    let number = |x: f64| Cell::Number(x, Show::Significant(4));
    let mut rows = vec![];
    let mut row = |name: String, value: Cell, error: Option<f64>| {
        let error = error.map_or(Cell::Empty, |e| Cell::Number(e, Show::Significant(2)));
        rows.push(vec![Cell::Text(name), value, error]);
    };
    let r = &card.reconstruction;
    row("reconstruction error".into(), number(r.mse.value), Some(r.mse.error));
    if let Some(pca) = r.pca_mse {
        row("the same of as many principal components".into(), number(pca), None);
    }
    row("PSNR, dB".into(), number(r.psnr), None);
    if let Some(ssim) = &r.ssim {
        row("SSIM".into(), number(ssim.value), Some(ssim.error));
    }
    if let Some(bounds) = &card.bounds {
        row(
            "evidence lower bound, nats".into(),
            number(bounds.elbo.value),
            Some(bounds.elbo.error),
        );
        row(
            format!("importance-weighted bound of {} draws, nats", bounds.draws),
            number(bounds.iwae.value),
            Some(bounds.iwae.error),
        );
    }
    row(
        format!("active units of {}", card.latents.variances.len()),
        Cell::Integer(card.latents.active_units as i128),
        None,
    );
    if let Some(votes) = card.latents.neighbour_accuracy {
        row(
            "classes named by ten neighbours among the latents, %".into(),
            Cell::Number(100.0 * votes, Show::Decimals(2)),
            None,
        );
    }
    for sampler in &card.samples.samplers {
        row(
            format!("Fréchet distance, latents from {}", sampler.name),
            number(sampler.frechet.value),
            Some(sampler.frechet.error),
        );
        row(
            format!("precision and recall, latents from {}", sampler.name),
            Cell::Text(format!(
                "{:.3}, {:.3}",
                sampler.coverage.precision, sampler.coverage.recall
            )),
            None,
        );
        if let Some(confidence) = sampler.confidence {
            row(
                format!("mean confidence, latents from {}", sampler.name),
                number(confidence),
                None,
            );
        }
    }
    row("Fréchet distance of test images".into(), number(card.samples.floor), None);
    row(
        "traversals: largest over mean step".into(),
        number(card.traversals.linear.value),
        Some(card.traversals.linear.error),
    );
    for map in &card.maps {
        row(format!("trustworthiness of the {} map", map.name), number(map.trustworthiness), None);
        if let Some(votes) = map.neighbour_accuracy {
            row(
                format!("classes named by ten neighbours on the {} map, %", map.name),
                Cell::Number(100.0 * votes, Show::Decimals(2)),
                None,
            );
        }
    }
    Table { columns: ["measure", "value", "standard error"].map(str::to_owned).into(), rows }
}
