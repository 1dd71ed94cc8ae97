//! A decoder for vectors of other programs: images as linear functions of the first principal components of vectors.

use latents_data::Images;
use latents_engine::{Layer, Network, Section};
use latents_explore::Pca;

use crate::error::{Error, Result};
use crate::latents::Latents;
use crate::session::Session;

/// The strength of the penalty, relative to the variance of the first component.
const RIDGE: f64 = 1e-3;

/// Ridge regression from the first principal components of vectors to the pixels of their images. It shows what the vectors tell about
/// the pixels, as blurred pictures, and is no model of the program that made the vectors.
#[derive(Clone, Debug)]
pub struct LinearDecoder {
    /// A linear layer, from components `[k, 1, 1]` to an image `[c, h, w]`, in one section.
    pub network: Network,
    /// Its weights `[c * h * w, k]` and its biases.
    pub parameters: Vec<f32>,
    /// The components of each vector `[n, k]`.
    pub components: Vec<f32>,
}

impl LinearDecoder {
    /// Fits the decoder to vectors and their images, with at most `k` components.
    ///
    /// # Errors
    /// If there are fewer than two vectors or another number of images, or the call was interrupted.
    pub fn fit(latents: &Latents, images: &Images, k: usize, session: &Session) -> Result<Self> {
        let n = latents.len();
        if images.len() != n {
            let problem = format!("there are {n} vectors, but {} images", images.len());
            return Err(Error::Invalid(problem));
        }
        let k = k.min(latents.dim).min(n.saturating_sub(1)).max(1);
        let rows = latents.rows()?;
        let (components, variance) = session.runtime()?.run(|| {
            let pca = Pca::fit(rows, k, session)?;
            Ok::<_, latents_explore::Error>((
                pca.transform(rows)?,
                pca.explained_variance().to_vec(),
            ))
        })?;
        let [c, h, w] = images.shape();
        let pixels = c * h * w;
        let mut mean = vec![0.0f64; pixels];
        let mut products = vec![0.0f64; pixels * k];
        for i in 0..n {
            session.check()?;
            let image = images.image_unit(i);
            let at = &components[i * k..(i + 1) * k];
            for ((x, mean), products) in
                image.iter().zip(&mut mean).zip(products.chunks_exact_mut(k))
            {
                *mean += f64::from(*x) / n as f64;
                for (product, z) in products.iter_mut().zip(at) {
                    *product += f64::from(*x) * f64::from(*z);
                }
            }
        }
        // Components have mean 0 and are not correlated, so each has a weight of its own.
        let ridge = RIDGE * variance.first().copied().unwrap_or(1.0);
        let scale: Vec<f64> = variance
            .iter()
            .map(|v| 1.0 / ((v + ridge) * (n - 1) as f64).max(f64::MIN_POSITIVE))
            .collect();
        let weights = products.iter().zip(scale.iter().cycle()).map(|(p, s)| (p * s) as f32);
        let parameters = weights.chain(mean.into_iter().map(|x| x as f32)).collect();
        let layers =
            vec![Layer::Linear { out_features: pixels }, Layer::Reshape { shape: [c, h, w] }];
        let sections = vec![Section { name: "decoder".into(), layers }];
        let network = Network { input: [k, 1, 1], sections };
        Ok(LinearDecoder { network, parameters, components })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_linear_in_the_vectors_is_found() {
        // Vectors of two independent numbers, and images of three pixels.
        let z: Vec<f32> = (0..400).flat_map(|i| [(i % 20) as f32, 7.0 * (i / 20) as f32]).collect();
        let image = |z: &[f32]| [10.0 * z[0], 255.0 - z[1], 100.0 + z[0]].map(|x| x as u8);
        let pixels: Vec<u8> = z.chunks_exact(2).flat_map(image).collect();
        let images = Images::new(1, 1, 3, pixels.clone()).unwrap();
        let latents = Latents::new(z, 2).unwrap();
        let decoder = LinearDecoder::fit(&latents, &images, 8, &Session::default()).unwrap();
        assert_eq!(decoder.network.input, [2, 1, 1]);
        let (weights, biases) = decoder.parameters.split_at(6);
        for (at, image) in decoder.components.chunks_exact(2).zip(pixels.chunks_exact(3)) {
            for p in 0..3 {
                let x = biases[p] + weights[2 * p] * at[0] + weights[2 * p + 1] * at[1];
                // The penalty draws small components a little to the mean.
                assert!((x - f32::from(image[p]) / 255.0).abs() < 0.03);
            }
        }
        assert!(LinearDecoder::fit(&latents, &images.at(&[0]), 2, &Session::default()).is_err());
    }
}
