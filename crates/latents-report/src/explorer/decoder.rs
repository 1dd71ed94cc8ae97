//! The decoder of a model as data for the page: its layers with their shapes, and its weights. `decoder.js` evaluates it.

use serde_json::{Map, Value, json};

use super::input::ExplorerModel;
use super::pack;

/// Kinds of layers that `decoder.js` can compute. Other kinds are an error.
const SUPPORTED: [&str; 17] = [
    "conv2d",
    "conv_transpose2d",
    "linear",
    "relu",
    "leaky_relu",
    "silu",
    "gelu",
    "sigmoid",
    "tanh",
    "continuous_bernoulli_mean",
    "dropout",
    "noise",
    "squared_norm",
    "mmd_penalty",
    "log_scale",
    "reshape",
    "batch_norm2d",
];

/// The decoder as JSON, and the length `d` of its latent vectors.
pub(super) fn pack(model: &ExplorerModel<'_>, image: [usize; 3]) -> Result<(Value, usize), String> {
    let layout = model.network.layout().map_err(|e| e.to_string())?;
    let sections = model.decode.clone();
    if sections.is_empty() || sections.end > layout.section_count() {
        return Err(format!("the network has no sections {sections:?}"));
    }
    if model.parameters.len() != layout.parameter_count() {
        let (got, expected) = (model.parameters.len(), layout.parameter_count());
        return Err(format!("{got} parameters, but the network has {expected}"));
    }
    let first = layout.section(sections.start).start;
    let last = layout.section(sections.end - 1).end;
    let (input, output) = (layout.shape(first), layout.shape(last));
    if output != image {
        return Err(format!(
            "the decoder gives images of shape {output:?}, but the images have {image:?}"
        ));
    }
    let mut weights = vec![];
    let mut layers = vec![];
    for section in sections {
        for (place, i) in layout.section(section).enumerate() {
            let layer = &model.network.sections[section].layers[place];
            if !SUPPORTED.contains(&layer.kind()) {
                return Err(format!("the page cannot compute a layer of kind {}", layer.kind()));
            }
            // Parameters by their PyTorch names, each with its offset and length among the weights of the decoder.
            let name = &model.network.sections[section].name;
            let prefix =
                if name.is_empty() { format!("{place}.") } else { format!("{name}.{place}.") };
            let mut parameters = Map::new();
            for parameter in layout.parameters() {
                if let Some(name) = parameter.name.strip_prefix(&prefix) {
                    let values = &model.parameters[parameter.range()];
                    parameters.insert(name.to_owned(), json!([weights.len(), values.len()]));
                    weights.extend_from_slice(values);
                }
            }
            layers.push(json!({
                "spec": layer,
                "input": layout.shape(i),
                "output": layout.shape(i + 1),
                "parameters": parameters,
            }));
        }
    }
    let weights = pack::halves(&weights)
        .ok_or("a weight is NaN or beyond 65504, which 16-bit floats cannot represent")?;
    let decoder = json!({ "layers": layers, "weights": weights });
    Ok((decoder, input.iter().product()))
}
