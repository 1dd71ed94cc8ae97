//! New images: from priors and from densities of latents, and of a class.

use latents::{
    Axes, Dataset, Error, Evaluation, Interpolation, OutlierConfig, Part, Recipe, Sampler, Session,
    TrainedModel,
};

use latents::models::{CodePrior, Stage};

use super::{lose_data, sample, small_vae};

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

    for kind in ["mixture", "vamp"] {
        let recipe = small_vae(&data).set("model.prior.kind", &kind);
        let learned = trained(kind, recipe.set("model.prior.components", &4));
        lose_data(&folder.path().join(kind));
        check_learned_prior(learned, &data, &session);
    }
}

fn check_learned_prior(mut learned: TrainedModel, data: &Dataset, session: &Session) {
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
    let card = learned.card(data, None, session).unwrap();
    let samples = card.samples.unwrap().samplers;
    assert!(samples.iter().any(|sampler| sampler.name == "the learned prior"));
    assert!(samples.iter().all(|sampler| !sampler.name.starts_with("N(0")));
    assert!(card.latents.kl_per_axis.is_none() && card.bounds.is_some());
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

/// A VQ-VAE that trains in a second.
fn small_vqvae(data: &latents::Dataset) -> Recipe {
    let stage = |channels| Stage { channels, kernel: 4, stride: 2, padding: 1 };
    Recipe::vqvae(data)
        .set("model.stages", &[stage(8), stage(12)])
        .set("model.quantizer.levels", &[5, 4])
        .set("model.blocks", &1)
        .set("model.prior_channels", &12)
        .set("model.prior_blocks", &1)
        .learning_rate(5e-3)
        .epochs(6)
        .seed(1)
}

#[test]
fn codes_are_drawn_from_their_prior_place_by_place() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    let data = sample(512, &session);
    let dir = folder.path().join("vqvae");
    let mut model = small_vqvae(&data).train(&data, &dir, &session).unwrap();
    let bits = model.code_bits().unwrap();
    assert!((bits - 49.0 * 20_f64.log2()).abs() < 1e-9, "{bits}");
    let encoded = model.encode(&data.test).unwrap();
    assert_eq!(encoded.dim, 2 * 49);
    let layout = model.config().network().unwrap().layout().unwrap();
    let prior = CodePrior::of(&layout, model.parameters()).unwrap();

    let card = model.card(&data, None, &session).unwrap();
    assert_eq!(card.code_bits, Some(bits));
    let samplers = card.samples.as_ref().unwrap();
    assert_eq!(samplers.samplers.len(), 1);
    assert_eq!((samplers.samplers[0].name.as_str(), samplers.fitted), ("the learned prior", 0));
    let bounds = card.bounds.as_ref().unwrap();
    let recorded = model.run().metrics().unwrap();
    assert_eq!(bounds.elbo.value.to_bits(), bounds.iwae.value.to_bits());
    let validated = recorded.last().unwrap().val_loss.unwrap();
    assert!((-bounds.elbo.value / validated - 1.0).abs() < 0.1, "{bounds:?} {validated}");
    // 49 codes of 20 are 211.8 bits, or 6 numbers of 32 bits.
    assert!(card.markdown("codes").contains("98 latents, codes of 212 bits"));
    assert!(card.principal_components.unwrap() > 0.02);

    let page = model.explorer(&data.test, &data.classes, 0).unwrap().html();
    assert!(page.contains("t-SNE of 98 latents"));

    // New images come from the run alone.
    lose_data(&dir);
    let new = model.sample(2_000, Sampler::Prior, 3).unwrap();
    assert_eq!(new.sampler, Sampler::Prior);
    let number = |z: &[f32], place: usize| {
        let code = [z[place], z[49 + place]];
        prior.codes.chunks_exact(2).position(|known| *known == code).expect("a code")
    };
    // As often as the prior says: the code of the first place, which has none before it.
    let runtime = session.runtime().unwrap();
    let mut network = latents::engine::Engine::<f32>::new(&prior.network, runtime).unwrap();
    let inputs = latents::engine::Inputs::Values(&new.z[..98]);
    let logits = network.forward(&prior.parameters, inputs, 0..1).unwrap();
    let weights: Vec<f64> = logits.iter().step_by(49).map(|&x| f64::from(x).exp()).collect();
    let total: f64 = weights.iter().sum();
    for (code, weight) in weights.iter().enumerate() {
        let drawn = new.z.chunks_exact(98).filter(|z| number(z, 0) == code).count();
        let (drawn, p) = (drawn as f64 / 2_000.0, weight / total);
        assert!((drawn - p).abs() < 4.0 * (p * (1.0 - p) / 2_000.0).sqrt() + 1e-3, "{code}");
    }
    assert!((0..49).all(|place| new.z.chunks_exact(98).all(|z| number(z, place) < 20)));
    // Each draw depends on its own index, and on the seed.
    assert_eq!(model.sample(300, Sampler::Prior, 3).unwrap().z, new.z[..300 * 98]);
    assert_ne!(model.sample(300, Sampler::Prior, 4).unwrap().z, new.z[..300 * 98]);
    // At a low temperature, the likeliest code of the first place.
    let likeliest = (0..20).max_by(|&a, &b| weights[a].total_cmp(&weights[b])).unwrap();
    let cold = model.sample(50, Sampler::Prior.tempered(0.01).unwrap(), 3).unwrap();
    assert!(cold.z.chunks_exact(98).all(|z| number(z, 0) == likeliest));
    let error = model.sample(5, Sampler::Mixture { components: 2 }, 0).unwrap_err();
    assert!(matches!(error, Error::OnlyPrior { sampler: "mixture", .. }), "{error}");
}

#[test]
fn a_conditional_prior_draws_codes_of_a_class() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::default();
    let data = sample(1_024, &session);
    let recipe = small_vqvae(&data).set("model.conditional", &true).epochs(12);
    let mut model = recipe.train(&data, folder.path().join("cvq"), &session).unwrap();
    let [trouser, bag] = ["Trouser", "Bag"].map(|name| model.class_named(name).unwrap());
    let mut brightness = |class: u16| {
        let made = model.sample_classes(200, &[class], Sampler::Prior, 1).unwrap();
        made.images.values.iter().map(|&x| f64::from(x)).sum::<f64>() / (200.0 * 784.0)
    };
    // Trousers are narrow, and bags fill the image.
    let (trousers, bags) = (brightness(trouser), brightness(bag));
    assert!(bags > trousers + 0.05, "{trousers} {bags}");
    let both = model.sample_classes(7, &[bag, trouser], Sampler::Prior, 1).unwrap();
    assert_eq!(both.classes.unwrap().labels, [bag, bag, bag, bag, trouser, trouser, trouser]);
}
