//! `latents predict`: the class of images, and how sure that is.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use latents::data::{Labelled, npz, read_picture};
use latents::engine::Inputs;
use latents::explore::classification::argmax;
use latents::models::Target;
use latents::report::{Cell, Table};
use serde::Serialize;

use crate::Shared;
use crate::commands::classified::{Tta, probabilities};
use crate::commands::{Trained, load_foreign_data};
use crate::output::{Output, count};

/// Tell the class of images
///
/// Prints the class of each image with its probability, as comma-separated values or, with --json, with the probabilities of all classes.
#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// Folder of a trained classifier
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Pictures (PNG, JPEG, WebP, GIF), which are brought to the run's shape, and files .npz with `image` [n, c, h, w] in 0 to 1
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "data", conflicts_with = "data")]
    input: Vec<PathBuf>,
    /// All images of a folder or an .npz file, or the test part of a named data set, instead
    #[arg(long, value_name = "SOURCE")]
    data: Option<String>,
    /// Classify another view of each image too, and average the probabilities (test-time augmentation)
    #[arg(long, value_name = "VIEW")]
    tta: Option<Tta>,
    /// File to write the table to, by its ending .csv, .json or .md
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Prediction {
    input: String,
    class: String,
    label: u8,
    probability: f32,
    probabilities: Vec<f32>,
}

#[derive(Serialize)]
struct Predicted<'a> {
    run: String,
    classes: &'a [String],
    predictions: Vec<Prediction>,
}

impl Predict {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let mut trained = Trained::open(&self.run, shared)?;
        let config = &trained.config;
        ensure!(
            config.model.target() == Target::Class,
            "{} is a run of kind `{}`, which knows no classes: name one of `latents train classifier` or `cnn`",
            self.run.display(),
            config.model.kind()
        );
        let shape = config.data.shape;
        let size: usize = shape.iter().product();
        let mut names = vec![];
        let mut pixels: Vec<f32> = vec![];
        for path in &self.input {
            if !is_npz(path) {
                let picture = read_picture(path, shape, &config.data.pictures)?;
                names.push(path.display().to_string());
                pixels.extend(picture.pixels().iter().map(|&x| f32::from(x) / 255.0));
                continue;
            }
            let (found, values) = npz::read_f32(path, "image")?;
            ensure!(
                found.len() == 4 && found[1..] == shape,
                "{}: its images are {:?}, but the run is for {shape:?} ([channels, height, width])",
                path.display(),
                found.get(1..).unwrap_or_default()
            );
            names.extend((0..found[0]).map(|i| format!("{}:{i}", path.display())));
            pixels.extend(values);
        }
        if let Some(source) = &self.data {
            let Labelled { images, names: files, .. } =
                load_foreign_data(source, &trained.config.data, output)?;
            ensure!(
                images.shape() == shape,
                "the images of {source} are {:?}, but the run is for {shape:?} ([channels, height, width]); only folders and .npz files are brought to it",
                images.shape()
            );
            names.extend(
                files.unwrap_or_else(|| {
                    (0..images.len()).map(|i| format!("{source}:{i}")).collect()
                }),
            );
            pixels.extend(images.pixels().iter().map(|&x| f32::from(x) / 255.0));
        }
        ensure!(pixels.len() == names.len() * size && !names.is_empty(), "there are no images");
        let all = probabilities(&mut trained, Inputs::Values(&pixels), self.tta)?;
        let classes = &trained.config.data.classes;
        let labels = argmax(&all, classes.len());
        let predictions: Vec<Prediction> = names
            .into_iter()
            .zip(labels)
            .zip(all.chunks_exact(classes.len()))
            .map(|((input, label), probabilities)| Prediction {
                input,
                class: classes[usize::from(label)].clone(),
                label,
                probability: probabilities[usize::from(label)],
                probabilities: probabilities.to_vec(),
            })
            .collect();
        let table = table(&predictions);
        let predicted = Predicted { run: self.run.display().to_string(), classes, predictions };
        let Some(out) = &self.out else {
            output.result(&table.csv(), &predicted)?;
            return Ok(ExitCode::SUCCESS);
        };
        let ending = out.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let text = match ending {
            "json" => serde_json::to_string_pretty(&predicted)? + "\n",
            "md" => table.markdown(),
            _ => table.csv(),
        };
        latents_files::write(out, text.as_bytes())?;
        let n = predicted.predictions.len();
        output
            .result(&format!("{} predictions  {}", count(n as u64), out.display()), &predicted)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn is_npz(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz"))
}

fn table(predictions: &[Prediction]) -> Table {
    let columns = ["input", "class", "probability"].map(str::to_owned).to_vec();
    let row = |p: &Prediction| {
        vec![
            Cell::Text(p.input.clone()),
            Cell::Text(p.class.clone()),
            Cell::from(f64::from(p.probability)),
        ]
    };
    Table { columns, rows: predictions.iter().map(row).collect() }
}
