//! `Engine::backward`, compared bit for bit with the engine's own losses, and with finite differences of losses of whole batches.

use std::sync::Arc;

use latents_engine::{
    Backward, Engine, Inputs, Isa, Layer, Loss, Network, OutputGradients, Pass, Section, Targets,
};
use latents_random::{Purpose, stream};

use super::differences::{check, contrastive};
use super::{Case, INPUT_GRADIENTS, WIDE, bits, case, is_trained, narrow, runtime, ways};

const WEIGHT: f64 = 0.7;

fn weighted<E>(values: &[E]) -> OutputGradients<'_, E> {
    OutputGradients { values, weight: WEIGHT, free_bits: 0.0 }
}

/// The kernel of the loss multiplies each error by the same factor, so all roundings are the same.
#[test]
fn backward_of_the_squared_error_is_the_gradient_of_the_loss() {
    let runtime = runtime(2, Isa::detect());
    for seed in (0..100).chain(WIDE..WIDE + 6) {
        let Case { network, parameters, inputs, targets, mut criterion, pass, .. } = case(seed);
        criterion.loss = Loss::MeanSquaredError;
        let (parameters, inputs, targets) =
            (narrow(&parameters), narrow(&inputs), narrow(&targets));
        let batch = Inputs::Values(&inputs[..]);
        let mut engine = Engine::<f32>::new(&network, Arc::clone(&runtime)).unwrap();
        let mut expected = vec![0.0; parameters.len()];
        let of = Targets::Values(&targets);
        let losses =
            engine.gradients(&parameters, batch, of, criterion, pass, &mut expected).unwrap();
        let both =
            Engine::<f32>::with_options(&network, Arc::clone(&runtime), INPUT_GRADIENTS).unwrap();
        for (i, mut engine) in [engine, both].into_iter().enumerate() {
            let outputs = engine.outputs(&parameters, batch, 0..2, pass).unwrap();
            let scale = (2.0 / outputs.len() as f64) as f32;
            let slopes: Vec<f32> =
                outputs.iter().zip(&targets).map(|(y, t)| (y - t) * scale).collect();
            let mut gradients = vec![9.0; parameters.len()];
            let given = OutputGradients { weight: criterion.weight, ..(&slopes).into() };
            let back =
                engine.backward(&parameters, batch, given, 0..2, pass, &mut gradients).unwrap();
            assert_eq!(bits(&gradients), bits(&expected), "seed {seed}, {i}: {network:#?}");
            assert_eq!(back.penalty, losses.penalty, "seed {seed}, {i}");
            assert_eq!(back.input_gradients.map(|g| g.len()), [None, Some(inputs.len())][i]);
        }
    }
}

#[test]
fn gradients_of_a_loss_of_the_whole_batch_are_its_differences() {
    let runtime = runtime(1, Isa::detect());
    let mut checked = [0, 0];
    for seed in (0..60).chain(WIDE..WIDE + 2) {
        let Case { network, parameters, inputs, pass, .. } = case(seed);
        let n = inputs.len() / network.input.iter().product::<usize>();
        let mut engine =
            Engine::<f64>::with_options(&network, Arc::clone(&runtime), INPUT_GRADIENTS).unwrap();
        let layout = engine.layout().clone();
        let mut gradients = vec![0.0; parameters.len()];
        let mut step = |parameters: &[f64], inputs: &[f64]| {
            let batch = Inputs::Values(inputs);
            let outputs = engine.outputs(parameters, batch, 0..2, pass).unwrap();
            let (loss, slopes) = contrastive(&outputs, n);
            let given = weighted(&slopes);
            let back = engine.backward(parameters, batch, given, 0..2, pass, &mut gradients);
            let Backward { penalty, input_gradients } = back.unwrap();
            let penalty = penalty.iter().sum::<f64>() / n as f64;
            (loss + WEIGHT * penalty, gradients.clone(), input_gradients.unwrap())
        };
        let (_, mut of_parameters, of_inputs) = step(&parameters, &inputs);
        let mut random = stream(seed, Purpose::Synthetic, 3, 0);
        let what = format!("seed {seed}, {network:#?}");
        checked[1] +=
            check(&what, &mut random, &inputs, &of_inputs, &mut |x| step(&parameters, x).0);
        // Running statistics have positions in the vector, but no gradients.
        let trained: Vec<usize> =
            (0..parameters.len()).filter(|&i| is_trained(&layout, i)).collect();
        of_parameters = trained.iter().map(|&i| of_parameters[i]).collect();
        let at: Vec<f64> = trained.iter().map(|&i| parameters[i]).collect();
        checked[0] += check(&what, &mut random, &at, &of_parameters, &mut |moved| {
            let mut parameters = parameters.clone();
            for (&i, &x) in trained.iter().zip(moved) {
                parameters[i] = x;
            }
            step(&parameters, &inputs).0
        });
    }
    assert!(checked.iter().all(|&n| n > 300), "only {checked:?} were away from corners");
}

/// The input gradient of the second section, backpropagated through the first, gives the gradients of both.
#[test]
fn backward_by_sections_is_backward_of_the_whole() {
    let runtime = runtime(2, Isa::detect());
    for seed in 0..100 {
        let Case { network, parameters, inputs, pass, .. } = case(seed);
        let batch = Inputs::Values(&inputs[..]);
        let new = Engine::<f64>::new(&network, Arc::clone(&runtime)).unwrap();
        let mut engine =
            Engine::<f64>::with_options(&network, Arc::clone(&runtime), INPUT_GRADIENTS).unwrap();
        let layout = engine.layout().clone();
        let middle = engine.outputs(&parameters, batch, 0..1, pass).unwrap();
        let outputs = engine.outputs(&parameters, batch, 0..2, pass).unwrap();
        let n = inputs.len() / network.input.iter().product::<usize>();
        let (_, slopes) = contrastive(&outputs, n);
        let back = |engine: &mut Engine<f64>, inputs: &[f64], slopes: &[f64], sections| {
            let mut gradients = vec![9.0; parameters.len()];
            let (batch, given) = (Inputs::Values(inputs), weighted(slopes));
            let back = engine.backward(&parameters, batch, given, sections, pass, &mut gradients);
            (gradients, back.unwrap())
        };
        let (expected, whole) = back(&mut engine, &inputs, &slopes, 0..2);
        let (second, of_second) = back(&mut engine, &middle, &slopes, 1..2);
        let slopes = of_second.input_gradients.unwrap();
        let cut = layout.parameters_of(layout.section(0)).end;
        // Both kinds of engine may fuse the last ReLU of the first section.
        for mut engine in [engine, new] {
            let (first, of_first) = back(&mut engine, &inputs, &slopes, 0..1);
            assert!(first[cut..].iter().chain(&second[..cut]).all(|&g| g.to_bits() == 0));
            assert_eq!(
                [&first[..cut], &second[cut..]].concat(),
                expected,
                "seed {seed}: {network:#?}"
            );
            assert_eq!(of_first.penalty, whole.penalty, "seed {seed}");
            if let Some(gradients) = of_first.input_gradients {
                assert_eq!(Some(gradients), whole.input_gradients, "seed {seed}");
            }
        }
    }
}

#[test]
fn threads_and_instruction_sets_do_not_change_a_bit_of_backward() {
    let ways = ways();
    for seed in (0..60).chain(WIDE..WIDE + 6) {
        let Case { network, parameters, inputs, targets, pass, .. } = case(seed);
        let (parameters, inputs, slopes) = (narrow(&parameters), narrow(&inputs), narrow(&targets));
        let batch = Inputs::Values(&inputs[..]);
        let mut results = ways.iter().map(|runtime| {
            let mut engine =
                Engine::<f32>::with_options(&network, Arc::clone(runtime), INPUT_GRADIENTS)
                    .unwrap();
            let outputs = engine.outputs(&parameters, batch, 0..2, pass).unwrap();
            let mut gradients = vec![0.0; parameters.len()];
            let back =
                engine.backward(&parameters, batch, &slopes, 0..2, pass, &mut gradients).unwrap();
            let penalty: Vec<u64> = back.penalty.iter().map(|x| x.to_bits()).collect();
            (bits(&outputs), bits(&gradients), bits(&back.input_gradients.unwrap()), penalty)
        });
        let first = results.next().unwrap();
        assert!(results.all(|r| r == first), "seed {seed}: {network:#?}");
    }
}

#[test]
fn wrong_sizes_and_sections_are_refused() {
    let linear =
        |out_features| Section { name: "net".into(), layers: vec![Layer::Linear { out_features }] };
    let empty = Section { name: "empty".into(), layers: vec![] };
    let network = Network { input: [2, 1, 1], sections: vec![linear(3), empty] };
    let mut engine = Engine::<f64>::new(&network, runtime(1, Isa::detect())).unwrap();
    let (parameters, x) = ([0.0; 9], [0.0; 4]);
    let mut error = |slopes: &[f64], sections, gradients: &mut [f64]| {
        let batch = Inputs::Values(&x);
        let pass = Pass::Evaluate;
        engine
            .backward(&parameters, batch, slopes, sections, pass, gradients)
            .unwrap_err()
            .to_string()
    };
    let message = error(&[0.0; 5], 0..1, &mut [0.0; 9]);
    assert!(message.contains("gradients of the output: expected 6 numbers, got 5"), "{message}");
    let message = error(&[0.0; 6], 0..1, &mut [0.0; 8]);
    assert!(message.contains("gradients: expected 9 numbers, got 8"), "{message}");
    let message = error(&[0.0; 6], 0..3, &mut [0.0; 9]);
    assert!(message.contains("section 3"), "{message}");
    let message = error(&[0.0; 6], 1..2, &mut [0.0; 9]);
    assert!(message.contains("no layers"), "{message}");
}
