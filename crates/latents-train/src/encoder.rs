//! The settings for an encoder that starts from the weights of another run, and its parameter groups. `initial` loads the weights.

use std::ops::Range;
use std::path::PathBuf;

use latents_engine::{Group, Layout};
use latents_models::HEAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::optimizer::OptimizerKind;

/// Initial weights and training of a classifier's encoder. The other training settings apply to the rest of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderTraining {
    /// File with the trained weights of a run; without it, the encoder is initialised like the rest of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// SHA-256 of that file; the run cannot be repeated with a different file.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub weights_digest: String,
    /// Optimiser.
    pub optimizer: OptimizerKind,
    /// Base learning rate.
    pub learning_rate: f64,
    /// Weight decay; its meaning depends on the optimiser.
    pub weight_decay: f64,
    /// Momentum (SGD only).
    pub momentum: f64,
    /// Use Nesterov momentum (SGD only).
    pub nesterov: bool,
    /// Number of epochs for which the encoder is frozen at the start.
    pub frozen_epochs: u64,
    /// Layer-wise learning rate decay (Howard and Ruder, 2018): each layer's learning rate as a fraction of the next layer's, in `(0, 1]`.
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
    /// A description of the first invalid setting, if there is one.
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

    /// The encoder's parameter groups; if `layer_decay` is not 1, each layer has its own.
    pub(crate) fn groups(&self, layout: &Layout) -> Vec<Group> {
        let rule = self.optimizer.rule(self.weight_decay, self.momentum, self.nesterov);
        let mut layers = layers(layout);
        // Exactly 1, the default: all layers have the same learning rate.
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

/// The range of the encoder's parameters: all parameters before the head's.
pub(crate) fn encoder(layout: &Layout) -> Range<usize> {
    let head = format!("{HEAD}.");
    let first = layout.parameters().iter().find(|p| p.name.starts_with(&head));
    0..first.map_or(layout.parameter_count(), |p| p.offset)
}

/// The parameter range of each encoder layer.
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
