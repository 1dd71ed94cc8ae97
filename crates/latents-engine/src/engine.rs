//! A network that computes: outputs, losses and gradients of batches, on all worker threads. It keeps buffers but no state that
//! shows: parameters go in and gradients come out, and the same call gives the same bits on any number of threads.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::affine::{Packed, Packing, Sum, WeightGradient, record_dot};
use crate::batch::{Inputs, Pass, Targets, expect_size};
use crate::buffer::Buffer;
use crate::error::Error;
use crate::kernels::Element;
use crate::kernels::dot::{ChannelSums, DotRun};
use crate::kernels::loss::Loss;
use crate::kernels::transpose::from_lanes;
use crate::network::{Layout, Network};
use crate::objective::{Losses, Objective};
use crate::plan::{Op, Piece, Plan, Source};
use crate::planner;
use crate::runtime::Runtime;
use crate::simd::{LANES, vectorize};
use crate::workspace::{Lot, Samples, Shared, Workspace};

/// The most shards that a batch's gradient is summed in. A fixed number, so that the sums do not depend on the threads.
const SHARDS: usize = 16;

/// A network ready to compute with numbers of type `E`.
#[derive(Debug)]
pub struct Engine<E = f32> {
    layout: Layout,
    plan: Plan,
    runtime: Arc<Runtime>,
    packed: Vec<Packed<E>>,
    workspaces: Vec<Mutex<Workspace<E>>>,
    shards: Vec<E>,
    records: Buffer<E>,
}

/// Locks what no other thread holds; a panic elsewhere leaves nothing half-done in it that matters.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<E: Element> Engine<E> {
    /// Checks the network and lays out its buffers.
    ///
    /// # Errors
    /// Those of [`Network::layout`].
    pub fn new(network: &Network, runtime: Arc<Runtime>) -> Result<Self, Error> {
        let layout = network.layout()?;
        let plan = planner::plan(&layout);
        let packed = plan.ops.iter().map(|op| match op {
            Op::Affine(affine) => Packed {
                forward: vec![E::default(); affine.forward.packed_len()],
                backward: vec![E::default(); affine.backward.as_ref().map_or(0, Sum::packed_len)],
            },
            _ => Packed::default(),
        });
        let packed = packed.collect();
        let workspaces =
            (0..runtime.threads()).map(|_| Mutex::new(Workspace::new(&plan))).collect();
        Ok(Engine {
            layout,
            plan,
            runtime,
            packed,
            workspaces,
            shards: vec![],
            records: Buffer::default(),
        })
    }

    /// Shapes and parameters of the network.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Multiply-adds of one sample's forward pass through the convolutions and matrices as they are defined, the bounds of images
    /// respected; what Winograd's transforms spare is counted all the same.
    #[must_use]
    pub fn multiply_adds(&self) -> u64 {
        crate::affine::multiply_adds(self.layout.nodes())
    }

    /// Where it runs.
    #[must_use]
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// The terms of the objective for each sample of a batch `[n]`, and the gradient of the objective's mean for every parameter,
    /// in `gradients`.
    ///
    /// # Errors
    /// Where parameters, inputs or targets have the wrong size or are out of range; nothing has been computed then.
    pub fn gradients(
        &mut self,
        parameters: &[E],
        inputs: Inputs<'_, E>,
        targets: Targets<'_, E>,
        objective: impl Into<Objective>,
        pass: Pass,
        gradients: &mut [E],
    ) -> Result<Losses, Error> {
        let objective = objective.into();
        let (n, end) = self.check(parameters, inputs, targets, &objective)?;
        expect_size("gradients", gradients.len(), self.layout.parameter_count())?;
        let runtime = Arc::clone(&self.runtime);
        runtime.run(|| {
            self.pack(parameters, true);
            let micro_batches = n.div_ceil(LANES);
            let each = micro_batches.div_ceil(SHARDS).max(1);
            let shards = micro_batches.div_ceil(each);
            self.shards.resize(shards * self.plan.shard_len, E::default());
            let records = micro_batches * self.plan.record_len;
            if self.records.len() != records {
                self.records = Buffer::zeros(records);
            }
            let mut losses = Losses::zeros(n);
            let what = (&objective, pass, end);
            self.shard_gradients(parameters, inputs, targets, what, each, &mut losses);
            self.assemble(shards, micro_batches, gradients);
            Ok(losses)
        })
    }

    /// Forward and backward of every micro-batch; `each` micro-batches share a shard.
    fn shard_gradients(
        &mut self,
        parameters: &[E],
        inputs: Inputs<'_, E>,
        targets: Targets<'_, E>,
        (objective, pass, end): (&Objective, Pass, usize),
        each: usize,
        losses: &mut Losses,
    ) {
        let batch = losses.fit.len();
        let Engine { plan, runtime, packed, workspaces, shards, records, .. } = self;
        let (plan, workspaces) = (&*plan, &*workspaces);
        let end = plan.boundaries[end];
        let shared = Shared { plan, isa: runtime.isa(), parameters, packed, end };
        // Chunks of length zero are not allowed; a network without convolutions or without matrices has no use for them.
        let shards = chunks(shards, plan.shard_len, batch.div_ceil(each * LANES));
        let records = chunks(records, each * plan.record_len, shards.len());
        let fits = losses.fit.par_chunks_mut(each * LANES);
        let losses = fits.zip(losses.penalty.par_chunks_mut(each * LANES));
        let work = losses.zip(shards).zip(records).enumerate();
        work.with_max_len(1).for_each(|(shard, (((fits, penalties), gradients), records))| {
            let mut workspace = lock(&workspaces[rayon::current_thread_index().unwrap_or(0)]);
            gradients.fill(E::default());
            let first = shard * each * LANES;
            let losses = fits.chunks_mut(LANES).zip(penalties.chunks_mut(LANES));
            for (i, (fits, penalties)) in losses.enumerate() {
                let start = first + i * LANES;
                let samples = start..start + fits.len();
                let what = (objective, pass);
                let fit = workspace.step(&shared, inputs, targets, samples, what, batch);
                fits.copy_from_slice(&fit[..fits.len()]);
                penalties.copy_from_slice(&workspace.penalty[..fits.len()]);
                let record = &mut records[i * plan.record_len..(i + 1) * plan.record_len];
                let lot = Lot { samples: fits.len(), batch, pass };
                workspace.backward(&shared, lot, gradients, record);
            }
        });
    }

    /// Puts the gradient together from shards and records, each piece in one fixed order.
    fn assemble(&self, shards: usize, micro_batches: usize, gradients: &mut [E]) {
        let mut rest = gradients;
        let mut pieces: Vec<(&Piece, &mut [E])> = vec![];
        for piece in &self.plan.pieces {
            let (slice, tail) = rest.split_at_mut(piece.range.len());
            pieces.push((piece, slice));
            rest = tail;
        }
        let (shard_len, record_len) = (self.plan.shard_len, self.plan.record_len);
        let isa = self.runtime.isa();
        pieces.into_par_iter().with_max_len(1).for_each(|(piece, out)| {
            out.fill(E::default());
            match &piece.source {
                Source::Shards { offset } => vectorize(isa, || {
                    for shard in 0..shards {
                        let from = shard * shard_len + offset;
                        for (o, &x) in out.iter_mut().zip(&self.shards[from..]) {
                            *o = o.plus(x);
                        }
                    }
                }),
                Source::Rows { op, rows } => {
                    let (shape, offset) = self.record(*op);
                    let dot = record_dot(shape, offset, record_len, micro_batches);
                    let (a, b) = (&self.records[..], &self.records[..]);
                    let run = DotRun { plan: &dot, rows: rows.clone(), a, b, out };
                    if micro_batches > 0 {
                        E::dot(isa, run);
                    }
                }
                Source::Bias { op } => {
                    let ([inputs, outputs], offset) = self.record(*op);
                    let start = offset + inputs * LANES;
                    for record in self.records.chunks_exact(record_len) {
                        let input = &record[start..start + outputs * LANES];
                        E::channel_sums(isa, ChannelSums { input, out });
                    }
                }
            }
        });
    }

    fn record(&self, op: usize) -> ([usize; 2], usize) {
        match &self.plan.ops[op] {
            Op::Affine(affine) => match affine.gradient {
                WeightGradient::Record { inputs, outputs, offset } => ([inputs, outputs], offset),
                WeightGradient::Shard { .. } => unreachable!("pieces name matrices"),
            },
            _ => unreachable!("pieces name matrices"),
        }
    }

    /// The terms of the objective for each sample of a batch `[n]`.
    ///
    /// # Errors
    /// Those of [`Engine::gradients`].
    pub fn losses(
        &mut self,
        parameters: &[E],
        inputs: Inputs<'_, E>,
        targets: Targets<'_, E>,
        objective: impl Into<Objective>,
        pass: Pass,
    ) -> Result<Losses, Error> {
        let objective = objective.into();
        let (n, end) = self.check(parameters, inputs, targets, &objective)?;
        let runtime = Arc::clone(&self.runtime);
        runtime.run(|| {
            self.pack(parameters, false);
            let mut losses = Losses::zeros(n);
            let shared = self.shared(parameters, end);
            let work = losses.fit.par_chunks_mut(LANES).zip(losses.penalty.par_chunks_mut(LANES));
            work.enumerate().for_each(|(i, (fits, penalties))| {
                let mut workspace =
                    lock(&self.workspaces[rayon::current_thread_index().unwrap_or(0)]);
                let samples = i * LANES..i * LANES + fits.len();
                let what = (&objective, pass);
                let fit = workspace.step(&shared, inputs, targets, samples, what, n);
                fits.copy_from_slice(&fit[..fits.len()]);
                penalties.copy_from_slice(&workspace.penalty[..fits.len()]);
            });
            Ok(losses)
        })
    }

    /// What comes out of the given sections `[n, c, h, w]` when `inputs` of the shape before them go in.
    ///
    /// # Errors
    /// Where parameters or inputs have the wrong size, or a section does not exist.
    pub fn forward(
        &mut self,
        parameters: &[E],
        inputs: Inputs<'_, E>,
        sections: Range<usize>,
    ) -> Result<Vec<E>, Error> {
        let layers = self.layers_of(sections)?;
        self.forward_layers(parameters, inputs, layers)
    }

    /// The same of layers, counted through all sections. An activation that is computed together with the layer before it must not
    /// be cut off from it.
    ///
    /// # Errors
    /// Where parameters or inputs have the wrong size, or a layer does not exist.
    pub fn forward_layers(
        &mut self,
        parameters: &[E],
        inputs: Inputs<'_, E>,
        layers: Range<usize>,
    ) -> Result<Vec<E>, Error> {
        expect_size("parameters", parameters.len(), self.layout.parameter_count())?;
        let (first, last, limit) = (layers.start, layers.end, self.layout.layers().len());
        if last > limit || first > last {
            return Err(Error::Range { what: "layer", got: last, limit });
        }
        let numbers = self.layout.shape(first).iter().product();
        let n = inputs.check(numbers)?;
        let out_numbers: usize = self.layout.shape(last).iter().product();
        let runtime = Arc::clone(&self.runtime);
        runtime.run(|| {
            self.pack(parameters, false);
            let shared = self.shared(parameters, last);
            let (start, end) = (self.plan.boundaries[first], self.plan.boundaries[last]);
            let mut out = vec![E::default(); n * out_numbers];
            out.par_chunks_mut(LANES * out_numbers).enumerate().for_each(|(i, out)| {
                let mut workspace =
                    lock(&self.workspaces[rayon::current_thread_index().unwrap_or(0)]);
                let mut out: Vec<&mut [E]> = out.chunks_exact_mut(out_numbers).collect();
                let samples = i * LANES..i * LANES + out.len();
                inputs.to_lanes(samples, numbers, &mut workspace.buffers[start.1]);
                workspace.forward(
                    &shared,
                    start.0..end.0,
                    Pass::Evaluate,
                    &Samples::unweighed(&[]),
                );
                from_lanes(&workspace.buffers[end.1], &mut out);
            });
            Ok(out)
        })
    }

    fn layers_of(&self, sections: Range<usize>) -> Result<Range<usize>, Error> {
        let limit = self.layout.section_count();
        if sections.end > limit || sections.is_empty() {
            return Err(Error::Range { what: "section", got: sections.end, limit });
        }
        Ok(self.layout.section(sections.start).start..self.layout.section(sections.end - 1).end)
    }

    /// `end` is the number of layers before the loss.
    fn shared<'a>(&'a self, parameters: &'a [E], end: usize) -> Shared<'a, E> {
        let (plan, end) = (&self.plan, self.plan.boundaries[end]);
        Shared { plan, isa: self.runtime.isa(), parameters, packed: &self.packed, end }
    }

    /// The number of samples and that of the layers before the loss, where everything fits.
    fn check(
        &self,
        parameters: &[E],
        inputs: Inputs<'_, E>,
        targets: Targets<'_, E>,
        objective: &Objective,
    ) -> Result<(usize, usize), Error> {
        let loss = objective.loss;
        expect_size("parameters", parameters.len(), self.layout.parameter_count())?;
        let input: usize = self.layout.shape(0).iter().product();
        let layers = self.layout.layers().len();
        let Some(end) = layers.checked_sub(objective.skip).filter(|&end| end > 0) else {
            return Err(Error::Range { what: "layer", got: objective.skip, limit: layers });
        };
        let after = self.layout.parameters_of(end..layers);
        if let Some(parameter) = self.layout.parameters().iter().find(|p| after.contains(&p.offset))
        {
            return Err(Error::Network(format!(
                "`{}` comes after the loss, and would learn nothing",
                parameter.name
            )));
        }
        let output: usize = self.layout.shape(end).iter().product();
        let n = inputs.check(input)?;
        let in_range = |class: Option<u8>| match class {
            Some(c) if usize::from(c) >= output => {
                Err(Error::Range { what: "class", got: c.into(), limit: output })
            }
            _ => Ok(()),
        };
        match (targets, loss) {
            (Targets::Classes(classes), Loss::CrossEntropy { label_smoothing }) => {
                fraction("label smoothing", label_smoothing)?;
                expect_size("classes", classes.len(), n)?;
                in_range(classes.iter().copied().max())?;
            }
            (Targets::Mixtures(mixtures), Loss::CrossEntropy { label_smoothing }) => {
                fraction("label smoothing", label_smoothing)?;
                expect_size("mixtures", mixtures.len(), n)?;
                in_range(mixtures.iter().flat_map(|m| m.classes).max())?;
                mixtures.iter().try_for_each(|m| fraction("weight of a class", m.weight.into()))?;
            }
            (Targets::Classes(_) | Targets::Mixtures(_), _) | (_, Loss::CrossEntropy { .. }) => {
                return Err(Error::Network(format!(
                    "{loss:?} cannot be taken against these targets: cross-entropy takes classes, and no other loss does"
                )));
            }
            (Targets::Inputs, _) => {
                expect_size("outputs, to be held against the inputs", output, input)?;
            }
            (Targets::Values(values), _) => expect_size("targets", values.len(), n * output)?,
        }
        if loss == (Loss::Gaussian { deviation: None }) && self.plan.log_scale.is_none() {
            return Err(Error::Network(
                "it has no layer `log_scale` for the likelihood to learn".into(),
            ));
        }
        Ok((n, end))
    }

    /// Brings the weights into the order in which the kernels read them.
    fn pack(&mut self, parameters: &[E], backward: bool) {
        let mut parts = vec![];
        for (op, packed) in self.plan.ops.iter().zip(&mut self.packed) {
            let Op::Affine(affine) = op else { continue };
            let weights = &parameters[affine.weight.clone()];
            parts.extend(affine.forward.packings(weights, &mut packed.forward));
            if let Some(sum) = affine.backward.as_ref().filter(|_| backward) {
                parts.extend(sum.packings(weights, &mut packed.backward));
            }
        }
        parts.into_par_iter().for_each(Packing::run);
    }
}

fn fraction(name: &'static str, value: f64) -> Result<(), Error> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::Setting { name, value, expected: "from 0 to 1" })
}

/// `count` chunks of `len`, also where `len` is zero.
fn chunks<E>(all: &mut [E], len: usize, count: usize) -> Vec<&mut [E]> {
    if len == 0 {
        return (0..count).map(|_| Default::default()).collect();
    }
    all.chunks_mut(len).collect()
}
