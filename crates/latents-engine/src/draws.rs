//! The random draws of layers in a pass: dropout masks, noise and latents. Each draw is keyed by its sample, layer and epoch, so it
//! does not depend on the micro-batch or thread that computes it.

use latents_random::{Purpose, stream};

use crate::batch::Pass;
use crate::isa::Isa;
use crate::kernels::Element;
use crate::kernels::latent::Prior;
use crate::kernels::noise::Noise;
use crate::simd::LANES;

/// The counter of the first draw of a layer.
fn counter(layer: usize, epoch: u64) -> u64 {
    (layer as u64) << 48 | epoch
}

/// Adds independent normal noise to the numbers of each sample.
fn add_normal<E: Element>(
    isa: Isa,
    (seed, purpose, counter): (u64, Purpose, u64),
    samples: &[u64],
    deviation: f64,
    values: &mut [E],
) {
    let rows = (values.len() / LANES).next_multiple_of(2);
    let (mut bits, mut bytes) = (vec![0; rows * LANES], vec![0; rows * 4]);
    for (lane, &sample) in samples.iter().enumerate() {
        stream(seed, purpose, counter, sample).fill_bytes(&mut bytes);
        for (bits, bytes) in bits[lane..].iter_mut().step_by(LANES).zip(bytes.as_chunks().0) {
            *bits = u32::from_le_bytes(*bytes);
        }
    }
    E::noise(isa, Noise { deviation, bits: &bits, values });
}

/// Adds the noise of a `Noise` layer.
pub(crate) fn draw_noise<E: Element>(
    isa: Isa,
    values: &mut [E],
    deviation: f64,
    (seed, epoch, layer): (u64, u64, usize),
    samples: &[u64],
) {
    let key = (seed, Purpose::Noise, counter(layer, epoch));
    add_normal(isa, key, samples, deviation, values);
}

/// The draws of a layer of latents in a pass, if it needs any.
pub(crate) fn draw_latents<E: Element>(
    isa: Isa,
    noise: &mut [E],
    prior: Prior,
    pass: Pass,
    layer: usize,
    samples: &[u64],
) {
    let key = match (prior, pass) {
        (Prior::Gaussian, Pass::Train { seed, epoch }) => (seed, Purpose::Posterior, epoch),
        (Prior::Gaussian, Pass::Sample { seed, draw } | Pass::Importance { seed, draw }) => {
            (seed, Purpose::Draw, draw)
        }
        (Prior::Gaussian, Pass::Evaluate) => return noise.fill(E::default()),
        (Prior::SquaredNorm, _) => return,
        (Prior::Mmd, Pass::Train { seed, epoch }) => (seed, Purpose::Prior, epoch),
        (Prior::Mmd, _) => (0, Purpose::Prior, u64::from(u32::MAX)),
    };
    noise.fill(E::default());
    add_normal(isa, (key.0, key.1, counter(layer, key.2)), samples, 1.0, noise);
}

/// For each number and sample: zero with probability `p`, otherwise 1 / (1 - p).
pub(crate) fn draw_mask<E: Element>(
    factors: &mut [E],
    p: f64,
    (seed, epoch, layer): (u64, u64, usize),
    samples: &[u64],
) {
    let keep = E::from_f64(1.0 / (1.0 - p));
    let threshold = (p * f64::from(u32::MAX)) as u32;
    let mut bits = vec![0u8; factors.len() / LANES * 4];
    for (lane, &sample) in samples.iter().enumerate() {
        stream(seed, Purpose::Dropout, counter(layer, epoch), sample).fill_bytes(&mut bits);
        for (factor, bytes) in factors[lane..].iter_mut().step_by(LANES).zip(bits.chunks_exact(4)) {
            let draw = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            *factor = if draw < threshold { E::default() } else { keep };
        }
    }
}
