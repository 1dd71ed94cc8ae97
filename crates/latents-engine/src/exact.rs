//! The exact executor: computes the operations of a plan on all worker threads. Every sum has one fixed order, so the bits are the same on
//! any number of threads and any instruction set.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::affine::{Packed, Packing, Sum, WeightGradient, record_dot, record_tiles};
use crate::batch::Targets;
use crate::buffer::Buffer;
use crate::criterion::{Criterion, Losses};
use crate::executor::{Executor, Gradients, Head, Job};
use crate::kernels::Element;
use crate::kernels::dot::{ChannelSums, DotRun};
use crate::kernels::tile_products::TileProductsRun;
use crate::lanes::from_lanes;
use crate::plan::{Op, Piece, Plan, Source};
use crate::runtime::Runtime;
use crate::simd::{LANES, vectorize};
use crate::workspace::{Shared, Workspace};

/// The maximum number of shards in which the gradient of a batch is summed; fixed, so that sums do not depend on the threads.
pub(crate) const SHARDS: usize = 16;

/// The exact executor; see the module.
#[derive(Debug)]
pub(crate) struct ExactExecutor<E> {
    plan: Plan,
    runtime: Arc<Runtime>,
    packed: Vec<Packed<E>>,
    workspaces: Vec<Mutex<Workspace<E>>>,
    shards: Vec<E>,
    records: Buffer<E>,
}

/// The workspace of this worker thread. No other thread locks it, and a panic leaves no state in it that matters.
fn workspace<E>(workspaces: &[Mutex<Workspace<E>>]) -> MutexGuard<'_, Workspace<E>> {
    let own = &workspaces[rayon::current_thread_index().unwrap_or(0)];
    own.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sums of an operation, forward and backward.
pub(crate) fn sums(op: &Op) -> impl Iterator<Item = &Sum> {
    let sums = match op {
        Op::Affine(affine) => [Some(&affine.forward), affine.backward.as_ref()],
        _ => [None; 2],
    };
    sums.into_iter().flatten()
}

impl<E: Element> ExactExecutor<E> {
    pub(crate) fn new(plan: Plan, runtime: Arc<Runtime>) -> Self {
        let packed = plan.ops.iter().map(|op| {
            let mut room = sums(op).map(Sum::room);
            let mut next = || room.next().unwrap_or_default();
            Packed { forward: next(), backward: next() }
        });
        let packed = packed.collect();
        let workspaces =
            (0..runtime.threads()).map(|_| Mutex::new(Workspace::new(&plan))).collect();
        let (shards, records) = (vec![], Buffer::default());
        ExactExecutor { plan, runtime, packed, workspaces, shards, records }
    }

    /// The operations of some layers.
    fn ops(&self, layers: &Range<usize>) -> Range<usize> {
        self.plan.boundaries[layers.start].0..self.plan.boundaries[layers.end].0
    }

    /// Packs the weights of the job's layers in the order in which the kernels read them.
    fn pack(&mut self, job: &Job<'_, E>, backward: bool) {
        let ops = self.ops(&job.layers);
        let mut parts = vec![];
        for (op, packed) in self.plan.ops[ops.clone()].iter().zip(&mut self.packed[ops]) {
            let Op::Affine(affine) = op else { continue };
            let weights = &job.parameters[affine.weight.clone()];
            parts.extend(affine.forward.packings(weights, &mut packed.forward));
            if let Some(sum) = affine.backward.as_ref().filter(|_| backward) {
                parts.extend(sum.packings(weights, &mut packed.backward));
            }
        }
        let isa = self.runtime.isa();
        parts.into_par_iter().for_each(|part: Packing<'_, E>| part.run(isa));
    }

    /// The forward and backward pass of every micro-batch; `each` micro-batches share a shard.
    fn shard_gradients(
        &mut self,
        job: &Job<'_, E>,
        head: Head<'_, E>,
        each: usize,
        losses: &mut Losses,
        inputs: &mut [E],
    ) {
        let ExactExecutor { plan, runtime, packed, workspaces, shards, records } = self;
        let (plan, workspaces, lanes) = (&*plan, &*workspaces, job.micro_batch());
        let shared = Shared { plan, isa: runtime.isa(), packed, job };
        // A network without convolutions has empty shards, and one without linear layers has empty records.
        let shards = chunks(shards, plan.shard_len, job.samples.div_ceil(each * lanes));
        let records = chunks(records, each * plan.record_len, shards.len());
        let numbers = inputs.len() / job.samples.max(1);
        let inputs = chunks(inputs, each * lanes * numbers, shards.len());
        let terms = losses.loss.par_chunks_mut(each * lanes);
        let terms = terms.zip(losses.penalty.par_chunks_mut(each * lanes));
        let work = terms.zip(shards).zip(records).zip(inputs).enumerate();
        work.with_max_len(1).for_each(
            |(shard, ((((losses, penalties), gradients), records), inputs))| {
                let mut workspace = workspace(workspaces);
                gradients.fill(E::default());
                let first = shard * each * lanes;
                let terms = losses.chunks_mut(lanes).zip(penalties.chunks_mut(lanes));
                let inputs = chunks(inputs, lanes * numbers, each);
                for ((i, (losses, penalties)), inputs) in terms.enumerate().zip(inputs) {
                    let count = losses.len();
                    let start = first + i * lanes;
                    let loss = workspace.head(&shared, start..start + count, head);
                    losses.copy_from_slice(&loss[..count]);
                    penalties.copy_from_slice(&workspace.penalty[..count]);
                    let record = &mut records[i * plan.record_len..(i + 1) * plan.record_len];
                    workspace.backward(&shared, start..start + count, gradients, record);
                    if !inputs.is_empty() {
                        let gradient = workspace.input_gradient(&shared);
                        from_lanes(
                            gradient,
                            &mut inputs.chunks_exact_mut(numbers).collect::<Vec<_>>(),
                        );
                    }
                }
            },
        );
    }

    /// Assembles the gradient from shards and records, each piece in one fixed order.
    fn assemble(
        &self,
        shards: usize,
        micro_batches: usize,
        range: &Range<usize>,
        gradients: &mut [E],
    ) {
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
            if !range.contains(&piece.range.start) {
                return;
            }
            match &piece.source {
                Source::Shards { offset } => vectorize(isa, || {
                    for shard in 0..shards {
                        let from = shard * shard_len + offset;
                        for (o, &x) in out.iter_mut().zip(&self.shards[from..]) {
                            *o = o.plus(x);
                        }
                    }
                }),
                Source::Rows { .. } if micro_batches == 0 => {}
                Source::Nothing => {}
                Source::Rows { op, rows } => {
                    let (shape, offset, tiles) = self.record(*op);
                    let (a, b) = (&self.records[..], &self.records[..]);
                    if tiles {
                        let plan = record_tiles(shape, offset, record_len, micro_batches, rows);
                        let mut workspace = workspace(&self.workspaces);
                        let scratch = &mut workspace.scratch.products;
                        let run = TileProductsRun { plan: &plan, small: a, big: b, out, scratch };
                        return E::tile_products(isa, run);
                    }
                    let dot = record_dot(shape, offset, record_len, micro_batches);
                    E::dot(isa, DotRun { plan: &dot, rows: rows.clone(), a, b, out });
                }
                Source::Bias { op } => {
                    let ([inputs, outputs], offset, _) = self.record(*op);
                    let start = offset + inputs * LANES;
                    for record in self.records.chunks_exact(record_len).take(micro_batches) {
                        let input = &record[start..start + outputs * LANES];
                        E::channel_sums(isa, ChannelSums { input, out });
                    }
                }
            }
        });
    }

    /// Inputs and outputs of a linear layer, the offset of its record, and whether it is multiplied in tiles.
    fn record(&self, op: usize) -> ([usize; 2], usize, bool) {
        match &self.plan.ops[op] {
            Op::Affine(affine) => match affine.gradient {
                WeightGradient::Record { inputs, outputs, offset, tiles } => {
                    ([inputs, outputs], offset, tiles)
                }
                WeightGradient::Shard { .. } => unreachable!("pieces name linear layers"),
            },
            _ => unreachable!("pieces name linear layers"),
        }
    }
}

impl<E: Element> Executor<E> for ExactExecutor<E> {
    fn outputs(&mut self, job: &Job<'_, E>) -> Vec<E> {
        let runtime = Arc::clone(&self.runtime);
        runtime.run(|| {
            self.pack(job, false);
            let (_, end) = self.plan.boundaries[job.layers.end];
            let numbers = self.plan.buffers[end] / LANES;
            let shared = Shared { plan: &self.plan, isa: runtime.isa(), packed: &self.packed, job };
            // Allocated by a worker, so that it is in the cache of a worker.
            let mut out = vec![E::default(); job.samples * numbers];
            out.par_chunks_mut(LANES * numbers).enumerate().for_each(|(i, out)| {
                let mut workspace = workspace(&self.workspaces);
                let mut out: Vec<&mut [E]> = out.chunks_exact_mut(numbers).collect();
                let samples = i * LANES..i * LANES + out.len();
                workspace.outputs(&shared, samples);
                from_lanes(&workspace.buffers[end], &mut out);
            });
            out
        })
    }

    fn losses(
        &mut self,
        job: &Job<'_, E>,
        criterion: &Criterion,
        targets: Targets<'_, E>,
    ) -> Losses {
        let runtime = Arc::clone(&self.runtime);
        runtime.run(|| {
            self.pack(job, false);
            let mut losses = Losses::zeros(job.samples);
            let shared = Shared { plan: &self.plan, isa: runtime.isa(), packed: &self.packed, job };
            let work = losses.loss.par_chunks_mut(LANES).zip(losses.penalty.par_chunks_mut(LANES));
            work.enumerate().for_each(|(i, (losses, penalties))| {
                let mut workspace = workspace(&self.workspaces);
                let samples = i * LANES..i * LANES + losses.len();
                let loss = workspace.head(&shared, samples, Head::Loss(*criterion, targets));
                losses.copy_from_slice(&loss[..losses.len()]);
                penalties.copy_from_slice(&workspace.penalty[..losses.len()]);
            });
            losses
        })
    }

    fn gradients(
        &mut self,
        job: &Job<'_, E>,
        head: Head<'_, E>,
        gradients: Gradients<'_, E>,
    ) -> Losses {
        let runtime = Arc::clone(&self.runtime);
        runtime.run(|| {
            self.pack(job, true);
            let micro_batches = job.samples.div_ceil(job.micro_batch());
            let each = micro_batches.div_ceil(SHARDS).max(1);
            let shards = micro_batches.div_ceil(each);
            self.shards.resize(shards * self.plan.shard_len, E::default());
            let records = micro_batches * self.plan.record_len;
            // Kept if they are too many, since an objective may differentiate different numbers of samples in turn.
            if self.records.len() < records {
                self.records = Buffer::zeros(records);
            }
            let mut losses = Losses::zeros(job.samples);
            let Gradients { parameters, range, inputs } = gradients;
            self.shard_gradients(job, head, each, &mut losses, inputs.unwrap_or_default());
            self.assemble(shards, micro_batches, &range, parameters);
            losses
        })
    }
}

/// `count` chunks of `len` or fewer, also if `len` is zero.
fn chunks<E>(all: &mut [E], len: usize, count: usize) -> Vec<&mut [E]> {
    if len == 0 {
        return (0..count).map(|_| Default::default()).collect();
    }
    all.chunks_mut(len).collect()
}
