//! Traversals of the latent space: paths between two latents, grids between four, and steps along one axis. Decoding them is left to
//! the caller.

use crate::error::Error;

/// Interpolation between two latents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// On a straight line.
    #[default]
    Linear,
    /// On an arc around the origin; norms are interpolated linearly (Shoemake, "Animating rotation with quaternion curves", 1985; White,
    /// "Sampling generative networks", 2016). Its latents have norms that are typical of draws from a Gaussian.
    Spherical,
}

/// `steps` equally spaced latents `[steps, d]` from `from` to `to` `[d]`, including both.
///
/// ```
/// use latents_explore::traverse::{Interpolation, between};
///
/// let path = between(&[0.0, 0.0], &[2.0, 4.0], 3, Interpolation::Linear)?;
/// assert_eq!(path, [0.0, 0.0, 1.0, 2.0, 2.0, 4.0]);
/// # Ok::<(), latents_explore::Error>(())
/// ```
///
/// # Errors
/// If `steps` is less than 2, or the two latents differ in length.
pub fn between(
    from: &[f32],
    to: &[f32],
    steps: usize,
    path: Interpolation,
) -> Result<Vec<f32>, Error> {
    if from.len() != to.len() {
        return Err(Error::Size { what: "the second latent", expected: from.len(), got: to.len() });
    }
    if steps < 2 {
        return Err(Error::Range {
            what: "number of steps",
            range: "at least 2",
            got: steps as f64,
        });
    }
    let at = |i: usize| i as f64 / (steps - 1) as f64;
    Ok((0..steps).flat_map(|i| point(from, to, at(i), path)).collect())
}

/// The latent at `t` from 0 (`from`) to 1 (`to`).
fn point(from: &[f32], to: &[f32], t: f64, path: Interpolation) -> Vec<f32> {
    let (mut a, mut b) = (1.0 - t, t);
    if path == Interpolation::Spherical {
        let dot = |x: &[f32], y: &[f32]| -> f64 {
            x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
        };
        let (p, q) = (libm::sqrt(dot(from, from)), libm::sqrt(dot(to, to)));
        let angle = libm::acos((dot(from, to) / (p * q)).clamp(-1.0, 1.0));
        let sine = libm::sin(angle);
        // If the two are parallel, opposite or zero, no arc is defined: keep the straight line.
        if sine > 1e-6 {
            let length = a * p + b * q;
            a = libm::sin((1.0 - t) * angle) / sine * length / p;
            b = libm::sin(t * angle) / sine * length / q;
        }
    }
    let mix = |(&x, &y): (&f32, &f32)| (a * f64::from(x) + b * f64::from(y)) as f32;
    from.iter().zip(to).map(mix).collect()
}

/// A grid of latents `[rows, columns, d]` between four corners, in the order top left, top right, bottom left, bottom right.
///
/// # Errors
/// As for [`between`].
pub fn among(
    corners: [&[f32]; 4],
    rows: usize,
    columns: usize,
    path: Interpolation,
) -> Result<Vec<f32>, Error> {
    let d = corners[0].len();
    let left = between(corners[0], corners[2], rows, path)?;
    let right = between(corners[1], corners[3], rows, path)?;
    let mut grid = Vec::with_capacity(rows * columns * d);
    for (a, b) in left.chunks_exact(d.max(1)).zip(right.chunks_exact(d.max(1))) {
        grid.extend(between(a, b, columns, path)?);
    }
    Ok(grid)
}

/// `steps` copies `[steps, d]` of `from` in which the coordinate `axis` goes from `low` to `high` in equal steps.
///
/// # Errors
/// If `axis` is not less than `d`, or `steps` is less than 2.
pub fn along(
    from: &[f32],
    axis: usize,
    (low, high): (f32, f32),
    steps: usize,
) -> Result<Vec<f32>, Error> {
    if axis >= from.len() {
        let range = "less than the number of latent axes";
        return Err(Error::Range { what: "axis", range, got: axis as f64 });
    }
    let ends = [low, high].map(|v| {
        let mut end = from.to_vec();
        end[axis] = v;
        end
    });
    between(&ends[0], &ends[1], steps, Interpolation::Linear)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_their_ends_and_equal_steps() {
        let (from, to) = ([2.0, 0.0, 0.0], [0.0, 4.0, 0.0]);
        let line = between(&from, &to, 3, Interpolation::Linear).unwrap();
        assert_eq!(line, [2.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 4.0, 0.0]);
        let arc = between(&from, &to, 4, Interpolation::Spherical).unwrap();
        assert_eq!((arc[0], arc[10]), (2.0, 4.0));
        for (i, z) in arc.chunks(3).enumerate() {
            let (length, angle) = (z[0].hypot(z[1]), z[1].atan2(z[0]).to_degrees());
            assert!((length - (2.0 + 2.0 * i as f32 / 3.0)).abs() < 1e-5);
            assert!((angle - 30.0 * i as f32).abs() < 1e-3);
        }
        let ray = between(&[1.0, 1.0], &[3.0, 3.0], 3, Interpolation::Spherical).unwrap();
        assert_eq!(ray[2..4], [2.0, 2.0]);
        assert!(between(&from, &to[1..], 3, Interpolation::Linear).is_err());
        assert!(between(&from, &to, 1, Interpolation::Linear).is_err());
    }

    #[test]
    fn grids_have_their_corners_and_axes_change_one_coordinate() {
        let corners: [&[f32]; 4] = [&[0.0], &[2.0], &[10.0], &[20.0]];
        let grid = among(corners, 3, 3, Interpolation::Linear).unwrap();
        assert_eq!(grid, [0.0, 1.0, 2.0, 5.0, 8.0, 11.0, 10.0, 15.0, 20.0]);
        let axis = along(&[7.0, 8.0], 1, (-1.0, 1.0), 3).unwrap();
        assert_eq!(axis, [7.0, -1.0, 7.0, 0.0, 7.0, 1.0]);
        assert!(along(&[7.0], 1, (0.0, 1.0), 3).is_err());
    }
}
