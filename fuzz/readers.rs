//! Every reader of files that users bring, fed with any bytes: each may refuse them, and none may panic; each says whether it took them. The fuzz targets and a test of
//! the command share these.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ::latents::data::{Images, Labelled, Locations, Pictures, Source, idx, npz};
use ::latents::engine::Runtime;
use ::latents::explore::card::Card;
use ::latents::models::Tensors;
use ::latents::train::{Outcome, Run, RunConfig, train};
use ::latents::tune::{Asked, History, Strategy, Study, importance, pruner, sampler, storage};

#[path = "../crates/latents/src/commands/study/results.rs"]
#[allow(dead_code)] // What is only shown is not read here.
mod results;

/// Images or labels in IDX.
pub(crate) fn idx(bytes: &[u8]) -> bool {
    let images = idx::parse_images(bytes, Path::new("images")).is_ok();
    idx::parse_labels(bytes, Path::new("labels")).is_ok() || images
}

/// Latents with labels, or a data set, in an `.npz` file.
pub(crate) fn npz(bytes: &[u8]) -> bool {
    with_file("data.npz", bytes, |file| {
        let latents = npz::read_f32(file, "z").is_ok();
        let labels = npz::read_labels(file, "labels").is_ok();
        load(&format!("npz:{}", file.display())) || latents && labels
    })
}

/// A picture in a folder, under the name of each kind.
pub(crate) fn picture(bytes: &[u8]) -> bool {
    with_file("a.png", bytes, |file| {
        let folder = file.parent().expect("a folder");
        for kind in ["jpg", "gif", "webp"] {
            std::fs::write(file.with_extension(kind), bytes).expect("a scratch file");
        }
        load(&format!("folder:{}", folder.display()))
    })
}

/// Weights.
pub(crate) fn safetensors(bytes: &[u8]) -> bool {
    with_file("model.safetensors", bytes, |file| Tensors::load(file).is_ok())
}

/// Settings.
pub(crate) fn config(bytes: &[u8]) -> bool {
    let mut base = RunConfig::default();
    base.data.shape = [1, 28, 28];
    let config = base.overlaid(&String::from_utf8_lossy(bytes));
    config.is_ok_and(|config| config.check().is_ok())
}

/// What training goes on from: the last checkpoint of a run of two epochs, with none before it.
pub(crate) fn checkpoint(bytes: &[u8]) -> bool {
    with_file("last.safetensors", bytes, |file| {
        let run = Run::at(&file.with_file_name("run"));
        std::fs::create_dir_all(run.best_path().with_file_name("")).expect("a scratch folder");
        std::fs::copy(file, run.best_path().with_file_name("last.safetensors")).expect("a copy");
        std::fs::write(run.metrics_path(), METRICS).expect("a scratch file");
        make_a_step(&run).is_ok()
    })
}

/// A line for each epoch.
pub(crate) fn metrics(bytes: &[u8]) -> bool {
    with_file("metrics.jsonl", bytes, |file| {
        Run::at(file.parent().expect("a folder")).metrics().is_ok()
    })
}

/// Studies in a SQLite file: all of them are read and gone on with.
pub(crate) fn study(bytes: &[u8]) -> bool {
    with_file("study.db", bytes, |file| go_on(&format!("sqlite:///{}", file.display())).is_ok())
}

/// What stages of a study left, each kind of it; a card is drawn up as a page has it.
pub(crate) fn results(bytes: &[u8]) -> bool {
    use results::{Autoencoder, Components, Mapped, Scores, Search, read};
    let text = String::from_utf8_lossy(bytes);
    let card = read::<Card>(&text).map(|card| card.markdown("Card"));
    card.is_ok()
        || read::<Autoencoder>(&text).is_ok()
        || read::<Search>(&text).is_ok()
        || read::<Components>(&text).is_ok()
        || read::<Vec<Scores>>(&text).is_ok()
        || read::<Mapped>(&text).is_ok()
}

/// What the epochs of a small run came to.
const METRICS: &str = concat!(
    r#"{"epoch":1,"train_loss":0.5,"val_loss":0.5,"learning_rate":0.001,"seconds":0.1,"samples_per_second":60.0}"#,
    "\n",
    r#"{"epoch":2,"train_loss":0.4,"val_loss":0.4,"learning_rate":0.001,"seconds":0.1,"samples_per_second":60.0}"#,
    "\n",
);

/// Makes one step in a run of two epochs of three steps, where there are any left to make.
fn make_a_step(run: &Run) -> Result<Outcome, ::latents::train::Error> {
    let settings = "[data]\nshape = [1, 4, 4]\n\
        [training]\nepochs = 2\nbatch_size = 2\nvalidation_fraction = 0.25\n\
        [model]\nkind = \"ae\"\nlatent_dim = 1\nhidden = [2]\nstages = [{ channels = 1, kernel = 2, stride = 2, padding = 0 }]\n";
    let config = RunConfig::default().overlaid(settings)?;
    let images = Images::new(1, 4, 4, (0..128).collect()).expect("eight images");
    let data = Labelled { images, labels: None, names: None };
    let runtime = Arc::new(Runtime::new(Some(1), None)?);
    train(run, &config, &data, &runtime, &AtomicBool::new(true), &mut |_| {})
}

fn go_on(url: &str) -> Result<(), ::latents::tune::Error> {
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
        if let Asked::Trial(mut trial) = study.ask(None)? {
            for (name, distribution) in history.common_space() {
                trial.suggest(&name, &distribution)?;
            }
            trial.report(1, 0.5)?;
            trial.should_prune()?;
        }
    }
    Ok(())
}

fn load(source: &str) -> bool {
    let pictures = Pictures { size: Some([4, 4]), test_fraction: 0.0, ..Pictures::default() };
    let source = source.parse::<Source>().expect("a source");
    source.load_with(&pictures, &Locations::nowhere(), &mut |_| {}).is_ok()
}

fn with_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> bool) -> bool {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let file = folder.path().join(name);
    std::fs::write(&file, bytes).expect("a scratch file");
    read(&file)
}
