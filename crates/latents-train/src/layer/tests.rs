//! What layers set, how they are merged, and which of them an error blames.

use latents_data::Augmentation;
use latents_engine::Schedule;
use latents_models::{
    AutoencoderConfig, ClassifierConfig, CnnConfig, Likelihood, Model, VaeConfig,
};

use super::*;
use crate::encoder::EncoderTraining;
use crate::optimizer::OptimizerKind;

/// Applies the settings of a file to `base`.
fn overlaid(base: &RunConfig, file: &str) -> Result<RunConfig, Error> {
    base.with_layers([&SettingsLayer::parse("", file)?])
}

#[test]
fn a_file_may_leave_settings_out() {
    let mut base = RunConfig::default();
    base.training.epochs = 7;
    assert_eq!(overlaid(&base, "").unwrap(), base);
    let file = "[training]\nseed = 3\nclip_norm = 1.0\n[data.pictures]\nsize = [4, 5]\n";
    let config = overlaid(&base, file).unwrap();
    assert_eq!((config.training.epochs, config.training.seed), (7, 3));
    assert_eq!(config.training.clip_norm, Some(1.0));
    assert_eq!(config.data.pictures.size, Some([4, 5]));
    assert_eq!(config.model, base.model);
    // A file with all settings of a run overrides every setting of the base.
    let text = toml::to_string(&config).unwrap();
    assert_eq!(overlaid(&RunConfig::default(), &text).unwrap(), config);
    base.training.augmentation = Augmentation { flip: 0.5, shift: 2, ..Default::default() };
    base.training.schedule = Schedule::OneCycle { peak: 0.2 };
    assert_eq!(overlaid(&base, &text).unwrap(), config);
    // A section keeps the settings that are not in the file, unless its kind changes.
    let config = overlaid(&base, "[training.augmentation]\nflip = 0.1\n").unwrap();
    let training = &config.training;
    assert_eq!((training.augmentation.flip, training.augmentation.shift), (0.1, 2));
    assert_eq!(training.schedule, Schedule::OneCycle { peak: 0.2 });
    let file = "[training]\nschedule = { kind = \"warmup-cosine\", warmup = 0.3 }\n";
    let schedule = overlaid(&base, file).unwrap().training.schedule;
    assert_eq!(schedule, Schedule::WarmupCosine { warmup: 0.3 });
    for (file, expected) in [
        ("[training]\nepoch = 3", "line 2", "did you mean `epochs`?"),
        ("[trainings]", "line 1", "did you mean `training`?"),
        ("[data.pictures]\nsise = 3", "line 2", "did you mean `size`?"),
        ("[training]\noptimizer = \"adamm\"", "line 2", "did you mean `adam`?"),
        ("[model]\nkind = \"vae\"\nlatent_dims = 3", "line 1", "did you mean `latent_dim`?"),
        ("[model]\nkind = \"vae\"\nbetta = 3", "line 1", "did you mean `beta`?"),
        ("[training]\nseed = \"one\"", "line 2", "invalid type"),
        ("[data", "line 1", "TOML parse error"),
        (
            "[training]\nseed = 1\n[model]\nlatent_dim = 3",
            "line 3",
            "missing field `kind`, one of `ae`, `classifier`, `cnn`, `vae`, `vqvae`\nadd it to `model`, such as kind = \"ae\"",
        ),
        (
            "[model]\nkind = \"classifier\"\n[model.encoder]\nlatent_dim = 3",
            "line 1",
            "add it to `model.encoder`",
        ),
        ("[training.schedule]\nwarmup = 0.1", "line 1", "`warmup-cosine`"),
        ("[training.augmentation]\nmix = { alpha = 1.0 }", "line 2", "`cutmix`"),
    ]
    .map(|(file, line, expected)| (file, [line, expected]))
    {
        let said = SettingsLayer::parse("my.toml", file).unwrap_err().to_string();
        assert!(expected.iter().all(|text| said.contains(text)), "{file}: {said}");
        assert!(said.starts_with("my.toml: settings: "), "{said}");
    }
}

#[test]
fn settings_are_replaced_by_name() {
    let with = |name: &str, value: toml::Value| {
        RunConfig::default().with([(name.to_owned(), value)]).map_err(|e| e.to_string())
    };
    let model = with("latent_dim", 185.into()).unwrap().model;
    assert_eq!(model.latents([1, 28, 28]).map(|l| l.dim), Some(185));
    assert_eq!(with("learning_rate", 0.0058.into()).map(|c| c.training.learning_rate), Ok(0.0058));
    assert_eq!(with("optimizer", "sgd".into()).unwrap().training.optimizer, OptimizerKind::Sgd);
    assert_eq!(with("clip_norm", 1.0.into()).unwrap().training.clip_norm, Some(1.0));
    for (name, value, expected) in [
        ("latent_dims", 185.into(), "no setting `latent_dims`; did you mean `latent_dim`?"),
        ("latent_dim", 1.5.into(), "invalid type"),
        ("optimizer", "lbfgs".into(), "unknown variant `lbfgs`"),
        ("source", "elsewhere".into(), "no setting `source`"),
    ] {
        let said = with(name, value).unwrap_err();
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn an_optional_setting_without_a_value_is_known() {
    let likelihood = Likelihood::Gaussian;
    let model = ModelConfig::Vae(VaeConfig { likelihood, ..VaeConfig::default() });
    let config = RunConfig { model, ..RunConfig::default() };
    let with = |name: &str| config.with([(name.to_owned(), 0.2.into())]);
    match with("sigma").unwrap().model {
        ModelConfig::Vae(model) => assert_eq!(model.sigma, Some(0.2)),
        other => panic!("{other:?}"),
    }
    assert!(with("sigmas").unwrap_err().to_string().contains("did you mean `sigma`"));
}

#[test]
fn the_defaults_of_a_kind_are_its_model_and_its_recipe() {
    for image in [[1, 28, 28], [3, 64, 64]] {
        let ae = AutoencoderConfig::for_images(image);
        let of_kind = |kind: &str| RunConfig::of_kind(kind, image).unwrap();
        assert_eq!(of_kind("ae"), RunConfig { model: ae.clone().into(), ..RunConfig::default() });

        let mut vae = VaeConfig::default();
        vae.autoencoder.latent_dim = vae.autoencoder.latent_dim.min(ae.latent_dim);
        (vae.autoencoder.stages, vae.autoencoder.hidden) = (ae.stages, ae.hidden);
        let training = TrainingConfig {
            learning_rate: 2e-4,
            weight_decay: 1.8e-3,
            epochs: 50,
            ..TrainingConfig::default()
        };
        let expected = RunConfig { model: vae.into(), training, ..RunConfig::default() };
        assert_eq!(of_kind("vae"), expected);

        let training = TrainingConfig {
            epochs: 10,
            batch_size: 32,
            optimizer: OptimizerKind::Adamw,
            learning_rate: 3e-3,
            weight_decay: 0.05,
            label_smoothing: 0.1,
            schedule: Schedule::OneCycle { peak: 0.3 },
            validation_fraction: 0.0,
            encoder: Some(EncoderTraining::default()),
            ..TrainingConfig::default()
        };
        let model = ClassifierConfig::default().into();
        let expected = RunConfig { training, model, ..RunConfig::default() };
        assert_eq!(of_kind("classifier"), expected);

        let augmentation =
            Augmentation { flip: 0.5, shift: 2, erase: 0.25, ..Augmentation::default() };
        let training = TrainingConfig {
            epochs: 25,
            batch_size: 128,
            optimizer: OptimizerKind::Adamw,
            learning_rate: 4e-3,
            weight_decay: 0.05,
            validation_fraction: 0.0,
            label_smoothing: 0.1,
            schedule: Schedule::OneCycle { peak: 0.2 },
            augmentation,
            ..TrainingConfig::default()
        };
        let model = CnnConfig::for_images(image).into();
        let expected = RunConfig { training, model, ..RunConfig::default() };
        assert_eq!(of_kind("cnn"), expected);
    }
    assert!(RunConfig::of_kind("gan", [1, 28, 28]).is_err());
}

#[test]
fn a_kind_is_tuned_with_settings_of_its_own() {
    for (kind, trial, refit) in [
        ("ae", (10, 0.2, Schedule::Constant), (42, 0.2, Schedule::Cosine)),
        ("vae", (10, 0.2, Schedule::Constant), (50, 0.2, Schedule::Cosine)),
        (
            "classifier",
            (10, 0.2, Schedule::OneCycle { peak: 0.3 }),
            (10, 0.0, Schedule::OneCycle { peak: 0.3 }),
        ),
    ] {
        let tuning = ModelConfig::tuning(kind).unwrap().unwrap();
        let base = RunConfig::of_kind(kind, [1, 28, 28]).unwrap();
        let trial_layer = SettingsLayer::parse("trial.toml", tuning.trial).unwrap();
        let refit_layer = SettingsLayer::parse("refit.toml", tuning.refit).unwrap();
        let of_trial = base.with_layers([&trial_layer]).unwrap();
        let of_refit = of_trial.with_layers([&refit_layer]).unwrap();
        let settings = |config: &RunConfig| {
            let training = &config.training;
            (training.epochs, training.validation_fraction, training.schedule)
        };
        assert_eq!((settings(&of_trial), settings(&of_refit)), (trial, refit), "{kind}");
    }
    assert_eq!(ModelConfig::tuning("cnn").unwrap(), None);
}

#[test]
fn layers_are_merged_in_their_order() {
    let file = SettingsLayer::parse(
        "a.toml",
        "[data]\nsource = \"x\"\n[training]\nseed = 1\nclip_norm = 1.0",
    )
    .unwrap();
    assert_eq!((file.origin(), file.source()), ("a.toml", Some("x")));
    assert!(file.has("training.seed") && file.has("data.source"));
    assert!(!file.has("training.epochs") && !file.has("model.kind") && !file.has("seed"));
    let mut flags = SettingsLayer::default();
    flags.set("training.seed", &2).unwrap();
    flags.set("training.schedule.kind", &"cosine").unwrap();
    flags.unset("training.clip_norm");
    let merge = |layers: &[&SettingsLayer]| {
        let config = RunConfig::default().with_layers(layers.iter().copied()).unwrap();
        (config.training.seed, config.training.clip_norm, config.training.schedule)
    };
    assert_eq!(merge(&[&file, &flags]), (2, None, Schedule::Cosine));
    assert_eq!(merge(&[&flags, &file]), (1, Some(1.0), Schedule::Cosine));

    let error = flags.set("training.seed.low", &2).unwrap_err().to_string();
    assert!(error.contains("`seed` is not a section"), "{error}");
    flags.set("training.epoch", &3).unwrap();
    let error = RunConfig::default().with_layers([&file, &flags]).unwrap_err().to_string();
    assert!(error.contains("did you mean `epochs`?"), "{error}");
    assert!(error.starts_with("settings: "), "the file is not to blame: {error}");
}

#[test]
fn the_last_layer_that_sets_a_wrong_value_is_named() {
    let layer = |origin: &str, settings: &[(&str, toml::Value)]| {
        let mut layer = SettingsLayer { origin: origin.into(), ..SettingsLayer::default() };
        for (path, value) in settings {
            layer.set(path, value).unwrap();
        }
        layer
    };
    let fine = |name: &str| layer(name, &[("training.epochs", 3.into())]);
    let unknown = |name: &str| layer(name, &[("training.epoch", 3.into())]);
    let wrong = |name: &str| layer(name, &[("training.seed", "x".into())]);
    let rise = |name: &str| layer(name, &[("training.schedule.peak", 0.2.into())]);
    let cycle = |name: &str| layer(name, &[("training.schedule.kind", "one-cycle".into())]);
    let cosine = |name: &str| layer(name, &[("training.schedule.kind", "warmup-cosine".into())]);
    for (layers, culprit) in [
        (vec![fine("a"), wrong("b"), fine("c")], "b"),
        (vec![wrong("a"), fine("b")], "a"),
        (vec![wrong("a"), wrong("b"), fine("c")], "b"),
        (vec![fine("a"), unknown("b")], "b"),
        (vec![fine("a"), cosine("b"), rise("c")], "c"),
        // The rise needs the cycle before it, which is fine: the wrong seed is not its fault.
        (vec![wrong("a"), cycle("b"), rise("c")], "a"),
    ] {
        let error = RunConfig::default().with_layers(&layers).unwrap_err();
        let Error::Settings { origin, problem } = &error else { panic!("{error}") };
        assert_eq!(origin, culprit, "{problem}");
    }
}

#[test]
fn vectors_are_not_flipped_or_shifted() {
    let of = |shape| RunConfig::for_collection("cnn", shape, 1_000).unwrap().training.augmentation;
    assert_eq!(of([1, 1, 30]), Augmentation::default());
    assert_ne!(of([1, 30, 30]), Augmentation::default());
}
