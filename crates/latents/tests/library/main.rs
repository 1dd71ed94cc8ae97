//! The library as a program uses it: a run without its data, interruption and progress here, new images and settings in files of their own.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod generative;
mod settings;

use std::path::Path;
use std::sync::{Arc, Mutex};

use latents::evaluate::evaluate_seeds;
use latents::{
    Axes, Cancel, Dataset, Error, EvalOptions, Evaluation, Interpolation, LatentMap, Latents,
    Limits, Part, ProbeConfig, Progress, Recipe, Reporter, Run, Sampler, Session, SettingsLayer,
    TrainedModel,
};

fn sample(train: usize, session: &Session) -> Dataset {
    let data = Dataset::open("fashion-mnist-sample", session).unwrap();
    data.limited(Limits { train: Some(train), test: Some(64) })
}

fn small_vae(data: &Dataset) -> Recipe {
    Recipe::vae(data).latent_dim(6).epochs(2).batch_size(64)
}

/// Makes a run whose data cannot be opened any more.
fn lose_data(dir: &Path) {
    let path = dir.join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("fashion-mnist-sample"));
    std::fs::write(&path, text.replace("fashion-mnist-sample", "folder:gone")).unwrap();
}

#[test]
fn a_run_works_without_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    let data = sample(256, &session);
    let dir = folder.path().join("vae");
    let mut model = small_vae(&data).train(&data, &dir, &session).unwrap();
    let z = model.encode(&data.test).unwrap();
    let mixture = Sampler::Mixture { components: 3 };
    let samplers = [Sampler::Normal, Sampler::Uniform, mixture, Sampler::Flow];
    let with_data: Vec<_> = samplers.map(|s| model.sample(5, s, 7).unwrap().z).into();
    let encoded = model.encode(&data.train).unwrap().z;

    lose_data(&dir);
    let mut model = TrainedModel::open(&dir, &session).unwrap();
    assert!(model.data().is_err());
    assert_eq!(model.training_latents().unwrap(), encoded);
    for (sampler, expected) in samplers.into_iter().zip(with_data) {
        assert_eq!(model.sample(5, sampler, 7).unwrap().z, expected, "{sampler}");
    }
    assert_eq!(model.decode_latents(&z).unwrap().len(), 64);
    let (from, to) = (z.point(0).unwrap(), z.point(9).unwrap());
    let way = model.traverse([&from, &to], 5, Interpolation::Linear).unwrap();
    assert_eq!((way.images.len(), &way.z[..6]), (5, &from.z[..]));
    assert_eq!(model.traverse_axes(&from, Axes::Largest, 3).unwrap().images.len(), 18);

    // Latents of other weights are of no use, and what is missing is said.
    let weights = std::fs::read(dir.join("model.safetensors")).unwrap();
    small_vae(&data).seed(5).train(&data, folder.path().join("other"), &session).unwrap();
    std::fs::copy(folder.path().join("other/model.safetensors"), dir.join("model.safetensors"))
        .unwrap();
    let refused = TrainedModel::open(&dir, &session).unwrap_err();
    assert!(matches!(refused, Error::Train(latents::train::Error::Changed { .. })), "{refused}");
    let mut model = TrainedModel::open(&dir, &session.clone().accept_changes(true)).unwrap();
    let error = model.sample(1, Sampler::Uniform, 0).unwrap_err();
    assert!(matches!(error, Error::NoTrainingLatents { .. }), "{error}");
    assert!(model.sample(1, Sampler::Normal, 0).is_ok());
    assert_ne!(weights, std::fs::read(dir.join("model.safetensors")).unwrap());
}

#[test]
fn latents_of_another_dimension_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    let data = sample(64, &session);
    let mut model =
        Recipe::ae(&data).latent_dim(4).epochs(1).train(&data, folder.path(), &session).unwrap();
    let wide = Latents::new(vec![0.0; 10], 5).unwrap();
    let error = model.decode_latents(&wide).unwrap_err();
    assert!(matches!(error, Error::LatentDim { found: 5, expected: 4 }), "{error}");
    assert!(matches!(wide.vector(usize::MAX), Err(Error::NoImage { last: 1, .. })));
    let points = [wide.point(0).unwrap(), wide.point(1).unwrap()];
    assert!(model.traverse(points.each_ref(), 3, Interpolation::Linear).is_err());
    let last = data.test.len() - 1;
    let error = model.point(&data, Part::Test, 64).unwrap_err().to_string();
    assert_eq!(error, format!("there is no image 64: images are numbered from 0 to {last}"));
}

/// Cancels after so many reports of a task's progress.
struct CancelAfter(Cancel, u64, Mutex<u64>);

impl Reporter for CancelAfter {
    fn progress(&self, _: &Progress<'_>) {
        let mut seen = self.2.lock().unwrap();
        *seen += 1;
        if *seen >= self.1 {
            self.0.cancel();
        }
    }
}

#[test]
fn every_long_call_is_interrupted_in_one_way() {
    let folder = tempfile::tempdir().unwrap();
    let quiet = Session::default();
    let data = sample(256, &quiet);
    let dir = folder.path().join("ae");
    let recipe = Recipe::ae(&data).latent_dim(4).epochs(2);
    let cancelled = || {
        let cancel = Cancel::default();
        cancel.cancel();
        Session::default().cancel(cancel)
    };
    let error = recipe.train(&data, &dir, &cancelled()).unwrap_err();
    assert!(error.is_interrupted(), "{error}");
    let mut model = recipe.train(&data, &dir, &quiet).unwrap();
    assert!(model.evaluate(&data, &cancelled()).unwrap_err().is_interrupted());
    let z = model.encode(&data.test).unwrap();
    let tsne = latents::Tsne::default();
    assert!(tsne.fit(&z, &cancelled()).unwrap_err().is_interrupted());
    assert!(TrainedModel::open(&dir, &cancelled()).unwrap().data().is_ok(), "nothing long");
    assert!(
        TrainedModel::open(&dir, &cancelled())
            .unwrap()
            .decode(&[0.0; 4])
            .unwrap_err()
            .is_interrupted()
    );
    let pictures = folder.path().join("pictures");
    latents::contact_sheet(&data).save_both(&pictures, "sheet").unwrap();
    assert!(LatentMap::pca(&z, &cancelled()).unwrap_err().is_interrupted());
    let mut stopped = TrainedModel::open(&dir, &cancelled()).unwrap();
    let mixture = Sampler::Mixture { components: 2 };
    assert!(stopped.sample(3, mixture, 1).unwrap_err().is_interrupted());
    assert!(
        model.probe(&data, &ProbeConfig::default(), &cancelled()).unwrap_err().is_interrupted()
    );
    let of_pictures = latents::train::DataConfig {
        source: format!("folder:{}", pictures.display()),
        ..latents::train::DataConfig::of(&data)
    };
    let error: Error = of_pictures.reopen(&cancelled()).unwrap_err().into();
    assert!(error.is_interrupted(), "{error}");

    let cancel = Cancel::default();
    let reporter = Arc::new(CancelAfter(cancel.clone(), 3, Mutex::new(0)));
    let session = Session::default().cancel(cancel).reporter(reporter);
    assert!(tsne.fit(&z, &session).unwrap_err().is_interrupted());
}

#[test]
fn training_goes_on_where_it_stopped_and_not_with_other_settings() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default().threads(1);
    let data = sample(128, &session);
    let whole = folder.path().join("whole");
    let recipe = Recipe::ae(&data).latent_dim(4).epochs(2).batch_size(32);
    recipe.train(&data, &whole, &session).unwrap();

    let cut = folder.path().join("cut");
    let cancel = Cancel::default();
    cancel.cancel();
    assert!(recipe.train(&data, &cut, &Session::default().cancel(cancel)).is_err());
    let mut model = recipe.train(&data, &cut, &session).unwrap();
    let bytes = |dir: &Path| std::fs::read(dir.join("model.safetensors")).unwrap();
    assert_eq!(bytes(&cut), bytes(&whole));

    let Evaluation::Latents(card) = model.evaluate(&data, &session).unwrap() else { panic!() };
    assert!(card.markdown("x").contains("Reconstruction"));
    let error = recipe.clone().epochs(1).train(&data, &cut, &session).unwrap_err();
    assert!(matches!(error, Error::Train(latents::train::Error::OtherRun { .. })), "{error}");
    let run = Run::at(&cut);
    let error = recipe.epochs(1).resume(&run, &session).unwrap_err();
    let Error::OtherSettings { differences, .. } = error else { panic!("{error}") };
    assert_eq!(differences, ["training.epochs was 2, is 1"]);
}

#[test]
fn a_classifier_starts_from_an_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    let data = sample(256, &session);
    let ae = folder.path().join("ae");
    Recipe::ae(&data).latent_dim(8).epochs(1).train(&data, &ae, &session).unwrap();
    let recipe = Recipe::classifier(&data, &ae).epochs(1);
    let mut model = recipe.train(&data, folder.path().join("cl"), &session).unwrap();
    let input = latents::ClassifierInput::of(&data.test, "test");
    let predicted = model.predict(input, None).unwrap();
    assert_eq!((predicted.predictions.len(), predicted.classes.len()), (64, 10));
    assert_eq!(predicted.predictions[3].input, "test:3");
    assert!(model.latent_space().is_err());
    let Evaluation::Classes(card) = model.evaluate(&data, &session).unwrap() else { panic!() };
    assert_eq!(card.images, 64);

    let frozen =
        Recipe::classifier(&data, &ae).freeze_encoder().epochs(4).config(&data, &session).unwrap();
    assert_eq!(frozen.training.encoder.unwrap().frozen_epochs, 4);
    let scratch = Recipe::classifier(&data, &ae).from_scratch().config(&data, &session).unwrap();
    assert_eq!(scratch.training.encoder.unwrap().weights, None);
    let run = Run::at(folder.path().join("cl"));
    let resumed = Recipe::new("classifier").unwrap().from_scratch().resume(&run, &session);
    assert!(matches!(resumed, Err(Error::OtherSettings { .. })), "{:?}", resumed.err());
    let error = evaluate_seeds(run.dir(), EvalOptions::default(), &session);
    assert!(error.unwrap_err().to_string().contains("is one run, not a folder of several"));
    let (train, test) = (data.train.clone(), data.test.clone());
    let mine = Dataset::from_parts("mine", data.classes.clone(), train, test).unwrap();
    assert_eq!(Recipe::classifier(&mine, &ae).config(&mine, &session).unwrap().data.source, "mine");
    let none = Recipe::new("classifier").unwrap().config(&data, &session).unwrap_err();
    assert!(matches!(none, Error::EncoderNeeded), "{none}");

    // What is wrong with a recipe whatever the images are is told before they are opened.
    let missing = |recipe: Recipe| recipe.set("data.source", &"folder:missing");
    let error = |recipe: Recipe| missing(recipe).open_data(folder.path(), &session).unwrap_err();
    let of_kind = |kind| Recipe::new(kind).unwrap();
    assert!(matches!(error(of_kind("classifier")), Error::EncoderNeeded));
    assert!(matches!(error(of_kind("ae").minutes(-1.0)), Error::Invalid(_)));
    let other = SettingsLayer::parse("vae.toml", "[model]\nkind = \"vae\"").unwrap();
    assert!(matches!(error(of_kind("ae").layer(other)), Error::OtherKind { .. }));
    assert!(error(of_kind("ae")).to_string().contains("cannot read the folder missing"));
    let opened = of_kind("classifier").encoder(&ae).open_data(folder.path(), &session).unwrap();
    assert_eq!(opened.name, data.name);
}

#[test]
fn reconstructions_are_kept_as_far_as_they_are_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    // More images than go through the network at once.
    let few = sample(64, &session);
    let many: Vec<usize> = (0..5000).map(|i| i % few.train.len()).collect();
    let mut data = few.clone();
    data.train = few.train.at(&many);
    let mut model = small_vae(&few).epochs(1).train(&few, folder.path(), &session).unwrap();
    let all = model.reconstruction(&data.train, usize::MAX, None).unwrap();
    assert_eq!((all.count, all.images.len()), (5000, 5000));
    assert_eq!(all.images, model.reconstruct(&data.train).unwrap());
    for keep in [0, 3, 4500] {
        let some = model.reconstruction(&data.train, keep, None).unwrap();
        assert_eq!((some.count, some.images.len()), (5000, keep));
        assert_eq!(some.images.values[..], all.images.values[..keep * 28 * 28]);
        assert_eq!(some.mean_squared_error.to_bits(), all.mean_squared_error.to_bits());
        assert_eq!(some.evidence, all.evidence);
    }
    // Latents are the same with and without their log-variances.
    let encoded = model.encode(&data.train).unwrap();
    assert_eq!(encoded.log_variances.unwrap().len(), encoded.z.len());
    let kept = model.training_latents().unwrap();
    assert_eq!(kept, encoded.z[..kept.len()]);
}
