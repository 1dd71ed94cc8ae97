//! The kernels: all loops over numbers, written once over [`crate::simd::Simd`] and run on the instruction set of the machine. Nearly all
//! unsafe code of the project is here and in `simd`; each kernel checks the sizes of its arguments before it begins.

#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;
pub(crate) mod batch_penalty;
pub(crate) mod dot;
pub(crate) mod elementwise;
pub(crate) mod gather;
pub(crate) mod latent;
pub(crate) mod loss;
pub(crate) mod machine;
pub(crate) mod mixture_prior;
pub(crate) mod noise;
pub(crate) mod normalize;
pub(crate) mod peak;
pub(crate) mod pool;
pub(crate) mod quantize;
pub(crate) mod tile_products;
pub(crate) mod tile_sum;
pub(crate) mod tiles;
pub(crate) mod winograd;

use crate::isa::Isa;
use crate::number::Number;
use crate::simd::{LANES, dispatch_f32, dispatch_f32_half, dispatch_f64};
use batch_penalty::{Arrange, CorrelationColumns, CorrelationRows, MmdRows};
use dot::{ChannelSums, DotRun};
use elementwise::{Add, Backward, Forward, Join, Multiply, Scale};
use gather::GatherRun;
use latent::{LatentBackward, LatentForward};
use loss::LossRun;
use mixture_prior::{MixturePriorBackward, MixturePriorForward};
use noise::Noise;
use normalize::{Normalize, NormalizeBack};
use pool::{Pool, PoolBack};
use quantize::{CodeLoss, LevelsForward, QuantizeBackward, QuantizeForward};
use tile_products::TileProductsRun;
use tile_sum::{FinishTiles, TileSumRun};
use winograd::{Collect, Spread, SpreadGradient};

/// A number type of an engine: `f32`, or `f64` to check gradients. Do not implement it for other types.
///
/// The kernels are its methods, so that they are compiled in this crate, once for each number type, and not again in every crate that
/// uses the engine.
#[allow(private_interfaces)]
pub trait Element: Number {
    #[doc(hidden)]
    fn gather(isa: Isa, run: GatherRun<'_, Self>);
    #[doc(hidden)]
    fn spread(isa: Isa, run: Spread<'_, Self>);
    #[doc(hidden)]
    fn spread_gradient(isa: Isa, run: SpreadGradient<'_, Self>);
    #[doc(hidden)]
    fn collect(isa: Isa, run: Collect<'_, Self>);
    #[doc(hidden)]
    fn dot(isa: Isa, run: DotRun<'_, Self>);
    #[doc(hidden)]
    fn channel_sums(isa: Isa, run: ChannelSums<'_, Self>);
    #[doc(hidden)]
    fn activate(isa: Isa, run: Forward<'_, Self>);
    #[doc(hidden)]
    fn activate_back(isa: Isa, run: Backward<'_, Self>);
    #[doc(hidden)]
    fn multiply(isa: Isa, run: Multiply<'_, Self>);
    #[doc(hidden)]
    fn latent(isa: Isa, run: LatentForward<'_, Self>) -> [f64; LANES];
    #[doc(hidden)]
    fn latent_back(isa: Isa, run: LatentBackward<'_, Self>);
    #[doc(hidden)]
    fn mixture_prior(isa: Isa, run: MixturePriorForward<'_, Self>) -> [f64; LANES];
    #[doc(hidden)]
    fn mixture_prior_back(isa: Isa, run: MixturePriorBackward<'_, Self>);
    #[doc(hidden)]
    fn quantize(isa: Isa, run: QuantizeForward<'_, Self>);
    #[doc(hidden)]
    fn quantize_levels(isa: Isa, run: LevelsForward<'_, Self>);
    #[doc(hidden)]
    fn quantize_back(isa: Isa, run: QuantizeBackward<'_, Self>);
    #[doc(hidden)]
    fn code_loss(isa: Isa, run: CodeLoss<'_, Self>) -> [f64; LANES];
    #[doc(hidden)]
    fn noise(isa: Isa, run: Noise<'_, Self>);
    #[doc(hidden)]
    fn normalize(isa: Isa, run: Normalize<'_, Self>);
    #[doc(hidden)]
    fn normalize_back(isa: Isa, run: NormalizeBack<'_, Self>);
    #[doc(hidden)]
    fn pool(isa: Isa, run: Pool<'_, Self>);
    #[doc(hidden)]
    fn pool_back(isa: Isa, run: PoolBack<'_, Self>);
    #[doc(hidden)]
    fn join(isa: Isa, run: Join<'_, Self>);
    #[doc(hidden)]
    fn scale(isa: Isa, run: Scale<'_, Self>);
    #[doc(hidden)]
    fn add(isa: Isa, run: Add<'_, Self>);
    #[doc(hidden)]
    fn tile_sum(isa: Isa, run: TileSumRun<'_, Self>);
    #[doc(hidden)]
    fn finish_tiles(isa: Isa, run: FinishTiles<'_, Self>);
    #[doc(hidden)]
    fn tile_products(isa: Isa, run: TileProductsRun<'_, Self>);
    #[doc(hidden)]
    fn loss(isa: Isa, run: LossRun<'_, Self>) -> [f64; LANES];
    #[doc(hidden)]
    fn arrange(isa: Isa, run: Arrange<'_, Self>);
    #[doc(hidden)]
    fn correlation_rows(isa: Isa, run: CorrelationRows<'_, Self>) -> f64;
    #[doc(hidden)]
    fn correlation_columns(isa: Isa, run: CorrelationColumns<'_, Self>);
    #[doc(hidden)]
    fn mmd_rows(isa: Isa, run: MmdRows<'_, Self>) -> f64;
}

macro_rules! element {
    ($t:ty, $dispatch:path, $dispatch_half:path) => {
        #[allow(private_interfaces)]
        impl Element for $t {
            fn gather(isa: Isa, run: GatherRun<'_, Self>) {
                $dispatch(isa, run);
            }
            fn spread(isa: Isa, run: Spread<'_, Self>) {
                $dispatch(isa, run);
            }
            fn spread_gradient(isa: Isa, run: SpreadGradient<'_, Self>) {
                $dispatch(isa, run);
            }
            fn collect(isa: Isa, run: Collect<'_, Self>) {
                $dispatch(isa, run);
            }
            fn dot(isa: Isa, run: DotRun<'_, Self>) {
                $dispatch_half(isa, run);
            }
            fn channel_sums(isa: Isa, run: ChannelSums<'_, Self>) {
                $dispatch_half(isa, run);
            }
            fn activate(isa: Isa, run: Forward<'_, Self>) {
                $dispatch(isa, run);
            }
            fn activate_back(isa: Isa, run: Backward<'_, Self>) {
                $dispatch(isa, run);
            }
            fn multiply(isa: Isa, run: Multiply<'_, Self>) {
                $dispatch(isa, run);
            }
            fn latent(isa: Isa, run: LatentForward<'_, Self>) -> [f64; LANES] {
                $dispatch(isa, run)
            }
            fn latent_back(isa: Isa, run: LatentBackward<'_, Self>) {
                $dispatch(isa, run);
            }
            fn mixture_prior(isa: Isa, run: MixturePriorForward<'_, Self>) -> [f64; LANES] {
                $dispatch(isa, run)
            }
            fn mixture_prior_back(isa: Isa, run: MixturePriorBackward<'_, Self>) {
                $dispatch(isa, run);
            }
            fn quantize(isa: Isa, run: QuantizeForward<'_, Self>) {
                $dispatch(isa, run);
            }
            fn quantize_levels(isa: Isa, run: LevelsForward<'_, Self>) {
                $dispatch(isa, run);
            }
            fn quantize_back(isa: Isa, run: QuantizeBackward<'_, Self>) {
                $dispatch(isa, run);
            }
            fn code_loss(isa: Isa, run: CodeLoss<'_, Self>) -> [f64; LANES] {
                $dispatch(isa, run)
            }
            fn noise(isa: Isa, run: Noise<'_, Self>) {
                $dispatch(isa, run);
            }
            fn normalize(isa: Isa, run: Normalize<'_, Self>) {
                $dispatch(isa, run);
            }
            fn normalize_back(isa: Isa, run: NormalizeBack<'_, Self>) {
                $dispatch(isa, run);
            }
            fn pool(isa: Isa, run: Pool<'_, Self>) {
                $dispatch(isa, run);
            }
            fn pool_back(isa: Isa, run: PoolBack<'_, Self>) {
                $dispatch(isa, run);
            }
            fn join(isa: Isa, run: Join<'_, Self>) {
                $dispatch(isa, run);
            }
            fn scale(isa: Isa, run: Scale<'_, Self>) {
                $dispatch(isa, run);
            }
            fn add(isa: Isa, run: Add<'_, Self>) {
                $dispatch(isa, run);
            }
            fn tile_sum(isa: Isa, run: TileSumRun<'_, Self>) {
                run.run(isa);
            }
            fn finish_tiles(isa: Isa, run: FinishTiles<'_, Self>) {
                $dispatch(isa, run);
            }
            fn tile_products(isa: Isa, run: TileProductsRun<'_, Self>) {
                run.run(isa);
            }
            fn loss(isa: Isa, run: LossRun<'_, Self>) -> [f64; LANES] {
                $dispatch(isa, run)
            }
            fn arrange(isa: Isa, run: Arrange<'_, Self>) {
                $dispatch(isa, run);
            }
            fn correlation_rows(isa: Isa, run: CorrelationRows<'_, Self>) -> f64 {
                $dispatch(isa, run)
            }
            fn correlation_columns(isa: Isa, run: CorrelationColumns<'_, Self>) {
                $dispatch(isa, run);
            }
            fn mmd_rows(isa: Isa, run: MmdRows<'_, Self>) -> f64 {
                $dispatch(isa, run)
            }
        }
    };
}
element!(f32, dispatch_f32, dispatch_f32_half);
element!(f64, dispatch_f64, dispatch_f64);
