//! The engine: networks of convolutions and matrices, trained on ordinary CPUs.
//!
//! A [`Network`] is data: sections of [`Layer`]s over images `[c, h, w]`. [`Network::layout`] infers and checks every shape. An
//! [`Engine`] computes outputs, losses and gradients of batches; an [`Optimizer`] steps the parameters, which are one plain vector
//! in PyTorch's order and layouts. Micro-batches of [`LANES`] samples are worked on with the samples innermost, so that strides,
//! padding and odd sizes never get in the way of the vector units, and a pass stays in a core's own cache.
//!
//! The same call gives the same bits on any number of threads and any instruction set ([`Isa`]): every sum has one fixed order.
//!
//! Nothing here knows of files, data sets, epochs or what a model is for.

mod batch;
mod engine;
mod error;
mod geometry;
mod init;
mod isa;
mod kernels;
mod layer;
mod network;
mod number;
mod objective;
mod optimizer;
mod plan;
mod runtime;
mod schedule;
mod simd;
mod workspace;

pub use batch::{Inputs, Mixture, Pass, Targets};
pub use engine::Engine;
pub use error::Error;
pub use init::{Init, initialize};
pub use isa::Isa;
pub use kernels::Element;
pub use kernels::loss::Loss;
pub use kernels::peak::peak_gflops;
pub use layer::Layer;
pub use network::{Layout, Network, Parameter, Role, Section, Shape};
pub use number::Number;
pub use objective::{Losses, Objective};
pub use optimizer::{Group, Optimizer, OptimizerState, Rule, clip_norm};
pub use runtime::Runtime;
pub use schedule::Schedule;
pub use simd::LANES;
