//! Layers as data: their settings, output shapes and parameters. The plan and the kernels, not this module, know how a layer is
//! computed.

use serde::{Deserialize, Serialize};

use crate::code_table::CodeTable;
use crate::shape::{MAX_NUMBERS, Shape};

/// One layer. Layers with a counterpart in PyTorch have its semantics and its parameter layouts; a pair is `[height, width]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// Cross-correlation (`torch.nn.Conv2d`); weight `[out, in, kernel_h, kernel_w]`.
    Conv2d {
        /// Number of output channels.
        out_channels: usize,
        /// Size of the window.
        kernel: [usize; 2],
        /// Step of the window.
        stride: [usize; 2],
        /// Zeros added on each side.
        padding: [usize; 2],
    },
    /// Transposed convolution (`torch.nn.ConvTranspose2d`); weight `[in, out, kernel_h, kernel_w]`.
    ConvTranspose2d {
        /// Number of output channels.
        out_channels: usize,
        /// Size of the window.
        kernel: [usize; 2],
        /// Step of the window in the output.
        stride: [usize; 2],
        /// Rows and columns removed from each side of the output.
        padding: [usize; 2],
        /// Rows and columns added at the bottom and right of the output.
        #[serde(default)]
        output_padding: [usize; 2],
    },
    /// Masked convolution (van den Oord et al., 2016, "Pixel Recurrent Neural Networks"): cross-correlation that keeps the size of the image,
    /// and in which each pixel reads only pixels before it, row by row. Weight `[out, in, places]`, one for each place of the kernel that is read,
    /// row by row; `torch.nn.Conv2d` with zeros for the others computes the same.
    MaskedConv2d {
        /// Number of output channels.
        out_channels: usize,
        /// Size of the window around a pixel; both sides are odd.
        kernel: [usize; 2],
        /// Whether a pixel also reads itself, as in all layers of such a network but the first.
        center: bool,
    },
    /// Linear layer `x W^T + b` of the flattened input (`torch.nn.Linear`); weight `[out, in]`.
    Linear {
        /// Number of output features; the output shape is `[out_features, 1, 1]`.
        out_features: usize,
    },
    /// `max(x, 0)`.
    Relu,
    /// `x` if positive, else `slope * x`.
    LeakyRelu {
        /// At least 0; PyTorch's default is 0.01.
        slope: f64,
    },
    /// `x * sigmoid(x)` (Elfwing et al., 2017).
    Silu,
    /// `x * Phi(x)` with the exact normal distribution function, not its tanh approximation (Hendrycks and Gimpel, 2016).
    Gelu,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `x` limited to `[0, 1]`, the range of pixels. The gradient passes unchanged (a straight-through estimator; Bengio et al., 2013), so
    /// that numbers beyond the range are drawn back only if their target is inside.
    Clip,
    /// Dropout (Srivastava et al., 2014): in training, each number is set to zero with probability `p` and otherwise divided by `1 - p`;
    /// no effect outside of training.
    Dropout {
        /// In `[0, 1)`.
        p: f64,
    },
    /// In training, adds normal noise with mean 0, as on the input of a denoising autoencoder (Vincent et al., 2010); no effect outside
    /// of training.
    Noise {
        /// Standard deviation of the noise, at least 0.
        deviation: f64,
    },
    /// The latents of a variational autoencoder (Kingma and Welling, 2014). The input `[2d, 1, 1]` is the means and then the
    /// log-variances of normal distributions; the output `[d, 1, 1]` is one draw of each in training, otherwise the means. The penalty
    /// is the KL divergence from N(0, I), in nats.
    Gaussian,
    /// The latents of a variational autoencoder whose prior is learned with it: a mixture of normal distributions with diagonal covariances
    /// (Dilokthanakul et al., 2016; Tomczak and Welling, 2018). Input and output are those of [`Layer::Gaussian`]. The penalty, in
    /// nats, is log q(z|x) - log p(z) of the z of the pass, with the expectation of the first term; over draws its mean is
    /// KL(q(z|x) || p(z)), but without draws it is not. Parameters `means` and `log_variances` `[components, d]`, and `logits`
    /// `[components]`, whose softmax is the weights. With a condition y (see [`Layer::Condition`]) the prior is p(z|y): y, times
    /// `condition_logits` `[components, features]`, is added to the logits.
    MixturePrior {
        /// Number of normal distributions.
        components: usize,
        /// Number of numbers in the condition; 0 if the prior does not depend on one.
        #[serde(default)]
        features: usize,
    },
    /// The latents of a variational autoencoder whose prior is a `VampPrior` (Tomczak and Welling, 2018): the mean of the posteriors of some learned
    /// images, the pseudo-inputs, `p(z) = 1/K sum_k q(z|u_k)`. Input, output and penalty are those of [`Layer::MixturePrior`]; all weights
    /// are the same. The posteriors are those of evaluation ([`crate::Pass::Evaluate`]), so sampling and training have the same prior.
    /// Parameters `pseudo_inputs` `[components, c, h, w]`, of which the network's inputs have the shape, with pixels from 0 to 1; and
    /// `means` and `log_variances` `[components, d]`, which are not trained: [`crate::Engine::update_prior`] computes them
    /// from the others. The layer belongs to the first section, after layers that learn and take no condition.
    VampPrior {
        /// Number of pseudo-inputs.
        components: usize,
    },
    /// The latents of a VQ-VAE (van den Oord et al., 2017): the vector `[c]` of each pixel is replaced by the nearest of a table of codes. The
    /// gradient of the output passes to the input unchanged (straight through). The penalty, in nats, is -log p of the codes of a sample; it
    /// moves the prior alone. Its parameters are those of the table, if this is learned, and of the prior's layers, named as if they were a
    /// `torch.nn.Sequential` called `prior`.
    VectorQuantizer {
        /// The codes.
        table: CodeTable,
        /// The prior of the codes: layers from the output `[c, h, w]` to the logits `[codes, h, w]` of a categorical distribution for each
        /// pixel. They must read pixels before it alone, as a [`Layer::MaskedConv2d`] without its center does. Without layers, all codes
        /// are as likely.
        #[serde(default)]
        prior: Vec<Layer>,
    },
    /// The identity; the penalty is half the squared norm of the latents, as in a regularised autoencoder (Ghosh et al., 2020).
    SquaredNorm,
    /// The identity; the penalty is the squared maximum mean discrepancy (MMD) between the latents and N(0, I), as in a Wasserstein
    /// autoencoder (Tolstikhin et al., 2018). It is the unbiased estimate of each micro-batch of [`crate::LANES`] samples; the mean over
    /// micro-batches is unbiased too, with more variance than the estimate of a whole batch.
    #[serde(alias = "discrepancy")]
    MmdPenalty,
    /// Maps logits to the means of continuous Bernoulli distributions (Loaiza-Ganem and Cunningham, 2019).
    ContinuousBernoulliMean,
    /// The identity; its parameter `log_scale` `[1]` is the learned logarithm of the standard deviation of [`crate::Loss::Gaussian`]
    /// (sigma-VAE: Rybkin et al., 2021).
    LogScale,
    /// Appends the condition of each sample ([`crate::Batch::conditions`]: labels, attributes) to the input, as one constant channel
    /// for each number: `[c, h, w]` becomes `[c + features, h, w]` (Mirza and Osindero, 2014; Sohn et al., 2015). All such layers of a
    /// network, and every [`Layer::MixturePrior`] that depends on it, read the same vector. Conditions have no gradient.
    Condition {
        /// Number of numbers in the condition.
        features: usize,
    },
    /// The same numbers in another shape.
    Reshape {
        /// The output shape, `[c, h, w]`.
        shape: Shape,
    },
    /// Batch normalisation (`torch.nn.BatchNorm2d`; Ioffe and Szegedy, 2015): normalises each channel to mean 0 and variance 1, then
    /// applies a learned scale and shift. In training, the statistics are those of all pixels of a micro-batch of 16 samples (ghost
    /// batches; Hoffer et al., 2017); otherwise the running statistics, which [`crate::Rule::Average`] updates. Parameters `weight`,
    /// `bias`, `running_mean`, `running_var`, each `[channels]`.
    BatchNorm2d {
        /// Weight of the new batch in the running statistics, in `[0, 1]`.
        #[serde(default = "default_momentum")]
        momentum: f64,
        /// Added to the variance for numerical stability; more than 0.
        #[serde(default = "default_epsilon")]
        epsilon: f64,
    },
    /// The maximum of each window (`torch.nn.MaxPool2d`).
    MaxPool2d {
        /// Size of the window.
        kernel: [usize; 2],
        /// Step of the window.
        stride: [usize; 2],
        /// Rows and columns added on each side, which are never the maximum; at most half the window.
        #[serde(default)]
        padding: [usize; 2],
    },
    /// The mean of each window, padding included (`torch.nn.AvgPool2d`).
    AvgPool2d {
        /// Size of the window.
        kernel: [usize; 2],
        /// Step of the window.
        stride: [usize; 2],
        /// Zeros added on each side; at most half the window.
        #[serde(default)]
        padding: [usize; 2],
    },
    /// The mean of each channel, as `[c, 1, 1]` (`torch.nn.AdaptiveAvgPool2d(1)`).
    GlobalAvgPool2d,
    /// A residual block (He et al., 2015): the sum of a branch of layers and a shortcut, both applied to the input. The names of the
    /// parameters begin with `layers` and `shortcut`, as if both were a `torch.nn.Sequential`.
    Residual {
        /// The branch.
        layers: Vec<Layer>,
        /// Layers from the input to the output shape of the branch; empty if the shapes are equal.
        #[serde(default)]
        shortcut: Vec<Layer>,
        /// Stochastic depth (Huang et al., 2016; `torchvision.ops.StochasticDepth` of mode `row`): in training, a sample skips the branch
        /// with this probability, and otherwise the branch is multiplied by `1 / (1 - drop)`. In `[0, 1)`.
        #[serde(default)]
        drop: f64,
    },
}

fn default_momentum() -> f64 {
    0.1
}

fn default_epsilon() -> f64 {
    1e-5
}

impl Layer {
    /// The name of the layer's kind in serialised networks.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Layer::Conv2d { .. } => "conv2d",
            Layer::ConvTranspose2d { .. } => "conv_transpose2d",
            Layer::MaskedConv2d { .. } => "masked_conv2d",
            Layer::Linear { .. } => "linear",
            Layer::Relu => "relu",
            Layer::LeakyRelu { .. } => "leaky_relu",
            Layer::Silu => "silu",
            Layer::Gelu => "gelu",
            Layer::Sigmoid => "sigmoid",
            Layer::Tanh => "tanh",
            Layer::Clip => "clip",
            Layer::Dropout { .. } => "dropout",
            Layer::Noise { .. } => "noise",
            Layer::Gaussian => "gaussian",
            Layer::MixturePrior { .. } => "mixture_prior",
            Layer::VampPrior { .. } => "vamp_prior",
            Layer::VectorQuantizer { .. } => "vector_quantizer",
            Layer::SquaredNorm => "squared_norm",
            Layer::MmdPenalty => "mmd_penalty",
            Layer::ContinuousBernoulliMean => "continuous_bernoulli_mean",
            Layer::LogScale => "log_scale",
            Layer::Condition { .. } => "condition",
            Layer::Reshape { .. } => "reshape",
            Layer::BatchNorm2d { .. } => "batch_norm2d",
            Layer::MaxPool2d { .. } => "max_pool2d",
            Layer::AvgPool2d { .. } => "avg_pool2d",
            Layer::GlobalAvgPool2d => "global_avg_pool2d",
            Layer::Residual { .. } => "residual",
        }
    }

    /// Whether its input is a posterior q(z|x) and its penalty is that of a variational autoencoder: as [`Layer::Gaussian`], with
    /// whatever prior.
    #[must_use]
    pub fn is_posterior(&self) -> bool {
        matches!(self, Layer::Gaussian | Layer::MixturePrior { .. } | Layer::VampPrior { .. })
    }

    /// Whether it has a penalty of latents, whose gradient its backward pass leaves in place of its input.
    pub(crate) fn is_latent(&self) -> bool {
        self.is_posterior() || matches!(self, Layer::SquaredNorm | Layer::MmdPenalty)
    }

    /// The output shape for an input shape, or the reason why there is none. Of layers that have layers inside them, only their own settings are
    /// checked.
    pub(crate) fn output(&self, input: Shape) -> Result<Shape, String> {
        let [c, h, w] = input;
        match *self {
            Layer::Conv2d { out_channels, kernel, stride, padding } => {
                positive("out_channels", out_channels)?;
                let size = windows(kernel, stride, padding, [h, w])?;
                reached(kernel, padding, [h, w])?;
                Ok([out_channels, size[0], size[1]])
            }
            Layer::ConvTranspose2d { out_channels, kernel, stride, padding, output_padding } => {
                positive("out_channels", out_channels)?;
                window(kernel, stride)?;
                let size = transposed([h, w], kernel, stride, padding, output_padding)?;
                reached(kernel, padding, size)?;
                Ok([out_channels, size[0], size[1]])
            }
            Layer::MaskedConv2d { out_channels, kernel, center } => {
                positive("out_channels", out_channels)?;
                window(kernel, [1, 1])?;
                if kernel.iter().any(|side| side % 2 == 0) {
                    return Err(format!("both sides of the kernel {kernel:?} must be odd"));
                }
                if masked_places(kernel, center) == 0 {
                    return Err("no pixel is before the only one of its kernel".into());
                }
                reached(kernel, kernel.map(|side| side / 2), [h, w])?;
                Ok([out_channels, h, w])
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
            Layer::MixturePrior { components: 0, .. } | Layer::VampPrior { components: 0 } => {
                Err("components must be at least 1".into())
            }
            Layer::VectorQuantizer { ref table, .. } => table.problem(c).map_or(Ok(input), Err),
            Layer::Gaussian | Layer::MixturePrior { .. } | Layer::VampPrior { .. } => match input {
                [c, 1, 1] if c % 2 == 0 => Ok([c / 2, 1, 1]),
                _ => Err("it needs as many means as log-variances, [2d, 1, 1]".into()),
            },
            Layer::Condition { features } => {
                positive("features", features)?;
                Ok([c.saturating_add(features), h, w])
            }
            Layer::Reshape { shape } => {
                let numbers = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
                if numbers == Some(c * h * w) {
                    Ok(shape)
                } else {
                    Err(format!("{shape:?} does not have the same {} numbers", c * h * w))
                }
            }
            Layer::BatchNorm2d { momentum, .. } if !(0.0..=1.0).contains(&momentum) => {
                Err(format!("momentum {momentum} must be from 0 to 1"))
            }
            Layer::BatchNorm2d { epsilon, .. } if !(epsilon > 0.0 && epsilon.is_finite()) => {
                Err(format!("epsilon {epsilon} must be more than 0"))
            }
            Layer::MaxPool2d { kernel, stride, padding }
            | Layer::AvgPool2d { kernel, stride, padding } => {
                if (0..2).any(|i| padding[i] > kernel[i] / 2) {
                    return Err(format!(
                        "padding {padding:?} must be at most half the kernel {kernel:?}"
                    ));
                }
                let [h, w] = windows(kernel, stride, padding, [h, w])?;
                Ok([c, h, w])
            }
            Layer::GlobalAvgPool2d => Ok([c, 1, 1]),
            Layer::Residual { drop, .. } if !(0.0..1.0).contains(&drop) => {
                Err(format!("drop = {drop} must be at least 0 and less than 1"))
            }
            Layer::Residual { ref layers, .. } if layers.is_empty() => {
                Err("it has no layers".into())
            }
            _ => Ok(input),
        }
    }
}

/// The number of places of the kernel that a masked convolution reads: those before the center, and perhaps the center.
pub(crate) fn masked_places(kernel: [usize; 2], center: bool) -> usize {
    kernel[0] * kernel[1] / 2 + usize::from(center)
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

/// Rejects a convolution whose kernel extends so far beyond the larger of its images that the 32-bit offsets in the tables of the
/// kernels would overflow.
fn reached(kernel: [usize; 2], padding: [usize; 2], size: [usize; 2]) -> Result<(), String> {
    let reach = |i: usize| size[i] + 2 * padding[i] + kernel[i];
    match reach(0).checked_mul(reach(1)) {
        Some(all) if all <= MAX_NUMBERS => Ok(()),
        _ => Err(format!(
            "images of {size:?} are too large for its kernel {kernel:?} and padding {padding:?}"
        )),
    }
}

/// The size of the output of a transposed convolution.
fn transposed(
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
) -> Result<[usize; 2], String> {
    let side = |i: usize| {
        if output_padding[i] >= stride[i] {
            return Err(format!(
                "output_padding {output_padding:?} must be smaller than stride {stride:?}"
            ));
        }
        let full = (size[i] - 1).checked_mul(stride[i]);
        let full = full.and_then(|x| x.checked_add(kernel[i] + output_padding[i]));
        let full = full.filter(|&x| x <= MAX_NUMBERS).ok_or("its output is too large")?;
        full.checked_sub(2 * padding[i])
            .filter(|&x| x > 0)
            .ok_or_else(|| format!("padding {padding:?} leaves nothing of its output"))
    };
    Ok([side(0)?, side(1)?])
}

/// The number of windows along both axes of an image.
fn windows(
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    size: [usize; 2],
) -> Result<[usize; 2], String> {
    window(kernel, stride)?;
    let side = |i: usize| {
        if padding[i] > 1 << 12 {
            return Err(format!("padding {padding:?} must be at most 4096"));
        }
        let padded = size[i] + 2 * padding[i];
        padded.checked_sub(kernel[i]).map(|x| x / stride[i] + 1).ok_or_else(|| {
            format!("its kernel {kernel:?} is larger than the padded image (padding {padding:?})")
        })
    };
    Ok([side(0)?, side(1)?])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_former_name_of_a_layer_is_still_read() {
        for name in ["discrepancy", "mmd_penalty"] {
            let layer: Layer = serde_json::from_str(&format!(r#"{{"kind":"{name}"}}"#)).unwrap();
            assert_eq!(layer, Layer::MmdPenalty);
        }
        let written = serde_json::to_string(&Layer::MmdPenalty).unwrap();
        assert_eq!(written, format!(r#"{{"kind":"{}"}}"#, Layer::MmdPenalty.kind()));
    }
}
