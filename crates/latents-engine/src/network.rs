//! Networks as data: named sections of layers over images `[c, h, w]`; the inference and the checks of every shape; and the table of
//! parameters in PyTorch's order, names and layouts.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::layer::Layer;
use crate::parameter::Parameter;
use crate::shape::{MAX_NUMBERS, Shape, fits};

/// A named sequence of layers, such as `encoder`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Prefix of the names of its parameters: `encoder` gives `encoder.0.weight`.
    pub name: String,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
}

/// A network: a sequence of sections for images of one shape.
///
/// ```
/// use latents_engine::{Layer, Network, Section};
///
/// let layers = vec![Layer::Linear { out_features: 8 }, Layer::Relu];
/// let network = Network { input: [1, 28, 28], sections: vec![Section { name: "encoder".into(), layers }] };
/// let layout = network.layout()?;
/// assert_eq!(layout.output(), [8, 1, 1]);
/// assert_eq!(layout.parameters()[0].name, "encoder.0.weight");
/// assert_eq!(layout.parameters()[0].shape, [8, 784]);
/// # Ok::<(), latents_engine::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Shape of the input, `[c, h, w]`.
    pub input: Shape,
    /// The sections, first to last.
    pub sections: Vec<Section>,
}

/// A layer at its position in a network.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) layer: Layer,
    pub(crate) input: Shape,
    pub(crate) output: Shape,
    /// Its number among all layers, including those inside residuals; random draws are keyed by it.
    pub(crate) number: usize,
    /// Range of its own parameters among all parameters.
    pub(crate) parameters: Range<usize>,
    /// The branch of a residual, or the prior of a quantiser.
    pub(crate) branch: Vec<Node>,
    /// The shortcut of a residual.
    pub(crate) shortcut: Vec<Node>,
}

/// A network with checked shapes: the shape at each layer, and the table of parameters.
///
/// ```
/// use latents_engine::{Layer, Network, Section};
///
/// let layers = vec![Layer::Linear { out_features: 4 }, Layer::Relu];
/// let network = Network { input: [64, 1, 1], sections: vec![Section { name: "encoder".into(), layers }] };
/// let layout = network.layout()?;
/// assert_eq!((layout.output(), layout.parameter_count()), ([4, 1, 1], 4 * 64 + 4));
/// assert_eq!(layout.parameters()[0].name, "encoder.0.weight");
/// # Ok::<(), latents_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Layout {
    input: Shape,
    nodes: Vec<Node>,
    /// First layer of each section, and the number of layers at the end.
    starts: Vec<usize>,
    parameters: Vec<Parameter>,
    condition: Option<Condition>,
}

/// The first layer that reads conditions; all others read the same vector.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// Its position and kind.
    pub(crate) layer: String,
    pub(crate) features: usize,
}

/// The state while layers are laid out.
#[derive(Default)]
struct Builder {
    /// The input of the whole network.
    image: Shape,
    parameters: Vec<Parameter>,
    /// Number of numbers in all parameters so far.
    total: usize,
    /// Number of layers so far.
    layers: usize,
    condition: Option<Condition>,
}

impl Builder {
    /// A sequence of layers, each named by `prefix` and its position; and the output shape.
    fn chain(
        &mut self,
        layers: &[Layer],
        prefix: &str,
        mut shape: Shape,
    ) -> Result<(Vec<Node>, Shape), Error> {
        let mut nodes = vec![];
        for (place, layer) in layers.iter().enumerate() {
            let node = self.node(layer, &format!("{prefix}{place}"), shape)?;
            shape = node.output;
            nodes.push(node);
        }
        Ok((nodes, shape))
    }

    fn node(&mut self, layer: &Layer, path: &str, input: Shape) -> Result<Node, Error> {
        let refuse = |reason: String| Error::Layer {
            layer: format!("{path} ({})", layer.kind()),
            input,
            reason,
        };
        let mut output = layer.output(input).map_err(refuse)?;
        if !fits(&output) {
            return Err(refuse(format!("its output {output:?} is too large")));
        }
        let (number, first) = (self.layers, self.parameters.len());
        self.layers += 1;
        if *layer == Layer::LogScale && self.parameters.iter().any(Parameter::is_log_scale) {
            return Err(refuse("a network can have only one".into()));
        }
        if let Layer::Condition { features }
        | Layer::MixturePrior { features: features @ 1.., .. } = *layer
        {
            let layer = format!("{path} ({})", layer.kind());
            let first = self.condition.get_or_insert(Condition { layer, features });
            if first.features != features {
                return Err(refuse(format!(
                    "its {features} features differ from the {} of layer {}, and both read the same vector",
                    first.features, first.layer
                )));
            }
        }
        for declared in layer.parameters(input, self.image) {
            let (name, shape) = (declared.name, declared.shape);
            let numbers = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
            let end = numbers.and_then(|n| self.total.checked_add(n));
            let end = end.filter(|&n| n <= MAX_NUMBERS).ok_or_else(|| {
                refuse(format!("its {name} {shape:?} brings the parameters over {MAX_NUMBERS}"))
            })?;
            self.parameters.push(Parameter {
                name: format!("{path}.{name}"),
                shape,
                offset: self.total,
                role: declared.role,
                fan_in: declared.fans[0],
                fan_out: declared.fans[1],
            });
            self.total = end;
        }
        let parameters = first..self.parameters.len();
        let (mut branch, mut shortcut) = (vec![], vec![]);
        if let Layer::Residual { layers, shortcut: other, .. } = layer {
            let joined;
            (branch, output) = self.chain(layers, &format!("{path}.layers."), input)?;
            (shortcut, joined) = self.chain(other, &format!("{path}.shortcut."), input)?;
            if output != joined {
                let hint =
                    if other.is_empty() { "; add a shortcut that changes the shape" } else { "" };
                return Err(refuse(format!(
                    "its branch gives {output:?}, but its shortcut gives {joined:?}{hint}"
                )));
            }
        }
        if let Layer::VectorQuantizer { table, prior } = layer
            && !prior.is_empty()
        {
            let logits;
            (branch, logits) = self.chain(prior, &format!("{path}.prior."), output)?;
            let expected = [table.codes(), output[1], output[2]];
            if logits != expected {
                return Err(refuse(format!(
                    "its prior gives {logits:?} and not the logits {expected:?} of its codes"
                )));
            }
        }
        Ok(Node { layer: layer.clone(), input, output, number, parameters, branch, shortcut })
    }
}

impl Network {
    /// Infers and checks every shape.
    ///
    /// # Errors
    /// [`Error::Layer`] for the first layer that does not fit its input; [`Error::Network`] if the network as a whole is not valid.
    pub fn layout(&self) -> Result<Layout, Error> {
        if !fits(&self.input) {
            return Err(Error::Network(format!(
                "images of {:?} ([channels, height, width]) are empty or larger than {MAX_NUMBERS} numbers",
                self.input
            )));
        }
        let (mut builder, mut shape) =
            (Builder { image: self.input, ..Builder::default() }, self.input);
        let (mut nodes, mut starts) = (vec![], vec![0]);
        for Section { name, layers } in &self.sections {
            let prefix = if name.is_empty() { String::new() } else { format!("{name}.") };
            let (section, output) = builder.chain(layers, &prefix, shape)?;
            nodes.extend(section);
            starts.push(nodes.len());
            shape = output;
        }
        if nodes.is_empty() {
            return Err(Error::Network("it has no layers".into()));
        }
        let Builder { parameters, condition, .. } = builder;
        let layout = Layout { input: self.input, nodes, starts, parameters, condition };
        layout.check_pseudo_inputs()?;
        Ok(layout)
    }
}

impl Layout {
    /// The layers of all sections, first to last.
    #[must_use]
    pub fn layers(&self) -> impl ExactSizeIterator<Item = &Layer> {
        self.nodes.iter().map(|node| &node.layer)
    }

    /// The layers at their positions.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Input shape of layer `i`; if `i` is the number of layers, the output shape of the network.
    #[must_use]
    pub fn shape(&self, i: usize) -> Shape {
        self.nodes.get(i).map_or_else(|| self.output(), |node| node.input)
    }

    /// Output shape of the network.
    #[must_use]
    pub fn output(&self) -> Shape {
        self.nodes.last().map_or(self.input, |node| node.output)
    }

    /// The range of the layers of section `i`.
    #[must_use]
    pub fn section(&self, i: usize) -> Range<usize> {
        self.starts[i]..self.starts[i + 1]
    }

    /// The number of sections.
    #[must_use]
    pub fn section_count(&self) -> usize {
        self.starts.len() - 1
    }

    /// All parameters in the order of the layers, weight before bias.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Size of the condition of each sample, which layers such as [`Layer::Condition`] read; 0 if the network has no such layer.
    #[must_use]
    pub fn condition_features(&self) -> usize {
        self.condition.as_ref().map_or(0, |condition| condition.features)
    }

    /// The first layer that reads conditions.
    pub(crate) fn condition(&self) -> Option<&Condition> {
        self.condition.as_ref()
    }

    /// Whether the outputs of some layers depend on conditions, or with `penalty` their penalty.
    pub(crate) fn needs_conditions(&self, layers: Range<usize>, penalty: bool) -> bool {
        fn any(nodes: &[Node], penalty: bool) -> bool {
            nodes.iter().any(|node| match node.layer {
                Layer::Condition { .. } => true,
                Layer::MixturePrior { features: 1.., .. } => penalty,
                Layer::VectorQuantizer { .. } => penalty && any(&node.branch, penalty),
                _ => any(&node.branch, penalty) || any(&node.shortcut, penalty),
            })
        }
        any(&self.nodes[layers], penalty)
    }

    /// Number of numbers in all parameters.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters.last().map_or(0, |p| p.range().end)
    }

    /// Ranges of the trained parameters: all but running statistics and what is derived from others.
    #[must_use]
    pub fn trained(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = vec![];
        let is_trained = |p: &&Parameter| p.role.is_trained();
        for parameter in self.parameters.iter().filter(is_trained) {
            let range = parameter.range();
            match runs.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => runs.push(range),
            }
        }
        runs
    }

    /// Range of the parameters of some layers, including layers inside them.
    #[must_use]
    pub fn parameters_of(&self, layers: Range<usize>) -> Range<usize> {
        // A residual has no parameters of its own; those of its layers follow, up to the first of the next layer.
        let first =
            |i: usize| self.nodes.get(i).map_or(self.parameters.len(), |n| n.parameters.start);
        let offset = |i: usize| self.parameters.get(i).map_or(self.parameter_count(), |p| p.offset);
        offset(first(layers.start))..offset(first(layers.end))
    }
}
