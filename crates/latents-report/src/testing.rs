//! Helpers of the tests of figures: labels read back from an SVG with their boxes, and pixels of a PNG.

use roxmltree::{Document, Node};

use crate::font::{self, Weight};
use crate::study::{ParameterKind, ParameterView, StudyView, TrialOutcome, TrialView};

/// A text of an SVG and its box: left, top, right, bottom.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) class: String,
    pub(crate) text: String,
    pub(crate) x: [f64; 2],
    pub(crate) y: [f64; 2],
}

pub(crate) fn attribute(node: &Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap_or_else(|| panic!("{name} of {node:?}")).parse().unwrap()
}

pub(crate) fn labels(svg: &str) -> Vec<Label> {
    let document = Document::parse(svg).unwrap();
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
            let (anchor, y) = (attribute(&n, "x"), attribute(&n, "y"));
            let (along, across) =
                ([left, left + width], [y - size * font::CAP_HEIGHT, y + size * 0.22]);
            // A quarter turn about the anchor moves the text from its right to above it.
            let (x, y) = match n.attribute("transform") {
                None => (along, across),
                Some(turn) => {
                    assert!(turn.starts_with("rotate(-90 "), "{turn}");
                    (
                        across.map(|v| anchor + v - y),
                        [y - (along[1] - anchor), y - (along[0] - anchor)],
                    )
                }
            };
            Label { class: n.attribute("class").unwrap().to_owned(), text, x, y }
        })
        .collect()
}

/// Asserts that every label lies within the margins of the page and no two touch. Returns the labels.
pub(crate) fn tidy_labels(svg: &str) -> Vec<Label> {
    let document = Document::parse(svg).unwrap();
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

/// The steps `M` and `L` of a path.
pub(crate) fn vertices(path: &Node<'_, '_>) -> Vec<(char, f64, f64)> {
    let data = path.attribute("d").unwrap().replace('M', ";M ").replace('L', ";L ");
    data.split(';')
        .skip(1)
        .map(|step| {
            let parts: Vec<&str> = step.split(' ').collect();
            (parts[0].chars().next().unwrap(), parts[1].parse().unwrap(), parts[2].parse().unwrap())
        })
        .collect()
}

pub(crate) fn of_class<'a, 'input>(
    document: &'a Document<'input>,
    class: &str,
) -> Vec<Node<'a, 'input>> {
    let has =
        |n: &Node<'_, '_>| n.attribute("class").is_some_and(|c| c.split(' ').any(|c| c == class));
    document.descendants().filter(has).collect()
}

/// Position of the tick labelled `text`: the centre of the label along x, or along y if `vertical`.
pub(crate) fn tick(document: &Document<'_>, text: &str, vertical: bool) -> f64 {
    let anchor = if vertical { "end" } else { "middle" };
    let node = of_class(document, "tick")
        .into_iter()
        .find(|n| n.text() == Some(text) && n.attribute("text-anchor") == Some(anchor))
        .unwrap_or_else(|| panic!("no tick {text}"));
    let y = attribute(&node, "y") - attribute(&node, "font-size") * font::CAP_HEIGHT / 2.0;
    if vertical { y } else { attribute(&node, "x") }
}

pub(crate) fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 0.011
}

/// Centres of the circles in the groups of a class.
pub(crate) fn circles(document: &Document<'_>, class: &str) -> Vec<(f64, f64)> {
    let circles = of_class(document, class).into_iter().flat_map(|g| g.descendants());
    circles
        .filter(|n| n.has_tag_name("circle"))
        .map(|n| (attribute(&n, "cx"), attribute(&n, "cy")))
        .collect()
}

/// Asserts that all numbers of an SVG are finite.
pub(crate) fn assert_finite(svg: &str) {
    let numbers = svg.replace("finite", "");
    assert!(!numbers.contains("NaN") && !numbers.contains("inf"), "{svg}");
}

/// A study of complete trials, given as pairs of value and parameters.
pub(crate) fn study(
    parameters: &[(&str, ParameterKind)],
    trials: &[(f64, &[Option<f64>])],
) -> StudyView {
    let parameter = |(name, kind): &(&str, ParameterKind)| ParameterView {
        name: (*name).to_owned(),
        kind: kind.clone(),
    };
    let trial = |(i, (value, params)): (usize, &(f64, &[Option<f64>]))| TrialView {
        number: i as u64,
        outcome: TrialOutcome::Complete,
        value: Some(*value),
        params: params.to_vec(),
    };
    StudyView {
        objective: "loss".into(),
        lower_is_better: true,
        parameters: parameters.iter().map(parameter).collect(),
        trials: trials.iter().enumerate().map(trial).collect(),
    }
}

/// A parameter with these choices.
pub(crate) fn choices(names: &[&str]) -> ParameterKind {
    ParameterKind::Choices(names.iter().map(|&name| name.to_owned()).collect())
}

pub(crate) const LINEAR: ParameterKind = ParameterKind::Number { log: false };
pub(crate) const LOG: ParameterKind = ParameterKind::Number { log: true };

/// Studies that are hard to draw, of up to `most` trials: few and many trials, long names, extreme numbers.
pub(crate) fn hard_studies(most: usize) -> Vec<StudyView> {
    let long =
        "encoder.block_3.rather_long_name of a parameter that somebody gave to it one evening";
    let word = "word".repeat(60);
    let many: Vec<String> = (0..60).map(|i| format!("choice {i} of {long}")).collect();
    let kinds = [
        LOG,
        choices(&["relu", "leaky_relu", "gelu"]),
        LINEAR,
        ParameterKind::Choices(many),
        LINEAR,
        choices(&[]),
        LOG,
        choices(&[long, &word, "", "漢字漢字漢字漢字漢字"]),
        LINEAR,
        LOG,
        choices(&["true", "false"]),
        LINEAR,
    ];
    let hostile = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e301, -1e300, 1e300, -0.0, 5e-324];
    let mut studies = Vec::new();
    for (count, parameters) in [(0, 2), (1, 0), (1, 1), (1, 12), (2, 2), (7, 5), (most, 12)] {
        for temper in 0..5 {
            let names = ["lr", "learning_rate", long, &word, ""];
            let name = |k: usize| names[(k + temper) % 5].to_owned();
            let noise = |i: usize, k: usize| ((i * 7919 + k * 104_729 + 13) % 1000) as f64 / 1000.0;
            let trial = |i: usize| {
                let value = match temper {
                    0 => noise(i, 99),
                    1 => hostile[i % hostile.len()],
                    2 => libm::pow(10.0, noise(i, 99) * 500.0 - 250.0),
                    3 => 1e9 + noise(i, 99) * 1e-3,
                    _ => -noise(i, 99) * 1e6,
                };
                let param = |k: usize| match (temper, kinds[k].clone()) {
                    (1, _) => Some(hostile[(i + k) % hostile.len()]),
                    (_, ParameterKind::Choices(names)) => {
                        Some((noise(i, k) * names.len() as f64).floor())
                    }
                    (2, LOG) => Some(libm::pow(10.0, noise(i, k) * 500.0 - 250.0)),
                    (3, LOG) => Some(1e-3 + noise(i, k) * 1e-9),
                    (3, _) => Some(1e15 + (noise(i, k) * 9.0).floor()),
                    (4, _) if i % 3 == k % 3 => None,
                    _ => Some(noise(i, k) * 100.0 + 0.01),
                };
                TrialView {
                    number: i as u64 * if temper == 3 { 1 << 40 } else { 1 },
                    outcome: match (i + temper) % 7 {
                        3 => TrialOutcome::Pruned,
                        5 => TrialOutcome::Failed,
                        _ => TrialOutcome::Complete,
                    },
                    value: Some(value).filter(|_| i % 11 != 10),
                    params: (0..parameters).map(param).collect(),
                }
            };
            let kind = |k: usize| ParameterView { name: name(k), kind: kinds[k].clone() };
            studies.push(StudyView {
                objective: name(4 - temper),
                lower_is_better: temper % 2 == 0,
                parameters: (0..parameters).map(kind).collect(),
                trials: (0..count).map(trial).collect(),
            });
        }
    }
    studies
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
