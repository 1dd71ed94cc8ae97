//! What the tests of figures share: labels read back from an SVG with the boxes they fill, and pixels from a PNG.

use crate::font::{self, Weight};

/// A text of an SVG and its box: left, top, right, bottom.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) class: String,
    pub(crate) text: String,
    pub(crate) x: [f64; 2],
    pub(crate) y: [f64; 2],
}

pub(crate) fn attribute(node: &roxmltree::Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap_or_else(|| panic!("{name} of {node:?}")).parse().unwrap()
}

pub(crate) fn labels(svg: &str) -> Vec<Label> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let texts = document.descendants().filter(|n| n.has_tag_name("text"));
    texts
        .map(|n| {
            let size = attribute(&n, "font-size");
            let weight = n.attribute("font-weight").map_or(Weight::Regular, |_| Weight::SemiBold);
            let text = n.text().unwrap().to_owned();
            let width = font::width(&text, size, weight);
            let left = match n.attribute("text-anchor") {
                None => attribute(&n, "x"),
                Some("middle") => attribute(&n, "x") - width / 2.0,
                Some("end") => attribute(&n, "x") - width,
                other => panic!("{other:?}"),
            };
            let y = attribute(&n, "y");
            Label {
                class: n.attribute("class").unwrap().to_owned(),
                text,
                x: [left, left + width],
                y: [y - size * font::CAP_HEIGHT, y + size * 0.22],
            }
        })
        .collect()
}

/// Asserts that every label lies within the page's margins and none touches another; returns them.
pub(crate) fn tidy_labels(svg: &str) -> Vec<Label> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let page: Vec<f64> = document
        .root_element()
        .attribute("viewBox")
        .unwrap()
        .split(' ')
        .map(|v| v.parse().unwrap())
        .collect();
    let labels = labels(svg);
    for (i, a) in labels.iter().enumerate() {
        let inside =
            a.x[0] >= 8.0 && a.x[1] <= page[2] - 8.0 && a.y[0] >= 8.0 && a.y[1] <= page[3] - 8.0;
        assert!(inside, "{a:?} leaves the page {page:?}");
        for b in &labels[i + 1..] {
            let apart = a.x[1] + 2.0 <= b.x[0]
                || b.x[1] + 2.0 <= a.x[0]
                || a.y[1] <= b.y[0]
                || b.y[1] <= a.y[0];
            assert!(apart, "{a:?} and {b:?} overlap");
        }
    }
    labels
}

/// A decoded PNG: width, height, RGBA.
pub(crate) struct Pixels {
    pub(crate) width: usize,
    pub(crate) height: usize,
    data: Vec<u8>,
}

impl Pixels {
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut data = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut data).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgba);
        Self { width: info.width as usize, height: info.height as usize, data }
    }

    /// Red, green, blue; every pixel of a figure is opaque.
    pub(crate) fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let p = &self.data[(y * self.width + x) * 4..][..4];
        assert_eq!(p[3], 255);
        [p[0], p[1], p[2]]
    }
}
