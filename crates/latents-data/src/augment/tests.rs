//! Invariants of each step, and that only seed, epoch and sample decide.

use proptest::prelude::*;

use super::*;

fn images(shape: [usize; 3], n: usize, seed: u64) -> Images {
    let [c, h, w] = shape;
    let mut pixels = vec![0; n * c * h * w];
    stream(seed, Purpose::Synthetic, 0, 0).fill_bytes(&mut pixels);
    Images::new(c, h, w, pixels).unwrap()
}

fn apply(augmentation: Augmentation, images: &Images, index: &[u32], epoch: u64) -> Augmented {
    let mut out = Augmented::default();
    augmentation.apply(images, index, 5, epoch, &mut out);
    out
}

const ALL: Augmentation = Augmentation {
    flip: 0.5,
    shift: 2,
    rotation: 10.0,
    erase: 0.5,
    border: Border::Black,
    mix: None,
};

#[test]
fn nothing_changes_nothing() {
    let images = images([2, 5, 4], 3, 1);
    let out = apply(Augmentation::default(), &images, &[2, 0, 1], 0);
    let expected: Vec<u8> =
        [2, 0, 1].iter().flat_map(|&i| images.image(i).to_bytes().into_owned()).collect();
    assert_eq!(out.bytes.pixels, expected);
    assert!(out.partners.is_empty() && out.shares.is_empty());
    assert!(Augmentation::default().is_nothing() && !ALL.is_nothing());
}

#[test]
fn a_sample_is_changed_alike_wherever_it_is_in_the_work() {
    let images = images([1, 12, 9], 40, 2);
    let all: Vec<u32> = (0..40).collect();
    let together = apply(ALL, &images, &all, 3);
    // In reverse order, in batches of seven, in a used buffer.
    let mut buffer = apply(ALL, &images, &all, 9);
    let backwards: Vec<u32> = all.iter().rev().copied().collect();
    for batch in backwards.chunks(7) {
        ALL.apply(&images, batch, 5, 3, &mut buffer);
        for (&sample, image) in batch.iter().zip(buffer.bytes.pixels.chunks_exact(108)) {
            assert_eq!(image, &together.bytes.pixels[sample as usize * 108..][..108]);
        }
    }
    assert_ne!(apply(ALL, &images, &all, 4).bytes.pixels, together.bytes.pixels);
    let mut other = Augmented::default();
    ALL.apply(&images, &all, 6, 3, &mut other);
    assert_ne!(other.bytes.pixels, together.bytes.pixels);
}

#[test]
fn sixteen_bits_are_changed_as_eight_are() {
    let images = images([2, 12, 9], 20, 2);
    let words = images.pixels().to_bytes().iter().map(|&b| 257 * u16::from(b)).collect();
    let wide = Images::from_words(2, 12, 9, words).unwrap();
    let all: Vec<u32> = (0..20).collect();
    for mix in [None, Some(Mix::Mixup { alpha: 1.0 }), Some(Mix::Cutmix { alpha: 1.0 })] {
        let exact = Augmentation { rotation: 0.0, mix, ..ALL };
        let (eight, sixteen) = (apply(exact, &images, &all, 1), apply(exact, &wide, &all, 1));
        let Pixels::Words(words) = sixteen.pixels() else { panic!("16 bits became 8") };
        assert_eq!(
            (eight.shares, eight.partners),
            (sixteen.shares.clone(), sixteen.partners.clone())
        );
        for (&word, &byte) in words.iter().zip(&eight.bytes.pixels) {
            assert!((i32::from(word) - 257 * i32::from(byte)).abs() <= 129, "{word} {byte}");
        }
    }
}

#[test]
fn flips_mirror_and_come_half_the_time() {
    let images = images([2, 3, 5], 1_000, 3);
    let all: Vec<u32> = (0..1_000).collect();
    let flip = Augmentation { flip: 0.5, ..Default::default() };
    let out = apply(flip, &images, &all, 0);
    let mut flipped = 0;
    for (i, image) in out.bytes.pixels.chunks_exact(30).enumerate() {
        let own = images.image(i).to_bytes();
        let mirrored: Vec<u8> =
            own.chunks_exact(5).flat_map(|row| row.iter().rev()).copied().collect();
        if image == mirrored {
            flipped += 1;
        } else {
            assert_eq!(image, &*own);
        }
    }
    assert!((440..560).contains(&flipped), "{flipped}");
}

#[test]
fn shifts_reach_every_place_and_bring_in_zeros() {
    // A bright pixel in the middle of each image shows how it moved.
    let mut pixels = vec![0; 500 * 49];
    pixels.chunks_exact_mut(49).for_each(|image| image[24] = 200);
    let images = Images::new(1, 7, 7, pixels).unwrap();
    let all: Vec<u32> = (0..500).collect();
    let out = apply(Augmentation { shift: 2, ..Default::default() }, &images, &all, 0);
    let mut seen = [[0; 7]; 7];
    for image in out.bytes.pixels.chunks_exact(49) {
        assert_eq!(image.iter().map(|&x| usize::from(x)).sum::<usize>(), 200);
        let at = image.iter().position(|&x| x == 200).unwrap();
        seen[at / 7][at % 7] += 1;
    }
    for (y, row) in seen.iter().enumerate() {
        for (x, &count) in row.iter().enumerate() {
            let reachable = (1..=5).contains(&y) && (1..=5).contains(&x);
            assert_eq!(count > 0, reachable, "{seen:?}");
        }
    }
    // A shift larger than the image.
    apply(Augmentation { shift: 30, ..Default::default() }, &images, &all, 0);
}

#[test]
fn turning_keeps_the_middle_and_quarter_turns_are_exact() {
    let images = images([1, 9, 9], 1, 4);
    let from = &*images.image(0).to_bytes();
    let turn = |degrees, flip| {
        let mut to = vec![0; 81];
        Motion { flip, down: 0, right: 0, border: Border::Black }.turn(
            degrees,
            from,
            [9, 9],
            &mut to,
        );
        to
    };
    assert_eq!(turn(0.0, false), from);
    let mut copied = vec![0; 81];
    Motion { flip: true, down: 0, right: 0, border: Border::Black }.copy(from, [9, 9], &mut copied);
    assert_eq!(turn(0.0, true), copied);
    let quarter = turn(90.0, false);
    for y in 0..9 {
        for x in 0..9 {
            // The top of the result is one side of the image.
            assert_eq!(quarter[y * 9 + x], from[(8 - x) * 9 + y], "{y} {x}");
        }
    }
    assert_eq!(turn(180.0, false), from.iter().rev().copied().collect::<Vec<u8>>());
    assert_eq!(turn(7.0, false)[40], from[40]);
    assert_ne!(turn(7.0, false), from);
    // Means of pixels and zeros lie between them.
    let mut to = vec![0; 81];
    Motion { flip: false, down: 0, right: 0, border: Border::Black }.turn(
        30.0,
        &[255u8; 81],
        [9, 9],
        &mut to,
    );
    assert_eq!(to[40], 255);
    assert!(to[0] < 255);
}

#[test]
fn erased_rectangles_are_of_the_size_that_was_asked_for() {
    let images = Images::new(3, 28, 28, vec![255; 400 * 3 * 784]).unwrap();
    let all: Vec<u32> = (0..400).collect();
    let out = apply(Augmentation { erase: 1.0, ..Default::default() }, &images, &all, 0);
    let mut parts = vec![];
    for image in out.bytes.pixels.chunks_exact(3 * 784) {
        let hole: Vec<usize> = (0..784).filter(|&i| image[i] == 0).collect();
        // The same in each channel, and a rectangle.
        assert!((0..784).all(|i| image[i] == image[784 + i] && image[i] == image[1568 + i]));
        let (top, bottom) = (hole[0] / 28, hole[hole.len() - 1] / 28);
        let left = hole.iter().map(|i| i % 28).min().unwrap();
        let right = hole.iter().map(|i| i % 28).max().unwrap();
        assert_eq!(hole.len(), (bottom - top + 1) * (right - left + 1));
        parts.push(hole.len() as f64 / 784.0);
    }
    assert!(parts.iter().all(|part| (0.01..0.36).contains(part)), "{parts:?}");
    let mean = parts.iter().sum::<f64>() / 400.0;
    assert!((mean - 0.17).abs() < 0.02, "{mean}");
}

#[test]
fn mixed_images_have_the_shares_that_are_told() {
    let pixels: Vec<u8> = (0..64u8).flat_map(|i| [i * 4; 100]).collect();
    let images = Images::new(1, 10, 10, pixels).unwrap();
    let all: Vec<u32> = (0..64).rev().collect();
    for mix in [Mix::Mixup { alpha: 0.4 }, Mix::Cutmix { alpha: 1.0 }] {
        let out = apply(Augmentation { mix: Some(mix), ..Default::default() }, &images, &all, 0);
        assert_eq!((out.partners.len(), out.shares.len()), (64, 64));
        for (place, image) in out.bytes.pixels.chunks_exact(100).enumerate() {
            let own = f64::from(all[place] * 4);
            let other = f64::from(all[out.partners[place] as usize] * 4);
            assert_ne!(out.partners[place] as usize, place);
            let share = f64::from(out.shares[place]);
            assert!((0.0..=1.0).contains(&share));
            let mean = image.iter().map(|&x| f64::from(x)).sum::<f64>() / 100.0;
            assert!((mean - (share * own + (1.0 - share) * other)).abs() <= 0.51, "{mix:?}");
        }
        let spread = out.shares.iter().filter(|s| (0.2..0.8).contains(*s)).count();
        assert!(spread > 5, "{mix:?}: {:?}", out.shares);
    }
}

#[test]
fn beta_has_its_moments() {
    let mut random = stream(1, Purpose::Synthetic, 0, 0);
    for alpha in [0.2, 1.0, 3.0] {
        let draws: Vec<f64> = (0..20_000).map(|_| beta(&mut random, alpha)).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{alpha}: {mean}");
        assert!((variance - 0.25 / (2.0 * alpha + 1.0)).abs() < 0.005, "{alpha}: {variance}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    for (augmentation, expected) in [
        (Augmentation { flip: 1.5, ..ALL }, "flip = 1.5"),
        (Augmentation { erase: f64::NAN, ..ALL }, "erase = NaN"),
        (Augmentation { shift: 1 << 31, ..ALL }, "shift = 2147483648 must be at most 65536"),
        (Augmentation { rotation: -1.0, ..ALL }, "rotation = -1"),
        (Augmentation { mix: Some(Mix::Mixup { alpha: 0.0 }), ..ALL }, "alpha = 0"),
    ] {
        assert!(augmentation.problem().unwrap().contains(expected));
    }
    assert_eq!(ALL.problem(), None);
}

proptest! {
    #[test]
    fn any_image_size_goes(c in 1usize..4, h in 1usize..12, w in 1usize..12, shift in 0usize..6, seed: u64) {
        let images = images([c, h, w], 3, seed);
        for mix in [None, Some(Mix::Cutmix { alpha: 1.0 }), Some(Mix::Mixup { alpha: 0.2 })] {
            let out = apply(Augmentation { shift, mix, ..ALL }, &images, &[1, 2, 0], seed);
            prop_assert_eq!(out.bytes.pixels.len(), 3 * c * h * w);
        }
    }
}

#[test]
fn an_edge_is_the_nearest_pixel() {
    let (height, width) = (4, 5);
    let from: Vec<u8> = (1..=20).collect();
    for (flip, down, right) in [(false, 1, -2), (true, -3, 1), (false, 9, 0), (true, 0, -9)] {
        let mut to = [0; 20];
        let motion = Motion { flip, down, right, border: Border::Edge };
        motion.copy(&from, [height, width], &mut to);
        for y in 0..height {
            for x in 0..width {
                let inside = |at: i64, size: usize| at.clamp(0, size as i64 - 1) as usize;
                let (row, column) =
                    (inside(y as i64 - down, height), inside(x as i64 - right, width));
                let column = if flip { width - 1 - column } else { column };
                assert_eq!(to[y * width + x], from[row * width + column], "{y} {x}");
            }
        }
        let mut turned = [0; 20];
        motion.turn(0.0, &from, [height, width], &mut turned);
        assert_eq!(turned, to);
    }
}
