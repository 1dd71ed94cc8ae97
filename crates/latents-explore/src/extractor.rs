//! Features of one's own for comparing clouds of images: the last hidden layer of a small classifier that is trained on the spot on the
//! data set's own training images. Distances in them compare models on the same data and with the same extractor; they are not the FID,
//! whose features come from another network and other images.

use std::sync::Arc;

use latents_engine::{
    Engine, Group, Init, Inputs, Layer, Loss, Network, Optimizer, Pass, Rule, Runtime, Section,
    Shape, Targets, initialize,
};

use crate::classification::{argmax, softmax};
use crate::error::Error;

/// Passes over the training images, images in a step, and the step size at first; it falls to nothing along a cosine.
const EPOCHS: u64 = 5;
const BATCH: usize = 128;
const RATE: f64 = 2e-3;
/// Numbers in a feature vector.
const FEATURES: usize = 64;

/// A trained feature extractor.
#[derive(Debug)]
pub struct Extractor {
    engine: Engine,
    parameters: Vec<f32>,
    classes: usize,
}

/// What the extractor says of an image's class.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// `[n]`.
    pub class: Vec<u8>,
    /// `[n]`: probability of that class.
    pub confidence: Vec<f32>,
}

impl Extractor {
    /// Trains one on images `[n, c, h, w]` of bytes and their labels `[n]`. `progress` hears how many steps of all are done and ends
    /// the training by saying true.
    ///
    /// # Errors
    /// Where the images are too small for two convolutions that halve them, labels do not fit, or it was ended.
    pub fn train(
        pixels: &[u8],
        labels: &[u8],
        shape: Shape,
        classes: usize,
        seed: u64,
        runtime: &Arc<Runtime>,
        progress: &mut dyn FnMut(u64, u64) -> bool,
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
        let total = EPOCHS * (labels.len() / BATCH).max(1) as u64;
        let mut done = 0;
        for epoch in 1..=EPOCHS {
            latents_random::stream(seed, latents_random::Purpose::Shuffle, epoch, 1)
                .shuffle(&mut order);
            // What is left over at the end comes in another epoch.
            for batch in order.chunks(BATCH).filter(|b| b.len() == BATCH.min(labels.len())) {
                if progress(done, total) {
                    return Err(Error::Stopped);
                }
                let truth: Vec<u8> = batch.iter().map(|&i| labels[i as usize]).collect();
                let inputs = Inputs::Bytes { pixels, index: batch };
                let loss = Loss::CrossEntropy { label_smoothing: 0.0 };
                let pass = Pass::Train { seed, epoch };
                let targets = Targets::Classes(&truth);
                engine.gradients(&parameters, inputs, targets, loss, pass, &mut gradients)?;
                let angle = std::f64::consts::PI * done as f64 / total as f64;
                let factor = 0.5 * (1.0 + libm::cos(angle));
                optimizer.step(runtime, &mut parameters, &gradients, factor);
                done += 1;
            }
        }
        Ok(Extractor { engine, parameters, classes })
    }

    /// Numbers in a feature vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        FEATURES
    }

    /// What it is, for whoever reads its numbers.
    #[must_use]
    pub fn description(&self) -> String {
        format!(
            "the {FEATURES} last hidden features of a classifier trained on the spot (convolutions of 16 and 32 channels, {EPOCHS} epochs)"
        )
    }

    /// Features `[n, 64]` of images `[n, c, h, w]`.
    ///
    /// # Errors
    /// Where the images have another shape.
    pub fn features(&mut self, images: &[f32]) -> Result<Vec<f32>, Error> {
        Ok(self.engine.forward(&self.parameters, Inputs::Values(images), 0..1)?)
    }

    /// Classes of feature vectors `[n, 64]`, and how sure they are.
    ///
    /// # Errors
    /// Where features are of another length.
    pub fn opinion(&mut self, features: &[f32]) -> Result<Opinion, Error> {
        let logits = self.engine.forward(&self.parameters, Inputs::Values(features), 1..2)?;
        let probabilities = softmax(&logits, self.classes);
        let class = argmax(&probabilities, self.classes);
        let rows = probabilities.chunks_exact(self.classes).zip(&class);
        let confidence = rows.map(|(row, &class)| row[usize::from(class)]).collect();
        Ok(Opinion { class, confidence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_learns_to_tell_bright_halves_and_the_same_again() {
        let pixels: Vec<u8> = (0..512u32)
            .flat_map(|i| {
                (0..64u32).map(move |p| {
                    let noise = (i * 97 + p * 31) % 60;
                    if (p % 8 < 4) == (i % 2 == 0) { 190 + noise } else { noise }
                })
            })
            .map(|v| v as u8)
            .collect();
        let labels: Vec<u8> = (0..512).map(|i| (i % 2) as u8).collect();
        let runtime = Arc::new(Runtime::new(Some(2), None).unwrap());
        let train = |stop: bool| {
            let mut watch = |_, _| stop;
            Extractor::train(&pixels, &labels, [1, 8, 8], 2, 1, &runtime, &mut watch)
        };
        let mut one = train(false).unwrap();
        assert_eq!(one.parameters, train(false).unwrap().parameters);
        let images: Vec<f32> = pixels.iter().map(|&b| f32::from(b) / 255.0).collect();
        let features = one.features(&images).unwrap();
        assert_eq!(features.len(), 512 * one.dim());
        let opinion = one.opinion(&features).unwrap();
        assert_eq!(opinion.class, labels);
        assert!(opinion.confidence.iter().all(|c| (0.5..=1.0).contains(c)));
        assert!(matches!(train(true), Err(Error::Stopped)));
    }
}
