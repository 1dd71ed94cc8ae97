//! Optimisers with PyTorch's exact semantics, for groups of parameters that each have a rule and a learning rate.

mod update;

use std::ops::Range;

use rayon::prelude::*;

use crate::error::Error;
use crate::network::Layout;
use crate::parameter::Role;
use crate::runtime::Runtime;
use crate::simd::vectorize;
use update::Update;

/// The update rule of an optimiser.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// `torch.optim.SGD`; weight decay is added to the gradient.
    Sgd {
        /// In `[0, 1)`.
        momentum: f64,
        /// Nesterov momentum (Nesterov, 1983).
        nesterov: bool,
        /// At least 0.
        weight_decay: f64,
    },
    /// `torch.optim.Adam` (Kingma and Ba, 2015); weight decay is added to the gradient, so it enters the moments.
    Adam {
        /// Decay of the two moments, in `[0, 1)`.
        betas: [f64; 2],
        /// Added to the root of the second moment for numerical stability.
        epsilon: f64,
        /// At least 0.
        weight_decay: f64,
    },
    /// `torch.optim.AdamW` (Loshchilov and Hutter, 2019); weight decay is applied to the parameter directly.
    AdamW {
        /// Decay of the two moments, in `[0, 1)`.
        betas: [f64; 2],
        /// Added to the root of the second moment for numerical stability.
        epsilon: f64,
        /// At least 0.
        weight_decay: f64,
    },
    /// Running statistics: each moves towards the statistic of the batch, which the gradient vector holds at its position, as the
    /// buffers of `torch.nn.BatchNorm2d` do. Learning rate and schedule have no effect.
    Average {
        /// Weight of the batch, from 0 to 1.
        momentum: f64,
    },
}

impl Rule {
    /// The same rule without weight decay.
    fn without_decay(self) -> Self {
        match self {
            Rule::Sgd { momentum, nesterov, .. } => {
                Rule::Sgd { momentum, nesterov, weight_decay: 0.0 }
            }
            Rule::Adam { betas, epsilon, .. } => Rule::Adam { betas, epsilon, weight_decay: 0.0 },
            Rule::AdamW { betas, epsilon, .. } => Rule::AdamW { betas, epsilon, weight_decay: 0.0 },
            Rule::Average { .. } => self,
        }
    }
}

/// Parameters with one update rule and learning rate. Parameters in no group do not change.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Their range in the vector of all parameters.
    pub parameters: Range<usize>,
    /// Their update rule.
    pub rule: Rule,
    /// Their learning rate, without the factor of the schedule.
    pub learning_rate: f64,
}

/// The state of an optimiser; with the parameters, it is enough to continue training exactly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// Number of steps so far.
    pub steps: u64,
    /// Momentum, or the first moment; one number for each parameter.
    pub first: Vec<f32>,
    /// The second moment; one number for each parameter.
    pub second: Vec<f32>,
}

/// Updates parameters from their gradients.
///
/// ```
/// use latents_engine::{Group, Optimizer, Rule, Runtime};
///
/// let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
/// let mut optimizer = Optimizer::new(vec![Group { parameters: 0..2, rule, learning_rate: 0.5 }], 2)?;
/// let mut parameters = [1.0, 2.0];
/// optimizer.step(&Runtime::new(Some(1), None)?, &mut parameters, &[1.0, -1.0], 1.0);
/// assert_eq!(parameters, [0.5, 2.5]);
/// # Ok::<(), latents_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Optimizer {
    groups: Vec<Group>,
    state: OptimizerState,
    /// The parameters that are held at first, and the number of steps.
    held: (Range<usize>, u64),
}

/// Number of parameters that a task updates at once.
const CHUNK: usize = 8_192;

impl Optimizer {
    /// An optimiser for a vector of `parameters` numbers.
    ///
    /// # Errors
    /// If a setting is out of range, a group extends beyond the parameters, or groups overlap or are out of order.
    pub fn new(groups: Vec<Group>, parameters: usize) -> Result<Self, Error> {
        let mut end = 0;
        for group in &groups {
            if group.parameters.start < end || group.parameters.end > parameters {
                return Err(Error::Network(format!(
                    "parameter group {:?} overlaps the previous group or extends beyond the {parameters} parameters",
                    group.parameters
                )));
            }
            end = group.parameters.end;
            group.check()?;
        }
        let state = OptimizerState {
            steps: 0,
            first: vec![0.0; parameters],
            second: vec![0.0; parameters],
        };
        Ok(Optimizer { groups, state, held: (0..0, 0) })
    }

    /// Does not update groups that begin in a range during the first `steps` steps. Their own steps are counted from then on, as
    /// PyTorch's optimisers do for parameters without a gradient.
    pub fn hold(&mut self, parameters: Range<usize>, steps: u64) {
        self.held = (parameters, steps);
    }

    /// The parameters that the next step does not update; see [`Optimizer::hold`].
    #[must_use]
    pub fn held(&self) -> Range<usize> {
        let (parameters, steps) = &self.held;
        if self.state.steps < *steps { parameters.clone() } else { 0..0 }
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &OptimizerState {
        &self.state
    }

    /// Continues from a state.
    ///
    /// # Errors
    /// If the state has another number of parameters.
    pub fn restore(&mut self, state: OptimizerState) -> Result<(), Error> {
        for got in [state.first.len(), state.second.len()] {
            let expected = self.state.first.len();
            if got != expected {
                return Err(Error::Size { what: "optimiser state", expected, got });
            }
        }
        self.state = state;
        Ok(())
    }

    /// One step. `factor`, the value of the schedule, multiplies every learning rate.
    ///
    /// # Panics
    /// If the number of parameters or gradients differs from that of the optimiser.
    pub fn step(
        &mut self,
        runtime: &Runtime,
        parameters: &mut [f32],
        gradients: &[f32],
        factor: f64,
    ) {
        assert_eq!(parameters.len(), self.state.first.len());
        assert_eq!(gradients.len(), self.state.first.len());
        self.state.steps += 1;
        let steps = self.state.steps;
        let OptimizerState { first, second, .. } = &mut self.state;
        for group in &self.groups {
            let range = group.parameters.clone();
            let held = if self.held.0.contains(&range.start) { self.held.1 } else { 0 };
            if steps <= held {
                continue;
            }
            let update = Update::new(group.rule, group.learning_rate * factor, steps - held);
            let work = parameters[range.clone()]
                .par_chunks_mut(CHUNK)
                .zip(gradients[range.clone()].par_chunks(CHUNK))
                .zip(first[range.clone()].par_chunks_mut(CHUNK))
                .zip(second[range].par_chunks_mut(CHUNK));
            runtime.run(|| {
                work.for_each(|(((p, g), m), v)| {
                    vectorize(runtime.isa(), || update.apply(p, g, m, v));
                });
            });
        }
    }
}

impl Group {
    /// The groups for all parameters in the range `within` of the vector of parameters: `rule` for trained parameters, without weight decay
    /// for a learned prior, [`Rule::Average`] for running statistics, and none for what is derived from other parameters.
    #[must_use]
    pub fn of(layout: &Layout, within: Range<usize>, rule: Rule, learning_rate: f64) -> Vec<Self> {
        let mut groups: Vec<Group> = vec![];
        for parameter in layout.parameters() {
            let Range { start, end } = parameter.range();
            let range = start.max(within.start)..end.min(within.end);
            if range.is_empty() {
                continue;
            }
            let rule = match parameter.role {
                Role::Statistic { momentum, .. } => Rule::Average { momentum },
                Role::Prior { .. } | Role::Pixels => rule.without_decay(),
                Role::Derived => continue,
                _ => rule,
            };
            match groups.last_mut() {
                Some(last) if last.rule == rule && last.parameters.end == range.start => {
                    last.parameters.end = range.end;
                }
                _ => groups.push(Group { parameters: range, rule, learning_rate }),
            }
        }
        groups
    }

    fn check(&self) -> Result<(), Error> {
        let in_range = |name, value: f64, ok: bool, expected| {
            if ok { Ok(()) } else { Err(Error::Setting { name, value, expected }) }
        };
        let at_least_zero = |x: f64| x >= 0.0 && x.is_finite();
        let fraction = |x: f64| (0.0..1.0).contains(&x);
        let rate = self.learning_rate;
        in_range("learning rate", rate, at_least_zero(rate), "a finite number of at least 0")?;
        let weight_decay = match self.rule {
            Rule::Sgd { weight_decay, .. }
            | Rule::Adam { weight_decay, .. }
            | Rule::AdamW { weight_decay, .. } => weight_decay,
            Rule::Average { .. } => 0.0,
        };
        in_range(
            "weight decay",
            weight_decay,
            at_least_zero(weight_decay),
            "a finite number of at least 0",
        )?;
        match self.rule {
            Rule::Average { momentum } => {
                let ok = (0.0..=1.0).contains(&momentum);
                in_range("momentum", momentum, ok, "from 0 to 1")
            }
            Rule::Sgd { momentum, nesterov, .. } => {
                in_range("momentum", momentum, fraction(momentum), "at least 0 and less than 1")?;
                let ok = !nesterov || momentum > 0.0;
                in_range("momentum", momentum, ok, "more than 0, as Nesterov's method needs it")
            }
            Rule::Adam { betas, epsilon, .. } | Rule::AdamW { betas, epsilon, .. } => {
                for beta in betas {
                    in_range("beta", beta, fraction(beta), "at least 0 and less than 1")?;
                }
                in_range(
                    "epsilon",
                    epsilon,
                    at_least_zero(epsilon),
                    "a finite number of at least 0",
                )
            }
        }
    }
}

/// Scales gradients so that their Euclidean norm is at most `limit` (`torch.nn.utils.clip_grad_norm_`), and returns the norm before.
/// Running statistics are not gradients, so they are neither counted nor scaled.
///
/// # Panics
/// If the number of gradients differs from the number of parameters of the layout.
pub fn clip_norm(layout: &Layout, gradients: &mut [f32], limit: f64) -> f64 {
    assert_eq!(gradients.len(), layout.parameter_count());
    let trained = layout.trained();
    let chunks = trained.iter().flat_map(|range| gradients[range.clone()].chunks(CHUNK));
    let sums = chunks.map(|c| c.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>());
    let norm = sums.sum::<f64>().sqrt();
    let scale = limit / (norm + 1e-6);
    if scale < 1.0 {
        for range in trained {
            for g in &mut gradients[range] {
                *g *= scale as f32;
            }
        }
    }
    norm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Layer;
    use crate::network::{Network, Section};

    fn group(parameters: Range<usize>, rule: Rule, learning_rate: f64) -> Group {
        Group { parameters, rule, learning_rate }
    }

    #[test]
    fn groups_keep_to_themselves() {
        let sgd = |weight_decay| Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay };
        let groups = vec![group(0..1, sgd(0.0), 0.1), group(2..3, sgd(0.5), 1.0)];
        let mut optimizer = Optimizer::new(groups, 4).unwrap();
        let runtime = Runtime::new(Some(1), None).unwrap();
        let mut p = vec![1.0, 1.0, 1.0, 1.0];
        optimizer.step(&runtime, &mut p, &[1.0; 4], 0.5);
        assert_eq!(p, [0.95, 1.0, 0.25, 1.0]);
    }

    #[test]
    fn what_is_held_waits_and_then_begins_anew() {
        let adam = Rule::Adam { betas: [0.9, 0.999], epsilon: 0.0, weight_decay: 0.1 };
        let groups = || vec![group(0..1, adam, 0.01), group(1..2, adam, 0.01)];
        let (mut held, mut free) =
            (Optimizer::new(groups(), 2).unwrap(), Optimizer::new(groups(), 2).unwrap());
        held.hold(0..1, 3);
        let runtime = Runtime::new(Some(1), None).unwrap();
        let mut p = vec![1.0, 1.0];
        for _ in 0..3 {
            assert_eq!(held.held(), 0..1);
            held.step(&runtime, &mut p, &[3.0, 3.0], 1.0);
            assert_eq!(p[0].to_bits(), 1.0f32.to_bits());
        }
        assert!(p[1] < 0.98);
        assert!(held.held().is_empty());
        let mut q = vec![1.0, 1.0];
        for _ in 0..2 {
            held.step(&runtime, &mut p, &[3.0, 3.0], 1.0);
            free.step(&runtime, &mut q, &[3.0, 3.0], 1.0);
        }
        assert_eq!(p[0].to_bits(), q[0].to_bits());
    }

    #[test]
    fn the_first_step_of_adam_is_the_learning_rate() {
        let adam = Rule::Adam { betas: [0.9, 0.999], epsilon: 0.0, weight_decay: 0.0 };
        let mut optimizer = Optimizer::new(vec![group(0..2, adam, 0.01)], 2).unwrap();
        let runtime = Runtime::new(Some(1), None).unwrap();
        let mut p = vec![0.0, 0.0];
        optimizer.step(&runtime, &mut p, &[3.0, -0.2], 1.0);
        for (p, expected) in p.iter().zip([-0.01, 0.01]) {
            assert!((f64::from(*p) / expected - 1.0).abs() < 5e-7, "{p} is not {expected}");
        }
    }

    #[test]
    fn bad_settings_are_named() {
        let adam = |epsilon| Rule::Adam { betas: [0.9, 0.999], epsilon, weight_decay: 0.0 };
        let error = |groups| Optimizer::new(groups, 4).unwrap_err().to_string();
        assert!(error(vec![group(0..4, adam(-1.0), 0.1)]).starts_with("epsilon = -1"));
        assert!(error(vec![group(0..4, adam(1e-8), f64::NAN)]).starts_with("learning rate = NaN"));
        let nesterov = Rule::Sgd { momentum: 0.0, nesterov: true, weight_decay: 0.0 };
        assert!(error(vec![group(0..4, nesterov, 0.1)]).contains("Nesterov"));
        let overlap = vec![group(0..3, adam(1e-8), 0.1), group(2..4, adam(1e-8), 0.1)];
        assert!(error(overlap).contains("overlaps"));
        assert!(error(vec![group(0..5, adam(1e-8), 0.1)]).contains("beyond"));
    }

    fn normalized() -> Layout {
        let norm = Layer::BatchNorm2d { momentum: 0.25, epsilon: 1e-5 };
        let linear = Layer::Linear { out_features: 1 };
        let layers = vec![linear.clone(), norm.clone(), norm, linear];
        let sections = vec![Section { name: String::new(), layers }];
        Network { input: [1, 1, 1], sections }.layout().unwrap()
    }

    #[test]
    fn clipping_scales_to_the_limit_and_leaves_the_rest() {
        // Weight, bias; scale, shift, mean, variance twice; weight, bias.
        let layout = normalized();
        let all = vec![3.0, 0.0, 0.0, 4.0, 9.0, 9.0, 0.0, 0.0, 9.0, 9.0, 12.0, 0.0];
        let mut gradients = all.clone();
        assert!((clip_norm(&layout, &mut gradients, 20.0) - 13.0).abs() < 1e-12);
        assert_eq!(gradients, all);
        clip_norm(&layout, &mut gradients, 1.0);
        for (i, (after, before)) in gradients.iter().zip(&all).enumerate() {
            let factor = if [4, 5, 8, 9].contains(&i) { 1.0 } else { 1.0 / 13.0 };
            assert!((after - before * factor).abs() < 1e-6, "{i}");
        }
    }

    #[test]
    fn statistics_move_towards_the_batchs_own_whatever_the_rule() {
        let layout = normalized();
        let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.5 };
        let groups = Group::of(&layout, 2..12, rule, 1.0);
        let ranges: Vec<_> = groups.iter().map(|g| g.parameters.clone()).collect();
        assert_eq!(ranges, [2..4, 4..6, 6..8, 8..10, 10..12]);
        let mut optimizer = Optimizer::new(groups, 12).unwrap();
        let mut parameters = vec![1.0; 12];
        let runtime = Runtime::new(Some(1), None).unwrap();
        optimizer.step(&runtime, &mut parameters, &[5.0; 12], 0.1);
        // Trained parameters: 1 - 0.1 * (5 + 0.5); running statistics: 1 + 0.25 * (5 - 1).
        let expected = [1.0, 1.0, 0.45, 0.45, 2.0, 2.0, 0.45, 0.45, 2.0, 2.0, 0.45, 0.45];
        for (p, expected) in parameters.iter().zip(expected) {
            assert!((p - expected).abs() < 1e-6, "{parameters:?}");
        }
    }
}
