//! The evaluation card of a model with latents: reconstructions, samples, traversals, maps and outliers. What is measured and how is in
//! `latents_explore::card`; here a model's arrays come together.

use std::cell::RefCell;

use latents_data::{Dataset, Images, Labelled, Part, evenly_spaced};
use latents_engine::{Criterion, Pass};
use latents_explore::card::{
    Card, CardBounds, CardCallbacks, CardInput, LEAST_COMPARED, LEAST_MAPPED,
};
use latents_explore::extractor::Extractor;
use latents_explore::samplers::Temperature;
use latents_explore::{Flow, Pca, Rows, TsneConfig, tsne};

use crate::conditions::Conditions;
use crate::error::{Error, Result};
use crate::flow::flow_of;
use crate::latents::Latents;
use crate::model::TrainedModel;
use crate::prior::Prior;
use crate::session::Session;

/// The features that samples are measured in if there are no labels to train an extractor with; distances in them cannot be compared with those of
/// another model.
pub const OWN_ENCODER: &str = "this model's own encoder, as there are no labels, or the images are too small, to train another with";

/// Numbers in the training images that principal components are found in, and that samples are compared with, at most; of more images, evenly
/// spaced ones are taken.
const REAL: usize = 320 << 20;
/// Numbers in the test images that are measured, at most.
const MEASURED: usize = 128 << 20;
/// Draws of each latent vector for the importance-weighted bound.
const DRAWS: u64 = 50;
/// Numbers of an image up to which there are so many draws; larger images have fewer, and at least 10.
const NUMBERS: usize = 4_096;

impl TrainedModel {
    /// Measures a model with latents on the test images of a data set. `map` is a t-SNE of the test latents `[n, 2]`, if there is one already. Of
    /// more than 128 million numbers (2^27), evenly spaced images are measured, and the card says so.
    ///
    /// # Errors
    /// If the model has no latents, there are no test images, they take more memory than is free, or the call was interrupted.
    pub fn card(
        &mut self,
        data: &Dataset,
        map: Option<Vec<f32>>,
        session: &Session,
    ) -> Result<Card> {
        let numbers: usize = self.shape().iter().product();
        self.card_of_most((MEASURED / numbers).max(1), data, map, session)
    }

    /// The same of so many test images, if there are more.
    fn card_of_most(
        &mut self,
        most: usize,
        data: &Dataset,
        map: Option<Vec<f32>>,
        session: &Session,
    ) -> Result<Card> {
        let n = data.test.len();
        if n <= most {
            return self.card_of(&data.test, data, map, session);
        }
        let places: Vec<usize> = evenly_spaced(most, n).collect();
        let map = map.map(|xy| places.iter().flat_map(|&i| [xy[2 * i], xy[2 * i + 1]]).collect());
        let mut card = self.card_of(&data.test.at(&places), data, map, session)?;
        card.outliers.renumber(&places);
        card.left_out.push(format!(
            "Of {n} test images, {most} that are evenly spaced are measured, as all take too much memory."
        ));
        Ok(card)
    }

    /// Measures the model on some test images of a data set.
    fn card_of(
        &mut self,
        images: &Labelled,
        data: &Dataset,
        map: Option<Vec<f32>>,
        session: &Session,
    ) -> Result<Card> {
        let (shape, d) = (self.shape(), self.latent_space()?.dim);
        let numbers: usize = shape.iter().product();
        let seed = self.config.training.seed;
        let n = images.len();
        if n == 0 {
            let (run, part) = (self.dir().to_owned(), Part::Test);
            return Err(Error::NoImages { run, part });
        }
        check_room(n, data.train.len().min(REAL / numbers), numbers)?;
        // Of a conditional model, an image is decoded as one of its class, and samples have the classes of training images.
        let test = self.in_own_classes(images, &data.classes);
        let given = self.conditions(&test)?;
        let of_training = self.training_classes(data)?;
        let pixels = test.images.to_unit();
        let encoded = self.encode(&test)?;
        let z = encoded.z;
        let draws = DRAWS.min((DRAWS as usize * NUMBERS / numbers) as u64).max(10);
        let decoded = self.decode_given(&z, &given)?.values;
        let posteriors = self.encode_pixels(data.train.images.pixels())?;
        let train = some_units(&data.train.images, REAL / numbers);

        let compared = n.min(train.len() / numbers);
        let are_compared = compared >= LEAST_COMPARED;
        let mut extractor =
            if are_compared { self.train_extractor(data, seed, session)? } else { None };
        let mut prior = self.prior()?;
        // As its images will be decoded.
        let given_new = self.given(evenly_taken(&of_training, compared));
        let mut drawn = if are_compared {
            self.draw_latents(&mut prior, &posteriors, compared, &given_new, session)?
        } else {
            NewLatents::default()
        };
        let bounds = self.bounds(&test, draws, seed, drawn.flow.as_mut(), session)?;
        let latents = Rows::new(&z, d)?;
        let mapped =
            if n < LEAST_MAPPED { None } else { Some(self.map_latents(latents, map, session)?) };
        let maps = match &mapped {
            Some([by_tsne, by_pca]) => {
                vec![("t-SNE", Rows::new(by_tsne, 2)?), ("PCA", Rows::new(by_pca, d.min(2))?)]
            }
            None => vec![],
        };

        let by_flow = drawn.by_flow.as_deref().map(|z| Ok::<_, Error>(("flow", Rows::new(z, d)?)));
        let by_flow: Vec<_> = by_flow.into_iter().collect::<Result<_>>()?;
        let labels = images.all_labels();
        // Of a learned prior, there is no divergence of each dimension.
        let log_variances = encoded.log_variances.as_deref().filter(|_| !prior.is_learned());
        let input = CardInput {
            images: Rows::new(&pixels, numbers)?,
            shape,
            labels: labels.as_deref().map(|l| (l, data.classes.len())),
            latents,
            log_variances: log_variances.map(|l| Rows::new(l, d)).transpose()?,
            reconstructions: Rows::new(&decoded, numbers)?,
            train: Rows::new(&train, numbers)?,
            train_latents: posteriors.rows()?,
            bounds: bounds.as_ref(),
            maps: &maps,
            prior: drawn.by_prior.as_deref().map(|z| Rows::new(z, d)).transpose()?,
            drawn: &by_flow,
            code_bits: self.code_bits(),
            seed,
        };
        let description = extractor.as_ref().map_or(OWN_ENCODER.into(), Extractor::description);
        let extractor = RefCell::new(&mut extractor);
        let model = RefCell::new(self);
        let mut callbacks: CardCallbacks<'_, Error> = CardCallbacks {
            decode: &mut |z, like| {
                session.check()?;
                let mut model = model.borrow_mut();
                if !model.is_conditional() {
                    return Ok(model.decode(z)?.values);
                }
                let classes: Vec<u16> = match like {
                    Some(images) => images.iter().map(|&i| given.classes()[i]).collect(),
                    None => evenly_taken(&of_training, z.len() / d),
                };
                Ok(model.decode_as(z, &classes)?.values)
            },
            features: &mut |images| {
                if let Some(extractor) = extractor.borrow_mut().as_mut() {
                    return Ok((extractor.features(images)?, extractor.dim()));
                }
                Ok((model.borrow_mut().encode_values(images)?, d))
            },
            predict: &mut |images| {
                let mut extractor = extractor.borrow_mut();
                let Some(extractor) = extractor.as_mut() else { return Ok(None) };
                let features = extractor.features(images)?;
                Ok(Some(extractor.predict(&features)?))
            },
            extractor: description,
        };
        let mut card = Card::measure(&input, &mut callbacks, session)?;
        card.conditional = model.borrow().is_conditional();
        model.borrow().score_factors(&mut card, latents, &test, session)?;
        Ok(card)
    }

    /// Draws `n` latents from the prior that the model has learned, if it has learned one, and from a flow, unless latents are codes.
    fn draw_latents(
        &self,
        prior: &mut Prior,
        posteriors: &Latents,
        n: usize,
        given: &Conditions,
        session: &Session,
    ) -> Result<NewLatents> {
        let seed = self.config.training.seed;
        let by_prior = if prior.is_learned() {
            session.stage("drawing from the learned prior");
            Some(prior.sample(n, given, Temperature::default(), seed, session)?)
        } else {
            None
        };
        let mut flow =
            if self.code_bits().is_none() { flow_of(posteriors, seed, session)? } else { None };
        let by_flow = flow.as_mut().map(|flow| flow.sample(n, Temperature::default(), seed));
        let by_flow = by_flow.transpose()?;
        Ok(NewLatents { by_prior, flow, by_flow })
    }

    /// Maps latents `[n, d]` by t-SNE, unless there is such a map already, to `[n, 2]`, and by principal components to `[n, min(d, 2)]`.
    fn map_latents(
        &self,
        latents: Rows<'_>,
        map: Option<Vec<f32>>,
        session: &Session,
    ) -> Result<[Vec<f32>; 2]> {
        let runtime = self.runtime();
        let by_tsne = if let Some(xy) = map {
            xy
        } else {
            session.stage("mapping the latents");
            // The map that `Tsne` makes of them by default.
            runtime.run(|| tsne(latents, &TsneConfig::default(), session))?.xy
        };
        let axes = latents.dim().min(2);
        let by_pca = runtime.run(|| Pca::fit(latents, axes, session)?.transform(latents))?;
        Ok([by_tsne, by_pca])
    }

    /// The classes of the training images of a conditional model; none of other models.
    fn training_classes(&self, data: &Dataset) -> Result<Vec<u16>> {
        let train = self.in_own_classes(&data.train, &data.classes);
        Ok(self.conditions(&train)?.classes().to_vec())
    }

    /// The bounds of each test image, in nats, of a variational model: the evidence bound with one draw of its latent vector, and
    /// importance-weighted ones with so many draws. Of a VQ-VAE, whose codes are not drawn, all draws are the same bound. They are bounds on log p(x), whatever weight training gave the divergence.
    fn bounds(
        &mut self,
        test: &Labelled,
        draws: u64,
        seed: u64,
        flow: Option<&mut Flow>,
        session: &Session,
    ) -> Result<Option<CardBounds>> {
        let codes = self.code_bits().is_some();
        if !self.is_variational() && !codes {
            return Ok(None);
        }
        session.stage("bounding the likelihood");
        let criterion = Criterion { weight: 1.0, free_bits: 0.0, ..self.config.model.criterion() };
        let pass = Pass::Sample { seed, draw: 0 };
        let losses = self.losses(test, criterion, pass, session)?;
        let elbo: Vec<f64> =
            losses.loss.iter().zip(&losses.penalty).map(|(loss, kl)| -loss - kl).collect();
        if codes {
            return Ok(Some(CardBounds { iwae: elbo.clone(), elbo, with_flow: None, draws: 1 }));
        }
        let (iwae, with_flow) = match flow {
            Some(flow) => {
                let [iwae, with_flow] =
                    self.importance_bounds_under(test, criterion, seed, draws, flow, session)?;
                (iwae, Some(with_flow))
            }
            None => (self.importance_bounds(test, criterion, seed, draws, session)?, None),
        };
        Ok(Some(CardBounds { elbo, iwae, with_flow, draws }))
    }

    fn train_extractor(
        &self,
        data: &Dataset,
        seed: u64,
        session: &Session,
    ) -> Result<Option<Extractor>> {
        let classes = data.classes.len();
        let [_, h, w] = self.shape();
        if classes < 2 || h.min(w) < Extractor::LEAST_SIDE {
            return Ok(None);
        }
        let Some((part, labels)) = data.train.with_labels() else { return Ok(None) };
        if labels.iter().all(|label| *label == labels[0]) {
            return Ok(None);
        }
        session.stage("training a small classifier for its features");
        let pixels = latents_train::pixels(part.images.pixels());
        let (shape, runtime) = (self.shape(), self.runtime());
        Ok(Some(Extractor::train(pixels, &labels, shape, classes, seed, &runtime, session)?))
    }
}

/// Checks, before anything is allocated, that there is memory for so many test and training images of so many numbers.
fn check_room(test: usize, train: usize, numbers: usize) -> Result<()> {
    // Reconstructions beside the test images, and samples beside copies of the images that they are compared with.
    let images = 2 * test + train + 4 * test.min(train);
    let bytes = (images * numbers * size_of::<f32>()) as u64;
    Ok(latents_files::check_memory(&format!("measuring {test} test images"), bytes)?)
}

/// The pixels of so many images or fewer, evenly spaced, as numbers from 0 to 1. Only those become numbers of four bytes each.
fn some_units(images: &Images, most: usize) -> Vec<f32> {
    let n = most.min(images.len());
    let mut units = Vec::with_capacity(n * images.shape().iter().product::<usize>());
    evenly_spaced(n, images.len()).for_each(|i| units.extend(images.image(i).units()));
    units
}

/// New latents `[n, d]`.
#[derive(Default)]
struct NewLatents {
    by_prior: Option<Vec<f32>>,
    flow: Option<Flow>,
    by_flow: Option<Vec<f32>>,
}

/// `n` of some classes, evenly spaced, so that each has its share of them; with more than there are, some are taken several times.
fn evenly_taken(classes: &[u16], n: usize) -> Vec<u16> {
    if classes.is_empty() {
        return vec![];
    }
    (0..n).map(|i| classes[i * classes.len() / n]).collect()
}

#[cfg(test)]
mod tests {
    use latents_data::Limits;

    use super::*;
    use crate::recipe::Recipe;

    #[test]
    fn of_too_many_images_some_are_measured_and_named_by_their_places() {
        let folder = tempfile::tempdir().unwrap();
        let session = Session::default();
        let data = Dataset::open("fashion-mnist-sample", &session).unwrap();
        let data = data.limited(Limits { train: Some(128), test: Some(60) });
        let recipe = Recipe::ae(&data).latent_dim(4).epochs(1).batch_size(64);
        let mut model = recipe.train(&data, folder.path().join("ae"), &session).unwrap();
        let all = model.card_of_most(60, &data, None, &session).unwrap();
        assert!((all.images, all.left_out.len()) == (60, 0), "{:?}", all.left_out);
        let some = model.card_of_most(30, &data, None, &session).unwrap();
        assert_eq!(some.images, 30);
        assert!(some.left_out.iter().any(|line| line.starts_with("Of 60 test images, 30 that")));
        // The images that are measured keep the order of their errors among all.
        let places: Vec<usize> = evenly_spaced(30, 60).collect();
        let errors = model.reconstruction_errors(&data.test).unwrap();
        let mut order = places.clone();
        order.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
        assert_eq!(some.outliers.hardest, order[..10]);
        assert!(some.outliers.farthest.iter().all(|image| places.contains(image)));
    }

    #[test]
    fn each_class_has_its_share() {
        let classes = [0, 0, 0, 0, 0, 0, 1, 1, 2, 2];
        assert_eq!(evenly_taken(&classes, 5), [0, 0, 0, 1, 2]);
        assert_eq!(evenly_taken(&[3, 1], 4), [3, 3, 1, 1]);
    }
}
