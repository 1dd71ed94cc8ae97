//! The training engine: networks of convolutions and linear layers on ordinary CPUs.
//!
//! A [`Network`] is data: sections of [`Layer`]s over images `[c, h, w]`. [`Network::layout`] infers and checks every shape. An
//! [`Engine`] computes outputs, losses and gradients of batches. An [`Optimizer`] updates the parameters, which are one plain vector
//! in PyTorch's order and layouts. The engine processes micro-batches of [`LANES`] samples with the samples innermost in memory, so
//! strides, padding and odd sizes do not slow down the vector units, and a pass stays in the cache of one core.
//!
//! The same call gives the same bits on any number of threads and any instruction set ([`Isa`]): every sum has one fixed order. With
//! [`Precision::Bf16`], products are of numbers in bfloat16, which processors with AMX multiply much faster; the bits are the same on all
//! others.
//!
//! A [`Loss`] of the engine is a sum over samples. For an objective that couples the samples of a batch (contrastive, adversarial,
//! codebooks), compute its gradient with respect to the output of [`Engine::outputs`] and backpropagate it with
//! [`Engine::backward`]; if it is one term beside a [`Loss`], a function of the posterior of a batch, give its gradient to
//! [`Engine::gradients`] ([`CoupledCriterion`]), as those of a [`Posterior`] are. The importance-weighted bound of a variational autoencoder, which
//! couples several draws of each sample, is [`Engine::importance_gradients`]. A prior that is made of the posteriors of learned images
//! ([`Layer::VampPrior`]) is computed anew after each step by [`Engine::update_prior`]. For a conditional model, use [`Layer::Condition`] and [`Inputs::with_conditions`].
//!
//! This crate does not know files, data sets or training runs.
//!
//! ```
//! use std::sync::Arc;
//! use latents_engine::{
//!     Engine, Group, Init, Inputs, Layer, Loss, Network, Optimizer, Pass, Rule, Runtime, Section, Targets, initialize,
//! };
//!
//! # fn main() -> Result<(), latents_engine::Error> {
//! // An autoencoder from images [1, 2, 2] to one number and back.
//! let encoder = Section { name: "encoder".into(), layers: vec![Layer::Linear { out_features: 1 }] };
//! let decoder = vec![Layer::Linear { out_features: 4 }, Layer::Reshape { shape: [1, 2, 2] }];
//! let decoder = Section { name: "decoder".into(), layers: decoder };
//! let network = Network { input: [1, 2, 2], sections: vec![encoder, decoder] };
//!
//! let mut engine = Engine::<f32>::new(&network, Arc::new(Runtime::new(None, None)?))?;
//! let layout = engine.layout().clone();
//! let mut parameters = initialize(&layout, Init::default(), 1);
//! let count = layout.parameter_count();
//! let rule = Rule::Adam { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0 };
//! let mut optimizer = Optimizer::new(Group::of(&layout, 0..count, rule, 0.05), count)?;
//!
//! let images = [1.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 0.5]; // [2, 1, 2, 2]
//! let (mut gradients, mut losses) = (vec![0.0; count], vec![]);
//! for step in 0..500 {
//!     let pass = Pass::Train { seed: 1, epoch: step };
//!     let batch_losses = engine.gradients(
//!         &parameters, Inputs::Values(&images), Targets::Inputs, Loss::MeanSquaredError, pass, &mut gradients,
//!     )?;
//!     losses.push(batch_losses.mean_loss());
//!     optimizer.step(engine.runtime(), &mut parameters, &gradients, 1.0);
//! }
//! assert!(losses[499] < 0.01 * losses[0]);
//! # Ok(())
//! # }
//! ```

mod affine;
mod batch;
mod batch_penalty;
mod bfloat16;
mod buffer;
mod code_table;
mod criterion;
mod declared;
mod draws;
mod engine;
mod error;
mod exact;
mod executor;
mod geometry;
mod importance;
mod importance_weights;
mod init;
mod isa;
mod kernels;
mod lanes;
mod layer;
mod memory;
mod network;
mod number;
mod optimizer;
mod options;
mod parameter;
mod plan;
mod planner;
mod precision;
mod pseudo_inputs;
mod runtime;
mod schedule;
mod shape;
mod simd;
mod tiles;
mod winograd;
mod workspace;

pub use batch::{Batch, InputPixels, Inputs, Mixup, Pass, Targets};
pub use batch_penalty::{BatchPenalty, Posterior};
pub use code_table::CodeTable;
pub use criterion::{Backward, CoupledCriterion, Criterion, Losses, OutputGradients};
pub use engine::Engine;
pub use error::Error;
pub use init::{Init, initialize};
pub use isa::Isa;
pub use kernels::Element;
pub use kernels::loss::Loss;
pub use kernels::peak::peak_gflops;
pub use layer::Layer;
pub use network::{Layout, Network, Section};
pub use number::Number;
pub use optimizer::{Group, Optimizer, OptimizerState, Rule, clip_norm};
pub use options::EngineOptions;
pub use parameter::{Parameter, Role};
pub use precision::Precision;
pub use pseudo_inputs::PseudoInputs;
pub use runtime::Runtime;
pub use schedule::Schedule;
pub use shape::Shape;
pub use simd::LANES;

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
