//! Features for comparing sets of images: the last hidden layer of a small classifier that is trained on the training images of the data
//! set. Distances between such features compare models on the same data with the same extractor. They are not the FID, whose features come
//! from another network trained on other images.

use std::sync::Arc;

use latents_engine::{
    Engine, Group, Init, InputPixels, Inputs, Layer, Loss, Network, Optimizer, Pass, Rule, Runtime,
    Section, Shape, Targets, initialize,
};
use latents_progress::Monitor;

use crate::classification::{argmax, softmax};
use crate::error::Error;

/// Epochs and optimiser steps, at least; batch size, and initial learning rate, which falls to 0 along a cosine.
const EPOCHS: u64 = 5;
const STEPS: u64 = 200;
const BATCH: usize = 128;
const RATE: f64 = 2e-3;
/// Length of a feature vector.
const FEATURES: usize = 64;

/// A trained feature extractor.
///
/// ```
/// use std::sync::Arc;
/// use latents_engine::Runtime;
/// use latents_explore::extractor::Extractor;
/// use latents_progress::Monitor;
///
/// let runtime = Arc::new(Runtime::new(Some(1), None)?);
/// let labels: Vec<u16> = (0..64).map(|i| i % 2).collect();
/// let pixels: Vec<u8> = labels.iter().flat_map(|&l| [l as u8 * 200; 64]).collect(); // [64, 1, 8, 8]
/// let monitor = Monitor::default();
/// let mut extractor = Extractor::train(pixels[..].into(), &labels, [1, 8, 8], 2, 1, &runtime, &monitor)?;
/// let features = extractor.features(&[0.5; 2 * 64])?;
/// assert_eq!(features.len(), 2 * extractor.dim());
/// let prediction = extractor.predict(&features)?;
/// assert_eq!(prediction.class.len(), 2);
/// # Ok::<(), latents_explore::Error>(())
/// ```
#[derive(Debug)]
pub struct Extractor {
    engine: Engine,
    parameters: Vec<f32>,
    classes: usize,
    epochs: u64,
}

/// Predicted classes of images.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractorPrediction {
    /// The most probable class of each image `[n]`.
    pub class: Vec<u16>,
    /// Probability of that class `[n]`.
    pub confidence: Vec<f32>,
}

impl Extractor {
    /// The least height and width of an image, for two convolutions of stride 2.
    pub const LEAST_SIDE: usize = 4;

    /// Trains an extractor on images `[n, c, h, w]` and their labels `[n]`. Reports its steps as the task `feature extractor`.
    ///
    /// # Errors
    /// If the images are too small for two convolutions of stride 2, labels do not fit, or `monitor` is cancelled.
    pub fn train(
        pixels: InputPixels<'_>,
        labels: &[u16],
        shape: Shape,
        classes: usize,
        seed: u64,
        runtime: &Arc<Runtime>,
        monitor: &Monitor,
    ) -> Result<Self, Error> {
        let convolution = |out_channels| Layer::Conv2d {
            out_channels,
            kernel: [4; 2],
            stride: [2; 2],
            padding: [1; 2],
        };
        let flat = 32 * (shape[1] / 2 / 2) * (shape[2] / 2 / 2);
        let features = vec![
            convolution(16),
            Layer::Relu,
            convolution(32),
            Layer::Relu,
            Layer::Reshape { shape: [flat, 1, 1] },
            Layer::Linear { out_features: FEATURES },
            Layer::Relu,
        ];
        let sections = vec![
            Section { name: "features".into(), layers: features },
            Section { name: "head".into(), layers: vec![Layer::Linear { out_features: classes }] },
        ];
        let mut engine = Engine::new(&Network { input: shape, sections }, Arc::clone(runtime))?;
        let mut parameters = initialize(engine.layout(), Init::KaimingNormal, seed);
        let count = parameters.len();
        let rule = Rule::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 1e-4 };
        let groups = Group::of(engine.layout(), 0..count, rule, RATE);
        let mut optimizer = Optimizer::new(groups, count)?;
        let mut gradients = vec![0.0; count];
        let mut order: Vec<u32> = (0..labels.len() as u32).collect();
        let steps = (labels.len() / BATCH).max(1) as u64;
        let epochs = EPOCHS.max(STEPS.div_ceil(steps));
        let total = epochs * steps;
        let mut done = 0;
        let task = monitor.task("feature extractor");
        for epoch in 1..=epochs {
            latents_random::stream(seed, latents_random::Purpose::Shuffle, epoch, 1)
                .shuffle(&mut order);
            // Images of an incomplete last batch are left out of this epoch.
            for batch in order.chunks(BATCH).filter(|b| b.len() == BATCH.min(labels.len())) {
                monitor.check()?;
                let truth: Vec<u16> = batch.iter().map(|&i| labels[i as usize]).collect();
                let inputs = Inputs::Images { pixels, index: batch };
                let loss = Loss::CrossEntropy { label_smoothing: 0.0 };
                let pass = Pass::Train { seed, epoch };
                let targets = Targets::Classes(&truth);
                engine.gradients(&parameters, inputs, targets, loss, pass, &mut gradients)?;
                let angle = std::f64::consts::PI * done as f64 / total as f64;
                let factor = 0.5 * (1.0 + libm::cos(angle));
                optimizer.step(runtime, &mut parameters, &gradients, factor);
                done += 1;
                task.progress(done, total, "");
            }
        }
        Ok(Extractor { engine, parameters, classes, epochs })
    }

    /// Length of a feature vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        FEATURES
    }

    /// A description of the features, to print next to distances in them.
    #[must_use]
    pub fn description(&self) -> String {
        format!(
            "the {FEATURES} features of the last hidden layer of a small classifier trained on the training images (convolutions of 16 and 32 channels, {} epochs)",
            self.epochs
        )
    }

    /// Features `[n, 64]` of images `[n, c, h, w]` with values from 0 to 1.
    ///
    /// # Errors
    /// If the images have another shape than the training images.
    pub fn features(&mut self, images: &[f32]) -> Result<Vec<f32>, Error> {
        Ok(self.engine.forward(&self.parameters, Inputs::Values(images), 0..1)?)
    }

    /// Predicts the classes of images from their features `[n, 64]`.
    ///
    /// # Errors
    /// If the feature vectors have another length.
    pub fn predict(&mut self, features: &[f32]) -> Result<ExtractorPrediction, Error> {
        let logits = self.engine.forward(&self.parameters, Inputs::Values(features), 1..2)?;
        let probabilities = softmax(&logits, self.classes);
        let class = argmax(&probabilities, self.classes);
        let rows = probabilities.chunks_exact(self.classes).zip(&class);
        let confidence = rows.map(|(row, &class)| row[usize::from(class)]).collect();
        Ok(ExtractorPrediction { class, confidence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_learns_bright_halves_reproducibly() {
        let pixels: Vec<u8> = (0..512u32)
            .flat_map(|i| {
                (0..64u32).map(move |p| {
                    let noise = (i * 97 + p * 31) % 60;
                    if (p % 8 < 4) == (i % 2 == 0) { 190 + noise } else { noise }
                })
            })
            .map(|v| v as u8)
            .collect();
        let labels: Vec<u16> = (0..512).map(|i| (i % 2) as u16).collect();
        let runtime = Arc::new(Runtime::new(Some(2), None).unwrap());
        let train = |stop: bool| {
            let monitor = Monitor::default();
            if stop {
                monitor.cancel().cancel();
            }
            Extractor::train(pixels[..].into(), &labels, [1, 8, 8], 2, 1, &runtime, &monitor)
        };
        let mut one = train(false).unwrap();
        assert_eq!(one.parameters, train(false).unwrap().parameters);
        let images: Vec<f32> = pixels.iter().map(|&b| f32::from(b) / 255.0).collect();
        let features = one.features(&images).unwrap();
        assert_eq!(features.len(), 512 * one.dim());
        let prediction = one.predict(&features).unwrap();
        assert_eq!(prediction.class, labels);
        assert!(prediction.confidence.iter().all(|c| (0.5..=1.0).contains(c)));
        assert!(matches!(train(true), Err(Error::Interrupted(_))));
    }
}
