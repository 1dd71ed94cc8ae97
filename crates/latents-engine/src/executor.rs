//! The interface between [`crate::Engine`] and a way to compute. The engine checks its arguments and describes the work as a [`Job`].
//! An [`Executor`] is made for the plan of one network and does the job for a whole batch: it packs the parameters, runs the
//! micro-batches forward and backward, and assembles the gradients. The engine makes one dynamic call per job.
//!
//! [`crate::exact`] is the only executor. It computes as the plan says (in the number type of the engine, or products in bfloat16), with
//! every sum in one fixed order. Another device (a GPU) is another executor. It must give the same bits on every run and any number of
//! threads. If they differ from the bits of the exact executor, a run must choose it by its own name in the settings, as it chooses
//! [`crate::Precision`], and it must never replace the exact executor silently.

use std::fmt;
use std::ops::Range;

use crate::batch::{Batch, Pass, Targets};
use crate::criterion::{Criterion, Losses, OutputGradients};

/// A pass over some layers; the engine has checked all sizes.
#[derive(Clone, Debug)]
pub(crate) struct Job<'a, E> {
    /// All parameters of the network.
    pub(crate) parameters: &'a [E],
    pub(crate) batch: Batch<'a, E>,
    /// Samples in the batch.
    pub(crate) samples: usize,
    /// The layers to run, counted through all sections.
    pub(crate) layers: Range<usize>,
    pub(crate) pass: Pass,
    pub(crate) added: Option<Added<'a, E>>,
}

/// A gradient that the backward pass adds to that of the input of a layer of latents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Added<'a, E> {
    /// The layer's number, as operations have it.
    pub(crate) layer: usize,
    /// `[n, ...]`.
    pub(crate) gradients: &'a [E],
}

/// The source of the gradient of the output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Head<'a, E> {
    /// A loss that compares the output with targets.
    Loss(Criterion, Targets<'a, E>),
    /// The gradient is given.
    Gradients(OutputGradients<'a, E>),
}

/// The destination of the gradients. Both vectors are overwritten.
#[derive(Debug)]
pub(crate) struct Gradients<'a, E> {
    /// One number for each parameter of the network.
    pub(crate) parameters: &'a mut [E],
    /// Range of the parameters of the job's layers; the gradients of all others are zero.
    pub(crate) range: Range<usize>,
    /// Gradients of the input of the job's first layer, `[n, ...]`. Present only if the executor was made for input gradients.
    pub(crate) inputs: Option<&'a mut [E]>,
}

/// A way to compute the plan of one network.
pub(crate) trait Executor<E>: fmt::Debug + Send + Sync {
    /// The output of the layers, `[n, ...]`.
    fn outputs(&mut self, job: &Job<'_, E>) -> Vec<E>;

    /// The loss and the penalty of each sample.
    fn losses(
        &mut self,
        job: &Job<'_, E>,
        criterion: &Criterion,
        targets: Targets<'_, E>,
    ) -> Losses;

    /// Gradients, and the loss and the penalty of each sample. The loss is zero if the output's gradient is given.
    fn gradients(
        &mut self,
        job: &Job<'_, E>,
        head: Head<'_, E>,
        gradients: Gradients<'_, E>,
    ) -> Losses;
}
