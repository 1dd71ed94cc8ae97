//! `shapes`: white shapes on black, drawn here, of which every factor of variation is known: shape, scale, orientation, and place along both
//! axes, in all combinations. In the spirit of dSprites (Matthey et al., 2017), but smaller, of other shapes, and without two images that
//! are alike, because all angles are less than a quarter turn. Pixels come from products and sums alone, so every machine draws the same
//! bytes.

use latents_random::{Purpose, stream};

use crate::columns::{ColumnLabels, LabelColumn};
use crate::dataset::{Dataset, Labelled, known};
use crate::error::Error;
use crate::images::Images;

pub(crate) const NAME: &str = "shapes";

const SHAPES: [&str; 3] = ["square", "ellipse", "triangle"];
/// Distances of the farthest points of a shape from its centre, in pixels.
const RADII: [f64; 4] = [3.5, 4.5, 5.5, 6.5];
/// Cosine and sine of 0, 15, 30, 45, 60 and 75 degrees.
const ANGLES: [[f64; 2]; 6] = [
    [1.0, 0.0],
    [0.965_925_826_289_068_3, 0.258_819_045_102_520_76],
    [HALF_ROOT_3, 0.5],
    [HALF_ROOT, HALF_ROOT],
    [0.5, HALF_ROOT_3],
    [0.258_819_045_102_520_76, 0.965_925_826_289_068_3],
];
/// The square root of a half.
const HALF_ROOT: f64 = std::f64::consts::FRAC_1_SQRT_2;
/// Half the square root of 3.
const HALF_ROOT_3: f64 = 0.866_025_403_784_438_6;
/// Places along each axis, and the pixels from one to the next.
const PLACES: usize = 10;
const STEP: usize = 2;
/// The side of an image, and of the square around the centre of a shape that it fits into.
const SIDE: usize = SPRITE + (PLACES - 1) * STEP;
const SPRITE: usize = 14;
/// Points along each side of a pixel. A pixel is as bright as the part of its points that are inside.
const POINTS: usize = 8;
/// The names of the factors, and how many values each has.
const FACTORS: [(&str, usize); 5] = [
    ("shape", SHAPES.len()),
    ("scale", RADII.len()),
    ("orientation", ANGLES.len()),
    ("x", PLACES),
    ("y", PLACES),
];
/// One of so many images is a test image, in an order that this seed shuffles.
const TEST: usize = 5;
const SEED: u64 = 0;

/// All images in random order, the last fifth of them for testing.
pub(crate) fn draw() -> Result<Dataset, Error> {
    let n = FACTORS.iter().map(|(_, count)| count).product();
    let mut order: Vec<usize> = (0..n).collect();
    stream(SEED, Purpose::HoldOut, 0, 2).shuffle(&mut order);
    let sprites: Vec<Vec<u8>> = (0..n / (PLACES * PLACES)).map(sprite).collect();
    let (train, test) = order.split_at(n - n / TEST);
    let part = |members: &[usize]| {
        let mut pixels = vec![0; members.len() * SIDE * SIDE];
        for (image, &member) in pixels.chunks_exact_mut(SIDE * SIDE).zip(members) {
            let [.., x, y] = values(member);
            let rows = sprites[member / (PLACES * PLACES)].chunks_exact(SPRITE);
            for (row, from) in image.chunks_exact_mut(SIDE).skip(y * STEP).zip(rows) {
                row[x * STEP..][..SPRITE].copy_from_slice(from);
            }
        }
        let of = |factor: usize| known(members.iter().map(|&i| values(i)[factor] as u16).collect());
        let column =
            |factor: usize| ColumnLabels { name: FACTORS[factor].0.to_owned(), labels: of(factor) };
        Ok::<_, Error>(Labelled {
            images: Images::new(1, SIDE, SIDE, pixels)?,
            labels: Some(of(0)),
            names: None,
            columns: (0..FACTORS.len()).map(column).collect(),
        })
    };
    let (train, test) = (part(train)?, part(test)?);
    let origin =
        format!("shapes, drawn here ({} training and {} test images)", train.len(), test.len());
    let column = |(name, classes): (&str, usize)| LabelColumn {
        name: name.to_owned(),
        classes,
        labelled: n,
    };
    let columns = FACTORS.into_iter().map(column).collect();
    let classes = SHAPES.map(str::to_owned).to_vec();
    Ok(Dataset { columns, ..Dataset::of_bytes(NAME.to_owned(), origin, classes, train, test) })
}

/// The value of each factor of an image. The last factor changes first.
fn values(mut image: usize) -> [usize; FACTORS.len()] {
    let mut values = [0; FACTORS.len()];
    for (value, (_, count)) in values.iter_mut().zip(FACTORS).rev() {
        (*value, image) = (image % count, image / count);
    }
    values
}

/// A shape of some scale and orientation, `[SPRITE, SPRITE]`; these are numbered as the images are, without places.
fn sprite(number: usize) -> Vec<u8> {
    let [shape, scale, orientation, ..] = values(number * PLACES * PLACES);
    let ([cos, sin], radius) = (ANGLES[orientation], RADII[scale]);
    // Of point number i along an axis, from the centre and in units of the radius.
    let place = |i: usize| ((i as f64 + 0.5) / POINTS as f64 - SPRITE as f64 / 2.0) / radius;
    let is_inside = |(row, column): (usize, usize)| {
        let (x, y) = (place(column), place(row));
        inside(shape, cos * x + sin * y, cos * y - sin * x)
    };
    let pixel = |i: usize| {
        let (row, column) = (i / SPRITE * POINTS, i % SPRITE * POINTS);
        let points = (0..POINTS * POINTS).map(|p| (row + p / POINTS, column + p % POINTS));
        let count = points.filter(|&point| is_inside(point)).count();
        (count * 255 / (POINTS * POINTS)) as u8
    };
    (0..SPRITE * SPRITE).map(pixel).collect()
}

/// Whether a point is in a shape of radius 1 that is not turned.
fn inside(shape: usize, x: f64, y: f64) -> bool {
    match shape {
        0 => x.abs() <= HALF_ROOT && y.abs() <= HALF_ROOT,
        1 => x * x + 4.0 * y * y <= 1.0,
        _ => y <= 0.5 && 2.0 * HALF_ROOT_3 * x.abs() - y <= 1.0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn every_combination_is_drawn_once_and_never_changes() {
        let set = draw().unwrap();
        assert_eq!((set.shape(), set.train.len(), set.test.len()), ([1, 32, 32], 5_760, 1_440));
        let (all, _) = set.all();
        let image = |i: usize| all.images.image(i).to_bytes().into_owned();
        assert_eq!((0..all.len()).map(image).collect::<BTreeSet<_>>().len(), 7_200);
        let factors = |i: usize| all.columns.iter().map(|c| c.labels[i].unwrap()).collect();
        assert_eq!((0..all.len()).map(factors).collect::<BTreeSet<Vec<u16>>>().len(), 7_200);
        assert_eq!(all.labels.as_ref(), Some(&all.columns[0].labels));
        let described: Vec<(&str, usize)> =
            set.columns.iter().map(|column| (&*column.name, column.classes)).collect();
        assert_eq!(described, FACTORS);

        let mut sum = Sha256::new();
        for part in [&set.train, &set.test] {
            sum.update(part.images.pixels().to_bytes());
            for column in &part.columns {
                sum.update(column.labels.iter().map(|l| l.unwrap() as u8).collect::<Vec<_>>());
            }
        }
        assert_eq!(
            sum.finalize().as_slice(),
            crate::fetch::hex("ba990e8f8ef3424869aab5072335adfa0f892b079f7c78e0b4ee1ebc2c875e05")
        );
    }

    #[test]
    fn shapes_have_their_area_and_their_centre() {
        let areas = [2.0, std::f64::consts::FRAC_PI_2, 1.5 * HALF_ROOT_3];
        for number in 0..SHAPES.len() * RADII.len() * ANGLES.len() {
            let [shape, scale, ..] = values(number * PLACES * PLACES);
            let pixels = sprite(number);
            let sum = |of: &dyn Fn(usize) -> f64| -> f64 {
                pixels.iter().enumerate().map(|(i, &p)| f64::from(p) / 255.0 * of(i)).sum()
            };
            let area = sum(&|_| 1.0);
            let expected = areas[shape] * RADII[scale] * RADII[scale];
            // Edges may be anywhere between two points, which are an eighth of a pixel apart.
            let is_near = (area - expected).abs() < 0.05 * expected;
            assert!(is_near, "{number}: {area}, {expected}");
            let middle = |i: usize| i as f64 + 0.5 - SPRITE as f64 / 2.0;
            let centre = [sum(&|i| middle(i % SPRITE)), sum(&|i| middle(i / SPRITE))];
            assert!(centre.iter().all(|c| (c / area).abs() < 0.02), "{number}: {centre:?}");
        }
    }

    #[test]
    fn the_first_place_is_at_the_top_left() {
        let set = draw().unwrap();
        let at = |x, y| {
            let fits = |&i: &usize| {
                let label = |c: usize| set.train.columns[c].labels[i];
                (label(3), label(4)) == (Some(x), Some(y))
            };
            let image = (0..set.train.len()).find(fits).unwrap();
            let pixels = set.train.images.image(image).to_bytes().into_owned();
            let bright: Vec<usize> = (0..SIDE * SIDE).filter(|&p| pixels[p] > 0).collect();
            let [columns, rows] = [|p: usize| p % SIDE, |p: usize| p / SIDE]
                .map(|of| bright.iter().map(|&p| of(p)).collect::<BTreeSet<_>>());
            (*columns.last().unwrap(), *rows.first().unwrap())
        };
        assert!(at(0, 9).0 < SPRITE && at(0, 9).1 >= 9 * STEP);
    }
}
