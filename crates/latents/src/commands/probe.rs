//! `latents probe`: what the latent vectors of a frozen encoder know of labels, beside what the pixels know themselves.

mod few;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::Args;
use latents::data::Labelled;
use latents::engine::{Inputs, Runtime};
use latents::explore::classification::Confusion;
use latents::explore::neighbours::nearest;
use latents::explore::probes::{Logistic, LogisticConfig};
use latents::explore::{Pca, Rows};
use latents::report::{Cell, Show, Table};
use serde::Serialize;

use crate::Shared;
use crate::commands::{Trained, load_run_data};
use crate::output::{Output, duration};
use few::Few;

/// Measure what a frozen encoder knows of labels
///
/// Fits a logistic regression, to convergence, and 10 nearest neighbours to the latent vectors of the training images, and judges them by the test images;
/// the same to the pixels and to as many principal components of them. Then the same regression with few labels only. Tables and the curve are left in the run's folder.
#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Neighbours that vote
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    neighbours: u16,
    /// Inverse strength of the regression's penalty, scikit-learn's C
    #[arg(long, value_name = "C", default_value_t = 1.0)]
    c: f64,
    /// Shift and scale each number to mean 0 and variance 1 for the regression
    #[arg(long)]
    standardize: bool,
    /// Numbers of labels of the curve, with commas between them [default: 10,100,1000,10000]
    #[arg(long, value_name = "N", value_delimiter = ',', hide_default_value = true, default_values_t = [10, 100, 1_000, 10_000])]
    labels: Vec<usize>,
    /// How often few labels are drawn
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    draws: u64,
    /// Train classifiers with few labels too, on the encoder and from scratch; takes minutes
    #[arg(long)]
    fine_tune: bool,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Vectors of the training and the test images, under a name.
struct Vectors {
    name: &'static str,
    dim: usize,
    train: Vec<f32>,
    test: Vec<f32>,
}

#[derive(Serialize)]
struct Probed {
    vectors: &'static str,
    dim: usize,
    /// Accuracy of the regression on the test images.
    logistic: f64,
    logistic_iterations: usize,
    logistic_converged: bool,
    /// Accuracy of the neighbours' vote.
    neighbours: f64,
}

#[derive(Serialize)]
struct All<'a> {
    run: String,
    train_images: usize,
    test_images: usize,
    k: u16,
    c: f64,
    standardized: bool,
    probes: Vec<Probed>,
    few_labels: &'a [Few],
    seconds: f64,
}

impl Probe {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let begun = std::time::Instant::now();
        ensure!(!self.labels.contains(&0), "--labels 0: there is nothing to learn from no label");
        let mut trained = Trained::open(&self.run, shared)?;
        trained.latents()?;
        let dataset =
            load_run_data(&trained.config.data, output).context("the data of this run")?;
        let (train, test) = (&dataset.train, &dataset.test);
        let (Some(labels), Some(truth)) = (&train.labels, &test.labels) else {
            anyhow::bail!("the images of {} have no labels to probe for", dataset.name);
        };
        let known = [(&train.images, labels), (&test.images, truth)];
        ensure!(known.iter().all(|(i, _)| !i.is_empty()), "there are too few images to probe");
        let classes = dataset.classes.len();
        let runtime = Arc::clone(trained.engine.runtime());
        let mut vectors = vec![latents(&mut trained, train, test)?];
        let pixels = pixels(train, test);
        vectors.extend(components(&pixels, vectors[0].dim, &runtime)?);
        vectors.push(pixels);

        let mut probes = vec![];
        for v in &vectors {
            output.note(&format!("{}: {} numbers", v.name, v.dim));
            let probe = self.logistic(&v.train, v.dim, labels, classes, &runtime)?;
            let logistic = accuracy(truth, &probe.predict(&v.test, &runtime)?, classes)?;
            let k = usize::from(self.neighbours).min(labels.len());
            let (test, train) = (Rows::new(&v.test, v.dim)?, Rows::new(&v.train, v.dim)?);
            let found = runtime.run(|| nearest(test, train, k))?;
            let neighbours = accuracy(truth, &found.vote(labels), classes)?;
            probes.push(Probed {
                vectors: v.name,
                dim: v.dim,
                logistic,
                logistic_iterations: probe.iterations(),
                logistic_converged: probe.converged(),
                neighbours,
            });
        }
        let few = self.few(&vectors, labels, truth, classes, &trained, &dataset, output)?;

        let table = table(&probes, self.neighbours);
        let curve = few::table(&few);
        for (stem, table) in [("probes", &table), ("few-labels", &curve)] {
            table.save(&self.run.join("tables"), stem)?;
        }
        few::figure(&few).save(&self.run.join("figures"), "few-labels")?;
        let seconds = begun.elapsed().as_secs_f64();
        let all = All {
            run: self.run.display().to_string(),
            train_images: labels.len(),
            test_images: truth.len(),
            k: self.neighbours,
            c: self.c,
            standardized: self.standardize,
            probes,
            few_labels: &few,
            seconds,
        };
        let text = format!(
            "{}\n{}\n{}  {}",
            table.markdown(),
            curve.markdown(),
            duration(seconds),
            self.run.display()
        );
        output.result(&text, &all)?;
        Ok(ExitCode::SUCCESS)
    }

    fn logistic(
        &self,
        values: &[f32],
        dim: usize,
        labels: &[u8],
        classes: usize,
        runtime: &Arc<Runtime>,
    ) -> Result<Logistic> {
        let (c, standardize) = (self.c, self.standardize);
        let config = LogisticConfig { c, standardize, ..LogisticConfig::default() };
        Ok(Logistic::fit(values, dim, labels, classes, config, runtime)?)
    }
}

fn accuracy(truth: &[u8], predicted: &[u8], classes: usize) -> Result<f64> {
    Ok(Confusion::new(truth, predicted, classes)?.accuracy())
}

fn latents(trained: &mut Trained, train: &Labelled, test: &Labelled) -> Result<Vectors> {
    let latents = trained.latents()?;
    let mut encode = |part: &Labelled| {
        let index: Vec<u32> = (0..part.len() as u32).collect();
        let inputs = Inputs::Bytes { pixels: part.images.pixels(), index: &index };
        trained.engine.forward(&trained.parameters, inputs, latents.encode.clone())
    };
    let (train, test) = (encode(train)?, encode(test)?);
    Ok(Vectors { name: "latents", dim: latents.dim, train, test })
}

fn pixels(train: &Labelled, test: &Labelled) -> Vectors {
    let numbers = |part: &Labelled| -> Vec<f32> {
        part.images.pixels().iter().map(|&x| f32::from(x) / 255.0).collect()
    };
    let dim = train.images.shape().iter().product();
    Vectors { name: "pixels", dim, train: numbers(train), test: numbers(test) }
}

/// As many principal components of the training images' pixels as there are latents; none where that is more than there can be.
fn components(pixels: &Vectors, dim: usize, runtime: &Runtime) -> Result<Option<Vectors>> {
    let train = Rows::new(&pixels.train, pixels.dim)?;
    if dim > pixels.dim || train.len() < 2 {
        return Ok(None);
    }
    let transformed = runtime.run(|| {
        let pca = Pca::fit(train, dim)?;
        let test = Rows::new(&pixels.test, pixels.dim)?;
        Ok::<_, latents::explore::Error>((pca.transform(train)?, pca.transform(test)?))
    });
    let (train, test) = transformed?;
    Ok(Some(Vectors { name: "principal components", dim, train, test }))
}

fn table(probes: &[Probed], k: u16) -> Table {
    let columns =
        ["vectors", "numbers", "logistic regression, %", &format!("{k} nearest neighbours, %")];
    let percent = |x: f64| Cell::Number(100.0 * x, Show::Decimals(2));
    let row = |p: &Probed| {
        vec![
            Cell::Text(p.vectors.into()),
            Cell::Integer(p.dim as i128),
            percent(p.logistic),
            percent(p.neighbours),
        ]
    };
    Table { columns: columns.map(str::to_owned).to_vec(), rows: probes.iter().map(row).collect() }
}
