//! The readers of files that users bring. Each function feeds arbitrary bytes to one of them and returns whether it accepted them; a reader may reject its input, but must
//! not panic. The fuzz targets and a test share these functions.

#![allow(clippy::missing_panics_doc)] // A failure of the scratch folder is a failure of the test.

use std::path::Path;
use std::sync::Arc;

use latents::Latents;
use latents::data::{Fingerprints, Images, Labelled, Locations, Pages, Pictures, Source, idx, npz};
use latents::engine::Runtime;
use latents::explore::card::Card;
use latents::models::Tensors;
use latents::progress::Monitor;
use latents::train::{Error, Run, RunConfig, SettingsLayer, train};
use latents::tune::storage::{Storage, StudyRecord};
use latents::tune::{
    AskResult, History, Strategy, Study, StudySettings, importance, pruner, sampler, storage,
};
use latents_study::results::{Autoencoder, ClassifierScores, Components, Mapped, Search, read};

/// Images or labels in IDX.
#[must_use]
pub fn idx(bytes: &[u8]) -> bool {
    let images = idx::parse_images(bytes, Path::new("images")).is_ok();
    idx::parse_labels(bytes, Path::new("labels")).is_ok() || images
}

/// Latents, or an image collection, in an `.npz` or a `.npy` file; and every array as numbers and text.
#[must_use]
pub fn npz(bytes: &[u8]) -> bool {
    with_file("data.npz", bytes, |file| {
        if let Ok(mut archive) = npz::open(file) {
            for array in archive.arrays().to_vec() {
                if let Ok(values) = archive.read(&array.name) {
                    assert_eq!(values.texts().len(), values.len());
                    assert_eq!(values.f32s().is_none(), values.is_text());
                    let _ = values.i64s();
                }
            }
        }
        vectors_or_images("npz", file)
    })
}

/// An image collection, or latents, in a `.npy` file.
#[must_use]
pub fn npy(bytes: &[u8]) -> bool {
    with_file("data.npy", bytes, |file| vectors_or_images("npz", file))
}

/// A folder of IDX files, gzipped or not: the same images for training and testing.
#[must_use]
pub fn idx_folder(bytes: &[u8]) -> bool {
    let ending = if bytes.starts_with(&[0x1f, 0x8b]) { ".gz" } else { "" };
    with_file(&format!("train-images-idx3-ubyte{ending}"), bytes, |file| {
        let test = format!("t10k-images-idx3-ubyte{ending}");
        std::fs::copy(file, file.with_file_name(test)).expect("a scratch file");
        load_fixed(&format!("idx:{}", file.parent().expect("a folder").display()))
    })
}

/// A table of pixels or latents as CSV, with commas or tabs.
#[must_use]
pub fn csv(bytes: &[u8]) -> bool {
    let tabs = with_file("data.tsv", bytes, |file| vectors_or_images("table", file));
    with_file("data.csv", bytes, |file| vectors_or_images("table", file)) || tabs
}

/// A table of pixels or latents as JSON lines.
#[must_use]
pub fn json_lines(bytes: &[u8]) -> bool {
    with_file("data.jsonl", bytes, |file| vectors_or_images("table", file))
}

/// A table of pictures, pixels or latents as Parquet. Needs the feature `all-formats`.
#[must_use]
pub fn parquet(bytes: &[u8]) -> bool {
    with_file("data.parquet", bytes, |file| vectors_or_images("table", file))
}

/// A tar archive of pictures.
#[must_use]
pub fn tar(bytes: &[u8]) -> bool {
    with_file("data.tar", bytes, |file| load(&format!("tar:{}", file.display())))
}

/// A TIFF file.
#[must_use]
pub fn tiff(bytes: &[u8]) -> bool {
    paged("a.tif", bytes)
}

/// A FITS file. Needs the feature `all-formats`.
#[must_use]
pub fn fits(bytes: &[u8]) -> bool {
    paged("a.fits", bytes)
}

/// A DICOM file. Needs the feature `all-formats`.
#[must_use]
pub fn dicom(bytes: &[u8]) -> bool {
    paged("a.dcm", bytes)
}

/// A picture in a folder, under the extension of each format.
#[must_use]
pub fn picture(bytes: &[u8]) -> bool {
    with_file("a.png", bytes, |file| {
        let folder = file.parent().expect("a folder");
        for kind in ["jpg", "gif", "webp", "bmp", "tif", "pnm", "tga", "qoi"] {
            std::fs::write(file.with_extension(kind), bytes).expect("a scratch file");
        }
        load(&format!("folder:{}", folder.display()))
    })
}

/// Weights.
#[must_use]
pub fn safetensors(bytes: &[u8]) -> bool {
    with_file("model.safetensors", bytes, |file| Tensors::load(file).is_ok())
}

/// Settings.
#[must_use]
pub fn config(bytes: &[u8]) -> bool {
    let mut base = RunConfig::default();
    base.data.shape = [1, 28, 28];
    let layer = SettingsLayer::parse("config.toml", &String::from_utf8_lossy(bytes));
    let config = layer.and_then(|layer| base.with_layers([&layer]));
    config.is_ok_and(|config| config.check().is_ok())
}

/// The last checkpoint of a run of two epochs, from which training resumes. There is no older one.
#[must_use]
pub fn checkpoint(bytes: &[u8]) -> bool {
    with_file("last.safetensors", bytes, |file| {
        let run = Run::at(file.with_file_name("run"));
        std::fs::create_dir_all(run.best_path().with_file_name("")).expect("a scratch folder");
        std::fs::copy(file, run.best_path().with_file_name("last.safetensors")).expect("a copy");
        std::fs::write(run.metrics_path(), METRICS).expect("a scratch file");
        // Training writes its own settings; without any, there would be no run to go on with.
        std::fs::write(run.config_path(), "").expect("a scratch file");
        train_one_step(&run).is_ok()
    })
}

/// The metrics of a run, a line for each epoch.
#[must_use]
pub fn metrics(bytes: &[u8]) -> bool {
    with_file("metrics.jsonl", bytes, |file| {
        Run::at(file.parent().expect("a folder")).metrics().is_ok()
    })
}

/// The studies in an SQLite file: each is read, and then continued by a trial.
#[must_use]
pub fn study(bytes: &[u8]) -> bool {
    with_file("study.db", bytes, |file| {
        let url = format!("sqlite:///{}", file.display());
        read_studies(&url).is_ok() && continue_studies(&url).is_ok()
    })
}

/// The studies in an SQLite file with a write-ahead log, which follows the file: they are read without a write, as SQLite reads them too, and then continued.
#[must_use]
pub fn study_log(bytes: &[u8]) -> bool {
    let (database, log) = bytes.split_at(database_length(bytes));
    with_file("study.db", database, |file| {
        let beside = file.with_extension("db-wal");
        std::fs::write(&beside, log).expect("a scratch file");
        let url = format!("sqlite:///{}", file.display());
        let looked = trials_of(storage::open_read_only(&url));
        assert!(std::fs::read(file).is_ok_and(|now| now == database), "it was changed");
        assert!(std::fs::read(&beside).is_ok_and(|now| now == log), "its log was changed");
        let found = trials_of(storage::open(&url));
        if let (Ok(looked), Ok(found)) = (&looked, &found) {
            assert_eq!(looked, found);
        }
        looked.is_ok() && continue_studies(&url).is_ok()
    })
}

/// Bytes of the SQLite database that begins here, by its header; all if that is damaged.
#[must_use]
pub fn database_length(bytes: &[u8]) -> usize {
    let header = bytes.get(..32).map(|head| {
        let page = usize::from(u16::from_be_bytes([head[16], head[17]]));
        page * u32::from_be_bytes([head[28], head[29], head[30], head[31]]) as usize
    });
    header.filter(|&length| length <= bytes.len()).unwrap_or(bytes.len())
}

/// The result of a stage of the whole study, of each kind. A card is also written as Markdown.
#[must_use]
pub fn results(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let card = read::<Card>(&text).map(|card| card.markdown("Card"));
    card.is_ok()
        || read::<Autoencoder>(&text).is_ok()
        || read::<Search>(&text).is_ok()
        || read::<Components>(&text).is_ok()
        || read::<Vec<ClassifierScores>>(&text).is_ok()
        || read::<Mapped>(&text).is_ok()
}

/// The metrics of a small run.
const METRICS: &str = concat!(
    r#"{"epoch":1,"train_loss":0.5,"val_loss":0.5,"learning_rate":0.001,"seconds":0.1,"samples_per_second":60.0}"#,
    "\n",
    r#"{"epoch":2,"train_loss":0.4,"val_loss":0.4,"learning_rate":0.001,"seconds":0.1,"samples_per_second":60.0}"#,
    "\n",
);

/// Takes one step in a run of two epochs of three steps, if any is left.
fn train_one_step(run: &Run) -> Result<(), Error> {
    let settings = "[data]\nshape = [1, 4, 4]\n\
        [training]\nepochs = 2\nbatch_size = 2\nvalidation_fraction = 0.25\n\
        [model]\nkind = \"ae\"\nlatent_dim = 1\nhidden = [2]\nstages = [{ channels = 1, kernel = 2, stride = 2, padding = 0 }]\n";
    let config =
        RunConfig::default().with_layers([&SettingsLayer::parse("config.toml", settings)?])?;
    let images = Images::new(1, 4, 4, (0..128).collect()).expect("eight images");
    let data = Labelled::unlabelled(images);
    let runtime = Arc::new(Runtime::new(Some(1), None)?);
    // With a token that is cancelled already, training takes one step and saves it.
    let monitor = Monitor::default();
    monitor.cancel().cancel();
    match train(run, &config, &data, &runtime, &monitor, &mut |_| {}) {
        Ok(_) | Err(Error::Interrupted(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn read_studies(url: &str) -> Result<(), latents::tune::Error> {
    let storage = storage::open_read_only(url)?;
    for record in storage.studies()? {
        let _ = StudySettings::of(&*storage, &record);
        let trials = storage.trials(record.id)?;
        let _ = History { direction: record.direction, trials: &trials }.best();
    }
    Ok(())
}

/// The names and the trials of all studies, as text.
fn trials_of(
    storage: Result<Arc<dyn Storage>, latents::tune::Error>,
) -> Result<Vec<String>, latents::tune::Error> {
    let storage = storage?;
    let text =
        |record: StudyRecord| Ok(format!("{} {:?}", record.name, storage.trials(record.id)?));
    storage.studies()?.into_iter().map(text).collect()
}

fn continue_studies(url: &str) -> Result<(), latents::tune::Error> {
    let storage = storage::open(url)?;
    for record in storage.studies()? {
        let trials = storage.trials(record.id)?;
        let history = History { direction: record.direction, trials: &trials };
        if let Some(best) = history.best() {
            for name in best.params.keys() {
                let _ = best.param(name);
            }
        }
        let _ = importance::ped_anova(history);
        let strategy = Strategy {
            sampler: Box::new(sampler::Tpe::default()),
            pruner: Box::new(pruner::Percentile::median()),
            seed: None,
            lockstep: None,
        };
        let study = Study::open(Arc::clone(&storage), &record.name, record.direction, strategy)?;
        if let AskResult::Trial(mut trial) = study.ask(None)? {
            for (name, distribution) in history.common_space() {
                trial.suggest(&name, &distribution)?;
            }
            trial.report(1, 0.5)?;
            trial.should_prune()?;
        }
    }
    Ok(())
}

/// A file with latents or an image collection.
fn vectors_or_images(kind: &str, file: &Path) -> bool {
    let latents = Latents::load(file).is_ok();
    load(&format!("{kind}:{}", file.display())) || latents
}

/// A picture that may have several pages, which are pictures or channels; its copies are found too.
fn paged(name: &str, bytes: &[u8]) -> bool {
    with_file(name, bytes, |file| {
        let folder = format!("folder:{}", file.parent().expect("a folder").display());
        let _ = Fingerprints::of(&folder, &Pictures::default(), &Monitor::default());
        let channels = load_with(&folder, &Pictures { pages: Pages::Channels, ..small() });
        load(&folder) || channels
    })
}

fn small() -> Pictures {
    Pictures { size: Some([4, 4]), test_fraction: 0.0, ..Pictures::default() }
}

fn load(source: &str) -> bool {
    load_with(source, &small())
}

/// Loads a source that takes no settings.
fn load_fixed(source: &str) -> bool {
    load_with(source, &Pictures::default())
}

fn load_with(source: &str, pictures: &Pictures) -> bool {
    let source = source.parse::<Source>().expect("a source");
    source.load_with(pictures, &Locations::nowhere(), &Monitor::default()).is_ok()
}

/// Writes a file to a folder of its own, which is in memory if the system has a file system there.
fn with_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> bool) -> bool {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.expect("a scratch folder");
    let file = folder.path().join(name);
    std::fs::write(&file, bytes).expect("a scratch file");
    read(&file)
}
