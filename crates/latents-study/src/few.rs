//! What a study of few images has besides: a test part of some images says little, so each image is measured by a model that was trained
//! without it. In place of S3, the classifier with its default settings is measured in this way.

use latents::class_counts;
use latents::evaluate::{CrossValidation, FOLDS, cross_validate};
use latents::report::{Block, Cell, Finding, PageSection, Show, Table, Tone};

use crate::error::Result;
use crate::results::StageOutput;
use crate::s3::classifier;
use crate::stages::{BEST_AE, Stage};
use crate::words;
use crate::worker::{Context, Worker};

/// The cross-validation of the autoencoder, and of the classifier.
const FOLDS_OF_AE: &str = "folds-ae";
const FOLDS_OF_CLASSIFIER: &str = "folds-classifier";

impl StageOutput for CrossValidation {}

/// The stages of this part, for images with labels or without.
pub(crate) fn stages<'a>(labelled: bool) -> Vec<Stage<Worker<'a>>> {
    let mut stages: Vec<Stage<Worker<'a>>> = vec![Stage {
        name: FOLDS_OF_AE,
        title: "cross-validation of the autoencoder",
        part: "S2",
        cost: 400.0,
        after: &[BEST_AE],
        run: |worker| measure(worker, FOLDS_OF_AE, &worker.study.run(BEST_AE).config()?),
    }];
    if labelled {
        stages.push(Stage {
            name: FOLDS_OF_CLASSIFIER,
            title: "cross-validation of a classifier",
            part: "S3",
            cost: 450.0,
            after: &[BEST_AE],
            run: |worker| {
                let config = worker.config(classifier(worker)?, |_| ());
                measure(worker, FOLDS_OF_CLASSIFIER, &config)
            },
        });
    }
    stages
}

fn measure(worker: &Worker<'_>, stage: &str, config: &latents::RunConfig) -> Result<()> {
    let Context { dataset, out, results, .. } = worker.study;
    let of = |folds| cross_validate(config, dataset, folds, &out.join(stage), &worker.session);
    let measures = match of(FOLDS) {
        // Of copies, there may be fewer different images than folds.
        Err(latents::Error::TooFewForFolds { found, .. }) if found > 1 => of(found)?,
        measures => measures?,
    };
    results.put(stage, &measures)
}

/// What the cross-validation of the autoencoder says, as a table and the finding that takes the place of the one about the test images.
pub(crate) fn of_autoencoder(study: &Context) -> Result<Option<(Block, Finding)>> {
    let Some(measures) = study.results.get::<CrossValidation>(FOLDS_OF_AE)? else {
        return Ok(None);
    };
    let (Some(error), Some(components)) =
        (measures.mean_squared_error, measures.principal_components)
    else {
        return Ok(None);
    };
    let number = |x: f64| Cell::Number(x, Show::Significant(3));
    let rows = vec![
        vec![Cell::Text("residual autoencoder".into()), number(error.value), number(error.error)],
        vec![Cell::Text("principal components".into()), number(components), Cell::Empty],
    ];
    let columns = ["model", "error", "standard error"].map(str::to_owned).into();
    let block = Block::Table {
        id: "S2-folds".into(),
        table: Table { columns, rows },
        caption: format!(
            "Mean squared error over all {} images, each measured by a model that was trained without it ({} folds). There are too few images for a test part to say as much.",
            words::count(measures.images),
            measures.folds
        ),
    };
    let better = error.value < components;
    let text = format!(
        "In a cross-validation of all {} images, the residual autoencoder with {} latent dimensions has an error of {}, {} of that of principal components ({}){}.",
        words::count(measures.images),
        measures.latent_dim.unwrap_or(0),
        words::error(error.value),
        words::percent_rounded(error.value / components),
        words::error(components),
        if better { "" } else { ": it is not better than they are" },
    );
    Ok(Some((block, Finding::new(Tone::Neutral, text).of("S2"))))
}

/// The part of the page about labels, once its stage is finished; for images with labels.
pub(crate) fn section(worker: &Worker<'_>) -> Result<Option<(PageSection, Vec<Finding>)>> {
    let study = worker.study;
    let Some(measures) = study.results.get::<CrossValidation>(FOLDS_OF_CLASSIFIER)? else {
        return Ok(None);
    };
    let (Some(accuracy), Some(majority)) = (measures.accuracy, measures.majority) else {
        return Ok(None);
    };
    let counts = class_counts(&study.dataset);
    let alone = counts.iter().filter(|class| class.images() == 1).count();
    let unlearnt = match alone {
        0 => String::new(),
        n => format!(
            " {} of the classes have one image, which no model can be trained on and measured with.",
            words::count(n)
        ),
    };
    let text = format!(
        "In a cross-validation, a classifier on the autoencoder's encoder is right for {} of the {} images (standard error {}); the largest class has {}.",
        words::percent_rounded(accuracy.value),
        words::count(measures.images),
        words::percent_rounded(accuracy.error),
        words::percent_rounded(majority),
    );
    let how = format!(
        "There are too few images to tune a classifier and to test it on a part of them: it has its default settings, and each image was classified by one that was trained without it ({} folds), encoder included.{unlearnt}",
        measures.folds
    );
    let blocks = vec![Block::Paragraph(text.clone()), Block::Paragraph(how)];
    let section = PageSection { id: "S3".into(), title: "Classifier".into(), blocks };
    Ok(Some((section, vec![Finding::new(Tone::Neutral, text).of("S3")])))
}
