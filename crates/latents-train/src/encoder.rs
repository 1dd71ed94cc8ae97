//! A part of the network that begins elsewhere: an encoder that another run has trained. Which weights it begins with, and how it
//! is trained beside the rest.

use std::ops::Range;
use std::path::{Path, PathBuf};

use latents_engine::{Group, Layout, initialize};
use latents_models::{HEAD, Tensors};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{OptimizerKind, RunConfig};
use crate::error::Error;
use crate::run::Run;

/// How a classifier's encoder begins, and how it is trained; the rest of the network goes by the other settings of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderTraining {
    /// A run's weights that it begins with; without, it begins with initial weights as the rest does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// SHA-256 of that file: a run that is repeated needs the same.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub weights_digest: String,
    /// Which optimiser.
    pub optimizer: OptimizerKind,
    /// Base learning rate.
    pub learning_rate: f64,
    /// Weight decay, as the optimiser's kind defines it.
    pub weight_decay: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Nesterov's momentum for SGD.
    pub nesterov: bool,
    /// It stays as it is for so many epochs, and is trained from then on.
    pub frozen_epochs: u64,
    /// Each of its layers has so much of the rate of the one after it, in `(0, 1]` (layer-wise decay: Howard and Ruder, 2018).
    pub layer_decay: f64,
}

impl Default for EncoderTraining {
    fn default() -> Self {
        EncoderTraining {
            weights: None,
            weights_digest: String::new(),
            optimizer: OptimizerKind::Adam,
            learning_rate: 5e-4,
            weight_decay: 1e-4,
            momentum: 0.0,
            nesterov: false,
            frozen_epochs: 0,
            layer_decay: 1.0,
        }
    }
}

impl EncoderTraining {
    /// The encoder that a run has trained: it begins with the run's weights, and keeps the settings that it was trained with.
    ///
    /// # Errors
    /// Where the run has no weights yet, or its files cannot be read.
    pub fn of_run(run: &Run) -> Result<Self, Error> {
        let training = run.config()?.training;
        let path = run.model_path();
        if !path.exists() {
            return Err(run.unfinished());
        }
        Ok(EncoderTraining {
            weights_digest: digest(&path)?,
            weights: Some(path),
            optimizer: training.optimizer,
            learning_rate: training.learning_rate,
            weight_decay: training.weight_decay,
            momentum: training.momentum,
            nesterov: training.nesterov,
            ..EncoderTraining::default()
        })
    }

    /// What is wrong with these settings, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        let decay = self.layer_decay;
        if !(decay > 0.0 && decay <= 1.0) {
            return Some(format!("layer_decay = {decay} must be more than 0 and at most 1"));
        }
        if (self.momentum != 0.0 || self.nesterov) && self.optimizer != OptimizerKind::Sgd {
            return Some("the encoder's momentum belongs to the optimiser sgd".into());
        }
        None
    }

    /// The parameter groups of the encoder: one, or one for each layer where their rates differ.
    pub(crate) fn groups(&self, layout: &Layout) -> Vec<Group> {
        let rule = self.optimizer.rule(self.weight_decay, self.momentum, self.nesterov);
        let mut layers = layers(layout);
        // Exactly one: it is what the setting is where nobody has given it.
        #[allow(clippy::float_cmp)]
        if self.layer_decay == 1.0 {
            layers = vec![encoder(layout)];
        }
        let mut rate = self.learning_rate;
        let mut groups: Vec<Vec<Group>> = vec![];
        for within in layers.into_iter().rev() {
            groups.push(Group::of(layout, within, rule, rate));
            rate *= self.layer_decay;
        }
        groups.into_iter().rev().flatten().collect()
    }
}

/// SHA-256 of a file, in hexadecimal digits.
fn digest(path: &Path) -> Result<String, Error> {
    let sum = Sha256::digest(latents_files::read(path)?);
    let digits = sum.into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect())
}

/// Where the encoder's parameters are: before the head's.
pub(crate) fn encoder(layout: &Layout) -> Range<usize> {
    let head = format!("{HEAD}.");
    let first = layout.parameters().iter().find(|p| p.name.starts_with(&head));
    0..first.map_or(layout.parameter_count(), |p| p.offset)
}

/// Where the parameters of each of the encoder's layers are.
fn layers(layout: &Layout) -> Vec<Range<usize>> {
    let end = encoder(layout).end;
    let layer = |name: &str| name.rsplit_once('.').map_or(String::new(), |(l, _)| l.to_owned());
    let mut layers: Vec<(String, Range<usize>)> = vec![];
    for parameter in layout.parameters().iter().take_while(|p| p.offset < end) {
        let name = layer(&parameter.name);
        match layers.last_mut() {
            Some((last, range)) if *last == name => range.end = parameter.range().end,
            _ => layers.push((name, parameter.range())),
        }
    }
    layers.into_iter().map(|(_, range)| range).collect()
}

/// The parameters that a run begins with.
pub(crate) fn initial_parameters(config: &RunConfig, layout: &Layout) -> Result<Vec<f32>, Error> {
    let mut parameters = initialize(layout, config.training.init, config.training.seed);
    let Some(encoder) = &config.training.encoder else { return Ok(parameters) };
    let Some(path) = &encoder.weights else { return Ok(parameters) };
    let mut tensors = Tensors::load(path)?;
    let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
    if digest(path)? != encoder.weights_digest {
        return Err(damaged(
            "these are not the weights that the run was set up with: put them back, or begin another run".into(),
        ));
    }
    let end = self::encoder(layout).end;
    for parameter in layout.parameters().iter().take_while(|p| p.offset < end) {
        let name = &parameter.name;
        match tensors.take(name) {
            Some((shape, numbers)) if shape == parameter.shape => {
                parameters[parameter.range()].copy_from_slice(&numbers);
            }
            Some((shape, _)) => {
                let expected = &parameter.shape;
                return Err(damaged(format!(
                    "tensor `{name}` is {shape:?}, but the encoder needs {expected:?}"
                )));
            }
            None => {
                return Err(damaged(format!(
                    "it has no tensor `{name}`, so it is of another model"
                )));
            }
        }
    }
    Ok(parameters)
}
