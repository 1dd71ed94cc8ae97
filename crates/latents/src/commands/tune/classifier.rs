//! `latents tune classifier`: what is tuned of a classifier, and how its trials are judged: by images of the training part that are kept
//! for validation. No test image has a say.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use latents::engine::Shape;
use latents::train::RunConfig;
use latents::tune::Direction;

use crate::Shared;
use crate::commands::USUAL;
use crate::commands::settings::{ClassifierFlags, ModelFlags, Settings};
use crate::commands::tune::model::{Kind, TuneFlags};
use crate::output::Output;

/// Classifiers.
pub(crate) const CLASSIFIER: Kind = Kind {
    name: ClassifierFlags::KIND,
    label: "validation accuracy",
    direction: Direction::Maximize,
    value: |metrics| metrics.val_accuracy,
    space: include_str!("classifier.toml"),
    refit: "--validation 0",
};

/// Settings of the study, and of the runs that are its trials. A setting that is given by a flag is not tuned.
#[derive(Debug, Args)]
pub(crate) struct TuneClassifier {
    #[command(flatten)]
    flags: TuneFlags,
    #[command(flatten)]
    settings: Settings<ClassifierFlags>,
}

/// The settings of a trial on images of a shape `[c, h, w]` where no flag is given, but those that are searched.
pub(crate) fn base(image: Shape) -> RunConfig {
    let mut base = ClassifierFlags::base_run(image);
    base.training.validation_fraction = 0.2;
    base
}

impl TuneClassifier {
    pub(crate) fn run(&self, shared: &Shared, output: Output) -> Result<ExitCode> {
        let data = self.settings.data.source.as_deref();
        let base = |image: Option<Shape>| {
            let mut base = base(image.unwrap_or(USUAL));
            self.settings.model.begin(&mut base, data)?;
            self.settings.model.prepare(&mut base, image)?;
            self.settings.apply(&mut base);
            Ok(base)
        };
        let given = |name: &str| self.settings.gives(name);
        self.flags.run(&CLASSIFIER, &base, data, &given, shared, output)
    }
}
