//! L-BFGS (Liu and Nocedal, 1989; Nocedal and Wright, "Numerical optimization", 2006, algorithm 7.4) for smooth convex functions, with a
//! preconditioner as the initial inverse Hessian. Sums have a fixed order.

use std::collections::VecDeque;

use crate::linear::{axpy, dot};

/// Number of stored pairs of step and gradient change.
const MEMORY: usize = 10;
/// Fraction of the decrease predicted by the slope that a step must reach (Armijo's condition).
const DECREASE: f64 = 1e-4;
/// Number of halvings of a step after which the value is taken to be minimal up to rounding.
const HALVINGS: usize = 30;

/// The result of a minimisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) value: f64,
    pub(super) iterations: usize,
    /// Whether every component of the gradient is at most the tolerance.
    pub(super) converged: bool,
}

/// Moves `x` to the minimum of a convex function, in at most `limit` steps. `evaluate` returns the value and writes the gradient;
/// `precondition` multiplies a gradient in place by an approximation of the inverse Hessian, a linear map.
///
/// # Errors
/// Those of `evaluate`.
pub(super) fn minimize<E>(
    x: &mut Vec<f64>,
    tolerance: f64,
    limit: usize,
    mut evaluate: impl FnMut(&[f64], &mut [f64]) -> Result<f64, E>,
    precondition: impl Fn(&mut [f64]),
) -> Result<Found, E> {
    let mut gradient = vec![0.0; x.len()];
    let mut value = evaluate(x, &mut gradient)?;
    let conditioned = |gradient: &[f64]| {
        let mut conditioned = gradient.to_vec();
        precondition(&mut conditioned);
        conditioned
    };
    let mut of_gradient = conditioned(&gradient);
    let mut memory: VecDeque<Pair> = VecDeque::new();
    let mut scale = 1.0;
    for iterations in 0..limit {
        if gradient.iter().all(|g| g.abs() <= tolerance) {
            return Ok(Found { value, iterations, converged: true });
        }
        let mut direction = direction(&gradient, &of_gradient, &memory, scale);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            // The stored pairs are no longer useful.
            memory.clear();
            direction = of_gradient.iter().map(|g| -g).collect();
            slope = dot(&direction, &gradient);
        }
        let mut step = 1.0;
        let mut next = None;
        for _ in 0..HALVINGS {
            let there: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
            let mut g = vec![0.0; x.len()];
            let v = evaluate(&there, &mut g)?;
            if v <= value + DECREASE * step * slope {
                next = Some((there, v, g));
                break;
            }
            step *= 0.5;
        }
        let Some((there, v, g)) = next else {
            return Ok(Found { value, iterations, converged: false });
        };
        let s: Vec<f64> = there.iter().zip(&*x).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = g.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&s, &y);
        let of_next = conditioned(&g);
        let conditioned: Vec<f64> = of_next.iter().zip(&of_gradient).map(|(a, b)| a - b).collect();
        if curvature > 1e-12 * dot(&y, &y).sqrt() * dot(&s, &s).sqrt() {
            scale = curvature / dot(&y, &conditioned);
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back(Pair { rho: 1.0 / curvature, s, y, conditioned });
        }
        (*x, value, gradient, of_gradient) = (there, v, g, of_next);
    }
    let converged = gradient.iter().all(|g| g.abs() <= tolerance);
    Ok(Found { value, iterations: limit, converged })
}

/// A step `s`, the change of the gradient `y`, and the preconditioned change.
struct Pair {
    rho: f64,
    s: Vec<f64>,
    y: Vec<f64>,
    conditioned: Vec<f64>,
}

/// Search direction, by the two-loop recursion. The preconditioner is linear, so that of the gradient less some changes is the
/// preconditioned gradient less the preconditioned changes.
fn direction(
    gradient: &[f64],
    of_gradient: &[f64],
    memory: &VecDeque<Pair>,
    scale: f64,
) -> Vec<f64> {
    let mut conditioned: Vec<f64> = of_gradient.iter().map(|g| -g).collect();
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut alphas = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let alpha = pair.rho * dot(&pair.s, &q);
        axpy(-alpha, &pair.y, &mut q);
        axpy(-alpha, &pair.conditioned, &mut conditioned);
        alphas.push(alpha);
    }
    let mut q = conditioned;
    for q in &mut q {
        *q *= scale;
    }
    for (pair, alpha) in memory.iter().zip(alphas.into_iter().rev()) {
        let beta = pair.rho * dot(&pair.y, &q);
        axpy(alpha - beta, &pair.s, &mut q);
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_of_a_badly_scaled_quadratic_is_found() {
        let curvatures = [1e4, 1.0, 1e-3, 50.0];
        let evaluate = |x: &[f64], g: &mut [f64]| {
            let mut value = 0.0;
            for (i, c) in curvatures.iter().enumerate() {
                let from = x[i] - i as f64;
                value += 0.5 * c * from * from;
                g[i] = c * from;
            }
            Ok::<f64, ()>(value)
        };
        let mut x = vec![3.0; 4];
        let plain = minimize(&mut x, 1e-9, 500, evaluate, |_| ()).unwrap();
        assert!(plain.converged);
        for (i, x) in x.iter().enumerate() {
            assert!((x - i as f64).abs() < 1e-5, "{x}");
        }
        let mut x = vec![3.0; 4];
        let precondition = |g: &mut [f64]| g.iter_mut().zip(curvatures).for_each(|(g, c)| *g /= c);
        let newton = minimize(&mut x, 1e-9, 500, evaluate, precondition).unwrap();
        assert!(newton.converged && newton.iterations == 1, "{newton:?}");
        let mut x = vec![3.0; 4];
        let short = minimize(&mut x, 1e-9, 1, evaluate, |_| ()).unwrap();
        assert!(!short.converged && short.iterations == 1);
    }
}
