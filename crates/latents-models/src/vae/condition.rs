//! The condition of a conditional model: the class of each image as a multiple of a one-hot vector.

use latents_engine::{Element, Layer, Layout};

/// The one-hot vectors `[n, count]` of classes `[n]`, times `value`: this at an image's class, 0 elsewhere. A conditional decoder takes them
/// as the conditions of its batch, with the value of [`condition_value`]. A class that is not below `count` has zeros alone.
///
/// ```
/// use latents_models::one_hot;
///
/// assert_eq!(one_hot::<f32>(&[2, 0], 3, 2.0), [0.0, 0.0, 2.0, 2.0, 0.0, 0.0]);
/// ```
#[must_use]
pub fn one_hot<E: Element>(classes: &[u16], count: usize, value: f64) -> Vec<E> {
    let mut all = vec![E::default(); classes.len() * count];
    for (row, &class) in all.chunks_exact_mut(count.max(1)).zip(classes) {
        if let Some(own) = row.get_mut(usize::from(class)) {
            *own = E::from_f64(value);
        }
    }
    all
}

/// The number that stands for a class in the conditions of a network: the square root of the number of latents that they are appended to. The
/// condition is then as long as a latent vector of N(0, I) is on average. With 1, one number among many noisy ones, a decoder of many latents
/// learns to read the class from these before it learns to use the condition. 1 if the network takes no condition.
#[must_use]
pub fn condition_value(layout: &Layout) -> f64 {
    let place = layout.layers().position(|layer| matches!(layer, Layer::Condition { .. }));
    place.map_or(1.0, |place| libm::sqrt(layout.shape(place)[0] as f64))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use latents_engine::{Batch, Engine, Init, Inputs, Layer, Pass, Runtime, Targets, initialize};
    use latents_progress::Monitor;
    use latents_random::{Purpose, stream};

    use super::*;
    use crate::autoencoder::{DECODER, Design, ENCODER};
    use crate::model::Model;
    use crate::nonlinearity::Nonlinearity;
    use crate::vae::{VaeConfig, importance_bound};

    const IMAGE: [usize; 3] = [1, 9, 8];
    const CLASSES: usize = 4;
    const DIM: usize = 3;
    /// The square root of 3.
    const VALUE: f64 = 1.732_050_807_568_877_2;

    /// A small conditional model without corners in its loss.
    fn small() -> VaeConfig {
        let mut config = VaeConfig { conditional: true, ..VaeConfig::for_images(IMAGE) };
        config.autoencoder.latent_dim = DIM;
        config.autoencoder.nonlinearity = Nonlinearity::Silu;
        config
    }

    fn engine(config: &VaeConfig) -> (Engine<f64>, Vec<f64>) {
        let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
        let engine = Engine::new(&config.network(IMAGE, CLASSES).unwrap(), runtime).unwrap();
        let parameters = initialize(engine.layout(), Init::Pytorch, 1);
        (engine, parameters.into_iter().map(|x| 2.0 * f64::from(x)).collect())
    }

    fn images(n: usize) -> Vec<f64> {
        let mut random = stream(1, Purpose::Synthetic, 0, 0);
        (0..n * IMAGE.iter().product::<usize>()).map(|_| random.uniform()).collect()
    }

    fn batch<'a>(images: &'a [f64], conditions: &'a [f64]) -> Batch<'a, f64> {
        Inputs::Values(images).with_conditions(conditions)
    }

    #[test]
    fn the_class_of_an_image_is_a_column_of_weights_of_the_first_layer() {
        let config = small();
        let (mut engine, parameters) = engine(&config);
        let layout = engine.layout().clone();
        let decoder = layout.section(DECODER).start;
        assert_eq!(layout.shape(decoder), [DIM, 1, 1]);
        assert_eq!(layout.layers().nth(decoder), Some(&Layer::Condition { features: CLASSES }));
        assert_eq!(layout.condition_features(), CLASSES);
        assert!((condition_value(&layout) - VALUE).abs() < 1e-15);

        // An image of class y has the losses of the model without a condition whose first bias has the weights of y added.
        let (images, classes) = (images(5), [2, 0, 2, 3, 1]);
        let pass = Pass::Sample { seed: 3, draw: 0 };
        let of_all = {
            let conditions = one_hot(&classes, CLASSES, VALUE);
            let batch = batch(&images, &conditions);
            engine.losses(&parameters, batch, Targets::Inputs, config.criterion(), pass).unwrap()
        };
        let plain = VaeConfig { conditional: false, ..config.clone() };
        let runtime = Arc::new(Runtime::new(Some(1), None).unwrap());
        let mut other = Engine::<f64>::new(&plain.network(IMAGE, 0).unwrap(), runtime).unwrap();
        let weight = layout.parameters().iter().find(|p| p.name == "decoder.1.weight").unwrap();
        let width = weight.shape[0];
        assert_eq!(weight.shape, [width, DIM + CLASSES]);
        let rows = parameters[weight.range()].chunks_exact(DIM + CLASSES);
        for (i, &class) in classes.iter().enumerate() {
            let mut without = parameters[..weight.range().start].to_vec();
            without.extend(rows.clone().flat_map(|row| &row[..DIM]));
            let biases = &parameters[weight.range().end..][..width];
            let shift = rows.clone().map(|row| row[DIM + usize::from(class)]);
            without.extend(biases.iter().zip(shift).map(|(bias, shift)| bias + VALUE * shift));
            without.extend(&parameters[weight.range().end + width..]);
            let inputs = Inputs::Values(&images[..]);
            let losses = other.losses(&without, inputs, Targets::Inputs, plain.criterion(), pass);
            let losses = losses.unwrap();
            assert!((losses.loss[i] - of_all.loss[i]).abs() < 1e-9, "{i}");
            assert_eq!(losses.penalty[i].to_bits(), of_all.penalty[i].to_bits());
        }
    }

    #[test]
    fn another_class_is_another_loss_and_bound_and_the_same_posterior() {
        let config = small();
        let (mut engine, parameters) = engine(&config);
        let (images, pass) = (images(1), Pass::Sample { seed: 1, draw: 0 });
        let criterion = config.criterion();
        let mut of = |class: u16| {
            let conditions = one_hot(&[class], CLASSES, VALUE);
            let batch = batch(&images, &conditions);
            let losses =
                engine.losses(&parameters, batch, Targets::Inputs, criterion, pass).unwrap();
            let monitor = Monitor::default();
            let bound =
                importance_bound(&mut engine, &parameters, batch, criterion, 1, 1, &monitor);
            let z = engine.forward(&parameters, batch, ENCODER..ENCODER + 1).unwrap();
            (losses.loss[0], bound.unwrap()[0], losses.penalty[0], z)
        };
        let all: Vec<_> = (0..CLASSES as u16).map(&mut of).collect();
        for pair in all.windows(2) {
            assert!((pair[0].0 - pair[1].0).abs() > 1e-3 && (pair[0].1 - pair[1].1).abs() > 1e-3);
            assert_eq!(pair[0].2.to_bits(), pair[1].2.to_bits());
            assert_eq!(pair[0].3, pair[1].3);
        }
        // Images are encoded without a class, and no image is decoded without one.
        let inputs = Inputs::Values(&images[..]);
        assert_eq!(engine.forward(&parameters, inputs, ENCODER..ENCODER + 1).unwrap(), all[0].3);
        assert!(engine.forward(&parameters, inputs, 0..2).is_err());
    }

    #[test]
    fn gradients_through_the_condition_are_differences() {
        let config = small();
        let (mut engine, parameters) = engine(&config);
        let images = images(6);
        // The second half is of two classes at once, as mixed images are.
        let mut conditions = one_hot(&[0, 3, 1, 2, 2, 0], CLASSES, VALUE);
        for row in conditions.chunks_exact_mut(CLASSES).skip(3) {
            for x in row.iter_mut() {
                *x *= 0.7;
            }
            row[1] += 0.3 * VALUE;
        }
        let (criterion, pass) = (config.criterion(), Pass::Train { seed: 2, epoch: 1 });
        let mut gradients = vec![0.0; parameters.len()];
        let mut mean = |parameters: &[f64], gradients: &mut [f64]| {
            let batch = batch(&images, &conditions);
            let losses =
                engine.gradients(parameters, batch, Targets::Inputs, criterion, pass, gradients);
            let losses = losses.unwrap();
            losses.mean_loss() + criterion.weight * losses.mean_penalty()
        };
        mean(&parameters, &mut gradients);
        let layout = config.network(IMAGE, CLASSES).unwrap().layout().unwrap();
        let weight = layout.parameters().iter().find(|p| p.name == "decoder.1.weight").unwrap();
        let of_classes = weight.range().filter(|i| (i - weight.range().start) % 7 >= DIM);
        let some = (0..parameters.len()).step_by(37).chain(of_classes.step_by(5));
        let (mut moved, mut ignored) = (parameters.clone(), vec![0.0; parameters.len()]);
        for i in some {
            let step = 1e-5;
            let mut at = |x: f64| {
                moved[i] = x;
                mean(&moved, &mut ignored)
            };
            let slope = (at(parameters[i] + step) - at(parameters[i] - step)) / (2.0 * step);
            moved[i] = parameters[i];
            let error = (slope - gradients[i]).abs();
            assert!(error < 1e-6 * (1.0 + slope.abs()), "{i}: {slope} {}", gradients[i]);
        }
        let shown = gradients[weight.range()].iter().filter(|g| g.abs() > 1e-9).count();
        assert!(shown > weight.range().len() / 2, "the weights of classes learn: {shown}");
    }

    #[test]
    fn what_a_conditional_model_cannot_be_is_named() {
        let said = |config: &VaeConfig, classes: usize| {
            config.network(IMAGE, classes).unwrap_err().to_string()
        };
        let few = said(&small(), 1);
        assert!(few.contains("conditional") && few.contains("at least 2 classes"), "{few}");
        let mut residual = VaeConfig::for_collection(IMAGE, 100);
        residual.conditional = true;
        assert_eq!(residual.autoencoder.design, Design::Residual);
        let residual = said(&residual, CLASSES);
        assert!(residual.contains("conditional") && residual.contains("design study"));
    }

    #[test]
    fn settings_of_models_without_a_condition_do_not_mention_it() {
        let mut config = small();
        assert!(config.needs_classes() && config.is_conditional());
        let text = toml::to_string(&config).unwrap();
        assert!(text.contains("conditional = true"), "{text}");
        assert_eq!(toml::from_str::<VaeConfig>(&text).unwrap(), config);
        config.conditional = false;
        assert!(!config.needs_classes());
        let text = toml::to_string(&config).unwrap();
        assert!(!text.contains("conditional"), "{text}");
        assert_eq!(toml::from_str::<VaeConfig>(&text).unwrap(), config);
    }
}
