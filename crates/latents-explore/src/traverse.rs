//! Ways through the latent space: from one latent to another, across the square that four span, along one axis. Decoding them is left
//! to the caller.

use crate::error::Error;

/// How one gets from one latent to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Path {
    /// On the straight line.
    #[default]
    Linear,
    /// On the arc around the origin, lengths being interpolated (Shoemake, "Animating rotation with quaternion curves", 1985; White,
    /// "Sampling generative networks", 2016): it keeps to where a Gaussian has its mass.
    Spherical,
}

/// `steps` latents `[steps, d]` at equal steps from `from` to `to`, both included.
///
/// # Errors
/// Where there are fewer than two steps, or the two differ in length.
pub fn between(from: &[f32], to: &[f32], steps: usize, path: Path) -> Result<Vec<f32>, Error> {
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

/// The latent a part `t` of the way.
fn point(from: &[f32], to: &[f32], t: f64, path: Path) -> Vec<f32> {
    let (mut a, mut b) = (1.0 - t, t);
    if path == Path::Spherical {
        let dot = |x: &[f32], y: &[f32]| -> f64 {
            x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
        };
        let (p, q) = (libm::sqrt(dot(from, from)), libm::sqrt(dot(to, to)));
        let angle = libm::acos((dot(from, to) / (p * q)).clamp(-1.0, 1.0));
        let sine = libm::sin(angle);
        // Along one ray, against each other or at the origin there is no arc; the line it is then.
        if sine > 1e-6 {
            let length = a * p + b * q;
            a = libm::sin((1.0 - t) * angle) / sine * length / p;
            b = libm::sin(t * angle) / sine * length / q;
        }
    }
    let mix = |(&x, &y): (&f32, &f32)| (a * f64::from(x) + b * f64::from(y)) as f32;
    from.iter().zip(to).map(mix).collect()
}

/// A grid `[rows, columns, d]` among four latents: the first at the top left, the second at the top right, then the bottom ones.
///
/// # Errors
/// As of [`between`].
pub fn among(
    corners: [&[f32]; 4],
    rows: usize,
    columns: usize,
    path: Path,
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

/// `steps` latents `[steps, d]` that are `from` but for one axis, which goes from `low` to `high`.
///
/// # Errors
/// Where there is no such axis or there are fewer than two steps.
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
    between(&ends[0], &ends[1], steps, Path::Linear)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_have_their_ends_and_equal_steps() {
        let (from, to) = ([2.0, 0.0, 0.0], [0.0, 4.0, 0.0]);
        let line = between(&from, &to, 3, Path::Linear).unwrap();
        assert_eq!(line, [2.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 4.0, 0.0]);
        let arc = between(&from, &to, 4, Path::Spherical).unwrap();
        assert_eq!((arc[0], arc[10]), (2.0, 4.0));
        for (i, z) in arc.chunks(3).enumerate() {
            let (length, angle) = (z[0].hypot(z[1]), z[1].atan2(z[0]).to_degrees());
            assert!((length - (2.0 + 2.0 * i as f32 / 3.0)).abs() < 1e-5);
            assert!((angle - 30.0 * i as f32).abs() < 1e-3);
        }
        let ray = between(&[1.0, 1.0], &[3.0, 3.0], 3, Path::Spherical).unwrap();
        assert_eq!(ray[2..4], [2.0, 2.0]);
        assert!(between(&from, &to[1..], 3, Path::Linear).is_err());
        assert!(between(&from, &to, 1, Path::Linear).is_err());
    }

    #[test]
    fn a_square_has_its_corners_and_an_axis_leaves_the_others() {
        let corners: [&[f32]; 4] = [&[0.0], &[2.0], &[10.0], &[20.0]];
        let grid = among(corners, 3, 3, Path::Linear).unwrap();
        assert_eq!(grid, [0.0, 1.0, 2.0, 5.0, 8.0, 11.0, 10.0, 15.0, 20.0]);
        let axis = along(&[7.0, 8.0], 1, (-1.0, 1.0), 3).unwrap();
        assert_eq!(axis, [7.0, -1.0, 7.0, 0.0, 7.0, 1.0]);
        assert!(along(&[7.0], 1, (0.0, 1.0), 3).is_err());
    }
}
