//! Settings in layers, and those of images that are open already.

use latents::data::{ArrayNumbers, ImageArrays};
use latents::{
    Dataset, Error, Pictures, Recipe, Run, RunConfig, Session, SettingsLayer, TrainedModel,
    train_run,
};

use super::sample;

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
