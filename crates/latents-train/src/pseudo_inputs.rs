//! The images that the pseudo-inputs of a model begin as.

use latents_engine::{Layout, PseudoInputs};
use latents_random::{Purpose, stream};

use crate::components::SomeImages;
use crate::error::Error;

/// Sets the pseudo-inputs to as many different training images, which the seed chooses. Their posteriors then cover the latents from the first
/// step on, as the prior should.
pub(crate) fn start_from_images(
    prior: &PseudoInputs,
    layout: &Layout,
    images: SomeImages<'_>,
    seed: u64,
    parameters: &mut [f32],
) -> Result<(), Error> {
    let (components, available) = (prior.count(layout), images.index.len());
    if components > available {
        return Err(Error::Config(format!(
            "prior.components = {components}: pseudo-inputs begin as different training images, of which there are {available}; choose at most as many components"
        )));
    }
    let mut index = images.index.to_vec();
    stream(seed, Purpose::PseudoInputs, 0, 0).shuffle(&mut index);
    let pixels = &mut parameters[prior.images.clone()];
    for (pixels, &i) in pixels.chunks_exact_mut(prior.images.len() / components).zip(&index) {
        pixels.copy_from_slice(&images.images.image_unit(i as usize));
    }
    Ok(())
}
