//! Outputs, losses and gradients of every layer kind without random draws, on every instruction set.

use std::collections::BTreeSet;
use std::sync::Arc;

use latents_engine::{Engine, Inputs, Layer, Loss, Mixup, Network, Pass, Section, Shape, Targets};
use serde::Deserialize;

use crate::{Golden, relative_error, runtimes};

/// Tolerance of single precision; PyTorch computed these files in double precision.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
pub(crate) struct Layers {
    input: Shape,
    layers: Vec<Layer>,
}

impl Layers {
    pub(crate) fn network(self) -> Network {
        let section = Section { name: String::new(), layers: self.layers };
        Network { input: self.input, sections: vec![section] }
    }
}

fn networks() -> Vec<Golden> {
    Golden::read_all("network_", 51)
}

/// The batch of a golden file.
struct Batch<'a> {
    golden: &'a Golden,
    classes: Vec<u16>,
    mixtures: Vec<Mixup>,
    loss: Loss,
    pass: Pass,
}

impl<'a> Batch<'a> {
    fn of(golden: &'a Golden) -> Self {
        let label_smoothing = golden.option("label_smoothing").unwrap_or(0.0);
        let (mut classes, mut mixtures) = (vec![], vec![]);
        let loss = match golden.case::<String>("loss").as_str() {
            "mse" => Loss::MeanSquaredError,
            "bce_with_logits" => Loss::BinaryCrossEntropyWithLogits,
            "cross_entropy" => {
                classes.extend(golden.values("target").iter().map(|&c| c as u16));
                Loss::CrossEntropy { label_smoothing }
            }
            "mixtures" => {
                mixtures.extend(
                    golden
                        .values("target")
                        .chunks(3)
                        .map(|t| Mixup { classes: [t[0] as u16, t[1] as u16], weight: t[2] }),
                );
                Loss::CrossEntropy { label_smoothing }
            }
            other => panic!("{}: loss {other}", golden.name),
        };
        let pass = match golden.option("train") {
            Some(true) => Pass::Train { seed: 0, epoch: 0 },
            _ => Pass::Evaluate,
        };
        Batch { golden, classes, mixtures, loss, pass }
    }

    fn inputs(&self) -> Inputs<'a, f32> {
        Inputs::Values(self.golden.values("input"))
    }

    fn targets(&self) -> Targets<'_, f32> {
        match (self.loss, self.golden.tensors.get("target")) {
            (Loss::CrossEntropy { .. }, _) if self.classes.is_empty() => {
                Targets::Mixup(&self.mixtures)
            }
            (Loss::CrossEntropy { .. }, _) => Targets::Classes(&self.classes),
            (_, Some(target)) => Targets::Values(&target.values),
            (_, None) => Targets::Inputs,
        }
    }

    /// The loss of each sample, and the gradient of the mean loss.
    fn gradients(&self, engine: &mut Engine, parameters: &[f32]) -> (Vec<f64>, Vec<f32>) {
        let mut gradients = vec![f32::NAN; parameters.len()];
        let (inputs, targets) = (self.inputs(), self.targets());
        let losses = engine
            .gradients(parameters, inputs, targets, self.loss, self.pass, &mut gradients)
            .unwrap();
        (losses.loss, gradients)
    }
}

#[test]
fn networks_compute_what_pytorch_computes() {
    let (runtimes, mut kinds, mut losses_seen) = (runtimes(), BTreeSet::new(), BTreeSet::new());
    for golden in networks() {
        let network = golden.case::<Layers>("network").network();
        kinds.extend(network.sections[0].layers.iter().map(Layer::kind));
        losses_seen.insert(golden.case::<String>("loss"));
        let layout = network.layout().unwrap();
        let mut parameters = vec![0.0; layout.parameter_count()];
        for parameter in layout.parameters() {
            let tensor = golden.tensor(&parameter.name);
            assert_eq!(parameter.shape, tensor.shape, "{}: {}", golden.name, parameter.name);
            parameters[parameter.range()].copy_from_slice(&tensor.values);
        }
        // The engine has every gradient that PyTorch has.
        let theirs = golden.tensors.keys().filter(|n| n.starts_with("grad.") && *n != "grad.input");
        assert_eq!(theirs.count(), layout.parameters().len(), "{}", golden.name);

        let batch = Batch::of(&golden);
        for runtime in &runtimes {
            let how = runtime.isa().to_string();
            let mut engine = Engine::<f32>::new(&network, Arc::clone(runtime)).unwrap();
            let (losses, gradients) = batch.gradients(&mut engine, &parameters);
            for parameter in layout.parameters() {
                let name = format!("grad.{}", parameter.name);
                golden.check(&name, &gradients[parameter.range()], TOLERANCE, &how);
            }
            assert_eq!(losses.len(), golden.tensor("input").shape[0]);
            let mean = losses.iter().sum::<f64>() / losses.len() as f64;
            golden.check("loss", &[mean as f32], TOLERANCE, &how);
            let (inputs, targets) = (batch.inputs(), batch.targets());
            let again = engine
                .losses(&parameters, inputs, targets, batch.loss, Pass::Evaluate)
                .unwrap()
                .loss;
            if batch.pass == Pass::Evaluate {
                assert_eq!(losses, again, "{}, {how}: losses without gradients", golden.name);
            }

            let output = engine.forward(&parameters, inputs, 0..1).unwrap();
            let numbers: usize = layout.output().iter().product();
            assert_eq!(output.len(), losses.len() * numbers);
            // A file whose targets are its inputs has only the outputs of the first samples.
            let first = match targets {
                Targets::Inputs => golden.tensor("output").shape[0] * numbers,
                _ => output.len(),
            };
            assert!(first > 0);
            golden.check("output", &output[..first], TOLERANCE, &how);
        }
    }
    let expected = [
        "avg_pool2d",
        "batch_norm2d",
        "conv2d",
        "conv_transpose2d",
        "gelu",
        "global_avg_pool2d",
        "leaky_relu",
        "linear",
        "masked_conv2d",
        "max_pool2d",
        "relu",
        "reshape",
        "residual",
        "sigmoid",
        "silu",
        "tanh",
    ];
    assert_eq!(kinds, BTreeSet::from(expected), "every kind but dropout, which draws at random");
    let expected = ["bce_with_logits", "cross_entropy", "mixtures", "mse"];
    assert_eq!(losses_seen, BTreeSet::from(expected.map(str::to_owned)));
}

/// The gradient of the input of a network, measured by a linear layer in front of it. The layer is the identity, so the
/// gradient of its output is PyTorch's `grad.input` (call it `g`, one row for each sample), the gradient of its bias is the sum of
/// the rows of `g`, and the gradient of its weight is `g^T x`, which distinguishes the rows.
#[test]
fn gradients_reach_the_input_as_in_pytorch() {
    let (runtimes, mut checked) = (runtimes(), 0);
    for golden in networks() {
        let Some(gradient) = golden.tensors.get("grad.input") else { continue };
        checked += 1;
        let Layers { input, mut layers } = golden.case("network");
        let size: usize = input.iter().product();
        assert!(size < 3_000, "{}: the identity of its input is too large", golden.name);
        let identity = [Layer::Linear { out_features: size }, Layer::Reshape { shape: input }];
        layers.splice(0..0, identity);
        let network = Layers { input, layers }.network();
        let layout = network.layout().unwrap();
        let mut parameters = vec![0.0; size * size + size];
        for i in 0..size {
            parameters[i * size + i] = 1.0;
        }
        let theirs = golden.case::<Layers>("network").network().layout().unwrap();
        for parameter in theirs.parameters() {
            parameters.extend(golden.values(&parameter.name));
        }
        assert_eq!(parameters.len(), layout.parameter_count());

        let (mut weight, mut bias) = (vec![0.0; size * size], vec![0.0; size]);
        let x = golden.values("input").chunks_exact(size);
        for (x, g) in x.zip(gradient.values.chunks_exact(size)) {
            for (o, &g) in g.iter().enumerate() {
                bias[o] += f64::from(g);
                for (sum, &x) in weight[o * size..].iter_mut().zip(x) {
                    *sum += f64::from(g) * f64::from(x);
                }
            }
        }
        let batch = Batch::of(&golden);
        for runtime in &runtimes {
            let mut engine = Engine::<f32>::new(&network, Arc::clone(runtime)).unwrap();
            let (_, gradients) = batch.gradients(&mut engine, &parameters);
            let (got_weight, rest) = gradients.split_at(size * size);
            let off = [relative_error(got_weight, &weight), relative_error(&rest[..size], &bias)];
            let isa = runtime.isa();
            let fine = off.iter().all(|&error| error <= TOLERANCE);
            assert!(fine, "{}, {isa}: input gradient is off by {off:?}", golden.name);
        }
    }
    assert_eq!(checked, 50, "all but the study's autoencoder");
}

/// Images as bytes from 0 to 255 give the same results as numbers from 0 to 1.
#[test]
fn bytes_are_their_fractions_of_255() {
    let goldens = networks();
    let golden = goldens.iter().find(|g| g.name == "network_study_autoencoder").unwrap();
    let network = golden.case::<Layers>("network").network();
    let mut engine = Engine::<f32>::new(&network, Arc::clone(&runtimes()[0])).unwrap();
    let parameters = engine.layout().parameters().iter();
    let parameters: Vec<f32> = parameters.flat_map(|p| golden.values(&p.name)).copied().collect();
    let pixels: Vec<u8> =
        golden.values("input").iter().map(|x| (x * 255.0).round() as u8).collect();
    assert!(pixels.iter().collect::<BTreeSet<_>>().len() > 100, "the images are nearly empty");
    let index: Vec<u32> = (0..golden.tensor("input").shape[0] as u32).collect();
    let inputs = Inputs::Images { pixels: pixels[..].into(), index: &index };
    let bytes = engine.forward(&parameters, inputs, 0..1).unwrap();
    let values = engine.forward(&parameters, Batch::of(golden).inputs(), 0..1).unwrap();
    assert_eq!(bytes, values);
}
