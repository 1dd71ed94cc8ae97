//! Tests of tiles: exact pixels in the PNG, positions of images and captions, and invalid images.

use roxmltree::{Document, Node};

use super::*;
use crate::testing::{Pixels, attribute, tidy_labels};

fn tile<'a>(caption: &str, shape: [usize; 3], pixels: &'a [f32]) -> Tile<'a> {
    Tile { caption: caption.into(), image: ImageView { shape, pixels } }
}

/// Values of bytes in an order without symmetry.
fn pattern(n: usize, salt: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + salt * 91 + i * i / 7) % 256) as f32 / 255.0).collect()
}

fn images<'a, 'input>(document: &'a Document<'input>) -> Vec<Node<'a, 'input>> {
    document.descendants().filter(|n| n.has_tag_name("image")).collect()
}

/// Asserts that each pixel of `image` fills its whole square in the PNG.
fn assert_shown(pixels: &Pixels, node: &Node<'_, '_>, image: &ImageView<'_>) {
    let [c, h, w] = image.shape;
    let [x, y, width, height] =
        ["x", "y", "width", "height"].map(|a| (attribute(node, a) * 2.0) as usize);
    assert_eq!((width % w, height % h), (0, 0));
    for row in 0..height {
        for column in 0..width {
            let at = row * h / height * w + column * w / width;
            let byte = |c: usize| (image.pixels[c * h * w + at] * 255.0).round() as u8;
            let wanted = [byte(0), byte(1 % c), byte(2 % c)];
            assert_eq!(pixels.at(x + column, y + row), wanted, "{row} {column}");
        }
    }
}

#[test]
fn every_pixel_of_the_png_is_the_source_s() {
    let shapes =
        [[1, 28, 28], [3, 32, 32], [1, 5, 9], [3, 64, 40], [1, 1, 1], [1, 130, 110], [3, 300, 200]];
    let sources: Vec<_> =
        shapes.iter().enumerate().map(|(i, s)| pattern(s.iter().product(), i)).collect();
    let tiles: Vec<_> = shapes.iter().zip(&sources).map(|(&s, p)| tile("", s, p)).collect();
    let figure = strip("shapes", &tiles);
    let document = Document::parse(figure.svg()).unwrap();
    let pixels = Pixels::decode(&figure.png().unwrap());
    let nodes = images(&document);
    assert_eq!(nodes.len(), shapes.len());
    for (node, tile) in nodes.iter().zip(&tiles) {
        assert_eq!(node.attribute("style"), Some("image-rendering:pixelated"));
        assert_shown(&pixels, node, &tile.image);
    }
    assert!((attribute(&nodes[0], "width") - 84.0).abs() < 1e-9, "28 pixels are shown threefold");
}

#[test]
fn a_strip_wraps_into_even_rows_with_captions_below() {
    let source = pattern(28 * 28, 1);
    let captions: Vec<String> =
        (0..11).map(|i| if i == 0 { "original".into() } else { format!("epoch {i}") }).collect();
    let tiles: Vec<_> = captions.iter().map(|c| tile(c, [1, 28, 28], &source)).collect();
    let figure = strip("One image through the epochs", &tiles);
    let document = Document::parse(figure.svg()).unwrap();
    let nodes = images(&document);
    let labels = tidy_labels(figure.svg());
    let under: Vec<_> = labels.iter().filter(|l| l.class == "caption").collect();
    assert_eq!(under.iter().map(|l| l.text.clone()).collect::<Vec<_>>(), captions);
    for (node, label) in nodes.iter().zip(&under) {
        let middle = attribute(node, "x") + attribute(node, "width") / 2.0;
        assert!((f64::midpoint(label.x[0], label.x[1]) - middle).abs() < 1.0);
        let gap = label.y[0] - attribute(node, "y") - attribute(node, "height");
        assert!((4.0..16.0).contains(&gap), "{gap}");
    }
    let rows: Vec<usize> = nodes
        .chunk_by(|a, b| attribute(a, "y").to_bits() == attribute(b, "y").to_bits())
        .map(<[_]>::len)
        .collect();
    assert_eq!(rows, [6, 5]);
    assert!(attribute(&document.root_element(), "width") <= 720.0);
}

#[test]
fn a_grid_sets_common_captions_once() {
    let source = pattern(28 * 28, 2);
    let pair =
        |a: &str, b: &str| vec![tile(a, [1, 28, 28], &source), tile(b, [1, 28, 28], &source)];
    let same = vec![pair("original", "reconstruction"); 3];
    let names = ["bag".to_owned(), "<script> & a long name of a thing".to_owned()];
    let figure = grid("Pairs", &same, &names);
    let labels = tidy_labels(figure.svg());
    let count = |text: &str| labels.iter().filter(|l| l.text == text).count();
    assert_eq!((count("original"), count("reconstruction"), count("bag")), (1, 1, 1));
    let document = Document::parse(figure.svg()).unwrap();
    let nodes = images(&document);
    let head = labels.iter().find(|l| l.text == "original").unwrap();
    assert!(head.y[1] < attribute(&nodes[0], "y"));
    let bag = labels.iter().find(|l| l.text == "bag").unwrap();
    assert!(bag.x[1] < attribute(&nodes[0], "x"));
    let middle = attribute(&nodes[0], "y") + 42.0;
    assert!((f64::midpoint(bag.y[0], bag.y[1]) - middle).abs() < 4.0);

    let different = grid("Pairs", &[pair("a", "b"), pair("a", "c")], &[]);
    let labels = tidy_labels(different.svg());
    assert_eq!(labels.iter().filter(|l| l.text == "a").count(), 2);
}

#[test]
fn captions_stay_apart_whatever_their_length() {
    let source = pattern(64, 3);
    for caption in
        ["x".repeat(300), "several words to be set on lines ".repeat(4), "漢字".repeat(30)]
    {
        let tiles: Vec<_> = (0..9).map(|_| tile(&caption, [1, 8, 8], &source)).collect();
        tidy_labels(strip(&caption, &tiles).svg());
        tidy_labels(grid(&caption, &[tiles.clone(), tiles], &vec![caption.clone(); 5]).svg());
    }
}

#[test]
fn what_is_no_image_is_crossed_out() {
    let source = [0.5; 12];
    let wrong = [
        [1, 3, 3],
        [2, 2, 3],
        [0, 0, 0],
        [1, 0, 12],
        [1, usize::MAX, usize::MAX],
        [3, usize::MAX, 2],
        [12, 1, 1],
    ];
    for shape in wrong {
        let figure =
            strip("t", &[tile("wrong", shape, &source), tile("right", [3, 2, 2], &source)]);
        let document = Document::parse(figure.svg()).unwrap();
        assert_eq!(images(&document).len(), 1, "{shape:?}");
        let crosses = document.descendants().filter(|n| n.attribute("class") == Some("no-image"));
        assert_eq!(crosses.count(), 2, "{shape:?}");
        figure.png().unwrap();
    }
    assert!(strip("t", &[]).svg().contains("no images"));
    assert!(grid("t", &[vec![], vec![]], &[]).svg().contains("no images"));
}

#[test]
fn values_are_clamped_and_no_number_is_seen() {
    let figure = strip("t", &[tile("", [1, 1, 4], &[-3.0, f32::INFINITY, f32::NAN, 0.5])]);
    let document = Document::parse(figure.svg()).unwrap();
    let pixels = Pixels::decode(&figure.png().unwrap());
    let node = images(&document)[0];
    let side = attribute(&node, "height") * 2.0;
    let row = (attribute(&node, "y") * 2.0 + side / 2.0) as usize;
    let seen: Vec<_> = (0..4)
        .map(|i| {
            pixels.at((attribute(&node, "x") * 2.0 + side * (f64::from(i) + 0.5)) as usize, row)
        })
        .collect();
    assert_eq!(seen, [[0; 3], [255; 3], [255, 0, 255], [128; 3]]);
}

#[test]
fn tiles_cut_an_array_into_its_images() {
    let values = pattern(3 * 12 + 5, 4);
    let cut = tiles(&values, [3, 2, 2], |i| format!("image {i}"));
    let wanted: Vec<_> =
        (0..3).map(|i| tile(&format!("image {i}"), [3, 2, 2], &values[12 * i..][..12])).collect();
    assert_eq!(cut, wanted);
    for shape in [[0, 2, 2], [3, usize::MAX, 2]] {
        assert_eq!(tiles(&values, shape, |_| String::new()), []);
    }
}

#[test]
fn a_gallery_is_a_grid_of_the_first_eighty_images() {
    let values = pattern(95 * 16, 5);
    let all: Vec<_> = values.chunks(16).map(|pixels| tile("", [1, 4, 4], pixels)).collect();
    for (count, rows) in [(95, &[10; 8][..]), (23, &[10, 10, 3]), (0, &[])] {
        let mut rest = &all[..count.min(80)];
        let mut given = vec![];
        for &length in rows {
            let (row, after) = rest.split_at(length);
            given.push(row.to_vec());
            rest = after;
        }
        assert!(rest.is_empty());
        let figure = gallery("New images", &values[..count * 16], [1, 4, 4]);
        assert_eq!(figure.svg(), grid("New images", &given, &[]).svg(), "{count}");
    }
}
