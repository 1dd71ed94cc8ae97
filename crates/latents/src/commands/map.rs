//! `latents map`: latent vectors in the plane.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use latents::data::npz::{self, Array, Numbers};
use latents::engine::Runtime;
use latents::explore::{Pca, Rows, TsneConfig, tsne};
use latents::report::{Figure, ImageView, Points, Thumbnail, scatter, thumbnails};
use serde::Serialize;

use crate::Shared;
use crate::commands::explored::{Explored, for_numbers, save_beside};
use crate::commands::{Split, stop_on_ctrl_c};
use crate::output::{Output, count, duration};
use crate::progress::MapProgress;

/// Map latent vectors in the plane, by t-SNE or principal components
///
/// Writes an .npz file with `xy` [n, 2] (float32) and, where known, `label` [n] (int64), and beside it a figure as SVG and PNG, coloured by class.
#[derive(Debug, Args)]
pub(crate) struct Map {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR", required_unless_present = "latents")]
    run: Option<PathBuf>,
    /// Map the array `z` [n, d] of this file instead, with its `label` [n] where it has one
    #[arg(long, value_name = "FILE.npz", conflicts_with_all = ["run", "thumbnails"])]
    latents: Option<PathBuf>,
    /// Which images of the run's data set
    #[arg(long, value_enum, default_value = "test")]
    split: Split,
    /// How the map is made
    #[arg(long, value_enum, default_value = "tsne")]
    method: Method,
    /// How many neighbours a point feels, for t-SNE
    #[arg(long, value_name = "P", default_value_t = 30.0)]
    perplexity: f64,
    /// Steps of t-SNE after the first 250, in which attraction is exaggerated
    #[arg(long, value_name = "N", default_value_t = 750)]
    iterations: u32,
    /// Seed; the same one gives the same map
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Draw the images themselves too, as NAME-thumbnails
    #[arg(long)]
    thumbnails: bool,
    /// File to write
    #[arg(long, value_name = "FILE.npz")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Keeps neighbours together; distances between clusters mean little
    Tsne,
    /// The two directions along which the latents vary most; straight and exact
    Pca,
}

#[derive(Serialize)]
struct Mapped<'a> {
    out: &'a PathBuf,
    figures: Vec<PathBuf>,
    points: usize,
    method: &'static str,
    /// Of t-SNE.
    kl: Option<f64>,
    perplexity: Option<f64>,
    /// Of the principal components.
    explained_variance: Option<[f64; 2]>,
    seconds: f64,
}

/// Latents `[n, d]`, and what is known of them.
struct Input {
    z: Vec<f32>,
    dim: usize,
    labels: Option<Vec<u8>>,
    classes: Vec<String>,
    explored: Option<Explored>,
}

impl Map {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        for_numbers(&self.out)?;
        let stop = stop_on_ctrl_c()?;
        let mut input = self.input(shared, output)?;
        let runtime = match &input.explored {
            Some(explored) => explored.runtime(),
            None => shared.runtime()?,
        };
        let start = Instant::now();
        let of = self.latents.as_ref().or(self.run.as_ref()).map(|from| from.display().to_string());
        let made = self.make(&input, &runtime, &stop, output).context(of.unwrap_or_default())?;
        let seconds = start.elapsed().as_secs_f64();
        let n = made.xy.len() / 2;

        let xy = Numbers::F32(made.xy.clone());
        let mut arrays = vec![Array { name: "xy".into(), shape: vec![n, 2], numbers: xy }];
        if let Some(labels) = &input.labels {
            let numbers = Numbers::I64(labels.iter().map(|&l| i64::from(l)).collect());
            arrays.push(Array { name: "label".into(), shape: vec![n], numbers });
        }
        npz::write(&self.out, &arrays)?;
        let axes = made.axes.as_ref().map(|[x, y]| (x.as_str(), y.as_str()));
        let title = format!("{} of {} latents", made.title, count(n as u64));
        let figure = coloured(&title, &made.xy, input.labels.as_deref(), &input.classes, axes);
        let mut figures = save_beside(&figure, &self.out, "")?;
        if let Some(explored) = input.explored.as_mut().filter(|_| self.thumbnails) {
            let figure = with_thumbnails(&title, &made.xy, explored, self.split, axes);
            figures.extend(save_beside(&figure, &self.out, "-thumbnails")?);
        }
        let text = format!(
            "{} points{} in {}  {}  {}",
            count(n as u64),
            made.say,
            duration(seconds),
            self.out.display(),
            figures.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join("  ")
        );
        let mapped = Mapped {
            out: &self.out,
            figures,
            points: n,
            method: if self.method == Method::Tsne { "tsne" } else { "pca" },
            kl: made.kl,
            perplexity: made.perplexity,
            explained_variance: made.explained,
            seconds,
        };
        output.result(&text, &mapped)?;
        Ok(ExitCode::SUCCESS)
    }

    fn input(&self, shared: &Shared, output: Output) -> Result<Input> {
        if let Some(path) = &self.latents {
            let (shape, z) = npz::read_f32(path, "z")?;
            ensure!(
                shape.len() == 2 && shape[1] > 0,
                "{}: array `z` is {shape:?}, but latents are [n, d]",
                path.display()
            );
            let labels = npz::read_labels(path, "label")?;
            let n = labels.as_ref().map_or(shape[0], Vec::len);
            ensure!(
                n == shape[0],
                "{}: array `label` has {n} labels for {} latents",
                path.display(),
                shape[0]
            );
            let classes = labels.iter().flatten().max().map_or(0, |&l| usize::from(l) + 1);
            let classes = (0..classes).map(|c| c.to_string()).collect();
            return Ok(Input { z, dim: shape[1], labels, classes, explored: None });
        }
        let Some(run) = &self.run else { anyhow::bail!("--run or --latents is needed") };
        let mut explored = Explored::open(run, shared, output)?;
        let z = explored.encode(self.split)?;
        Ok(Input {
            z,
            dim: explored.latents.dim,
            labels: explored.part(self.split).labels.clone(),
            classes: explored.dataset.classes.clone(),
            explored: Some(explored),
        })
    }

    fn make(
        &self,
        input: &Input,
        runtime: &Arc<Runtime>,
        stop: &AtomicBool,
        output: Output,
    ) -> Result<Made> {
        let rows = Rows::new(&input.z, input.dim)?;
        if self.method == Method::Pca {
            return runtime.run(|| principal(rows));
        }
        let config = TsneConfig {
            perplexity: self.perplexity,
            iterations: self.iterations,
            seed: self.seed,
            ..Default::default()
        };
        let mut bar = MapProgress::new(output);
        let mut show = |progress| bar.show(progress);
        let map = runtime.run(|| tsne(rows, &config, stop, &mut show));
        bar.finish();
        let map = map?;
        Ok(Made {
            say: format!(", KL {:.4}", map.kl),
            xy: map.xy,
            title: "t-SNE",
            axes: None,
            kl: Some(map.kl),
            perplexity: Some(map.perplexity),
            explained: None,
        })
    }
}

/// A map, and what there is to say of it.
struct Made {
    xy: Vec<f32>,
    title: &'static str,
    axes: Option<[String; 2]>,
    say: String,
    kl: Option<f64>,
    perplexity: Option<f64>,
    explained: Option<[f64; 2]>,
}

fn principal(rows: Rows<'_>) -> Result<Made> {
    ensure!(rows.dim() >= 2, "a map needs latents of at least two numbers");
    let pca = Pca::fit(rows, 2)?;
    let ratio = pca.explained_variance_ratio();
    let name =
        |i: usize| format!("component {} ({:.1} % of the variance)", i + 1, 100.0 * ratio[i]);
    Ok(Made {
        xy: pca.transform(rows)?,
        title: "Principal components",
        axes: Some([name(0), name(1)]),
        say: format!(", {:.1} % of the variance", 100.0 * (ratio[0] + ratio[1])),
        kl: None,
        perplexity: None,
        explained: Some([ratio[0], ratio[1]]),
    })
}

/// A map coloured by class, where labels are known.
pub(crate) fn coloured(
    title: &str,
    xy: &[f32],
    labels: Option<&[u8]>,
    classes: &[String],
    axes: Option<(&str, &str)>,
) -> Figure {
    let mut points: Vec<Points> =
        classes.iter().map(|name| Points { name: name.clone(), xy: vec![] }).collect();
    if labels.is_none() || points.is_empty() {
        points = vec![Points { name: String::new(), xy: vec![] }];
    }
    let last = points.len() - 1;
    for (i, y) in xy.chunks_exact(2).enumerate() {
        let class = labels.map_or(0, |l| usize::from(l[i]));
        points[class.min(last)].xy.push((f64::from(y[0]), f64::from(y[1])));
    }
    scatter(title, &points, axes)
}

fn with_thumbnails(
    title: &str,
    xy: &[f32],
    explored: &Explored,
    split: Split,
    axes: Option<(&str, &str)>,
) -> Figure {
    let part = explored.part(split);
    let pixels = explored.pixels(split);
    let shape = explored.shape();
    let each = pixels.chunks_exact(shape.iter().product()).zip(xy.chunks_exact(2)).enumerate();
    let images: Vec<Thumbnail<'_>> = each
        .map(|(i, (pixels, y))| Thumbnail {
            at: (f64::from(y[0]), f64::from(y[1])),
            image: ImageView { shape, pixels },
            class: part.labels.as_ref().map(|l| usize::from(l[i])),
        })
        .collect();
    thumbnails(title, &images, &explored.dataset.classes, axes)
}
