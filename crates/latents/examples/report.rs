//! Makes a report of two small autoencoders, trained for a minute on the built-in sample:
//! `cargo run --release -p latents --example report -- DIR`. The page is `DIR/report.html`; the runs are next to it.

use std::path::{Path, PathBuf};

use latents::models::{AutoencoderConfig, DECODER, ModelConfig};
use latents::report::{
    Block, Cell, Curve, Explorer, ExplorerInput, ExplorerModel, Finding, ImageView, Page,
    PageSection, Table, Tile, Tone, curves, grid,
};
use latents::train::{DataConfig, EpochMetrics};
use latents::{Dataset, Labelled, Run, RunConfig, Session, TrainedModel, Tsne, train_run};

/// What is shown of one model.
struct Shown {
    name: String,
    dim: usize,
    model: TrainedModel,
    metrics: Vec<EpochMetrics>,
    latents: Vec<f32>,
    reconstructions: Vec<f32>,
    errors: Vec<f32>,
    map: Vec<[f32; 2]>,
}

fn main() -> latents::Result<()> {
    let dir = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "target/report".into()));
    let session = Session::default();
    let data = Dataset::open("fashion-mnist-sample", &session)?;
    let models = [
        fit(&dir.join("ae-16"), 16, &data, &session)?,
        fit(&dir.join("ae-2"), 2, &data, &session)?,
    ];
    page(&models, &data.classes, &data.test)?.save(&dir)?;
    Ok(())
}

fn fit(dir: &Path, dim: usize, data: &Dataset, session: &Session) -> latents::Result<Shown> {
    let model = AutoencoderConfig { latent_dim: dim, dropout: 0.0, ..AutoencoderConfig::default() };
    let mut config = RunConfig { data: DataConfig::of(data), ..RunConfig::default() };
    config.model = ModelConfig::Ae(model);
    config.training.epochs = 12;
    config.training.learning_rate = 0.003;
    train_run(&Run::at(dir), &config, &data.train, session)?;
    let mut model = TrainedModel::open(dir, session)?;
    let z = model.encode(&data.test)?;
    // Two dimensions are their own map.
    let xy = if dim == 2 { z.z.clone() } else { Tsne::default().fit(&z, session)?.xy };
    Ok(Shown {
        name: format!("Autoencoder, d = {dim}"),
        dim,
        metrics: model.run().metrics()?,
        reconstructions: model.reconstruct(&data.test)?.values,
        errors: model.reconstruction_errors(&data.test)?,
        map: xy.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect(),
        latents: z.z,
        model,
    })
}

fn page(models: &[Shown], classes: &[String], test: &Labelled) -> latents::Result<Page> {
    let [wide, narrow] = [&models[0], &models[1]].map(|model| mean(&model.errors));
    let ratio = narrow / wide;
    let finding = format!("With sixteen latent dimensions the mean squared error is {wide:.4}.");
    let worse = format!("With two it is {ratio:.1} times as large.");
    Ok(Page {
        title: "Two autoencoders on Fashion-MNIST".into(),
        lead:
            "What a latent vector of sixteen dimensions holds, and what two dimensions keep of it."
                .into(),
        notices: vec!["These numbers come from the small built-in sample.".into()],
        summary: vec![
            Finding::new(Tone::Neutral, finding).of("S1"),
            Finding::new(Tone::Worse, worse).of("S1"),
        ],
        sections: vec![
            autoencoders(models, ratio, test),
            PageSection {
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

fn autoencoders(models: &[Shown], ratio: f64, test: &Labelled) -> PageSection {
    let curve = |(group, model): (usize, &Shown)| Curve {
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
            "Both have the reference study's three convolutions and differ only in the number of latent dimensions, d."
                .into(),
        ),
        Block::Figure {
            id: "F1".into(),
            picture: (&loss).into(),
            caption: format!("After {epochs} epochs, d = 2 has {ratio:.1} times the error of d = 16."),
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
            caption: "Sixteen dimensions hold what two cannot.".into(),
            alt: "Three test images, each next to its reconstructions by both models.".into(),
        },
    ];
    PageSection { id: "S1".into(), title: "Autoencoders".into(), blocks }
}

fn explorer(models: &[Shown], classes: &[String], test: &Labelled) -> latents::Result<Explorer> {
    let labels: Option<Vec<usize>> =
        test.all_labels().map(|labels| labels.into_iter().map(usize::from).collect());
    let networks = models.iter().map(|m| m.model.config().network());
    let networks: Vec<_> = networks.collect::<Result<_, _>>()?;
    let explored = models.iter().zip(&networks).map(|(model, network)| ExplorerModel {
        name: &model.name,
        map_name: if model.dim == 2 { "The latents themselves" } else { "t-SNE of the latents" },
        network,
        decode: DECODER..DECODER + 1,
        parameters: model.model.parameters(),
        condition: 1.0,
        latents: &model.latents,
        map: &model.map,
        errors: Some(&model.errors),
        clusters: None,
    });
    Ok(Explorer::new(&ExplorerInput {
        shape: test.images.shape(),
        pixels: &test.images.pixels().to_bytes(),
        numbers: None,
        classes,
        labels: labels.as_deref(),
        files: None,
        models: explored.collect(),
    })?)
}

fn settings(model: &Shown) -> PageSection {
    let config = &model.model.config().training;
    let entries = vec![
        ("epochs".into(), config.epochs.to_string()),
        ("learning rate".into(), config.learning_rate.to_string()),
        ("seed".into(), config.seed.to_string()),
        ("parameters".into(), model.model.parameter_count().to_string()),
    ];
    let command = "cargo run --release -p latents --example report".to_owned();
    let blocks = vec![
        Block::Settings { caption: "The same for both models".into(), entries },
        Block::Code { caption: "The command that makes this page again".into(), text: command },
    ];
    PageSection { id: "settings".into(), title: "Settings".into(), blocks }
}

/// Test images next to their reconstructions.
fn pairs(models: &[Shown], test: &Labelled) -> latents::report::Figure {
    let shape = test.images.shape();
    let numbers: usize = shape.iter().product();
    let shown = [0, 1, 2];
    let originals: Vec<Vec<f32>> = shown.iter().map(|&i| test.images.image_unit(i)).collect();
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
