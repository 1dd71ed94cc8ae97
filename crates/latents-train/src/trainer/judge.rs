//! What an epoch came to, on the images that train and on those that validate. Nothing is learnt or written here.

use latents_engine::{Inputs, Objective, Pass, Targets};
use latents_models::Regularizer;

use super::Trainer;
use crate::error::Error;

/// Averages over samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means {
    pub(super) loss: f64,
    /// What holds latents together, and the loss's parts without and of that.
    terms: Option<(Regularizer, f64, f64)>,
}

impl Means {
    pub(super) fn reconstruction(self) -> Option<f64> {
        self.terms.map(|(_, fit, _)| fit)
    }

    pub(super) fn kl(self) -> Option<f64> {
        self.terms.filter(|(kind, ..)| *kind == Regularizer::Kl).map(|(.., penalty)| penalty)
    }

    pub(super) fn other_penalty(self) -> Option<f64> {
        self.terms.filter(|(kind, ..)| *kind != Regularizer::Kl).map(|(.., penalty)| penalty)
    }
}

impl Trainer<'_> {
    /// What the steps of the epoch came to on average, over its samples so far.
    pub(super) fn means(&self, samples: u64) -> Means {
        let mean = |sum: f64| sum / samples as f64;
        self.means_of(mean(self.position.loss_sum), mean(self.position.penalty_sum))
    }

    fn means_of(&self, fit: f64, penalty: f64) -> Means {
        let Objective { weight, .. } = self.objective;
        match self.config.model.regularizer() {
            Some(regularizer) => {
                let terms = Some((regularizer, fit, penalty));
                Means { loss: fit + weight * penalty, terms }
            }
            None => Means { loss: fit, terms: None },
        }
    }

    /// What the images that validate come to on average, where there are any, and the accuracy, where
    /// classes are learnt. Latents are drawn, the same ones after each epoch.
    pub(super) fn validate(&mut self) -> Result<(Option<Means>, Option<f64>), Error> {
        if self.validation.is_empty() {
            return Ok((None, None));
        }
        let inputs = Inputs::Bytes { pixels: self.images.pixels(), index: &self.validation };
        if let Some(classes) = self.classes_of(&self.validation) {
            let sections = 0..self.engine.layout().section_count();
            let logits = self.engine.forward(&self.parameters, inputs, sections)?;
            let (loss, accuracy) = judge(&logits, &classes);
            return Ok((Some(self.means_of(loss, 0.0)), Some(accuracy)));
        }
        let (targets, seed) = (Targets::Inputs, self.config.training.seed);
        let pass = Pass::Sample { seed, draw: 0 };
        let losses = self.engine.losses(&self.parameters, inputs, targets, self.objective, pass)?;
        let means = self.means_of(losses.mean_fit(), losses.mean_penalty());
        Ok((Some(means), None))
    }
}

/// Mean cross-entropy, without smoothing, and accuracy of logits `[n, k]` for samples of known classes `[n]`.
fn judge(logits: &[f32], classes: &[u8]) -> (f64, f64) {
    let k = logits.len() / classes.len();
    let (mut loss, mut right) = (0.0, 0u64);
    for (row, &class) in logits.chunks_exact(k).zip(classes) {
        let top = (1..k).fold(0, |best, i| if row[i] > row[best] { i } else { best });
        let far = |&x: &f32| libm::exp(f64::from(x) - f64::from(row[top]));
        let own = f64::from(row[usize::from(class)]) - f64::from(row[top]);
        loss += libm::log(row.iter().map(far).sum()) - own;
        right += u64::from(top == usize::from(class));
    }
    let n = classes.len() as f64;
    (loss / n, right as f64 / n)
}
