//! Flows of known densities, and the gradient against finite differences.

use super::*;

fn runtime(threads: usize) -> Arc<Runtime> {
    Arc::new(Runtime::new(Some(threads), None).unwrap())
}

/// Points near a ring of radius 2.
fn ring(n: usize) -> Vec<f32> {
    let mut s = stream(3, Purpose::Synthetic, 0, 0);
    (0..n)
        .flat_map(|_| {
            let (angle, radius) = (TAU * s.uniform(), 2.0 + 0.15 * s.normal());
            [radius * libm::cos(angle), radius * libm::sin(angle)]
        })
        .map(|v| v as f32)
        .collect()
}

fn fit(points: &[f32], threads: usize) -> (Flow, FlowFit) {
    let config = FlowConfig { steps: 1200, seed: 5, ..FlowConfig::default() };
    let rows = Rows::new(points, 2).unwrap();
    Flow::fit(rows, &config, &runtime(threads), &Monitor::default()).unwrap()
}

#[test]
fn a_ring_is_learnt_and_its_density_is_one() {
    let points = ring(3000);
    let (mut flow, fit) = fit(&points, 2);
    // The density of the ring is 1 / (2 pi r) along it, times a normal of deviation .15 across: -1.86 nats in the mean.
    assert!(fit.gaussian < -3.3 && fit.likelihood > -2.3, "{fit:?}");
    let mut at =
        |n, temperature| flow.sample(n, Temperature::new(temperature).unwrap(), 1).unwrap();
    let drawn = at(2000, 1.0);
    let radius = |p: &[f32]| libm::hypotf(p[0], p[1]);
    let near = drawn.chunks_exact(2).filter(|p| (radius(p) - 2.0).abs() < 0.6).count();
    assert!(near > 1800, "{near} of 2000 draws are near the ring");
    assert_eq!(drawn[..20], at(10, 1.0)[..], "a draw depends on its own index");
    // At a lower temperature, draws are where the density is higher.
    let cold = at(2000, 0.6);
    let mut mean = |rows: &[f32]| {
        let logs = flow.log_densities(Rows::new(rows, 2).unwrap(), &Monitor::default()).unwrap();
        logs.iter().sum::<f64>() / logs.len() as f64
    };
    assert!(mean(&cold) > mean(&drawn) + 0.2);

    // The integral over a square that has all of it.
    let (side, step) = (240, 0.05);
    let at = |i: usize| (i as f32 - 119.5) * step;
    let grid: Vec<f32> = (0..side * side).flat_map(|i| [at(i % side), at(i / side)]).collect();
    let logs = flow.log_densities(Rows::new(&grid, 2).unwrap(), &Monitor::default()).unwrap();
    let sum: f64 = logs.iter().map(|&log| libm::exp(log)).sum();
    let integral = sum * f64::from(step * step);
    assert!((integral - 1.0).abs() < 0.01, "{integral}");
}

#[test]
fn threads_change_no_bit_and_a_fit_can_be_stopped() {
    let points = ring(400);
    let of = |threads| fit(&points, threads).0.sample(50, Temperature::default(), 2).unwrap();
    assert_eq!(of(1), of(3));
    let monitor = Monitor::default();
    monitor.cancel().cancel();
    let rows = Rows::new(&points, 2).unwrap();
    let stopped = Flow::fit(rows, &FlowConfig::default(), &runtime(1), &monitor);
    assert!(matches!(stopped, Err(Error::Interrupted(_))));
}

#[test]
fn few_rows_become_a_gaussian_or_are_refused() {
    let z = samplers::normal(80, 16, 1);
    let config = FlowConfig { steps: 300, ..FlowConfig::default() };
    let fit = |n: usize| {
        let rows = Rows::new(&z[..n * 16], 16).unwrap();
        Flow::fit(rows, &config, &runtime(2), &Monitor::default())
    };
    let (mut flow, found) = fit(80).unwrap();
    assert!(found.likelihood >= found.gaussian);
    let drawn = flow.sample(100, Temperature::default(), 1).unwrap();
    assert!(drawn.iter().all(|v| v.abs() < 8.0));
    let error = fit(63).unwrap_err().to_string();
    assert_eq!(error, "a flow needs at least 64 rows, but there are 63");
}

/// Couplings of rows of 5 numbers with parameters that are all different from 0.
fn couplings() -> (Couplings<f64>, Vec<f64>) {
    let config = FlowConfig { couplings: 3, hidden: 6, ..FlowConfig::default() };
    let mut couplings = Couplings::<f64>::new(5, &config, &runtime(1)).unwrap();
    let mut s = stream(9, Purpose::Synthetic, 0, 0);
    couplings.parameters.iter_mut().for_each(|p| *p += 0.3 * s.normal());
    let x = (0..7 * 5).map(|_| s.normal()).collect();
    (couplings, x)
}

#[test]
fn the_inverse_inverts_and_the_determinant_is_that_of_the_jacobian() {
    let (mut couplings, x) = couplings();
    let mut image = x.clone();
    let logs = couplings.forward(&mut image).unwrap();
    let mut back = image.clone();
    couplings.inverse(&mut back).unwrap();
    for (a, b) in back.iter().zip(&x) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
    // The Jacobian of the first row by central differences; its determinant by Gaussian elimination.
    let h = 1e-5;
    let mut jacobian: Vec<Vec<f64>> = (0..5)
        .map(|j| {
            let [up, down] = [h, -h].map(|h| {
                let mut x = x[..5].to_vec();
                x[j] += h;
                couplings.forward(&mut x).unwrap();
                x
            });
            up.iter().zip(down).map(|(a, b)| (a - b) / (2.0 * h)).collect()
        })
        .collect();
    let mut log_determinant = 0.0;
    for k in 0..5 {
        let pivot = (k..5).max_by(|&a, &b| jacobian[a][k].abs().total_cmp(&jacobian[b][k].abs()));
        jacobian.swap(k, pivot.unwrap());
        log_determinant += libm::log(jacobian[k][k].abs());
        let top = jacobian[k].clone();
        for row in &mut jacobian[k + 1..] {
            let scale = row[k] / top[k];
            row.iter_mut().zip(&top).for_each(|(v, t)| *v -= scale * t);
        }
    }
    assert!((log_determinant - logs[0]).abs() < 1e-8, "{log_determinant} {}", logs[0]);
}

#[test]
fn gradients_are_those_of_the_likelihood() {
    let (mut couplings, x) = couplings();
    let count = couplings.parameters.len();
    let mut gradients = vec![0.0; count];
    couplings.gradients(&mut x.clone(), &mut gradients).unwrap();
    let mut scratch = vec![0.0; count];
    for at in (0..count).step_by(7) {
        let before = couplings.parameters[at];
        let h = 1e-5;
        let [up, down] = [h, -h].map(|h| {
            couplings.parameters[at] = before + h;
            couplings.gradients(&mut x.clone(), &mut scratch).unwrap()
        });
        couplings.parameters[at] = before;
        let expected = (up - down) / (2.0 * h);
        let got = gradients[at];
        assert!((got - expected).abs() < 1e-6 * expected.abs().max(1.0), "{at}: {got} {expected}");
    }
}
