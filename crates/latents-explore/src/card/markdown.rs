//! The evaluation card as Markdown. Measuring is in `measure.rs`.

use std::fmt::Write as _;

use super::data::{Card, LikelihoodBounds, NEIGHBOURS, ReconstructionMeasures, SampleMeasures};
use super::measure::compared_components;
use crate::disentanglement::Disentanglement;
use crate::metrics::reconstruction::psnr;

impl Card {
    /// The card as a Markdown page with the heading `title`.
    #[must_use]
    pub fn markdown(&self, title: &str) -> String {
        let codes =
            self.code_bits.map_or_else(String::new, |bits| format!(", codes of {bits:.0} bits"));
        let mut out = format!(
            "# {title}\n\n{} test images, {} latents{codes}.\n",
            self.images, self.latent_dim
        );
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        if self.conditional {
            line("\nThe decoder is given the class of an image. Images are reconstructed with their class, and bounds are on log p(x|y). Samples have the classes of training images, and a traversal has the class of its first image.".into());
        }
        self.reconstruction.markdown(self.code_bits.is_some(), &mut line);
        if let Some(bounds) = &self.bounds {
            bounds.markdown(&mut line);
        }
        line("\n## Latents\n\n| | |\n|---|---|".into());
        line(format!("| active units | {} of {} |", self.latents.active_units, self.latent_dim));
        line(format!("| effective dimension | {:.1} |", self.latents.effective_dimension));
        if let Some(kl) = &self.latents.kl_per_axis {
            line(format!("| KL divergence from N(0, I), nats | {:.2} |", kl.iter().sum::<f64>()));
        }
        if let Some(accuracy) = self.latents.neighbour_accuracy {
            line(format!("| accuracy of {NEIGHBOURS} nearest neighbours | {accuracy:.3} |"));
        }
        if let Some(accuracy) = self.latents.components_neighbour_accuracy {
            let components = compared_components(self.latent_dim, self.code_bits);
            line(format!(
                "| the same, {components} whitened principal components by cosine | {accuracy:.3} |"
            ));
        }
        if let Some(scores) = &self.disentanglement {
            scores.markdown(&mut line);
        }
        if let Some(samples) = &self.samples {
            samples.markdown(&mut line);
        }
        if let Some(t) = &self.traversals {
            line(format!(
                "\n## Traversals\n\nLargest distance between consecutive images divided by the mean distance, over {} traversals of {} images; 1 is an even pace.\n",
                t.pairs, t.steps
            ));
            line("| linear | spherical |\n|---|---|".into());
            line(format!("| {:.3} | {:.3} |", t.linear, t.spherical));
        }
        if !self.maps.is_empty() {
            line("\n## Maps of the latents\n\n| map | trustworthiness | continuity | accuracy of nearest neighbours |\n|---|---|---|---|".into());
        }
        for map in &self.maps {
            let accuracy = map.neighbour_accuracy.map_or("-".into(), |a| format!("{a:.3}"));
            let (name, trust, whole) = (&map.name, map.trustworthiness, map.continuity);
            line(format!("| {name} | {trust:.4} | {whole:.4} | {accuracy} |"));
        }
        line("\n## Outliers\n".into());
        let list = |images: &[usize]| {
            let mut text = String::new();
            for (i, image) in images.iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = write!(text, "{}{image}", if i > 0 { ", " } else { "" });
            }
            text
        };
        line(format!("- Largest reconstruction errors: {}", list(&self.outliers.hardest)));
        if !self.outliers.farthest.is_empty() {
            line(format!("- Farthest in the latent space: {}", list(&self.outliers.farthest)));
        }
        line(format!("- Pairs of near-duplicates: {}", self.outliers.near_duplicates.len()));
        if !self.left_out.is_empty() {
            line("\n## Not measured\n".into());
        }
        for sentence in &self.left_out {
            line(format!("- {sentence}"));
        }
        out
    }
}

impl ReconstructionMeasures {
    /// The section about reconstructions, line by line. Codes are compared with components of as many bits.
    fn markdown(&self, of_codes: bool, line: &mut dyn FnMut(String)) {
        let (components, said) = if of_codes {
            let said = " They are as many as 32-bit numbers have the bits of the codes.";
            ("PCA of as many bits", said)
        } else {
            ("PCA at the same d", "")
        };
        line(format!("\n## Reconstruction\n\n| | this model | {components} |\n|---|---|---|"));
        let pca = self.pca_mse.map_or("-".into(), |m| format!("{m:.5}"));
        line(format!("| mean squared error | {:.5} | {pca} |", self.mse));
        let pca = self.pca_mse.map_or("-".into(), |m| format!("{:.2}", psnr(m)));
        line(format!("| PSNR, dB | {:.2} | {pca} |", self.psnr));
        let pca = self.pca_explained_variance.map_or("-".into(), percent);
        line(format!("| explained variance | {} | {pca} |", percent(self.explained_variance)));
        if let Some(ssim) = self.ssim {
            line(format!("| SSIM | {ssim:.4} | |"));
        }
        line(format!(
            "\nPrincipal components are fitted to {} training images, and limited to the range of pixels.{said} ± is a standard error.",
            self.pca_images
        ));
    }
}

impl LikelihoodBounds {
    /// The section about bounds, line by line.
    fn markdown(&self, line: &mut dyn FnMut(String)) {
        line("\n## Likelihood, nats per image\n\n| bound | |\n|---|---|".into());
        line(format!("| evidence lower bound | {:.2} |", self.elbo));
        // One draw is the evidence bound.
        if self.draws > 1 {
            line(format!("| importance-weighted, {} draws | {:.2} |", self.draws, self.iwae));
        }
        if let Some(bound) = self.iwae_with_flow {
            line(format!(
                "| the same with a flow as the prior in place of the model's own | {bound:.2} |"
            ));
        }
    }
}

impl Disentanglement {
    /// The section about known factors of variation, line by line.
    fn markdown(&self, line: &mut dyn FnMut(String)) {
        line(format!(
            "\n## Disentanglement\n\nDisentanglement of the latents (DCI): {:.3}, measured on {} images.\n",
            self.disentanglement, self.images
        ));
        line("| factor | values | MIG | SAP | completeness | informativeness |".into());
        line("|---|---|---|---|---|---|".into());
        let mut row = |name: &str, values: String, scores: [f64; 4]| {
            let [mig, sap, completeness, informativeness] = scores;
            line(format!(
                "| {name} | {values} | {mig:.3} | {sap:.3} | {completeness:.3} | {informativeness:.3} |"
            ));
        };
        for f in &self.factors {
            let scores = [f.mig, f.sap, f.completeness, f.informativeness];
            row(&f.name, f.values.to_string(), scores);
        }
        row("mean", String::new(), [self.mig, self.sap, self.completeness, self.informativeness]);
        line("\nMIG is the mutual information gap, SAP the separated attribute predictability, and informativeness the accuracy of predicting the factor from all latents; a guess has 1/values.".into());
    }
}

impl SampleMeasures {
    /// The section about samples, line by line.
    fn markdown(&self, line: &mut dyn FnMut(String)) {
        line(format!(
            "\n## Samples\n\nFeatures: {}. The distances are not the FID: they compare means and covariances of these features, so visibly distorted samples may have small distances. Precision is the fraction of samples that lie among real images.",
            self.extractor
        ));
        line(format!(
            "{} samples of each sampler are compared with as many training images; the Fréchet distance of test images is {:.2}.{} The smallest distance comes first.{}\n",
            self.number,
            self.floor,
            match self.fitted {
                0 => String::new(),
                fitted => format!(" The Gaussian mixture is fitted to {fitted} training latents."),
            },
            self.near_copies_of_test.map_or_else(String::new, |share| format!(
                " A near copy differs from a training image by a root mean square of at most 0.03; of the test images, {} do.",
                percent(share)
            ))
        ));
        if let Some([accuracy, majority]) = self.extractor_accuracy {
            line(format!(
                "The classifier that the features come from is right for {} of the test images; the largest class has {}.{}\n",
                percent(accuracy),
                percent(majority),
                if self.is_extractor_weak() {
                    " It is weak, so precision, recall and distances say little about what people see."
                } else {
                    ""
                }
            ));
        }
        line("| latents from | Fréchet distance | kernel distance | precision | recall | sharpness | near copies | confidence | classes, lowest to highest fraction |".into());
        line("|---|---|---|---|---|---|---|---|---|".into());
        for sampler in &self.samplers {
            let confidence = sampler.confidence.map_or("-".into(), |c| format!("{c:.3}"));
            let sharpness = sampler.sharpness.map_or("-".into(), |s| format!("{s:.2}"));
            let copies = sampler.near_copies.map_or("-".into(), percent);
            let balance = sampler.classes.as_ref().map_or("-".into(), |c| {
                let least = c.iter().copied().fold(f64::INFINITY, f64::min);
                let most = c.iter().copied().fold(0.0, f64::max);
                format!("{:.1} to {:.1} %", 100.0 * least, 100.0 * most)
            });
            line(format!(
                "| {} | {:.2} | {:.3} | {:.3} | {:.3} | {sharpness} | {copies} | {confidence} | {balance} |",
                sampler.name,
                sampler.frechet,
                sampler.kernel,
                sampler.coverage.precision,
                sampler.coverage.recall,
            ));
        }
    }
}

/// A share as a percentage.
fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
