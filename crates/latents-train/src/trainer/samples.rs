//! The images that a run trains or validates on: a collection, and which of its images take part.

use latents_data::{Dataset, Images, Labelled, Note, split};
use latents_engine::{Criterion, Engine, Layout, Losses, Pass, Targets};
use latents_models::{PosteriorPenalty, condition_value, importance_bound, one_hot};
use latents_progress::Monitor;

use crate::components::SomeImages;
use crate::error::Error;
use crate::inputs::inputs;
use crate::training::TrainingConfig;

/// The images that a run is trained on, and the source's own validation images if it has some; otherwise a part of the former
/// validates. Made from a data set, or from its training part alone.
#[derive(Clone, Copy, Debug)]
pub struct TrainingImages<'a> {
    /// The images to train on.
    pub train: &'a Labelled,
    /// The images to validate on.
    pub validation: Option<&'a Labelled>,
    /// What people should know about how they were read; kept in the run.
    pub notes: &'a [Note],
}

impl<'a> From<&'a Labelled> for TrainingImages<'a> {
    fn from(train: &'a Labelled) -> Self {
        Self { train, validation: None, notes: &[] }
    }
}

impl<'a> From<&'a Dataset> for TrainingImages<'a> {
    fn from(data: &'a Dataset) -> Self {
        let validation = Some(&data.validation).filter(|part| !part.is_empty());
        Self { train: &data.train, validation, notes: &data.notes }
    }
}

/// Images whose conditions are made at once.
const BLOCK: usize = 4096;
/// Images of which a penalty that couples samples is computed together outside of training. Fixed, because the estimates depend on the number:
/// runs with other batch sizes can be compared.
const COUPLED: usize = 256;

impl<'a> TrainingImages<'a> {
    /// Refuses images without a label, which a conditional model cannot decode.
    ///
    /// # Errors
    /// [`Error::MissingLabels`].
    pub(super) fn check_labels(self) -> Result<(), Error> {
        let missing = |part: &Labelled| match &part.labels {
            None => part.len(),
            Some(labels) => labels.iter().filter(|label| label.is_none()).count(),
        };
        let parts = || [Some(self.train), self.validation].into_iter().flatten();
        let (missing, of) = (parts().map(missing).sum(), parts().map(Labelled::len).sum());
        if missing > 0 { Err(Error::MissingLabels { missing, of }) } else { Ok(()) }
    }

    /// The samples to train and to validate on, and how many images have no label that a classifier with these classes needs.
    ///
    /// # Errors
    /// If there are no labels, too few, or a label is not a class.
    pub(super) fn samples(
        self,
        classes: Option<&[String]>,
        settings: &TrainingConfig,
    ) -> Result<(Samples<'a>, Samples<'a>, usize), Error> {
        let all = Samples::all(self.train, classes)?;
        let mut without_label = self.train.len() - all.len();
        let (training, validation) = match self.validation {
            None => all.split(settings.validation_fraction, settings.seed),
            Some(own) => {
                let validation = Samples::all(own, classes)?;
                without_label += own.len() - validation.len();
                (all, validation)
            }
        };
        Ok((training, validation, without_label))
    }
}

/// Images of a collection, with their classes if the model needs them.
pub(super) struct Samples<'a> {
    pub(super) images: &'a Images,
    labels: Option<&'a [Option<u16>]>,
    /// Which images take part.
    pub(super) index: Vec<u32>,
}

impl<'a> Samples<'a> {
    /// All images; of a model that needs these classes, all that have a label.
    fn all(data: &'a Labelled, classes: Option<&[String]>) -> Result<Self, Error> {
        let images = &data.images;
        let all = 0..images.len() as u32;
        let Some(classes) = classes else {
            return Ok(Self { images, labels: None, index: all.collect() });
        };
        let labels = data.labels.as_deref().ok_or(Error::Unlabelled)?;
        if labels.len() != images.len() {
            let (images, labels) = (images.len(), labels.len());
            return Err(Error::Config(format!("{images} images have {labels} labels")));
        }
        if let Some(label) = labels.iter().flatten().find(|&&l| usize::from(l) >= classes.len()) {
            return Err(Error::Config(format!(
                "an image has the label {label}, but the run has {} classes, numbered from 0",
                classes.len()
            )));
        }
        let index: Vec<u32> = all.filter(|&i| labels[i as usize].is_some()).collect();
        if index.is_empty() {
            return Err(Error::Unlabelled);
        }
        Ok(Self { images, labels: Some(labels), index })
    }

    /// Splits at random into samples to train and to validate on.
    fn split(self, fraction: f64, seed: u64) -> (Self, Self) {
        let Self { images, labels, index } = self;
        let (training, validation) = split(index.len(), fraction, seed);
        let of = |places: Vec<u32>| {
            let index = places.into_iter().map(|place| index[place as usize]).collect();
            Self { images, labels, index }
        };
        (of(training), of(validation))
    }

    /// The images alone.
    pub(super) fn some(&self) -> SomeImages<'_> {
        SomeImages { images: self.images, index: &self.index }
    }

    /// These and others, if the others are of the same collection.
    pub(super) fn with(&self, others: &Self) -> Option<Self> {
        let same = std::ptr::eq(self.images, others.images) && !others.is_empty();
        same.then(|| {
            let mut index = [&self.index[..], &others.index].concat();
            index.sort_unstable();
            Self { images: self.images, labels: self.labels, index }
        })
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The classes of the images at `index`, if the model needs them.
    pub(super) fn classes_of(&self, index: &[u32]) -> Option<Vec<u16>> {
        let class =
            |&i: &u32| self.labels.and_then(|labels| labels[i as usize]).unwrap_or_default();
        self.labels.map(|_| index.iter().map(class).collect())
    }

    /// The conditions `[n, features]` of the images at `index`, which a conditional network takes for their classes. Empty if
    /// the network takes none.
    pub(super) fn conditions_of(&self, index: &[u32], layout: &Layout) -> Vec<f32> {
        let features = layout.condition_features();
        match self.classes_of(index) {
            Some(classes) if features > 0 => one_hot(&classes, features, condition_value(layout)),
            _ => vec![],
        }
    }

    /// The loss and the penalty of each image, compared with the image itself; of a model with several draws, the bound that it is trained with.
    /// Latents are sampled with the same random numbers each time. Conditions are made block by block, because together they may be large.
    pub(super) fn losses(
        &self,
        engine: &mut Engine,
        parameters: &[f32],
        criterion: Criterion,
        (draws, seed): (usize, u64),
    ) -> Result<Losses, Error> {
        let features = engine.layout().condition_features();
        let block = if features == 0 { self.len().max(1) } else { BLOCK };
        let mut all = Losses { loss: vec![], penalty: vec![] };
        for index in self.index.chunks(block) {
            let conditions = self.conditions_of(index, engine.layout());
            let batch = inputs(self.images, index).with_conditions(&conditions);
            if draws > 1 {
                let (count, monitor) = (draws as u64, Monitor::default());
                let bounds =
                    importance_bound(engine, parameters, batch, criterion, seed, count, &monitor)?;
                all.loss.extend(bounds.iter().map(|bound| -bound));
                continue;
            }
            let pass = Pass::Sample { seed, draw: 0 };
            let some = engine.losses(parameters, batch, Targets::Inputs, criterion, pass)?;
            all.loss.extend(some.loss);
            all.penalty.extend(some.penalty);
        }
        all.penalty.resize(all.loss.len(), 0.0);
        Ok(all)
    }

    /// The mean penalty of the posterior over blocks of [`COUPLED`] images, each weighted by its images; 0 if there is none to compute.
    pub(super) fn posterior_penalty(
        &self,
        engine: &mut Engine,
        parameters: &[f32],
        penalty: Option<PosteriorPenalty>,
        pass: Pass,
    ) -> Result<f64, Error> {
        let Some(PosteriorPenalty { measure, .. }) = penalty else { return Ok(0.0) };
        let mut sum = 0.0;
        for index in self.index.chunks(COUPLED) {
            let batch = inputs(self.images, index);
            let value = measure.of(engine, parameters, batch, pass)?.penalty.value;
            sum += value * index.len() as f64;
        }
        Ok(sum / self.len() as f64)
    }
}
