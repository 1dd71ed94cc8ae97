//! What a collection of one's own is like: parts, shape, classes, and what was noticed when it was read.

use latents::report::{Block, Cell, Finding, PageSection, Show, Table, Tone};
use latents::{ClassCount, class_counts};

use crate::words;
use crate::worker::Context;

/// Classes in the table, at most; the largest.
const CLASSES: usize = 30;

/// The section; warnings about the images are findings.
pub(crate) fn section(study: &Context) -> (PageSection, Vec<Finding>) {
    let data = &study.dataset;
    let text = |name: &str, value: String| (name.to_owned(), value);
    let entries = vec![
        text("source", data.name.clone()),
        text("training images", words::count(data.train.len())),
        text("validation images of the source", words::count(data.validation.len())),
        text("test images", words::count(data.test.len())),
        text("shape", words::shape(study.data.shape)),
        text("classes", words::count(study.classes().map_or(0, <[String]>::len))),
    ];
    let mut blocks = vec![Block::Settings { caption: "The images".into(), entries }];
    let (warnings, notes): (Vec<_>, Vec<_>) = data.notes.iter().partition(|n| n.is_warning());
    blocks.extend(notes.into_iter().map(|note| Block::Paragraph(sentence(&note.to_string()))));
    blocks.extend(classes(study));
    let finding = |note: &latents::data::Note| {
        let text = format!("About the images: {note}.");
        Finding::new(Tone::Neutral, text).of("collection")
    };
    let findings = warnings.into_iter().map(finding).collect();
    let section = PageSection { id: "collection".into(), title: "The collection".into(), blocks };
    (section, findings)
}

/// A note as a sentence.
fn sentence(note: &str) -> String {
    let mut letters = note.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

/// The largest classes, and how many training and test images each has.
fn classes(study: &Context) -> Option<Block> {
    let names = study.classes()?;
    let mut counts = class_counts(&study.dataset);
    counts.sort_by_key(|class| std::cmp::Reverse(class.train + class.test));
    let total = study.dataset.train.len() + study.dataset.test.len();
    let row = |class: &ClassCount| {
        let share = 100.0 * (class.train + class.test) as f64 / total as f64;
        vec![
            Cell::Text(class.name.clone()),
            Cell::Integer(class.train as i128),
            Cell::Integer(class.test as i128),
            Cell::Number(share, Show::Decimals(1)),
        ]
    };
    let rows = counts.iter().take(CLASSES).map(row).collect();
    let columns = ["class", "training images", "test images", "share, %"].map(str::to_owned).into();
    let caption = match names.len().saturating_sub(CLASSES) {
        0 => "Images of each class.".to_owned(),
        others => {
            format!("Images of the largest classes; {} others are smaller.", words::count(others))
        }
    };
    Some(Block::Table { id: "collection-classes".into(), table: Table { columns, rows }, caption })
}
