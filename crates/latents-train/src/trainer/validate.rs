//! Validation: the mean loss, its terms, and the accuracy. This file does not change the model and writes no files.

use latents_engine::Pass;
use latents_models::{Target, Term, TermPart};

use super::Trainer;
use crate::checkpoint::Progress;
use crate::error::Error;
use crate::inputs::inputs;

/// Mean loss and terms over samples.
#[derive(Clone, Debug)]
pub(super) struct Means {
    pub(super) loss: f64,
    /// The terms of the loss, with the model's names.
    pub(super) terms: Vec<(&'static str, f64)>,
}

impl Trainer<'_> {
    /// Means over the samples of the current epoch so far; `samples` is their number.
    pub(super) fn means(&self, samples: u64) -> Means {
        let mean = |sum: f64| sum / samples as f64;
        let Progress { loss_sum, penalty_sum, posterior_sum, .. } = self.progress;
        self.means_of(mean(loss_sum), mean(penalty_sum), mean(posterior_sum))
    }

    /// `of_posterior` is the penalty of the posterior, 0 if the model has none.
    pub(super) fn means_of(&self, loss: f64, penalty: f64, of_posterior: f64) -> Means {
        let terms = self.config.model.terms();
        let has_penalty = terms.iter().any(|term| term.part == TermPart::Penalty);
        let mut total = if has_penalty { loss + self.criterion.weight * penalty } else { loss };
        if let Some(penalty) = self.config.model.posterior_penalty() {
            total += penalty.weight * of_posterior;
        }
        let term = |term: &Term| (term.name, term.value(loss, penalty, of_posterior));
        Means { loss: total, terms: terms.iter().map(term).collect() }
    }

    /// Means over the validation images, if there are any, and the accuracy, if the model is a classifier. Latents are sampled with the same random numbers
    /// after each epoch.
    pub(super) fn validate(&mut self) -> Result<(Option<Means>, Option<f64>), Error> {
        if self.validation.is_empty() {
            return Ok((None, None));
        }
        let classes = self.validation.classes_of(&self.validation.index);
        if let (Target::Class, Some(classes)) = (self.config.model.target(), classes) {
            let inputs = inputs(self.validation.images, &self.validation.index);
            let sections = 0..self.engine.layout().section_count();
            let logits = self.engine.forward(&self.parameters, inputs, sections)?;
            let (loss, accuracy) = cross_entropy(&logits, &classes);
            return Ok((Some(self.means_of(loss, 0.0, 0.0)), Some(accuracy)));
        }
        let (seed, model) = (self.config.training.seed, &self.config.model);
        let (engine, parameters) = (&mut self.engine, &self.parameters);
        let draws = (model.draws(), seed);
        let losses = self.validation.losses(engine, parameters, self.criterion, draws)?;
        let (penalty, pass) = (model.posterior_penalty(), Pass::Sample { seed, draw: 0 });
        let of_posterior = self.validation.posterior_penalty(engine, parameters, penalty, pass)?;
        let means = self.means_of(losses.mean_loss(), losses.mean_penalty(), of_posterior);
        Ok((Some(means), None))
    }
}

/// Mean cross-entropy, without label smoothing, and accuracy of logits `[n, k]` for samples with classes `[n]`.
fn cross_entropy(logits: &[f32], classes: &[u16]) -> (f64, f64) {
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
