//! The network as data: named sections of layers over images `[c, h, w]`, with every shape inferred and checked, and the table of
//! parameters in PyTorch's order, names and layouts. Nothing here knows how a layer is computed.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Channels, height and width.
pub type Shape = [usize; 3];

/// The most numbers that one activation or one parameter may have: offsets into them fit 32 bits with room to spare.
const MAX_NUMBERS: usize = 1 << 26;

/// One layer. Convolutions follow PyTorch's semantics and parameter layouts; a pair is `[height, width]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// Cross-correlation (`torch.nn.Conv2d`); weight `[out, in, kernel_h, kernel_w]`.
    Conv2d {
        /// Channels that come out.
        out_channels: usize,
        /// Size of the window.
        kernel: [usize; 2],
        /// Step of the window.
        stride: [usize; 2],
        /// Zeros added on each side.
        padding: [usize; 2],
    },
    /// The adjoint of a convolution (`torch.nn.ConvTranspose2d`); weight `[in, out, kernel_h, kernel_w]`.
    ConvTranspose2d {
        /// Channels that come out.
        out_channels: usize,
        /// Size of the window.
        kernel: [usize; 2],
        /// Step of the window in the output.
        stride: [usize; 2],
        /// Rows and columns cut from each side of the output.
        padding: [usize; 2],
        /// Rows and columns added at the bottom and right of the output.
        #[serde(default)]
        output_padding: [usize; 2],
    },
    /// `x W^T + b` over everything that comes in, flattened (`torch.nn.Linear`); weight `[out, in]`.
    Linear {
        /// Numbers that come out, as `[out_features, 1, 1]`.
        out_features: usize,
    },
    /// `max(x, 0)`.
    Relu,
    /// `x` where positive, else `slope * x`.
    LeakyRelu {
        /// At least 0; PyTorch's default is 0.01.
        slope: f64,
    },
    /// `x * sigmoid(x)` (Elfwing et al., 2017).
    Silu,
    /// `x * Phi(x)` with the normal distribution function itself, not its tanh approximation (Hendrycks and Gimpel, 2016).
    Gelu,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// In training, zero with probability `p`, else divided by `1 - p`; otherwise nothing (Srivastava et al., 2014).
    Dropout {
        /// In `[0, 1)`.
        p: f64,
    },
    /// In training, adds normal noise with mean 0, as a denoising autoencoder's input has it (Vincent et al., 2010); otherwise nothing.
    Noise {
        /// Its standard deviation, at least 0.
        deviation: f64,
    },
    /// The means and then the log-variances of normal distributions, `[2d, 1, 1]`, to one draw of each in training, else the means,
    /// `[d, 1, 1]` (Kingma and Welling, 2014). Its penalty is the KL divergence from N(0, I), in nats.
    Gaussian,
    /// The same numbers; its penalty is half their squared norm, as a regularised autoencoder's latents have it (Ghosh et al., 2020).
    SquaredNorm,
    /// The same numbers; its penalty is their squared maximum mean discrepancy from N(0, I), as in a Wasserstein autoencoder
    /// (Tolstikhin et al., 2018): the unbiased estimate of each micro-batch of [`crate::LANES`] samples, whose mean over many is as
    /// unbiased as that of a whole batch, but spreads more.
    Discrepancy,
    /// From logits to the means of continuous Bernoulli distributions (Loaiza-Ganem and Cunningham, 2019).
    ContinuousBernoulliMean,
    /// The same numbers; learns the logarithm of the standard deviation that [`crate::Loss::Gaussian`] has all of them vary by
    /// (sigma-VAE: Rybkin et al., 2021); parameter `log_scale` `[1]`.
    LogScale,
    /// The same numbers under another shape.
    Reshape {
        /// Channels, height and width that come out.
        shape: Shape,
    },
}

impl Layer {
    /// The name of the layer's kind as it is written in a spec.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Layer::Conv2d { .. } => "conv2d",
            Layer::ConvTranspose2d { .. } => "conv_transpose2d",
            Layer::Linear { .. } => "linear",
            Layer::Relu => "relu",
            Layer::LeakyRelu { .. } => "leaky_relu",
            Layer::Silu => "silu",
            Layer::Gelu => "gelu",
            Layer::Sigmoid => "sigmoid",
            Layer::Tanh => "tanh",
            Layer::Dropout { .. } => "dropout",
            Layer::Noise { .. } => "noise",
            Layer::Gaussian => "gaussian",
            Layer::SquaredNorm => "squared_norm",
            Layer::Discrepancy => "discrepancy",
            Layer::ContinuousBernoulliMean => "continuous_bernoulli_mean",
            Layer::LogScale => "log_scale",
            Layer::Reshape { .. } => "reshape",
        }
    }

    /// The shape that comes out when `input` goes in, or why it cannot.
    fn output(&self, input: Shape) -> Result<Shape, String> {
        let [c, h, w] = input;
        match *self {
            Layer::Conv2d { out_channels, kernel, stride, padding } => {
                positive("out_channels", out_channels)?;
                window(kernel, stride)?;
                let side = |size: usize, i: usize| {
                    let padded = padded(size, padding[i])?;
                    padded.checked_sub(kernel[i]).map(|x| x / stride[i] + 1).ok_or_else(|| {
                        format!("its kernel {kernel:?} is larger than the padded image (padding {padding:?})")
                    })
                };
                Ok([out_channels, side(h, 0)?, side(w, 1)?])
            }
            Layer::ConvTranspose2d { out_channels, kernel, stride, padding, output_padding } => {
                positive("out_channels", out_channels)?;
                window(kernel, stride)?;
                let side = |size: usize, i: usize| {
                    if output_padding[i] >= stride[i] {
                        return Err(format!(
                            "output_padding {output_padding:?} must be smaller than stride {stride:?}"
                        ));
                    }
                    let full = (size - 1).checked_mul(stride[i]);
                    let full = full.and_then(|x| x.checked_add(kernel[i] + output_padding[i]));
                    let full =
                        full.filter(|&x| x <= MAX_NUMBERS).ok_or("its output is too large")?;
                    full.checked_sub(2 * padding[i])
                        .filter(|&x| x > 0)
                        .ok_or_else(|| format!("padding {padding:?} leaves nothing of its output"))
                };
                Ok([out_channels, side(h, 0)?, side(w, 1)?])
            }
            Layer::Linear { out_features } => {
                positive("out_features", out_features)?;
                Ok([out_features, 1, 1])
            }
            Layer::LeakyRelu { slope } if !(slope >= 0.0 && slope.is_finite()) => {
                Err(format!("slope {slope} must be at least 0"))
            }
            Layer::Dropout { p } if !(0.0..1.0).contains(&p) => {
                Err(format!("p = {p} must be at least 0 and less than 1"))
            }
            Layer::Noise { deviation } if !(deviation >= 0.0 && deviation.is_finite()) => {
                Err(format!("deviation {deviation} must be at least 0"))
            }
            Layer::Gaussian => match input {
                [c, 1, 1] if c % 2 == 0 => Ok([c / 2, 1, 1]),
                _ => Err("it takes as many means as log-variances, [2d, 1, 1]".into()),
            },
            Layer::Reshape { shape } => {
                let numbers = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
                if numbers == Some(c * h * w) {
                    Ok(shape)
                } else {
                    Err(format!("{shape:?} does not hold the same {} numbers", c * h * w))
                }
            }
            _ => Ok(input),
        }
    }

    /// Weight and bias shapes where the layer has parameters.
    fn parameters(&self, input: Shape) -> Option<(Vec<usize>, usize)> {
        match *self {
            Layer::Conv2d { out_channels, kernel, .. } => {
                Some((vec![out_channels, input[0], kernel[0], kernel[1]], out_channels))
            }
            Layer::ConvTranspose2d { out_channels, kernel, .. } => {
                Some((vec![input[0], out_channels, kernel[0], kernel[1]], out_channels))
            }
            Layer::Linear { out_features } => {
                Some((vec![out_features, input.iter().product()], out_features))
            }
            _ => None,
        }
    }
}

fn positive(name: &str, x: usize) -> Result<(), String> {
    if x == 0 { Err(format!("{name} must be at least 1")) } else { Ok(()) }
}

fn window(kernel: [usize; 2], stride: [usize; 2]) -> Result<(), String> {
    if kernel.iter().chain(&stride).any(|&x| x == 0 || x > 1 << 12) {
        return Err(format!("kernel {kernel:?} and stride {stride:?} must be from 1 to 4096"));
    }
    Ok(())
}

fn padded(size: usize, padding: usize) -> Result<usize, String> {
    if padding > 1 << 12 {
        return Err(format!("padding {padding} must be at most 4096"));
    }
    Ok(size + 2 * padding)
}

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

/// Whether a parameter multiplies or is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Kernels and matrices.
    Weight,
    /// One number for each channel that comes out.
    Bias,
    /// The logarithm of a likelihood's standard deviation.
    LogScale,
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
    /// Which of a layer's two it is.
    pub role: Role,
    /// Inputs to one output of the layer, as `torch.nn.init` counts them from the weight's shape.
    pub fan_in: usize,
    /// Outputs of one input of the layer, likewise.
    pub fan_out: usize,
}

impl Parameter {
    /// Where it is in the vector of all parameters.
    #[must_use]
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.shape.iter().product::<usize>()
    }
}

/// A network whose shapes have been checked.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Shape into each layer, and last the shape out.
    shapes: Vec<Shape>,
    layers: Vec<Layer>,
    /// First layer of each section, and last the number of layers.
    starts: Vec<usize>,
    parameters: Vec<Parameter>,
    /// Index of the weight in `parameters` for layers that have one.
    weight_of: Vec<Option<usize>>,
    /// Index in `parameters` of the likelihood's scale.
    log_scale: Option<usize>,
}

impl Network {
    /// Infers and checks every shape.
    ///
    /// # Errors
    /// [`Error::Layer`] names the first layer that does not fit what comes into it; [`Error::Network`] what is wrong with the
    /// whole.
    pub fn layout(&self) -> Result<Layout, Error> {
        let fits = |s: Shape| {
            let numbers = s.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
            numbers.is_some_and(|n| n > 0 && n <= MAX_NUMBERS)
        };
        if !fits(self.input) {
            return Err(Error::Network(format!(
                "images of {:?} ([channels, height, width]) are empty or larger than {MAX_NUMBERS} numbers",
                self.input
            )));
        }
        let mut layout = Layout {
            shapes: vec![self.input],
            layers: vec![],
            starts: vec![],
            parameters: vec![],
            weight_of: vec![],
            log_scale: None,
        };
        let mut total = 0usize;
        for section in &self.sections {
            layout.starts.push(layout.layers.len());
            for (place, layer) in section.layers.iter().enumerate() {
                let input = layout.output();
                let path = if section.name.is_empty() {
                    place.to_string()
                } else {
                    format!("{}.{place}", section.name)
                };
                let refuse = |reason: String| Error::Layer {
                    layer: format!("{path} ({})", layer.kind()),
                    input,
                    reason,
                };
                let output = layer.output(input).map_err(refuse)?;
                if !fits(output) {
                    return Err(refuse(format!("its output {output:?} is too large")));
                }
                let mut weight = None;
                if let Some((shape, bias)) = layer.parameters(input) {
                    weight = Some(layout.parameters.len());
                    let area: usize = shape[2..].iter().product();
                    let (fan_in, fan_out) = (shape[1] * area, shape[0] * area);
                    for (name, shape, role) in
                        [("weight", shape, Role::Weight), ("bias", vec![bias], Role::Bias)]
                    {
                        let numbers = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
                        let end = numbers.and_then(|n| total.checked_add(n));
                        let end = end.filter(|&n| n <= MAX_NUMBERS).ok_or_else(|| {
                            refuse(format!(
                                "its {name} {shape:?} brings the parameters over {MAX_NUMBERS}"
                            ))
                        })?;
                        let name = format!("{path}.{name}");
                        layout.parameters.push(Parameter {
                            name,
                            shape,
                            offset: total,
                            role,
                            fan_in,
                            fan_out,
                        });
                        total = end;
                    }
                }
                if *layer == Layer::LogScale {
                    if layout.log_scale.is_some() {
                        return Err(refuse("a network has one at most".into()));
                    }
                    layout.log_scale = Some(layout.parameters.len());
                    layout.parameters.push(Parameter {
                        name: format!("{path}.log_scale"),
                        shape: vec![1],
                        offset: total,
                        role: Role::LogScale,
                        fan_in: 1,
                        fan_out: 1,
                    });
                    total += 1;
                }
                layout.weight_of.push(weight);
                layout.layers.push(layer.clone());
                layout.shapes.push(output);
            }
        }
        layout.starts.push(layout.layers.len());
        if layout.layers.is_empty() {
            return Err(Error::Network("it has no layers".into()));
        }
        Ok(layout)
    }
}

impl Layout {
    /// The layers of all sections, first to last.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Shape into layer `i`; with `i` the number of layers, the shape out of the network.
    #[must_use]
    pub fn shape(&self, i: usize) -> Shape {
        self.shapes[i]
    }

    /// Shape out of the network.
    #[must_use]
    pub fn output(&self) -> Shape {
        self.shapes[self.shapes.len() - 1]
    }

    /// Which layers section `i` has.
    #[must_use]
    pub fn section(&self, i: usize) -> std::ops::Range<usize> {
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

    /// The likelihood's scale, where it is learnt.
    pub(crate) fn log_scale(&self) -> Option<&Parameter> {
        self.log_scale.map(|i| &self.parameters[i])
    }

    /// Weight and bias of layer `i`.
    pub(crate) fn weight_and_bias(&self, i: usize) -> Option<(&Parameter, &Parameter)> {
        self.weight_of[i].map(|w| (&self.parameters[w], &self.parameters[w + 1]))
    }
}
