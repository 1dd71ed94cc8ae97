//! One error for everything that the library does. The crates' own errors are its sources, so that a caller can match them; what the library
//! adds are variants that a caller may act on. No message names a command-line flag: a front adds its own hint by the variant.

use std::path::PathBuf;

use latents_data::npz::NpzError;
use latents_engine::Shape;
use latents_models::ModelConfig;
use latents_progress::{Interrupted, alternatives};

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for a stop, and what is needed to continue has been saved.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Images cannot be found, read or downloaded.
    #[error(transparent)]
    Data(latents_data::Error),
    /// A file of NumPy arrays cannot be read or written.
    #[error(transparent)]
    Npz(#[from] NpzError),
    /// A run cannot be trained or opened.
    #[error(transparent)]
    Train(latents_train::Error),
    /// A study cannot be opened, or its search cannot continue.
    #[error(transparent)]
    Tune(latents_tune::Error),
    /// A program that is tuned has failed in every trial. The study is kept and can be continued.
    #[error(transparent)]
    ProgramFails(latents_tune::Error),
    /// An exploration refuses its input.
    #[error(transparent)]
    Explore(latents_explore::Error),
    /// A model cannot be built, or its weights cannot be read.
    #[error(transparent)]
    Model(latents_models::Error),
    /// The engine refuses its input.
    #[error(transparent)]
    Engine(#[from] latents_engine::Error),
    /// A figure, a table or a page cannot be drawn or written.
    #[error(transparent)]
    Report(#[from] latents_report::Error),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] latents_files::FileError),
    /// Where it went wrong; what went wrong is the source.
    #[error("{context}")]
    In {
        /// What was being done, or to what.
        context: String,
        /// What went wrong.
        source: Box<Error>,
    },
    /// Something needs more memory than there is.
    #[error(transparent)]
    Memory(#[from] latents_files::TooLarge),
    /// What a model computes is not finite.
    #[error(
        "what the model of {} computes of number {index} (counted from 0) is not a finite number; its weights or its inputs are too large, or damaged",
        run.display()
    )]
    NotFinite {
        /// The model's run.
        run: PathBuf,
        /// Which of the images or latent vectors.
        index: usize,
    },
    /// A model without latents that can be decoded is asked for them.
    #[error("{} is a run of kind `{kind}`, which has no latents to decode; use a run of kind {}", run.display(), any_of(&ModelConfig::kinds_with_latents()))]
    NoLatents {
        /// The run's folder.
        run: PathBuf,
        /// Its kind.
        kind: &'static str,
    },
    /// A model that does not classify is asked for classes.
    #[error("{} is a run of kind `{kind}`, which does not classify; use a run of kind {}", run.display(), any_of(&ModelConfig::kinds_that_classify()))]
    NoClasses {
        /// The run's folder.
        run: PathBuf,
        /// Its kind.
        kind: &'static str,
    },
    /// A run is asked to serve as an encoder, and has none.
    #[error("{} is a run of kind `{kind}`, which has no encoder; use a run of kind {}", run.display(), any_of(&ModelConfig::kinds_with_latents()))]
    NoEncoder {
        /// The run's folder.
        run: PathBuf,
        /// Its kind.
        kind: &'static str,
    },
    /// A kind of model that starts from a trained encoder is given none.
    #[error(
        "a classifier needs a trained encoder: name the run of one, or train all of it from scratch"
    )]
    EncoderNeeded,
    /// The encoder is for images of another shape.
    #[error("the encoder in {} is for images of shape {encoder:?} ([channels, height, width]), but these have {images:?}; use images of its shape, or train an encoder on these", run.display())]
    EncoderShape {
        /// The encoder's run.
        run: PathBuf,
        /// The shape that it was trained on.
        encoder: Shape,
        /// The shape of the images.
        images: Shape,
    },
    /// Settings are of another kind of model than asked for.
    #[error("{origin} has settings for a model of kind `{found}`, not `{wanted}`")]
    OtherKind {
        /// Where the settings come from.
        origin: String,
        /// Their kind.
        found: String,
        /// The kind asked for.
        wanted: String,
    },
    /// A kind of model is tuned that has no search space.
    #[error("models of kind `{kind}` cannot be tuned")]
    NotTunable {
        /// The kind.
        kind: String,
    },
    /// A run is resumed with other settings than it began with.
    #[error("the run in {} began with other settings than those of its config.toml and those given now; use the same, or start a new run:\n  {}", run.display(), differences.join("\n  "))]
    OtherSettings {
        /// The run's folder.
        run: PathBuf,
        /// Each setting that differs, with both values.
        differences: Vec<String>,
    },
    /// A run is resumed with other images than it began with.
    #[error("the images of {origin} are not those that the run in {} began with; restore them, or start a new run", run.display())]
    OtherImages {
        /// The source of the images.
        origin: String,
        /// The run's folder.
        run: PathBuf,
    },
    /// A setting of the images is set, and the images that are passed in were opened with another.
    #[error(
        "`{name}` is set to {set}, but the images are already open, with {found}; open them with this setting, or leave it out"
    )]
    ImagesOpen {
        /// The setting, such as `data.train_limit`.
        name: String,
        /// The value that is set.
        set: String,
        /// The value that the images were opened with.
        found: String,
    },
    /// Results would be written among the pictures that they are made from.
    #[error("the output folder {} lies within the folder of the pictures, {}, where its figures would be taken for pictures; choose another", out.display(), pictures.display())]
    OutputAmongPictures {
        /// The output folder.
        out: PathBuf,
        /// The folder of the pictures.
        pictures: PathBuf,
    },
    /// A file of results has the ending of a figure.
    #[error("{} is for the numbers, and their figure is written next to them as SVG and PNG; use another ending", out.display())]
    OutputIsFigure {
        /// The file.
        out: PathBuf,
    },
    /// The ending of a file to write names no format that can hold its content.
    #[error("{}: unknown ending; known are {}", out.display(), endings(known))]
    OutputEnding {
        /// The file.
        out: PathBuf,
        /// The known endings.
        known: &'static [&'static str],
    },
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] latents_tables::Error),
    /// A file has no vectors, or several that nothing tells apart.
    #[error("{}: it has no array or columns of vectors: expected are `z` [n, d], another name of vectors such as `embeddings`, or only one array [n, d]; it has: {found}", file.display())]
    NoVectors {
        /// The file.
        file: PathBuf,
        /// What it has.
        found: String,
    },
    /// There are too few images to hold some of them out in turn.
    #[error(
        "cross-validation with {folds} folds needs at least {folds} different images, but {origin} has {found}"
    )]
    TooFewForFolds {
        /// The source of the images.
        origin: String,
        /// The number of folds.
        folds: usize,
        /// How many different images there are.
        found: usize,
    },
    /// There are no images of a part.
    #[error("{} has no images of the {part} part", run.display())]
    NoImages {
        /// The run's folder.
        run: PathBuf,
        /// The part, `train` or `test`.
        part: latents_data::Part,
    },
    /// An image is asked for by a number that it does not have.
    #[error("there is no image {index}: images are numbered from 0 to {last}")]
    NoImage {
        /// The number asked for.
        index: usize,
        /// The last there is.
        last: usize,
    },
    /// A query of a search is neither an image of the collection nor a file.
    #[error("there is no file or folder {query}, and no such image is searched")]
    NoSuchQuery {
        /// The query.
        query: String,
        /// Why it is not an image of the collection.
        source: latents_data::Error,
    },
    /// A query of a search is an image of the collection, and a file as well.
    #[error(
        "\"{query}\" may mean the image {image} or another file of this name; write ./{query} for the file"
    )]
    AmbiguousQuery {
        /// The query.
        query: String,
        /// The image.
        image: String,
    },
    /// Labels are needed, and there are none.
    #[error("{what} needs class labels, and the images of {origin} have none")]
    Unlabelled {
        /// What needs them.
        what: &'static str,
        /// The source of the images.
        origin: String,
    },
    /// An array of a file has the wrong shape.
    #[error("{}: array `{array}` has shape {found:?}, but {expected}", file.display())]
    ArrayShape {
        /// The file.
        file: PathBuf,
        /// The array's name.
        array: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that is needed, in words.
        expected: String,
    },
    /// Latents have another number of dimensions than the model's.
    #[error("the latents are [n, {found}], but the model's are [n, {expected}]")]
    LatentDim {
        /// Their number of dimensions.
        found: usize,
        /// The model's.
        expected: usize,
    },
    /// The latents of the training images are needed, and neither they nor the images are there.
    #[error("this needs the latents of the training images: they are not kept in {}, and the images that they come from cannot be opened", run.display())]
    NoTrainingLatents {
        /// The run's folder.
        run: PathBuf,
        /// Why the images cannot be opened.
        source: Box<Error>,
    },
    /// A search is asked for, and no image validates.
    #[error(
        "trials are compared by their validation images: the validation fraction must be more than 0"
    )]
    NoValidation,
    /// A setting is both searched and set.
    #[error("`{name}` is in the search space and set as well: leave one out")]
    SearchedAndSet {
        /// The setting.
        name: String,
    },
    /// All settings that would be searched are set.
    #[error("all settings that are tuned by default are set: nothing is left to tune")]
    NothingToTune,
    /// Draws are asked of a model without a posterior.
    #[error("draws of latents need a variational autoencoder, and {} is a run of kind `{kind}`", run.display())]
    NotVariational {
        /// The run's folder.
        run: PathBuf,
        /// Its kind.
        kind: &'static str,
    },
    /// Latents that are codes, as those of a VQ-VAE, are to be drawn from another distribution than its prior.
    #[error("{} is a run of a model whose latents are codes, which are drawn from its prior alone; the sampler {sampler} is a density of numbers", run.display())]
    OnlyPrior {
        /// The run's folder.
        run: PathBuf,
        /// The name of the sampler.
        sampler: &'static str,
    },
    /// A class is given for a model that takes none.
    #[error("{} is a run of a model without a condition, which decodes latents alone; leave the class out, or use a run that was trained with conditional = true", run.display())]
    NotConditional {
        /// The run's folder.
        run: PathBuf,
    },
    /// Latents of a conditional model are decoded, and no class is given.
    #[error("{} is a run of a conditional model, which decodes latents as images of a class; name one of its classes: {}", run.display(), known.join(", "))]
    ClassNeeded {
        /// The run's folder.
        run: PathBuf,
        /// The names of its classes.
        known: Vec<String>,
    },
    /// Images or latents of a conditional model have no class that it knows.
    #[error("{} is a run of a conditional model, which needs a class to decode, and {missing} of {of} have no label that is one of its classes ({}); label them, or leave them out", run.display(), known.join(", "))]
    ClassesMissing {
        /// The run's folder.
        run: PathBuf,
        /// How many have none.
        missing: usize,
        /// How many there are.
        of: usize,
        /// The names of its classes.
        known: Vec<String>,
    },
    /// Test-time augmentation is asked of a model that does not classify.
    #[error("test-time augmentation needs a classifier, and {} is a run of kind `{kind}`", run.display())]
    TtaWithoutClasses {
        /// The run's folder.
        run: PathBuf,
        /// Its kind.
        kind: &'static str,
    },
    /// A study does not tune the kind of model asked for.
    #[error("study `{study}` does not tune models of kind `{kind}`")]
    OtherStudy {
        /// The study's name.
        study: String,
        /// The kind asked for.
        kind: String,
    },
    /// Files of shards cannot be made one.
    #[error("{}: {problem}", out.display())]
    Shards {
        /// The file that they would make.
        out: PathBuf,
        /// What is wrong with them.
        problem: String,
    },
    /// Two options contradict each other, or one does not apply.
    #[error("{0}")]
    Invalid(String),
    /// A file of results, or another text, cannot be understood.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Settings cannot be written.
    #[error(transparent)]
    Toml(#[from] toml::ser::Error),
}

/// Names of kinds as words of a sentence.
fn any_of(kinds: &[&str]) -> String {
    alternatives(kinds.iter().map(|kind| format!("`{kind}`")))
}

fn endings(known: &[&str]) -> String {
    known.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(", ")
}

impl Error {
    /// The error with what was being done when it happened.
    #[must_use]
    pub fn context(self, context: impl Into<String>) -> Self {
        match self {
            interrupted @ Error::Interrupted(_) => interrupted,
            error => Error::In { context: context.into(), source: Box::new(error) },
        }
    }

    /// Whether the call was interrupted by the caller's own token.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Error::Interrupted(_))
    }
}

/// The crates' errors, with their interruption as the library's one variant for it.
macro_rules! from {
    ($($crate_error:path => $variant:ident),+) => {
        $(impl From<$crate_error> for Error {
            fn from(error: $crate_error) -> Self {
                use $crate_error as Inner;
                match error {
                    Inner::Interrupted(interrupted) => Error::Interrupted(interrupted),
                    error => Error::$variant(error),
                }
            }
        })+
    };
}

from!(
    latents_data::Error => Data,
    latents_train::Error => Train,
    latents_tune::Error => Tune,
    latents_explore::Error => Explore,
    latents_models::Error => Model
);
