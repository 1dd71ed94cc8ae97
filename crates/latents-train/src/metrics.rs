//! The metrics of an epoch: one line of a run's `metrics.jsonl`. The terms of the loss are stored by name, since they depend on the model.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The metrics of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Number of the epoch, from 1.
    pub epoch: u64,
    /// Mean loss over the epoch's training images, measured during training, with dropout. The penalty is included with its full weight, even
    /// during its warm-up, and without free bits, so that epochs can be compared.
    pub train_loss: f64,
    /// Mean loss over the validation images after the epoch, without dropout; `None` if there are no validation images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_loss: Option<f64>,
    /// Accuracy on the validation images, in `[0, 1]`, if the model is a classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_accuracy: Option<f64>,
    /// The terms of the loss, if it has several: `train_NAME` and `val_NAME`, unweighted, in the order of the model's terms. A variational autoencoder
    /// has `reconstruction` (the loss without the penalty) and `kl` (in nats); one latent vector is sampled per validation image to estimate the ELBO.
    /// Models with another penalty have `penalty` instead of `kl`, and those with a penalty that couples the images of a batch have `mmd` or
    /// `total_correlation` after it, the mean over batches (in validation, over blocks of 256 images). Those that are trained with several draws of
    /// an image have none: the importance-weighted bound is no sum of terms.
    #[serde(flatten)]
    pub terms: Terms,
    /// Learning rate in the last step of the epoch.
    pub learning_rate: f64,
    /// Duration of the epoch in seconds, including validation.
    pub seconds: f64,
    /// Training images per second of training.
    pub samples_per_second: f64,
}

impl EpochMetrics {
    /// The metric with a name, as in `metrics.jsonl`, such as `val_loss` or `train_kl`; `None` if the epoch has no such metric.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        match name {
            "train_loss" => Some(self.train_loss),
            "val_loss" => self.val_loss,
            "val_accuracy" => self.val_accuracy,
            "learning_rate" => Some(self.learning_rate),
            "seconds" => Some(self.seconds),
            "samples_per_second" => Some(self.samples_per_second),
            name => self.terms.get(name),
        }
    }
}

/// The terms of a loss, with their names, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms(Vec<(String, f64)>);

impl Terms {
    /// The value of the term with a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }

    /// All terms with their names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Adds terms of the training or validation loss; `part` is `train` or `val`.
    pub(crate) fn extend(&mut self, part: &str, terms: &[(&str, f64)]) {
        self.0.extend(terms.iter().map(|(name, value)| (format!("{part}_{name}"), *value)));
    }
}

impl Serialize for Terms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Terms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;
        impl<'de> Visitor<'de> for Named {
            type Value = Terms;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the terms of a loss by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Terms, A::Error> {
                let mut terms = vec![];
                while let Some(entry) = map.next_entry()? {
                    terms.push(entry);
                }
                Ok(Terms(terms))
            }
        }
        deserializer.deserialize_map(Named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_keep_their_names_and_order_in_a_file() {
        let line = r#"{"epoch":1,"train_loss":3.5,"val_loss":3.25,"train_reconstruction":2.0,"train_kl":1.5,"val_reconstruction":1.75,"val_kl":1.5,"learning_rate":0.001,"seconds":0.5,"samples_per_second":10.0}"#;
        let metrics: EpochMetrics = serde_json::from_str(line).unwrap();
        assert_eq!(metrics.get("val_kl"), Some(1.5));
        assert_eq!((metrics.get("val_loss"), metrics.get("val_penalty")), (Some(3.25), None));
        assert_eq!(serde_json::to_string(&metrics).unwrap(), line);
    }
}
