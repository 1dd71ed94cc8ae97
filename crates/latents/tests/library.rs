//! The library as a program uses it: a run without its data, interruption, progress, and settings in layers.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

use std::path::Path;
use std::sync::{Arc, Mutex};

use latents::data::{ArrayNumbers, ImageArrays};
use latents::evaluate::evaluate_seeds;
use latents::{
    Axes, Cancel, Dataset, Error, EvalOptions, Evaluation, Interpolation, LatentMap, Latents,
    Limits, OutlierConfig, Part, Pictures, ProbeConfig, Progress, Recipe, Reporter, Run, RunConfig,
    Sampler, Session, SettingsLayer, TrainedModel, train_run,
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
fn a_learned_prior_is_what_new_images_come_from() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    let data = sample(256, &session);
    let trained = |name: &str, recipe: Recipe| {
        recipe.train(&data, folder.path().join(name), &session).unwrap()
    };
    let mut normal = trained("normal", small_vae(&data));
    let own = normal.sample(5, Sampler::Prior, 7).unwrap();
    assert_eq!(own.sampler, Sampler::Normal);
    assert_eq!(own.z, normal.sample(5, Sampler::Normal, 7).unwrap().z);

    let recipe = small_vae(&data).set("model.prior.kind", &"mixture");
    let mut learned = trained("learned", recipe.set("model.prior.components", &4));
    lose_data(&folder.path().join("learned"));
    let own = learned.sample(4_000, Sampler::Prior, 7).unwrap();
    assert_eq!((own.sampler, own.images.len()), (Sampler::Prior, 4_000));
    assert_ne!(own.z[..30], learned.sample(5, Sampler::Normal, 7).unwrap().z[..]);
    // Its draws have the mean of the mixture that the weights of the run hold.
    let layout = learned.config().network().unwrap().layout().unwrap();
    let mixture = latents::models::LearnedPrior::of(&layout, learned.parameters()).unwrap();
    for axis in 0..6 {
        let each = mixture.weights.iter().zip(mixture.means.iter().skip(axis).step_by(6));
        let expected: f64 = each.map(|(weight, mean)| weight * mean).sum();
        let drawn = own.z.iter().skip(axis).step_by(6).map(|&z| f64::from(z)).sum::<f64>();
        assert!((drawn / 4_000.0 - expected).abs() < 0.08, "{axis}: {drawn} {expected}");
    }
    let card = learned.card(&data, None, &session).unwrap();
    let samples = card.samples.unwrap().samplers;
    assert!(samples.iter().any(|sampler| sampler.name == "the learned prior"));
    assert!(samples.iter().all(|sampler| !sampler.name.starts_with("N(0")));
    assert!(card.latents.kl_per_axis.is_none() && card.bounds.is_some());
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
fn a_conditional_model_decodes_images_of_a_class() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    let data = sample(512, &session);
    let recipe = small_vae(&data).set("model.conditional", &true).learning_rate(3e-3).epochs(12);
    let mut model = recipe.train(&data, folder.path().join("cvae"), &session).unwrap();
    assert!(model.is_conditional() && model.config().data.classes == data.classes);

    // Latents need no class, images do.
    let z = model.encode(&data.test).unwrap();
    let error = model.decode(&z.z).unwrap_err();
    assert!(matches!(error, Error::ClassNeeded { .. }), "{error}");
    let own = model.decode_latents(&z).unwrap();
    assert_eq!(own, model.reconstruct(&data.test).unwrap());
    let coat = model.class_named("Coat").unwrap();
    let coats = model.decode_as(&z.z, &vec![coat; z.len()]).unwrap();
    assert!(own != coats);
    let error = model.class_named("Boat").unwrap_err().to_string();
    assert!(error.contains("did you mean \"Coat\"?") && error.contains("Sneaker"), "{error}");
    assert!(model.decode_as(&z.z, &[coat]).is_err() && model.decode_as(&z.z[..6], &[10]).is_err());

    // The classes of images from elsewhere are found by their names, whatever their order.
    let mut turned = data.test.clone();
    let mut classes = data.classes.clone();
    classes.reverse();
    turned.labels.iter_mut().flatten().flatten().for_each(|label| *label = 9 - *label);
    let found = model.in_own_classes(&turned, &classes);
    assert_eq!(found.labels, data.test.labels);
    classes[0] = "Hat".into();
    let error = model.reconstruct(&model.in_own_classes(&turned, &classes)).unwrap_err();
    assert!(matches!(error, Error::ClassesMissing { missing: 1.., of: 64, .. }), "{error}");
    let mut unlabelled = data.test.clone();
    unlabelled.labels = None;
    assert!(model.encode(&unlabelled).is_ok());
    for refused in [
        model.reconstruct(&unlabelled).err(),
        model.reconstruction_errors(&unlabelled).err(),
        model.reconstruction(&unlabelled, 0, None).err(),
        model.explorer(&unlabelled, &data.classes, 0).err(),
    ] {
        assert!(matches!(refused, Some(Error::ClassesMissing { of: 64, .. })), "{refused:?}");
    }

    // Samples: as many of each class as possible, and the bounds are of the classes.
    let all = model.sample(23, Sampler::Normal, 1).unwrap();
    let of = all.classes.as_ref().unwrap().groups();
    assert_eq!((of.len(), of[0].1.len(), of[2].1.len(), of[3].1.len()), (10, 3, 3, 2));
    assert!(all.figure().svg().contains("Ankle boot"));
    let some = model.sample_classes(4, &[coat, 0], Sampler::Uniform, 1).unwrap();
    assert_eq!(some.classes.as_ref().unwrap().labels, [coat, coat, 0, 0]);
    assert_eq!(some.images, model.decode_as(&some.z, &[coat, coat, 0, 0]).unwrap());
    assert!(model.sample_classes(4, &[], Sampler::Normal, 1).is_err());
    let bound = model.reconstruction(&data.test, 0, Some(2)).unwrap().evidence.unwrap();
    assert!(bound.conditional && bound.to_string().contains("log p(x|y)"), "{bound}");
    let mut other = data.test.clone();
    other.labels.iter_mut().flatten().flatten().for_each(|label| *label = (*label + 1) % 10);
    let wrong = model.reconstruction(&other, 0, Some(2)).unwrap().evidence.unwrap();
    assert!(wrong.reconstruction > bound.reconstruction + 1.0, "{wrong} {bound}");

    // Paths: of the class of the first point, of a given one, of each.
    let ends = [z.point(0).unwrap(), z.point(9).unwrap()];
    let [from, to] = ends.each_ref();
    let first = model.traverse([from, to], 3, Interpolation::Linear).unwrap();
    let each = model.traverse_classes([from, to], 3, Interpolation::Linear, &[]).unwrap();
    assert_eq!((first.images.len(), each.images.len(), each.z.len()), (3, 30, 180));
    let row = usize::from(data.test.labels.as_ref().unwrap()[0].unwrap()) * 3 * 784;
    assert_eq!(each.images.values[row..row + 3 * 784], first.images.values);
    let as_coat = from.clone().of_class("Coat");
    let square = [&as_coat, to, from, to];
    assert!(model.traverse_square(square, 3, Interpolation::Linear).is_ok());
    let axes = model.traverse_axes(&as_coat, Axes::One(0), 3).unwrap();
    assert_eq!(axes.images, model.decode_as(&axes.z, &[coat; 3]).unwrap());
    let mut unknown = from.clone();
    unknown.class = None;
    let error = model.traverse_axes(&unknown, Axes::One(0), 3).unwrap_err();
    assert!(matches!(error, Error::ClassNeeded { .. }), "{error}");

    // Everything else that decodes.
    let Evaluation::Latents(card) = model.evaluate(&data, &session).unwrap() else {
        panic!("it has latents");
    };
    assert!(card.conditional && card.markdown("Card").contains("log p(x|y)"));
    assert!(card.bounds.is_some() && card.samples.is_some() && card.traversals.is_some());
    let selected = model.select(&latents::Selection::Part(Part::Test)).unwrap();
    assert_eq!(model.outliers(&selected, OutlierConfig::default()).unwrap().0.hardest.len(), 10);
    assert!(model.reconstructions_figure(&data).is_ok());
    assert!(model.explorer(&data.test, &data.classes, 0).unwrap().html().contains("Decode as"));

    // A model without a condition takes no class.
    let mut plain = small_vae(&data).train(&data, folder.path().join("vae"), &session).unwrap();
    for error in [
        plain.class_named("Coat").err(),
        plain.decode_as(&[0.0; 6], &[0]).err(),
        plain.sample_classes(1, &[0], Sampler::Normal, 1).err(),
        plain.traverse_classes([from, to], 3, Interpolation::Linear, &[]).err(),
    ] {
        assert!(matches!(error, Some(Error::NotConditional { .. })), "{error:?}");
    }
    assert!(!plain.sample(2, Sampler::Normal, 1).unwrap().figure().svg().contains("each class"));
}

/// A fitted density is that of the class, and the run's folder is enough for it.
#[test]
fn latents_of_samples_come_from_the_latents_of_their_class() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    let data = sample(512, &session);
    let recipe = small_vae(&data).set("model.conditional", &true).learning_rate(3e-3).epochs(12);
    let mut model = recipe.train(&data, folder.path().join("cvae"), &session).unwrap();
    let [coat, bag] = ["Coat", "Bag"].map(|name| model.class_named(name).unwrap());
    let mixture = Sampler::Mixture { components: 1 };
    let both = model.sample_classes(80, &[coat, bag], mixture, 3).unwrap();
    let train = model.encode(&data.train).unwrap();
    let centre = |rows: &mut dyn Iterator<Item = &[f32]>| {
        let rows: Vec<&[f32]> = rows.collect();
        let mean = |k: usize| rows.iter().map(|z| z[k]).sum::<f32>() / rows.len() as f32;
        (0..6).map(mean).collect::<Vec<f32>>()
    };
    let of_class = |class: u16| {
        let labels = train.labels.as_ref().unwrap().iter();
        let own = train.z.chunks_exact(6).zip(labels).filter(|(_, label)| **label == Some(class));
        centre(&mut own.map(|(z, _)| z))
    };
    let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let (coats, bags) = (of_class(coat), of_class(bag));
    for (half, [own, other]) in both.z.chunks_exact(240).zip([[&coats, &bags], [&bags, &coats]]) {
        let drawn = centre(&mut half.chunks_exact(6));
        assert!(apart(&drawn, own) < 0.25 * apart(&drawn, other), "{drawn:?} {own:?} {other:?}");
    }
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in ["config.toml", "model.safetensors", "latents.safetensors"] {
        std::fs::copy(model.dir().join(file), copy.join(file)).unwrap();
    }
    lose_data(&copy);
    let mut moved = TrainedModel::open(&copy, &session.clone().accept_changes(true)).unwrap();
    assert_eq!(moved.sample_classes(80, &[coat, bag], mixture, 3).unwrap().z, both.z);
    let error = model.sample_classes(4, &[bag], Sampler::Mixture { components: 400 }, 1);
    assert!(error.unwrap_err().to_string().contains("class Bag"));
}

/// The encoder of a conditional model is an encoder like any other, and on other images the model has a design that takes a class.
#[test]
fn a_conditional_model_has_an_encoder_and_the_design_of_the_study() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    let data = sample(256, &session);
    let conditional = small_vae(&data).set("model.conditional", &true);
    let dir = folder.path().join("cvae");
    conditional.train(&data, &dir, &session).unwrap();
    let classifier = Recipe::classifier(&data, &dir).epochs(1);
    let mut classifier = classifier.train(&data, folder.path().join("cl"), &session).unwrap();
    let Evaluation::Classes(card) = classifier.evaluate(&data, &session).unwrap() else {
        panic!("it classifies");
    };
    assert_eq!(card.images, 64);

    let mut other = data.clone();
    other.name = "in memory".into();
    let of = |recipe: Recipe| recipe.config(&other, &session);
    let plain = of(Recipe::new("vae").unwrap()).unwrap();
    assert!(plain.model.linear_start(plain.data.shape).is_some());
    let given = of(Recipe::new("vae").unwrap().set("model.conditional", &true)).unwrap();
    assert!(given.model.is_conditional() && given.network().is_ok());
    let refused = Recipe::new("vae").unwrap().set("model.conditional", &true);
    let refused = of(refused.set("model.design", &"residual"));
    let error = refused.unwrap().check().unwrap_err().to_string();
    assert!(error.contains("conditional") && error.contains("design study"), "{error}");

    // Without labels there is nothing to give the decoder.
    let mut unlabelled = data.clone();
    unlabelled.train.labels = None;
    let error = conditional.train(&unlabelled, folder.path().join("no"), &session).unwrap_err();
    assert!(error.to_string().contains("256 of 256 images have none"), "{error}");
    assert!(!folder.path().join("no").exists());
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
fn layers_go_over_defaults_and_values_over_layers() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    let data = sample(64, &session);
    let file = "[training]\nepochs = 7\nseed = 3\nschedule = { kind = \"one-cycle\", peak = 0.5 }";
    let recipe = Recipe::vae(&data).layer(SettingsLayer::parse("file", file).unwrap()).seed(9);
    let config = recipe.config(&data, &session).unwrap();
    assert_eq!((config.training.epochs, config.training.seed), (7, 9));
    let rate = config.training.learning_rate;
    assert!((rate - 2e-4).abs() < 1e-12, "{rate} is not the recipe's own");
    assert_eq!(config.data.digest, data.digest());
    let same =
        recipe.clone().set("training.schedule.kind", &"one-cycle").config(&data, &session).unwrap();
    assert_eq!(same.training.schedule, config.training.schedule, "it keeps its fraction");
    let other = recipe.clone().set("training.schedule.kind", &"warmup-cosine");
    let warmup = latents::engine::Schedule::WarmupCosine { warmup: 0.1 };
    assert_eq!(other.config(&data, &session).unwrap().training.schedule, warmup);
    let wrong = recipe.set("training.epochz", &1).config(&data, &session).unwrap_err().to_string();
    assert!(wrong.contains("did you mean `epochs`?"), "{wrong}");

    // A run that a program trained is opened by its folder alone.
    let mut config = RunConfig::of_kind("ae", data.shape()).unwrap();
    config.data = latents::train::DataConfig::of(&data);
    config.training.epochs = 1;
    train_run(&Run::at(folder.path()), &config, &data.train, &session).unwrap();
    let model = TrainedModel::open(folder.path(), &session).unwrap();
    assert_eq!(model.data().unwrap().train, data.train);
}

#[test]
fn own_images_have_the_residual_design_unless_a_setting_is_of_the_other() {
    let session = Session::default();
    let mut data = sample(128, &session);
    data.name = "own".into();
    let design = |recipe: Recipe| {
        let config = recipe.config(&data, &session).unwrap();
        let starts = config.model.linear_start(data.shape()).is_some();
        (starts, config.training.epochs)
    };
    let own = |kind: &str| Recipe::new(kind).unwrap().set("data.source", &"own");
    for kind in ["ae", "vae"] {
        let (starts, epochs) = design(own(kind));
        assert!(starts, "{kind}");
        // A trial has a quarter of the epochs, and searches what the design has.
        let tuner = latents::Tuner::new(own(kind));
        assert_eq!(design(tuner.recipe().clone()), (true, epochs / 4));
        let space = tuner.space_for(Some(&data)).unwrap();
        assert!(space.dimensions().iter().any(|d| d.name == "refiner.blocks"));
        assert!(!design(own(kind).set("model.design", &"study")).0);
    }
    for (setting, value) in
        [("likelihood", "bernoulli"), ("regularizer", "mmd"), ("regularizer", "tc")]
    {
        assert!(!design(own("vae").set(&format!("model.{setting}"), &value)).0, "{setting}");
    }
    let wrong = own("vae").set("model.design", &"residual").set("model.likelihood", &"bernoulli");
    let error = wrong.config(&data, &session).and_then(|config| Ok(config.check()?));
    assert!(error.unwrap_err().to_string().contains("likelihood gaussian"));
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
}

#[test]
fn settings_of_images_that_are_open_are_refused() {
    let session = Session::default();
    let data = sample(64, &session);
    let refused = |recipe: Recipe, setting: &str, set: &str, found: &str| {
        let error = recipe.config(&data, &session).unwrap_err();
        let Error::ImagesOpen { name, set: given, found: there } = &error else {
            panic!("{error}")
        };
        assert_eq!((name.as_str(), given.as_str(), there.as_str()), (setting, set, found));
    };
    let recipe = Recipe::ae(&data);
    refused(recipe.clone().set("data.train_limit", &32), "data.train_limit", "32", "64");
    let source = recipe.clone().set("data.source", &"fashion-mnist");
    refused(source, "data.source", "\"fashion-mnist\"", "\"fashion-mnist-sample\"");
    let file = SettingsLayer::parse("a.toml", "[data.pictures]\nsize = [8, 8]").unwrap();
    refused(recipe.clone().layer(file), "data.pictures.size", "[8,8]", "none");
    // The settings that the images were opened with are fine, and those of a run's own file.
    let same = recipe.clone().set("data.train_limit", &64).set("data.pictures.grey", &false);
    let config = same.config(&data, &session).unwrap();
    let text = toml::to_string(&config).unwrap();
    let file = SettingsLayer::parse("config.toml", &text).unwrap();
    assert_eq!(Recipe::ae(&data).layer(file).config(&data, &session).unwrap(), config);
    let asked = recipe.set("data.test_limit", &3);
    let opened = asked.open_data("out".as_ref(), &session).unwrap();
    assert_eq!(asked.config(&opened, &session).unwrap().data.test_limit, Some(3));
}

#[test]
fn a_range_that_is_found_in_the_images_is_no_contradiction() {
    let session = Session::default();
    let numbers: Vec<f32> = (0..40 * 64).map(|i| (i % 101) as f32 - 50.5).collect();
    let range = "p0..p100".parse().unwrap();
    let settings = Pictures { range, test_fraction: 0.0, ..Pictures::default() };
    let (name, shape) = ("X", &[40, 8, 8][..]);
    let numbers = ArrayNumbers::F32(&numbers);
    let images = ImageArrays { name, shape, numbers, labels: None, names: None, part: None };
    let data = Dataset::from_arrays("mine", vec![images], None, &settings, &session).unwrap();
    let recipe = Recipe::new("ae").unwrap();
    let asked = recipe.clone().set("data.pictures.range", &"p0..p100");
    let config = asked.set("data.pictures.range_per_channel", &false).config(&data, &session);
    assert_eq!(config.unwrap().data.pictures.range.to_string(), "-50.5..49.5");
    let other = recipe.set("data.pictures.range", &"0..255").config(&data, &session);
    assert!(matches!(other, Err(Error::ImagesOpen { .. })), "{other:?}");
}

#[test]
fn results_do_not_lie_among_the_pictures_of_images_that_are_open() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    let Dataset { classes, train, test, .. } = sample(64, &session);
    let pictures = folder.path().join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    let name = format!("folder:{}", pictures.display());
    let data = Dataset::from_parts(name, classes, train, test).unwrap();
    let (recipe, out) = (Recipe::ae(&data).epochs(1), pictures.join("run"));
    let error = recipe.train(&data, &out, &session).unwrap_err();
    assert!(matches!(error, Error::OutputAmongPictures { .. }), "{error}");
    let error = latents::Tuner::new(recipe.clone()).tune(&data, &out, &session).unwrap_err();
    assert!(matches!(error, Error::OutputAmongPictures { .. }), "{error}");
    assert!(!out.exists());
    recipe.train(&data, folder.path().join("run"), &session).unwrap();
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
