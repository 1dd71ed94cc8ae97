//! What the page says about the latent space of the tuned autoencoder.

use latents::explore::card::{Card, SamplerScore};
use latents::explore::{GaussianMixture, samplers};
use latents::report::{Block, Cell, Figure, Finding, PageSection, Show, Table, Tone};
use latents::{Dataset, Interpolation, LatentMap, Latents, MapMethod, Part, Sampler, TrainedModel};

use crate::error::Result;
use crate::results::Mapped;
use crate::stages::BEST_AE;
use crate::words;
use crate::worker::{Context, Worker};

/// Images on a path between two.
const STEPS: usize = 10;
/// Random images that are shown.
const SHOWN: usize = 80;

/// The part of the page, once its stages are finished.
pub(crate) fn section(worker: &Worker<'_>) -> Result<Option<(PageSection, Vec<Finding>)>> {
    let study = worker.study;
    let results = &study.results;
    let (Some(map), Some(card)) =
        (results.get::<Mapped>("map-ae")?, results.get::<Card>("card-ae")?)
    else {
        return Ok(None);
    };
    let mut model = worker.open(BEST_AE)?;
    let latents = model.encode(study.shown())?;
    let mut blocks = vec![Block::Figure {
        id: "F3".into(),
        picture: (&study.map_figure(
            &format!("t-SNE of the latents of the {}", study.shown_are()),
            "map-ae",
            map.images,
        )?)
            .into(),
        caption: format!(
            "{} {} by t-SNE of their latents (KL divergence {} nats).{}",
            words::count(map.images),
            study.shown_are(),
            words::error(map.kl),
            trust(&card, "t-SNE")
        ),
        alt: "A point for each image, coloured by class.".into(),
    }];
    blocks.extend(components(worker, &latents, &card)?);
    blocks.extend([
        random(&mut model, study, &card)?,
        traversal(&mut model, &study.dataset, &card)?,
        Block::Table {
            id: "S4-card".into(),
            table: measures_table(&card),
            caption: format!(
                "Measures of the autoencoder on the test images.{}",
                how_measured(&card)
            ),
        },
    ]);
    let finding = card.maps.iter().find(|m| m.name == "t-SNE").map(|score| {
        let votes = score.neighbour_accuracy.map_or_else(String::new, |a| {
            format!("; a vote of the ten nearest neighbours on it gives the right class for {} of the images", words::accuracy(a))
        });
        let text = format!(
            "The map of the latents preserves neighbourhoods with a trustworthiness of {}{votes}.",
            words::error(score.trustworthiness)
        );
        Finding::new(Tone::Neutral, text).of("S4")
    });
    let section = PageSection { id: "S4".into(), title: "The latent space".into(), blocks };
    Ok(Some((section, finding.into_iter().collect())))
}

/// The first two principal components of the test latents, if they have two dimensions.
fn components(worker: &Worker<'_>, latents: &Latents, card: &Card) -> Result<Option<Block>> {
    if latents.dim < 2 {
        return Ok(None);
    }
    let map = LatentMap::pca(latents, &worker.session)?;
    let explained = match map.method {
        MapMethod::Pca { explained_variance: [first, second] } => first + second,
        MapMethod::Tsne { .. } => 0.0,
    };
    Ok(Some(Block::Figure {
        id: "F9".into(),
        picture: (&map.figure()).into(),
        caption: format!(
            "The first two principal components of the same latents explain {} of their variance.{}",
            words::percent_rounded(explained),
            trust(card, "PCA")
        ),
        alt: "A point for each image, coloured by class.".into(),
    }))
}

/// Images of random latents: as in the reference study, from the box of the training latents, if the images are its own; of others, from a
/// mixture of as many Gaussians as on the card, since most of the box is far from any image.
fn random(model: &mut TrainedModel, study: &Context, card: &Card) -> Result<Block> {
    let (images, drawn) = if study.is_of_the_reference() {
        let train = model.encode(&study.dataset.train)?;
        let z = samplers::uniform(train.rows()?, SHOWN, study.seed);
        (model.decode(&z)?, "uniformly from the box of the training latents")
    } else {
        let train = study.dataset.train.len();
        let components = GaussianMixture::determined(train, card.latent_dim);
        let sampler = Sampler::Mixture { components };
        let drawn = "from a mixture of Gaussians that is fitted to the training latents";
        (model.sample(SHOWN, sampler, study.seed)?.images, drawn)
    };
    let distances = card.samples.as_ref().map_or_else(String::new, |samples| {
        let one = |s: &SamplerScore| format!("{} {}", s.name, words::error(s.frechet.value));
        let list: Vec<String> = samples.samplers.iter().map(one).collect();
        format!(
            " Fréchet distance to real images by sampler: {} (test images: {}).",
            words::list(&list),
            words::error(samples.floor)
        )
    });
    Ok(Block::Figure {
        id: "F4".into(),
        picture: (&images.gallery("Random latents of the autoencoder, decoded")).into(),
        caption: format!("Latents drawn {drawn}, decoded.{distances}"),
        alt: format!("Images decoded from latents drawn {drawn}."),
    })
}

/// A path between two test images, of different classes if classes are known.
fn traversal(model: &mut TrainedModel, data: &Dataset, card: &Card) -> Result<Block> {
    let other = data.test.labels.as_ref().and_then(|labels| {
        let first = labels.first()?;
        labels.iter().position(|label| label != first)
    });
    let last = other.unwrap_or(data.test.len().saturating_sub(1));
    let [from, to] = [model.point(data, Part::Test, 0)?, model.point(data, Part::Test, last)?];
    let traversal = model.traverse([&from, &to], STEPS, Interpolation::Linear)?;
    Ok(Block::Figure {
        id: "F5a".into(),
        picture: (&traversal.figure).into(),
        caption: format!(
            "Equal steps from the latent vector of one test image to that of another, decoded.{}",
            unevenness(card)
        ),
        alt: String::new(),
    })
}

/// How even the pace of traversals is, as a sentence.
fn unevenness(card: &Card) -> String {
    card.traversals.as_ref().map_or_else(String::new, |traversals| {
        format!(
            " The largest step between consecutive images is {} times the mean step, over {} pairs of images (standard error {}).",
            words::times(traversals.linear.value),
            traversals.pairs,
            words::error(traversals.linear.error),
        )
    })
}

/// What distances of samples are measured in, and what is not measured, as sentences.
pub(crate) fn how_measured(card: &Card) -> String {
    let distances = card.samples.as_ref().map_or_else(String::new, |samples| {
        format!(" Distances of samples are measured in {}; they are not FID.", samples.extractor)
    });
    if card.left_out.is_empty() {
        return distances;
    }
    format!("{distances} {}", card.left_out.join(" "))
}

/// The scores of a map as a sentence.
fn trust(card: &Card, name: &str) -> String {
    card.maps.iter().find(|m| m.name == name).map_or_else(String::new, |m| {
        let votes = m.neighbour_accuracy.map_or_else(String::new, |a| {
            format!(", and a vote of the ten nearest neighbours on it gives the right class for {} of the images", words::accuracy(a))
        });
        format!(" The trustworthiness of the map is {}{votes}.", words::error(m.trustworthiness))
    })
}

/// The measures of a card as a table.
pub(crate) fn measures_table(card: &Card) -> Table {
    let number = |x: f64| Cell::Number(x, Show::Significant(4));
    let percent = |x: f64| Cell::Number(100.0 * x, Show::Decimals(2));
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
        let (elbo, iwae) = (&bounds.elbo, &bounds.iwae);
        row("evidence lower bound, nats".into(), number(elbo.value), Some(elbo.error));
        row(
            format!("importance-weighted bound of {} draws, nats", bounds.draws),
            number(iwae.value),
            Some(iwae.error),
        );
        if let Some(bound) = &bounds.iwae_with_flow {
            let name = "the same with a flow as the prior in place of N(0, I), nats";
            row(name.into(), number(bound.value), Some(bound.error));
        }
    }
    row(
        format!("active units of {}", card.latents.variances.len()),
        Cell::Integer(card.latents.active_units as i128),
        None,
    );
    if let Some(votes) = card.latents.neighbour_accuracy {
        row("classes named by ten neighbours among the latents, %".into(), percent(votes), None);
    }
    if let Some(votes) = card.latents.components_neighbour_accuracy {
        let name =
            "classes named by ten neighbours among whitened principal components, by cosine, %";
        row(name.into(), percent(votes), None);
    }
    for sampler in card.samples.iter().flat_map(|samples| &samples.samplers) {
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
        if let Some(copies) = sampler.near_copies {
            let name = format!("near copies of training images, latents from {}, %", sampler.name);
            row(name, percent(copies), None);
        }
        if let Some(confidence) = sampler.confidence {
            let name = format!("mean confidence, latents from {}", sampler.name);
            row(name, number(confidence), None);
        }
    }
    if let Some(samples) = &card.samples {
        row("Fréchet distance of test images".into(), number(samples.floor), None);
        if let Some(copies) = samples.near_copies_of_test {
            row(
                "near copies of training images among test images, %".into(),
                percent(copies),
                None,
            );
        }
    }
    if let Some(traversals) = &card.traversals {
        let name = "traversals: largest over mean step".into();
        row(name, number(traversals.linear.value), Some(traversals.linear.error));
    }
    for map in &card.maps {
        row(format!("trustworthiness of the {} map", map.name), number(map.trustworthiness), None);
        if let Some(votes) = map.neighbour_accuracy {
            let name = format!("classes named by ten neighbours on the {} map, %", map.name);
            row(name, percent(votes), None);
        }
    }
    Table { columns: ["measure", "value", "standard error"].map(str::to_owned).into(), rows }
}

impl Context {
    /// A map of images, coloured by class if they have labels.
    pub(crate) fn map_figure(&self, title: &str, stage: &str, images: usize) -> Result<Figure> {
        let xy = self.map(stage)?;
        let labels = self.shown().labels.as_ref();
        let labels: Option<Vec<Option<u16>>> =
            labels.map(|labels| self.mapped(images).into_iter().map(|i| labels[i]).collect());
        let classes = &self.dataset.classes;
        Ok(latents::report::scatter_by_class(title, &xy, labels.as_deref(), classes, None))
    }
}
