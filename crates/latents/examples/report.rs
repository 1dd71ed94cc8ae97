//! Makes a whole report of two small autoencoders, trained for a minute on the sample that is compiled in:
//! `cargo run --release -p latents --example report -- DIR`. The page is `DIR/report.html`; the runs are beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use latents::data::{Labelled, Locations, Source};
use latents::engine::{Engine, Inputs, Runtime};
use latents::models::{AutoencoderConfig, DECODER, ENCODER, ModelConfig};
use latents::report::{
    Block, Cell, Curve, Explored, ExploredModel, Explorer, Finding, ImageView, Page, Section,
    Table, Tile, Tone, curves, grid,
};
use latents::train::{EpochMetrics, Run, RunConfig, train};

use latents_explore::{Rows, TsneConfig, tsne};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// What is shown of one model.
struct Trained {
    name: String,
    dim: usize,
    engine: Engine,
    parameters: Vec<f32>,
    metrics: Vec<EpochMetrics>,
    latents: Vec<f32>,
    reconstructions: Vec<f32>,
    errors: Vec<f32>,
    map: Vec<[f32; 2]>,
    config: RunConfig,
}

fn main() -> Fallible<()> {
    let dir = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "target/report".into()));
    let source: Source = "fashion-mnist-sample".parse()?;
    let dataset = source.load(&Locations::default(), &mut |_| {})?;
    let runtime = Arc::new(Runtime::new(None, None)?);
    let models = [
        fit(&dir.join("ae-16"), 16, &dataset.train, &dataset.test, &runtime)?,
        fit(&dir.join("ae-2"), 2, &dataset.train, &dataset.test, &runtime)?,
    ];
    page(&models, &dataset.classes, &dataset.test)?.save(&dir)?;
    Ok(())
}

fn fit(
    dir: &Path,
    dim: usize,
    training: &Labelled,
    test: &Labelled,
    runtime: &Arc<Runtime>,
) -> Fallible<Trained> {
    let mut config = RunConfig::default();
    config.data.source = "fashion-mnist-sample".into();
    config.data.shape = training.images.shape();
    config.data.digest = training.images.digest();
    config.model = ModelConfig::Ae(AutoencoderConfig {
        latent_dim: dim,
        dropout: 0.0,
        ..AutoencoderConfig::default()
    });
    config.training.epochs = 12;
    config.training.learning_rate = 0.003;
    let run = Run::at(dir);
    let stop = AtomicBool::new(false);
    if !run.model_path().exists() {
        train(&run, &config, training, runtime, &stop, &mut |_| {})?;
    }
    let network = config.network()?;
    let mut engine = Engine::new(&network, Arc::clone(runtime))?;
    let parameters = run.parameters(&engine)?;
    let index: Vec<u32> = (0..test.len() as u32).collect();
    let inputs = Inputs::Bytes { pixels: test.images.pixels(), index: &index };
    let latents = engine.forward(&parameters, inputs, ENCODER..ENCODER + 1)?;
    let reconstructions = engine.forward(&parameters, inputs, ENCODER..DECODER + 1)?;
    let numbers: usize = test.images.shape().iter().product();
    let errors = reconstructions.chunks(numbers).zip(test.images.pixels().chunks(numbers)).map(
        |(ours, theirs)| {
            let square = |(a, &b): (&f32, &u8)| (f64::from(*a) - f64::from(b) / 255.0).powi(2);
            (ours.iter().zip(theirs).map(square).sum::<f64>() / numbers as f64) as f32
        },
    );
    Ok(Trained {
        name: format!("Autoencoder, d = {dim}"),
        dim,
        errors: errors.collect(),
        metrics: run.metrics()?,
        map: map(&latents, dim)?,
        engine,
        parameters,
        latents,
        reconstructions,
        config,
    })
}

/// The latents' own plane where there are two of them, else their t-SNE.
fn map(latents: &[f32], dim: usize) -> Fallible<Vec<[f32; 2]>> {
    if dim == 2 {
        return Ok(pairs_of(latents));
    }
    let rows = Rows::new(latents, dim)?;
    let map = tsne(rows, &TsneConfig::default(), &AtomicBool::new(false), &mut |_| {})?;
    Ok(pairs_of(&map.xy))
}

fn pairs_of(values: &[f32]) -> Vec<[f32; 2]> {
    values.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
}

fn page(models: &[Trained], classes: &[String], test: &Labelled) -> Fallible<Page> {
    let [wide, narrow] = [&models[0], &models[1]].map(|model| mean(&model.errors));
    let ratio = narrow / wide;
    let finding = format!("Sixteen latents leave a mean squared error of {wide:.4}.");
    let worse = format!("Two latents leave {ratio:.1} times as much.");
    Ok(Page {
        title: "Two autoencoders on Fashion-MNIST".into(),
        lead: "What a latent vector of sixteen numbers holds, and what is left of it in two."
            .into(),
        notices: vec!["These numbers come from the small sample that is compiled in.".into()],
        summary: vec![
            Finding::new(Tone::Neutral, finding).of("S1"),
            Finding::new(Tone::Worse, worse).of("S1"),
        ],
        sections: vec![
            autoencoders(models, ratio, test),
            Section {
                id: "S4".into(),
                title: "The latent space".into(),
                blocks: vec![
                    Block::Paragraph("Each dot is a test image.".into()),
                    Block::Explorer(explorer(models, classes, test)?),
                ],
            },
            settings(&models[0]),
        ],
    })
}

fn mean(errors: &[f32]) -> f64 {
    errors.iter().map(|&e| f64::from(e)).sum::<f64>() / errors.len() as f64
}

fn autoencoders(models: &[Trained], ratio: f64, test: &Labelled) -> Section {
    let curve = |(group, model): (usize, &Trained)| Curve {
        name: model.name.clone(),
        points: model
            .metrics
            .iter()
            .map(|m| (m.epoch as f64, m.val_loss.unwrap_or(f64::NAN)))
            .collect(),
        dashed: false,
        group,
    };
    let losses: Vec<Curve> = models.iter().enumerate().map(curve).collect();
    let loss = curves("Validation loss", "epoch", "mean squared error", &losses);
    let epochs = losses[0].points.len();
    let rows = models
        .iter()
        .map(|m| vec![m.name.as_str().into(), m.dim.into(), Cell::from(mean(&m.errors))]);
    let columns = ["model", "d", "test error"].map(String::from).to_vec();
    let blocks = vec![
        Block::Paragraph(
            "Both have the reference study's three convolutions and differ in the length d of their latent vectors alone."
                .into(),
        ),
        Block::Figure {
            id: "F1".into(),
            picture: (&loss).into(),
            caption: format!("After {epochs} epochs, d = 2 is left with {ratio:.1} times the error of d = 16."),
            alt: String::new(),
        },
        Block::Table {
            id: "T1".into(),
            table: Table { columns, rows: rows.collect() },
            caption: "Mean squared error over all test images.".into(),
        },
        Block::Figure {
            id: "F2".into(),
            picture: (&pairs(models, test)).into(),
            caption: "What two numbers cannot hold, sixteen can.".into(),
            alt: "Three test images, each beside its reconstruction by both models.".into(),
        },
    ];
    Section { id: "S1".into(), title: "Autoencoders".into(), blocks }
}

fn explorer(models: &[Trained], classes: &[String], test: &Labelled) -> Fallible<Explorer> {
    let labels: Option<Vec<usize>> =
        test.labels.as_ref().map(|labels| labels.iter().map(|&l| usize::from(l)).collect());
    let networks = models.iter().map(|m| m.config.network());
    let networks: Vec<_> = networks.collect::<Result<_, _>>()?;
    let explored = models.iter().zip(&networks).map(|(model, network)| ExploredModel {
        name: &model.name,
        map_name: if model.dim == 2 { "The latents themselves" } else { "t-SNE of the latents" },
        network,
        decode: DECODER..DECODER + 1,
        parameters: &model.parameters,
        latents: &model.latents,
        map: &model.map,
        errors: Some(&model.errors),
        clusters: None,
    });
    Ok(Explorer::new(&Explored {
        shape: test.images.shape(),
        pixels: test.images.pixels(),
        numbers: None,
        classes,
        labels: labels.as_deref(),
        files: None,
        models: explored.collect(),
    })?)
}

fn settings(model: &Trained) -> Section {
    let config = &model.config.training;
    let entries = vec![
        ("epochs".into(), config.epochs.to_string()),
        ("learning rate".into(), config.learning_rate.to_string()),
        ("seed".into(), config.seed.to_string()),
        ("instruction set".into(), model.engine.runtime().isa().to_string()),
    ];
    let command = "cargo run --release -p latents --example report".to_owned();
    let blocks = vec![
        Block::Settings { caption: "The same for both models".into(), entries },
        Block::Code { caption: "This page is made again by".into(), text: command },
    ];
    Section { id: "settings".into(), title: "Settings".into(), blocks }
}

/// Test images beside their reconstructions.
fn pairs(models: &[Trained], test: &Labelled) -> latents::report::Figure {
    let shape = test.images.shape();
    let numbers: usize = shape.iter().product();
    let shown = [0, 1, 2];
    let originals: Vec<Vec<f32>> = shown
        .iter()
        .map(|i| {
            let pixels = &test.images.pixels()[i * numbers..(i + 1) * numbers];
            pixels.iter().map(|&v| f32::from(v) / 255.0).collect()
        })
        .collect();
    let rows: Vec<Vec<Tile<'_>>> = shown
        .iter()
        .zip(&originals)
        .map(|(&i, original)| {
            let original = ("original".to_owned(), &original[..]);
            let theirs = models.iter().map(|model| {
                let pixels = &model.reconstructions[i * numbers..(i + 1) * numbers];
                (format!("d = {}", model.dim), pixels)
            });
            std::iter::once(original)
                .chain(theirs)
                .map(|(caption, pixels)| Tile { caption, image: ImageView { shape, pixels } })
                .collect()
        })
        .collect();
    grid("Originals and reconstructions", &rows, &[])
}
