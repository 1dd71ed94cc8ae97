//! Nearest neighbours by exact search, and the class that they vote for. Distances are Euclidean. The products come from the
//! engine: a matrix whose rows are the vectors to search, so they are the same bits on any machine.

use std::sync::Arc;

use latents_engine::{Engine, Inputs, Layer, Network, Runtime, Section};

use super::count;
use crate::Error;

/// Vectors that are searched at once.
const CHUNK: usize = 2_048;
/// Vectors that are searched for at once.
const QUERIES: usize = 2_048;

/// Places of the `k` of `among` `[n, dim]` that are nearest to each of `queries` `[m, dim]`, the nearest first: `[m, k]`. Of
/// equals, the first. Where `among` has fewer than `k`, all of them.
///
/// # Errors
/// Where the sizes do not fit, or there is nothing to search.
pub fn nearest(
    queries: &[f32],
    among: &[f32],
    dim: usize,
    k: usize,
    runtime: &Arc<Runtime>,
) -> Result<Vec<u32>, Error> {
    let (m, n) =
        (count("the list of queries", queries, dim)?, count("the list of vectors", among, dim)?);
    let k = k.min(n);
    // Far from the origin, short distances would drown in the rounding of large products.
    let mean = mean(among, dim);
    let centred = |x: &[f32]| -> Vec<f32> {
        x.iter().enumerate().map(|(i, x)| (f64::from(*x) - mean[i % dim]) as f32).collect()
    };
    let mut found = vec![Best::new(k); m];
    let mut engine = None;
    for (chunk, among) in among.chunks(CHUNK * dim).enumerate() {
        let rows = among.len() / dim;
        let mut parameters = centred(among);
        // |q - x|^2 = |q|^2 - 2 (q x - |x|^2 / 2): the nearest has the largest of what is in the brackets.
        let halves = parameters
            .chunks_exact(dim)
            .map(|row| -0.5 * row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>());
        let halves: Vec<f32> = halves.map(|h| h as f32).collect();
        parameters.extend(halves);
        let engine = match &mut engine {
            Some((of, engine)) if *of == rows => engine,
            slot => {
                let layers = vec![Layer::Linear { out_features: rows }];
                let sections = vec![Section { name: "rows".into(), layers }];
                let network = Network { input: [dim, 1, 1], sections };
                &mut slot.insert((rows, Engine::new(&network, Arc::clone(runtime))?)).1
            }
        };
        for (block, queries) in queries.chunks(QUERIES * dim).enumerate() {
            let scores = engine.forward(&parameters, Inputs::Values(&centred(queries)), 0..1)?;
            let found = &mut found[block * QUERIES..];
            for (best, scores) in found.iter_mut().zip(scores.chunks_exact(rows)) {
                best.see(scores, (chunk * CHUNK) as u32);
            }
        }
    }
    Ok(found.into_iter().flat_map(|best| best.places).collect())
}

/// The class that most of each `k` neighbours have; of equals, the first class. `places` are `[m, k]`, `labels` those of what was
/// searched.
///
/// # Panics
/// Where `k` is 0, or a place has no label.
#[must_use]
pub fn vote(places: &[u32], k: usize, labels: &[u8]) -> Vec<u8> {
    let winner = |places: &[u32]| {
        let mut votes = [0u32; 256];
        for &place in places {
            votes[usize::from(labels[place as usize])] += 1;
        }
        (0..256).fold(0, |best, class| if votes[class] > votes[best] { class } else { best }) as u8
    };
    places.chunks_exact(k).map(winner).collect()
}

fn mean(values: &[f32], dim: usize) -> Vec<f64> {
    let mut mean = vec![0.0; dim];
    for row in values.chunks_exact(dim) {
        mean.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x));
    }
    let n = (values.len() / dim) as f64;
    for m in &mut mean {
        *m /= n;
    }
    mean
}

/// The best scores so far, the best first.
#[derive(Clone)]
struct Best {
    scores: Vec<f32>,
    places: Vec<u32>,
}

impl Best {
    fn new(k: usize) -> Self {
        Best { scores: vec![f32::NEG_INFINITY; k], places: vec![0; k] }
    }

    /// Looks at the scores of places from `first` on.
    fn see(&mut self, scores: &[f32], first: u32) {
        let Some(last) = self.scores.len().checked_sub(1) else { return };
        for (i, &score) in scores.iter().enumerate() {
            if score > self.scores[last] {
                // Behind its equals, which came before it.
                let at = self.scores.partition_point(|&s| s >= score);
                self.scores.pop();
                self.places.pop();
                self.scores.insert(at, score);
                self.places.insert(at, first + i as u32);
            }
        }
    }
}
