//! `latents sample`: new images from random latent vectors.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use latents::explore::FlowFit;
use latents::{Session, TrainedModel, check_output, count, save_beside};
use serde::Serialize;

use crate::commands::list;
use crate::output::Output;

/// Make new images from random latent vectors
///
/// Writes an .npz file with `image` [n, c, h, w] (float32, 0 to 1) and next to it a figure of the first ones as SVG and PNG. Needs nothing but the run's folder; --nearest needs its training images too.
///
/// A conditional model (`latents train vae --conditional`) makes as many images of each class as possible, one class after another; the file then has their `label` [n] and the names of the `classes` [k], and the figure has a row for each class.
#[derive(Debug, Args)]
pub(crate) struct Sample {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Where latents are drawn from
    #[arg(long, value_enum, default_value = "prior")]
    sampler: Sampler,
    /// Gaussians in the mixture
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    components: u16,
    /// Below 1, images are likelier and vary less: multiplies the standard deviations of what latents are drawn from, and divides the logits of codes
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    temperature: f64,
    /// Images to make
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    n: u32,
    /// Make images of this class of a conditional model; give it several times for several classes [default: every class]
    #[arg(long = "class", value_name = "NAME")]
    classes: Vec<String>,
    /// Seed; the same one gives the same images
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Find the training image that each sample is most like, by its pixels: OUT-nearest.csv, and a figure
    #[arg(long)]
    nearest: bool,
    /// File to write
    #[arg(long, value_name = "FILE.npz")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sampler {
    /// The prior that a variational autoencoder or a VQ-VAE has learned, or N(0, I) if it has learned none; the only one for a VQ-VAE
    Prior,
    /// N(0, I), which a variational autoencoder is trained for unless it learns its prior
    Normal,
    /// A mixture of Gaussians fitted to the latents of the training images; of a conditional model, one for each class
    Mixture,
    /// A normalising flow fitted in the same way, which takes some seconds
    Flow,
    /// Uniformly from the box that the latents of the training images lie in
    Uniform,
}

#[derive(Serialize)]
struct Sampled<'a> {
    out: &'a PathBuf,
    figures: Vec<PathBuf>,
    images: usize,
    sampler: &'static str,
    temperature: f64,
    /// Bayesian information criterion of the mixture on the training latents.
    bic: Option<f64>,
    /// How many images of each class, in the order of the images; of a conditional model.
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<Vec<OfClass>>,
    /// Mean log-density of held-out training latents under the flow and under one Gaussian, in nats.
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<FlowFit>,
    /// The table of the nearest training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest: Option<PathBuf>,
}

#[derive(Serialize)]
struct OfClass {
    class: String,
    images: usize,
}

impl Sample {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        check_output(&self.out, &["npz"])?;
        let sampler = match self.sampler {
            Sampler::Prior => latents::Sampler::Prior,
            Sampler::Normal => latents::Sampler::Normal,
            Sampler::Flow => latents::Sampler::Flow,
            Sampler::Uniform => latents::Sampler::Uniform,
            Sampler::Mixture => latents::Sampler::Mixture { components: self.components.into() },
        };
        let sampler = sampler.tempered(self.temperature)?;
        let mut model = TrainedModel::open(&self.run, session)?;
        let n = self.n as usize;
        let made = if self.classes.is_empty() {
            model.sample(n, sampler, self.seed)?
        } else {
            let classes = model.classes_named(&self.classes)?;
            model.sample_classes(n, &classes, sampler, self.seed)?
        };
        let mut figures = save_beside(&made.figure(), &self.out, "")?;
        made.save(&self.out)?;
        let nearest = if self.nearest {
            let data = model.data()?;
            let near = made.nearest(&data.train, &data.classes, session)?;
            let (table, figure) = made.save_nearest(&near, &data.train, &self.out)?;
            figures.extend(figure);
            Some(table)
        } else {
            None
        };
        let fit = match (made.bic, made.flow) {
            (Some(bic), _) => format!(" (BIC {bic:.0})"),
            (None, Some(flow)) => format!(
                " (held-out latents: {:.2} nats, of one Gaussian {:.2})",
                flow.likelihood, flow.gaussian
            ),
            (None, None) => String::new(),
        };
        let (images, out) = (made.images.len(), &self.out);
        let table = nearest.as_ref().map_or(String::new(), |file| format!("  {}", file.display()));
        let of = match made.classes.as_ref().map(|classes| classes.groups().len()) {
            None | Some(0) => String::new(),
            Some(1) => " of 1 class".into(),
            Some(classes) => format!(" of {classes} classes"),
        };
        let text = format!(
            "{} images{of}{fit} in {}{table}  {}",
            count(images as u64),
            out.display(),
            list(&figures)
        );
        let (sampler, temperature) = (made.sampler.name(), made.temperature.value());
        let (bic, flow) = (made.bic, made.flow);
        let of_class =
            |(class, images): (String, Vec<usize>)| OfClass { class, images: images.len() };
        let classes =
            made.classes.map(|classes| classes.groups().into_iter().map(of_class).collect());
        let sampled =
            Sampled { out, figures, images, sampler, temperature, bic, classes, flow, nearest };
        output.result(&text, &sampled)
    }
}
