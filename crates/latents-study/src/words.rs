//! How numbers are written in the sentences of the page, and tables that several parts need.

use latents::engine::{Layer, Layout, Shape};
use latents::report::{Cell, Show, Table};
use latents::tune::Value;
use latents::{TuneResults, parameter_cell};

use crate::worker::Context;

/// An error or a loss, with three significant digits.
pub(crate) fn error(x: f64) -> String {
    Cell::Number(x, Show::Significant(3)).to_string()
}

/// A ratio.
pub(crate) fn times(x: f64) -> String {
    Cell::Number(x, Show::Significant(2)).to_string()
}

/// A fraction as per cent.
pub(crate) fn percent(x: f64) -> String {
    format!("{} %", Cell::Number(100.0 * x, Show::UpTo(4)))
}

/// A fraction as per cent in whole numbers.
pub(crate) fn percent_rounded(x: f64) -> String {
    format!("{:.0} %", 100.0 * x)
}

/// An accuracy as per cent with two decimals.
pub(crate) fn accuracy(x: f64) -> String {
    format!("{:.2} %", 100.0 * x)
}

/// A count with separators of thousands.
pub(crate) fn count(n: usize) -> String {
    latents::count(n as u64)
}

/// The size and the colours of images.
pub(crate) fn shape([c, h, w]: Shape) -> String {
    let colour = match c {
        1 => "grey".to_owned(),
        3 => "colour".to_owned(),
        c => format!("{c} channels"),
    };
    format!("{w}x{h} pixels, {colour}")
}

/// How many numbers an image of a shape has.
pub(crate) fn numbers(shape: Shape) -> String {
    count(shape.iter().product())
}

/// A list as text: `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Test errors of principal components by their number, each row with a name, and of models with so many dimensions.
pub(crate) fn components<const N: usize>(
    errors: &[(usize, f64)],
    name: impl Fn(usize) -> String,
    models: [(&str, usize, f64); N],
) -> Table {
    let row = |name: String, d: usize, error: f64| {
        vec![Cell::Text(name), Cell::Integer(d as i128), Cell::Number(error, Show::Significant(3))]
    };
    let mut rows: Vec<_> = errors.iter().map(|&(d, error)| row(name(d), d, error)).collect();
    rows.extend(models.map(|(model, d, error)| row(model.into(), d, error)));
    let columns = ["model", "dimensions", "test error"].map(str::to_owned).into();
    Table { columns, rows }
}

/// The best settings that a search found, with a last row; next to the reference's settings if the images are of its kind.
pub(crate) fn settings(
    study: &Context,
    found: &TuneResults,
    reference: fn(&str) -> Cell,
    last: [Cell; 3],
) -> Table {
    let row = |(name, value): (String, Value)| {
        vec![Cell::Text(name.replace('_', " ")), reference(&name), parameter_cell(&value)]
    };
    let mut rows: Vec<Vec<Cell>> = found.best().into_iter().map(row).chain([last.into()]).collect();
    let mut columns = ["setting", "reference", "found here"].map(str::to_owned).to_vec();
    if !study.is_of_the_reference() {
        columns.remove(1);
        for row in &mut rows {
            row.remove(1);
        }
    }
    Table { columns, rows }
}

/// What the page calls the images: the name of the data set, the folder or the file.
pub(crate) fn title(source: &str) -> String {
    let path = source.split_once(':').map_or(source, |(_, path)| path);
    let name = std::path::Path::new(path).file_stem();
    name.map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The layers of a section, as the reference study's T1 and T2 list them.
pub(crate) fn layers(layout: &Layout, section: usize) -> Table {
    let columns = ["layer", "in", "out", "kernel/stride/pad", "then"].map(str::to_owned).into();
    let mut rows: Vec<Vec<Cell>> = vec![];
    let shape = |[c, h, w]: Shape| if h * w == 1 { c.to_string() } else { format!("{c}x{h}x{w}") };
    let range = layout.section(section);
    for (i, layer) in layout.layers().enumerate().skip(range.start).take(range.len()) {
        let window =
            |[k, _]: [usize; 2], [s, _]: [usize; 2], [p, _]: [usize; 2]| format!("{k}/{s}/{p}");
        let (name, window) = match layer {
            Layer::Conv2d { kernel, stride, padding, .. } => {
                ("conv", window(*kernel, *stride, *padding))
            }
            Layer::ConvTranspose2d { kernel, stride, padding, .. } => {
                ("transposed conv", window(*kernel, *stride, *padding))
            }
            Layer::Linear { .. } => ("linear", String::new()),
            Layer::Reshape { .. } => continue,
            other => {
                // Layers without weights are in the row of the one before them.
                let what = match other {
                    Layer::Dropout { p } => format!("dropout {p}"),
                    other => other.kind().replace('_', " "),
                };
                if let Some(Cell::Text(then)) = rows.last_mut().and_then(|row| row.last_mut()) {
                    let comma = if then.is_empty() { "" } else { ", " };
                    *then = format!("{then}{comma}{what}");
                }
                continue;
            }
        };
        let (from, to) = (shape(layout.shape(i)), shape(layout.shape(i + 1)));
        rows.push([name.to_owned(), from, to, window, String::new()].map(Cell::Text).into());
    }
    Table { columns, rows }
}

/// A bound in nats.
pub(crate) fn bound(x: f64) -> String {
    Cell::Number(x, Show::Decimals(1)).to_string()
}
