//! How much memory training steps take, from the plan alone, as the exact executor allocates it. Nothing is allocated here.

use crate::affine::{Affine, Products, Sum, WeightGradient, record_tiles};
use crate::bfloat16::Pair;
use crate::exact::{SHARDS, sums};
use crate::kernels::tile_products::ProductsScratch;
use crate::plan::{Op, Plan, Source};
use crate::tiles::TileProducts;
use crate::winograd::POSITIONS;

/// Bytes of the parts of a thread's scratch: tiles on both sides, their products, rounded input, and the three parts of products in tiles. Each grows to the size of
/// the largest.
type Scratch = [usize; 7];

/// Micro-batches whose records are laid out to find the scratch of their products; of more, the records are what counts.
const MICRO_BATCHES: usize = 1 << 16;

/// About how many bytes the training steps of so many micro-batches take on so many threads.
pub(crate) fn of_steps<E>(plan: &Plan, micro_batches: usize, threads: usize) -> u64 {
    let numbers = |lens: &[usize]| lens.iter().map(|&n| n as u64).sum::<u64>();
    let workspace = numbers(&plan.buffers) + numbers(&plan.masks) + numbers(&plan.places);
    let shards = micro_batches.min(SHARDS) as u64;
    let of_threads = threads as u64 * workspace + shards * plan.shard_len as u64;
    let numbers =
        of_threads.saturating_add((micro_batches as u64).saturating_mul(plan.record_len as u64));
    let packed = plan.ops.iter().flat_map(sums).map(|sum| sum.packed::<E>() as u64).sum::<u64>();
    let scratch =
        scratch::<E>(plan, micro_batches.min(MICRO_BATCHES)).iter().map(|&n| n as u64).sum::<u64>();
    numbers.saturating_mul(size_of::<E>() as u64).saturating_add(packed + threads as u64 * scratch)
}

/// The scratch of a thread.
fn scratch<E>(plan: &Plan, micro_batches: usize) -> Scratch {
    let of_ops = plan.ops.iter().filter_map(|op| match op {
        Op::Affine(affine) => Some(of_affine::<E>(affine)),
        _ => None,
    });
    let of_records = plan.pieces.iter().filter_map(|piece| {
        let Source::Rows { op, rows } = &piece.source else { return None };
        let Op::Affine(affine) = &plan.ops[*op] else { return None };
        let WeightGradient::Record { inputs, outputs, offset, tiles: true } = affine.gradient
        else {
            return None;
        };
        let shape = [inputs, outputs];
        Some(of_products(&record_tiles(shape, offset, plan.record_len, micro_batches, rows)))
    });
    of_ops.chain(of_records).fold(Scratch::default(), largest)
}

fn largest(a: Scratch, b: Scratch) -> Scratch {
    std::array::from_fn(|i| a[i].max(b[i]))
}

fn of_affine<E>(affine: &Affine) -> Scratch {
    let sums = [Some(&affine.forward), affine.backward.as_ref()].into_iter().flatten();
    let of_gradient = match &affine.gradient {
        WeightGradient::Shard { products: Products::Winograd(winograd), .. } => {
            let (tiles, dot) = (&winograd.tiles, &winograd.dot);
            let numbers =
                [tiles.numbers(dot.columns), tiles.numbers(dot.rows), POSITIONS * winograd.pairs()];
            let [tiles, others, pairs] = numbers.map(|n| n * size_of::<E>());
            [tiles, others, pairs, 0, 0, 0, 0]
        }
        WeightGradient::Shard { products: Products::Tiles(plan), .. } => of_products(plan),
        WeightGradient::Shard { products: Products::Places(_), .. }
        | WeightGradient::Record { .. } => Scratch::default(),
    };
    sums.map(of_sum::<E>).fold(of_gradient, largest)
}

fn of_sum<E>(sum: &Sum) -> Scratch {
    match sum {
        Sum::Taps(_) => Scratch::default(),
        Sum::Winograd(winograd) => {
            let (tiles, matrix) = (&winograd.tiles, &winograd.matrix);
            let of = |channels| tiles.numbers(channels) * size_of::<E>();
            [of(matrix.terms), of(matrix.out_channels), 0, 0, 0, 0, 0]
        }
        Sum::Tiles(plan) => [0, 0, 0, plan.right_len() * size_of::<Pair>(), 0, 0, 0],
    }
}

fn of_products(plan: &TileProducts) -> Scratch {
    let [left, right, sums] = ProductsScratch::memory(plan);
    [0, 0, 0, 0, left, right, sums]
}
