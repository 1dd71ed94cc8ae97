//! Parameters: their names, shapes and roles, and their positions in the one vector of all parameters.

use std::ops::Range;

/// The role of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// The weight of a convolution or linear layer.
    Weight,
    /// The bias: one number for each output channel.
    Bias,
    /// The logarithm of the standard deviation of a likelihood.
    LogScale,
    /// A parameter of a learned prior, or a table of codes. It has no weight decay, which would draw it towards an arbitrary prior.
    Prior {
        /// The standard deviation of its initial values, which are normal with mean 0.
        deviation: f64,
    },
    /// The pixels of learned images, from 0 to 1. They have no weight decay.
    Pixels,
    /// A number that is computed from other parameters and not trained; see [`crate::Engine::update_prior`]. Its gradient is zero.
    Derived,
    /// The factor of a normalised channel.
    Scale,
    /// The number added to a normalised channel.
    Shift,
    /// A running statistic. It is not trained: its position in the gradient holds the statistic of the batch, and
    /// [`crate::Rule::Average`] moves the running statistic towards it.
    Statistic {
        /// The initial value.
        initial: f64,
        /// The weight of the new batch, from 0 to 1.
        momentum: f64,
    },
}

impl Role {
    /// Whether an optimiser follows its gradient: all but running statistics and what is derived from other parameters.
    #[must_use]
    pub fn is_trained(self) -> bool {
        !matches!(self, Role::Statistic { .. } | Role::Derived)
    }
}

/// One parameter tensor; all of them are stored in one vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// PyTorch's name: section, position in the section, and name within the layer, such as `encoder.0.weight`.
    pub name: String,
    /// PyTorch's layout, row-major.
    pub shape: Vec<usize>,
    /// Index of its first number in the vector of all parameters.
    pub offset: usize,
    /// Its role.
    pub role: Role,
    /// Number of inputs of one output of the layer, as `torch.nn.init` counts them from the shape of the weight.
    pub fan_in: usize,
    /// Number of outputs of one input of the layer, counted in the same way.
    pub fan_out: usize,
}

impl Parameter {
    /// Its range in the vector of all parameters.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.shape.iter().product::<usize>()
    }

    pub(crate) fn is_log_scale(&self) -> bool {
        self.role == Role::LogScale
    }
}
