//! The explorer: an interactive map of latents in the report, whose decoder runs in the reader's browser. This module checks the
//! data of one or two models and packs it small enough for a page. The script that draws and decodes is in `data.js`, `decoder.js`,
//! `map.js` and `explorer.js`, the markup in `view.rs`.

mod decoder;
mod input;
mod pack;
mod thumbnails;
mod view;

pub use input::{ExplorerInput, ExplorerModel};

use serde_json::{Value, json};

use crate::dark;
use crate::error::Error;
use crate::palette;

/// The script of all explorers in a page: plain JavaScript without modules, so that the page also works when opened from a disk. Later
/// files use what earlier ones define.
pub(crate) const SCRIPT: &str = concat!(
    include_str!("data.js"),
    include_str!("decoder.js"),
    include_str!("map.js"),
    include_str!("explorer.js"),
);

/// The style sheet of explorers.
pub(crate) const STYLE: &str = include_str!("explorer.css");

/// Greatest number of images: they fit into a page of some megabytes, and the map moves smoothly.
const MAX_IMAGES: usize = 20_000;

/// An explorer, packed for a [`Block`](crate::Block) of a page.
///
/// ```
/// use latents_engine::{Layer, Network, Section};
/// use latents_report::{Explorer, ExplorerInput, ExplorerModel};
///
/// // A decoder from two latents to an image of 2 x 2 pixels: 2 x 4 weights and 4 biases.
/// let layers =
///     vec![Layer::Linear { out_features: 4 }, Layer::Sigmoid, Layer::Reshape { shape: [1, 2, 2] }];
/// let sections = vec![Section { name: "decoder".into(), layers }];
/// let model = ExplorerModel {
///     name: "Autoencoder",
///     map_name: "the latents themselves",
///     network: &Network { input: [2, 1, 1], sections },
///     decode: 0..1,
///     parameters: &[0.1; 12],
///     condition: 1.0,
///     latents: &[0.0, 0.0, 1.0, -1.0],
///     map: &[[0.0, 0.0], [1.0, -1.0]],
///     errors: None,
///     clusters: None,
/// };
/// let explorer = Explorer::new(&ExplorerInput {
///     shape: [1, 2, 2],
///     pixels: &[128; 8],
///     numbers: None,
///     classes: &[],
///     labels: None,
///     files: None,
///     models: vec![model],
/// })?;
/// # let _ = latents_report::Block::Explorer(explorer);
/// # Ok::<(), latents_report::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Explorer {
    /// The smallest and the largest number of an image.
    numbers: [u32; 2],
    has_files: bool,
    has_errors: bool,
    has_clusters: bool,
    /// Name, colour and number of images of each class.
    classes: Vec<(String, String, usize)>,
    models: Vec<ModelTexts>,
    data: Value,
}

/// The texts of a model in the markup.
#[derive(Debug, Clone)]
struct ModelTexts {
    name: String,
    map_name: String,
    dim: usize,
    /// Whether the decoder is given a class.
    conditional: bool,
}

impl Explorer {
    /// Checks the data and packs it: latents as 8 or 16 bits, weights as 16-bit floats, images as one sheet of thumbnails.
    ///
    /// # Errors
    /// [`Error::Explorer`] if sizes do not match, numbers are not finite, or a decoder has a layer that the page cannot compute.
    pub fn new(input: &ExplorerInput<'_>) -> Result<Self, Error> {
        let [c, h, w] = input.shape;
        // Zero if no image is as large.
        let numbers = c.checked_mul(h).and_then(|n| n.checked_mul(w)).unwrap_or(0);
        expect(numbers > 0 && matches!(c, 1 | 3), || {
            format!("{:?} is not the shape of an image with one or three channels", input.shape)
        })?;
        let n = input.pixels.len() / numbers;
        expect((1..=MAX_IMAGES).contains(&n) && input.pixels.len() == n * numbers, || {
            let bytes = input.pixels.len();
            format!(
                "{bytes} bytes are not 1 to {MAX_IMAGES} images of {numbers} bytes; give a part of the images"
            )
        })?;
        expect((1..=2).contains(&input.models.len()), || {
            format!("it takes one or two models, not {}", input.models.len())
        })?;
        length("numbers", input.numbers.map(<[u32]>::len), n)?;
        length("files", input.files.map(<[String]>::len), n)?;
        length("labels", input.labels.map(<[usize]>::len), n)?;

        let classes = classes(input)?;
        let mut models = vec![];
        for model in &input.models {
            let packed = pack_model(model, input.shape, n, classes.len());
            models.push(packed.map_err(|reason| Error::Explorer {
                reason: format!("{}: {reason}", model.name),
            })?);
        }
        let named: Vec<Value> = classes
            .iter()
            .map(|(name, colour, _)| json!({ "name": name, "colour": colour }))
            .collect();
        let clusters = input.models.iter().filter_map(|m| m.clusters?.iter().max()).max();
        let errors: Vec<String> =
            (0..=16).map(|i| palette::sequential(f64::from(i) / 16.0)).collect();
        let data = json!({
            "count": n,
            "shape": input.shape,
            "thumbnails": thumbnails::sheet(input.shape, input.pixels),
            "numbers": input.numbers,
            "classes": named,
            "labels": input.labels.map(pack::indices),
            "files": input.files,
            "models": models,
            "clusterColours": palette::classes(clusters.map_or(0, |c| (c + 1).min(pack::MAX_INDEX))),
            "errorColours": errors,
            "errorColoursDark": errors.iter().map(|hex| dark::counterpart(hex)).collect::<Vec<_>>(),
        });
        Ok(Self {
            numbers: match input.numbers {
                Some(numbers) => {
                    [numbers.iter().min(), numbers.iter().max()].map(|n| *n.unwrap_or(&0))
                }
                None => [0, n as u32 - 1],
            },
            has_files: input.files.is_some(),
            has_errors: input.models.iter().any(|m| m.errors.is_some()),
            has_clusters: input.models.iter().any(|m| m.clusters.is_some()),
            classes,
            models: input
                .models
                .iter()
                .map(|m| ModelTexts {
                    name: m.name.to_owned(),
                    map_name: m.map_name.to_owned(),
                    dim: m.latents.len() / n,
                    conditional: m
                        .network
                        .layout()
                        .is_ok_and(|layout| layout.condition_features() > 0),
                })
                .collect(),
            data,
        })
    }
}

/// Name, colour and number of images of each class; empty without labels.
fn classes(input: &ExplorerInput<'_>) -> Result<Vec<(String, String, usize)>, Error> {
    let Some(labels) = input.labels else { return Ok(vec![]) };
    let mut counts = vec![0; input.classes.len()];
    for &label in labels {
        expect(label < counts.len().min(pack::MAX_INDEX), || {
            format!("an image has label {label}, but there are {} classes", counts.len())
        })?;
        counts[label] += 1;
    }
    let colours = palette::classes(counts.len());
    let named = input.classes.iter().cloned().zip(colours).zip(counts);
    Ok(named.map(|((name, colour), count)| (name, colour, count)).collect())
}

fn pack_model(
    model: &ExplorerModel<'_>,
    shape: [usize; 3],
    n: usize,
    classes: usize,
) -> Result<Value, String> {
    let (decoder, dim) = decoder::pack(model, shape, classes)?;
    let sized = |what: &str, got: Option<usize>, expected: usize| match got {
        Some(got) if got != expected => Err(format!("{got} {what}, but {expected} are needed")),
        _ => Ok(()),
    };
    sized("latent values", Some(model.latents.len()), n * dim)?;
    sized("positions on the map", Some(model.map.len()), n)?;
    sized("errors", model.errors.map(<[f32]>::len), n)?;
    sized("clusters", model.clusters.map(<[usize]>::len), n)?;
    if model.clusters.is_some_and(|c| c.iter().any(|&c| c >= pack::MAX_INDEX)) {
        return Err(format!("it takes at most {} clusters", pack::MAX_INDEX));
    }
    // 16 bits, unless the latents alone would then be more than a megabyte.
    let bits = if n * dim <= 700_000 { pack::Bits::Sixteen } else { pack::Bits::Eight };
    let map = model.map.as_flattened();
    let table = |what: &str, values, columns, bits| {
        pack::table(values, columns, bits).ok_or_else(|| format!("{what} are not all finite"))
    };
    Ok(json!({
        "name": model.name,
        "mapName": model.map_name,
        "latents": table("latents", model.latents, dim, bits)?,
        "map": table("positions on the map", map, 2, pack::Bits::Sixteen)?,
        "errors": model.errors.map(|e| table("errors", e, 1, pack::Bits::Sixteen)).transpose()?,
        "clusters": model.clusters.map(pack::indices),
        "decoder": decoder,
    }))
}

fn expect(holds: bool, reason: impl FnOnce() -> String) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Explorer { reason: reason() }) }
}

fn length(what: &str, got: Option<usize>, n: usize) -> Result<(), Error> {
    expect(got.is_none_or(|got| got == n), || {
        format!("{} {what} for {n} images", got.unwrap_or_default())
    })
}

#[cfg(test)]
mod tests;
