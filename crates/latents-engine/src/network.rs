//! The network as data: named sections of layers over images `[c, h, w]`, with every shape inferred and checked, and the table of
//! parameters in PyTorch's order, names and layouts. Nothing here knows how a layer is computed.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::layer::Layer;

/// Channels, height and width.
pub type Shape = [usize; 3];

/// The most numbers that one activation or one parameter may have: offsets into them fit 32 bits with room to spare.
pub(crate) const MAX_NUMBERS: usize = 1 << 26;

/// Layers that run one after the other under a name, such as `encoder`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// First part of the names of its parameters: `encoder` gives `encoder.0.weight`.
    pub name: String,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
}

/// A network: sections of layers that run one after the other on images of one shape.
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
    /// Shape of the images that go in.
    pub input: Shape,
    /// What they go through.
    pub sections: Vec<Section>,
}

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Kernels and matrices.
    Weight,
    /// One number for each channel that comes out.
    Bias,
    /// The logarithm of a likelihood's standard deviation.
    LogScale,
    /// Factor of a normalised channel.
    Scale,
    /// Added to a normalised channel.
    Shift,
    /// A running statistic. It is not trained: its place in the gradient holds the batch's own statistic, towards which
    /// [`crate::Rule::Average`] moves it.
    Statistic {
        /// What it begins with.
        initial: f64,
        /// How far a batch moves it.
        momentum: f64,
    },
}

/// One parameter tensor, stored with all the others in one vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// PyTorch's name: section, place in the section, `weight` or `bias`.
    pub name: String,
    /// PyTorch's layout, row-major.
    pub shape: Vec<usize>,
    /// Where it begins in the vector of all parameters.
    pub offset: usize,
    /// What it is for.
    pub role: Role,
    /// Inputs to one output of the layer, as `torch.nn.init` counts them from the weight's shape.
    pub fan_in: usize,
    /// Outputs of one input of the layer, likewise.
    pub fan_out: usize,
}

impl Parameter {
    /// Where it is in the vector of all parameters.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.shape.iter().product::<usize>()
    }

    fn is_log_scale(&self) -> bool {
        self.role == Role::LogScale
    }
}

/// A layer in its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) layer: Layer,
    pub(crate) input: Shape,
    pub(crate) output: Shape,
    /// Its number among all layers, those inside of others included: random draws are addressed by it.
    pub(crate) number: usize,
    /// Its own parameters among all.
    pub(crate) parameters: Range<usize>,
    /// A residual's branch.
    pub(crate) branch: Vec<Node>,
    /// A residual's shortcut.
    pub(crate) shortcut: Vec<Node>,
}

/// A network whose shapes have been checked.
#[derive(Clone, Debug)]
pub struct Layout {
    input: Shape,
    nodes: Vec<Node>,
    /// First layer of each section, and last the number of layers.
    starts: Vec<usize>,
    parameters: Vec<Parameter>,
}

/// What grows while layers are laid out.
#[derive(Default)]
struct Builder {
    parameters: Vec<Parameter>,
    /// Numbers in all parameters so far.
    total: usize,
    /// Layers so far.
    layers: usize,
}

/// Whether a tensor is neither empty nor too large.
fn fits(shape: &[usize]) -> bool {
    let numbers = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
    numbers.is_some_and(|n| n > 0 && n <= MAX_NUMBERS)
}

impl Builder {
    /// Layers one after the other, each under its place behind `prefix`; also the shape that comes out.
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
            return Err(refuse("a network has one at most".into()));
        }
        for declared in layer.parameters(input) {
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
                let hint = if other.is_empty() { "; give it a shortcut that does" } else { "" };
                return Err(refuse(format!(
                    "its branch gives {output:?}, which cannot be added to its shortcut's {joined:?}{hint}"
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
    /// [`Error::Layer`] names the first layer that does not fit what comes into it; [`Error::Network`] what is wrong with the
    /// whole.
    pub fn layout(&self) -> Result<Layout, Error> {
        if !fits(&self.input) {
            return Err(Error::Network(format!(
                "images of {:?} ([channels, height, width]) are empty or larger than {MAX_NUMBERS} numbers",
                self.input
            )));
        }
        let (mut builder, mut shape) = (Builder::default(), self.input);
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
        Ok(Layout { input: self.input, nodes, starts, parameters: builder.parameters })
    }
}

impl Layout {
    /// The layers of all sections, first to last.
    #[must_use]
    pub fn layers(&self) -> impl ExactSizeIterator<Item = &Layer> {
        self.nodes.iter().map(|node| &node.layer)
    }

    /// The layers in their places.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Shape into layer `i`; with `i` the number of layers, the shape out of the network.
    #[must_use]
    pub fn shape(&self, i: usize) -> Shape {
        self.nodes.get(i).map_or_else(|| self.output(), |node| node.input)
    }

    /// Shape out of the network.
    #[must_use]
    pub fn output(&self) -> Shape {
        self.nodes.last().map_or(self.input, |node| node.output)
    }

    /// Which layers section `i` has.
    #[must_use]
    pub fn section(&self, i: usize) -> Range<usize> {
        self.starts[i]..self.starts[i + 1]
    }

    /// How many sections there are.
    #[must_use]
    pub fn section_count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether a section begins with layer `i`.
    pub(crate) fn is_section_start(&self, i: usize) -> bool {
        self.starts.contains(&i)
    }

    /// Every parameter, in the order of the layers, weight before bias.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Numbers in all parameters together.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters.last().map_or(0, |p| p.range().end)
    }

    /// Where the parameters are that are trained: all but running statistics.
    #[must_use]
    pub fn trained(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = vec![];
        let is_trained = |p: &&Parameter| !matches!(p.role, Role::Statistic { .. });
        for parameter in self.parameters.iter().filter(is_trained) {
            let range = parameter.range();
            match runs.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => runs.push(range),
            }
        }
        runs
    }

    /// Where the parameters of some layers are, those of layers inside of them included.
    #[must_use]
    pub fn parameters_of(&self, layers: Range<usize>) -> Range<usize> {
        // A residual has no parameters of its own and is followed by those of its layers, so the next layer's first is the end.
        let first =
            |i: usize| self.nodes.get(i).map_or(self.parameters.len(), |n| n.parameters.start);
        let offset = |i: usize| self.parameters.get(i).map_or(self.parameter_count(), |p| p.offset);
        offset(first(layers.start))..offset(first(layers.end))
    }
}
