//! The initial parameters of a run: random initial weights, or for the encoder the weights of another run if the settings name one.

use latents_engine::{Layout, initialize};
use latents_models::Tensors;

use crate::config::RunConfig;
use crate::encoder::encoder;
use crate::error::Error;
use crate::run::digest;

/// The initial parameters of a run.
pub(crate) fn initial_parameters(config: &RunConfig, layout: &Layout) -> Result<Vec<f32>, Error> {
    let mut parameters = initialize(layout, config.training.init, config.training.seed);
    let Some(training) = &config.training.encoder else { return Ok(parameters) };
    let Some(path) = &training.weights else { return Ok(parameters) };
    let mut tensors = Tensors::load(path)?;
    let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
    if digest(path)? != training.weights_digest {
        return Err(damaged(
            "these are not the weights that the run was set up with; restore them, or start a new run".into(),
        ));
    }
    let end = encoder(layout).end;
    for parameter in layout.parameters().iter().take_while(|p| p.offset < end) {
        let name = &parameter.name;
        match tensors.take(name) {
            Some((shape, numbers)) if shape == parameter.shape => {
                if let Some(wrong) = numbers.iter().find(|x| !x.is_finite()) {
                    return Err(damaged(format!(
                        "tensor `{name}` has the value {wrong}, which is not a finite number"
                    )));
                }
                parameters[parameter.range()].copy_from_slice(&numbers);
            }
            Some((shape, _)) => {
                let expected = &parameter.shape;
                return Err(damaged(format!(
                    "tensor `{name}` is {shape:?}, but the encoder needs {expected:?}"
                )));
            }
            None => {
                return Err(damaged(format!(
                    "it has no tensor `{name}`, so it belongs to another model"
                )));
            }
        }
    }
    Ok(parameters)
}
