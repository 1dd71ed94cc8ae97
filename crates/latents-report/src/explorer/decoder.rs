//! The decoder of a model as data for the page: its layers with their shapes, and its weights. `decoder.js` evaluates it.

use latents_engine::{Layer, Layout, Network, Section, Shape};
use serde_json::{Map, Value, json};

use super::input::ExplorerModel;
use super::pack;

/// Kinds of layers that `decoder.js` can compute. Other kinds are an error.
const SUPPORTED: [&str; 20] = [
    "conv2d",
    "conv_transpose2d",
    "linear",
    "relu",
    "leaky_relu",
    "silu",
    "gelu",
    "sigmoid",
    "tanh",
    "clip",
    "continuous_bernoulli_mean",
    "dropout",
    "noise",
    "squared_norm",
    "mmd_penalty",
    "log_scale",
    "condition",
    "reshape",
    "batch_norm2d",
    "residual",
];

/// The decoder as JSON, and the length `d` of its latent vectors. A decoder with a condition is given one of `classes` classes.
pub(super) fn pack(
    model: &ExplorerModel<'_>,
    image: [usize; 3],
    classes: usize,
) -> Result<(Value, usize), String> {
    let layout = model.network.layout().map_err(|e| e.to_string())?;
    let sections = model.decode.clone();
    if sections.is_empty() || sections.end > layout.section_count() {
        return Err(format!("the network has no sections {sections:?}"));
    }
    if model.parameters.len() != layout.parameter_count() {
        let (got, expected) = (model.parameters.len(), layout.parameter_count());
        return Err(format!("{got} parameters, but the network has {expected}"));
    }
    let features = layout.condition_features();
    if features > 0 && features != classes {
        return Err(format!(
            "the decoder is given one of {features} classes, but the images have labels of {classes}"
        ));
    }
    let first = layout.section(sections.start).start;
    let last = layout.section(sections.end - 1).end;
    let (input, output) = (layout.shape(first), layout.shape(last));
    if output != image {
        return Err(format!(
            "the decoder gives images of shape {output:?}, but the images have {image:?}"
        ));
    }
    let mut packer = Packer { model, layout: &layout, weights: vec![] };
    let mut layers = vec![];
    for section in sections {
        let Section { name, layers: of_section } = &model.network.sections[section];
        let prefix = if name.is_empty() { String::new() } else { format!("{name}.") };
        let input = layout.shape(layout.section(section).start);
        layers.extend(packer.layers(of_section, input, &prefix)?);
    }
    let weights = packer.weights;
    let weights = pack::halves(&weights)
        .ok_or("a weight is NaN or beyond 65504, which 16-bit floats cannot represent")?;
    let decoder = json!({ "layers": layers, "weights": weights });
    Ok((decoder, input.iter().product()))
}

/// Collects the weights of layers.
struct Packer<'a> {
    model: &'a ExplorerModel<'a>,
    layout: &'a Layout,
    weights: Vec<f32>,
}

impl Packer<'_> {
    /// Layers in a row, with their shapes; the names of their parameters begin with `prefix` and their place.
    fn layers(
        &mut self,
        layers: &[Layer],
        input: Shape,
        prefix: &str,
    ) -> Result<Vec<Value>, String> {
        let section = Section { name: String::new(), layers: layers.to_vec() };
        let alone = Network { input, sections: vec![section] };
        if layers.is_empty() {
            return Ok(vec![]);
        }
        let alone = alone.layout().map_err(|e| e.to_string())?;
        let mut packed = vec![];
        for (place, layer) in layers.iter().enumerate() {
            if !SUPPORTED.contains(&layer.kind()) {
                return Err(format!("the page cannot compute a layer of kind {}", layer.kind()));
            }
            let (input, output) = (alone.shape(place), alone.shape(place + 1));
            packed.push(if let Layer::Residual { layers, shortcut, .. } = layer {
                json!({
                    "spec": { "kind": layer.kind() },
                    "branch": self.layers(layers, input, &format!("{prefix}{place}.layers."))?,
                    "shortcut": self.layers(shortcut, input, &format!("{prefix}{place}.shortcut."))?,
                })
            } else {
                let parameters = self.parameters(&format!("{prefix}{place}."));
                let mut spec = json!(layer);
                if let (Layer::Condition { .. }, Some(spec)) = (layer, spec.as_object_mut()) {
                    spec.insert("value".into(), json!(self.model.condition));
                }
                json!({ "spec": spec, "input": input, "output": output, "parameters": parameters })
            });
        }
        Ok(packed)
    }

    /// Parameters by their PyTorch names, each with its offset and length among the weights of the decoder.
    fn parameters(&mut self, prefix: &str) -> Map<String, Value> {
        let mut parameters = Map::new();
        for parameter in self.layout.parameters() {
            if let Some(name) = parameter.name.strip_prefix(prefix) {
                let values = &self.model.parameters[parameter.range()];
                parameters.insert(name.to_owned(), json!([self.weights.len(), values.len()]));
                self.weights.extend_from_slice(values);
            }
        }
        parameters
    }
}
