//! The prior of a VQ-VAE's codes: the distribution of the code of each place given those before it, row by row, as in a `PixelCNN` (van den
//! Oord et al., 2016).

use latents_engine::{CodeTable, Element, Layer, Layout, Network, Section, Shape};

/// The layers from codes `[c, h, w]` to the logits `[codes, h, w]` of the code of each place. `classes` is the size of the condition; 0 if
/// there is none.
pub(super) fn layers(
    codes: usize,
    channels: usize,
    blocks: usize,
    nonlinearity: &Layer,
    classes: usize,
) -> Vec<Layer> {
    let masked = |out_channels, side, center| Layer::MaskedConv2d {
        out_channels,
        kernel: [side; 2],
        center,
    };
    let mut layers = vec![masked(channels, 7, false)];
    if classes > 0 {
        // The first place has no codes before it, but a class.
        layers.push(Layer::Condition { features: classes });
        layers.push(masked(channels, 1, true));
    }
    for _ in 0..blocks {
        let branch = vec![
            nonlinearity.clone(),
            masked(channels, 3, true),
            nonlinearity.clone(),
            masked(channels, 1, true),
        ];
        layers.push(Layer::Residual { layers: branch, shortcut: vec![], drop: 0.0 });
    }
    layers.extend([nonlinearity.clone(), masked(codes, 1, true)]);
    layers
}

/// The prior of codes that a trained model has learned: a network of its own, and the codes that its outputs stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct CodePrior<E> {
    /// The network from codes `[c, h, w]` to the logits `[codes, h, w]` of the code of each place. Those of a place depend on the codes before
    /// it alone, row by row.
    pub network: Network,
    /// Its parameters.
    pub parameters: Vec<E>,
    /// All codes `[codes, c]`.
    pub codes: Vec<E>,
}

impl<E: Element> CodePrior<E> {
    /// The prior among the parameters of a network. `None` if the network has no quantiser with a prior.
    ///
    /// ```
    /// use latents_engine::{Init, initialize};
    /// use latents_models::{CodePrior, Model, VqvaeConfig};
    ///
    /// let image = [1, 28, 28]; // [c, h, w]
    /// let layout = VqvaeConfig::for_images(image).network(image, 0)?.layout()?;
    /// let parameters = initialize(&layout, Init::default(), 1);
    /// let prior = CodePrior::of(&layout, &parameters).expect("a VQ-VAE has one");
    /// assert_eq!(prior.network.input, [3, 7, 7]);
    /// assert_eq!(prior.network.layout()?.output(), [512, 7, 7]);
    /// # Ok::<(), latents_models::Error>(())
    /// ```
    #[must_use]
    pub fn of(layout: &Layout, parameters: &[E]) -> Option<Self> {
        let (at, table, prior) = quantizer(layout)?;
        let own = parameters.get(layout.parameters_of(at..at + 1))?;
        let input: Shape = layout.shape(at);
        let learned = match table {
            CodeTable::Learned { codes, .. } => codes * input[0],
            CodeTable::Levels { .. } => 0,
        };
        if prior.is_empty() {
            return None;
        }
        let (learned, parameters) = own.split_at(learned);
        let sections = vec![Section { name: "prior".into(), layers: prior.to_vec() }];
        Some(CodePrior {
            network: Network { input, sections },
            parameters: parameters.to_vec(),
            codes: table.vectors(learned),
        })
    }
}

/// The bits of the latents of an image, if a network's latents are codes, as those of a VQ-VAE are: the logarithm of the number of codes for each
/// place. A prior of the codes tells them in fewer bits.
#[must_use]
pub fn code_bits(layout: &Layout) -> Option<f64> {
    let (at, table, _) = quantizer(layout)?;
    let [_, h, w] = layout.shape(at);
    Some((h * w) as f64 * libm::log2(table.codes() as f64))
}

/// The layer of a network that replaces vectors by codes, its table, and the layers of its prior.
pub(super) fn quantizer(layout: &Layout) -> Option<(usize, &CodeTable, &[Layer])> {
    layout.layers().enumerate().find_map(|(at, layer)| match layer {
        Layer::VectorQuantizer { table, prior } => Some((at, table, &prior[..])),
        _ => None,
    })
}
