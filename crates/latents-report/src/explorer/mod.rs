//! The explorer: a map of latents in the report's page, whose decoder runs in the reader's browser. Here the data of one or two
//! models is checked and packed small enough for a page that is sent around; the script that draws, drags and decodes is in
//! `decoder.js`, `data.js`, `map.js` and `explorer.js` beside this file, its markup in `view.rs`. Nothing here trains or projects.

mod decoder;
mod pack;
mod thumbnails;
mod view;

use std::ops::Range;

use latents_engine::Network;
use serde_json::{Value, json};

use crate::error::Error;
use crate::page::dark;
use crate::palette;

/// The script of every explorer in a page. Plain JavaScript without modules, so that the page works from a disk; later files
/// use what earlier ones define.
pub(crate) const SCRIPT: &str = concat!(
    include_str!("data.js"),
    include_str!("decoder.js"),
    include_str!("map.js"),
    include_str!("explorer.js"),
);

/// Its style sheet.
pub(crate) const STYLE: &str = include_str!("explorer.css");

/// The most images that an explorer shows: what fits a page of some megabytes, and moves smoothly.
const MOST_IMAGES: usize = 20_000;

/// What an [`Explorer`] is made of: images, and what one or two models make of them.
#[derive(Debug, Clone)]
pub struct Explored<'a> {
    /// Shape of one image, `[c, h, w]` with one channel (grey) or three (red, green, blue).
    pub shape: [usize; 3],
    /// All images `[n, c, h, w]`, 0 to 255.
    pub pixels: &'a [u8],
    /// By which number each image is known `[n]`, such as its place in a larger collection; without, they are known as 0 to n - 1.
    pub numbers: Option<&'a [u32]>,
    /// Names of the classes; any text.
    pub classes: &'a [String],
    /// The class of each image `[n]`; without, nothing of classes is shown.
    pub labels: Option<&'a [usize]>,
    /// Where each image came from `[n]`; any text.
    pub files: Option<&'a [String]>,
    /// One model, or two to be seen side by side.
    pub models: Vec<ExploredModel<'a>>,
}

/// What one model makes of the images.
#[derive(Debug, Clone)]
pub struct ExploredModel<'a> {
    /// Such as "Autoencoder"; any text.
    pub name: &'a str,
    /// How its map was made, such as "t-SNE of 64 latents"; any text.
    pub map_name: &'a str,
    /// The model; only its decoder is shown.
    pub network: &'a Network,
    /// Which sections of the network are the decoder: what goes in is a latent vector `[d]`, what comes out an image.
    pub decode: Range<usize>,
    /// All parameters of the network, as the engine holds them. In the page they have 16 bits.
    pub parameters: &'a [f32],
    /// A latent vector for each image `[n, d]`.
    pub latents: &'a [f32],
    /// Where each image lies on the map `[n]`.
    pub map: &'a [[f32; 2]],
    /// The reconstruction error of each image `[n]`, such as its mean squared error.
    pub errors: Option<&'a [f32]>,
    /// The cluster of each image `[n]`, from 0.
    pub clusters: Option<&'a [usize]>,
}

/// An explorer, packed and ready to be a [`Block`](crate::Block) of a page.
#[derive(Debug, Clone)]
pub struct Explorer {
    /// The least and the greatest number by which an image is known.
    numbers: [u32; 2],
    has_files: bool,
    has_errors: bool,
    has_clusters: bool,
    /// Name, colour and number of images of each class.
    classes: Vec<(String, String, usize)>,
    models: Vec<Shown>,
    data: Value,
}

/// What the markup says of a model.
#[derive(Debug, Clone)]
struct Shown {
    name: String,
    map_name: String,
    dim: usize,
}

impl Explorer {
    /// Checks the data and packs it: latents with 8 or 16 bits, weights as 16-bit floating point, images as one sheet of
    /// thumbnails.
    ///
    /// # Errors
    /// [`Error::Explorer`] where sizes do not fit each other, numbers are not finite, or a decoder has a layer that the page
    /// cannot compute.
    pub fn new(explored: &Explored<'_>) -> Result<Self, Error> {
        let [c, h, w] = explored.shape;
        let numbers = c * h * w;
        expect(numbers > 0 && matches!(c, 1 | 3), || {
            format!("images of {:?} are neither grey nor colour", explored.shape)
        })?;
        let n = explored.pixels.len() / numbers;
        expect((1..=MOST_IMAGES).contains(&n) && explored.pixels.len() == n * numbers, || {
            let bytes = explored.pixels.len();
            format!(
                "{bytes} bytes are not 1 to {MOST_IMAGES} images of {numbers}; show a part of them"
            )
        })?;
        expect((1..=2).contains(&explored.models.len()), || {
            format!("it shows one or two models, not {}", explored.models.len())
        })?;
        length("numbers", explored.numbers.map(<[u32]>::len), n)?;
        length("files", explored.files.map(<[String]>::len), n)?;
        length("labels", explored.labels.map(<[usize]>::len), n)?;

        let classes = classes(explored)?;
        let mut models = vec![];
        for model in &explored.models {
            let packed = pack_model(model, explored.shape, n);
            models.push(packed.map_err(|reason| Error::Explorer {
                reason: format!("{}: {reason}", model.name),
            })?);
        }
        let named: Vec<Value> = classes
            .iter()
            .map(|(name, colour, _)| json!({ "name": name, "colour": colour }))
            .collect();
        let clusters = explored.models.iter().filter_map(|m| m.clusters?.iter().max()).max();
        let errors: Vec<String> =
            (0..=16).map(|i| palette::sequential(f64::from(i) / 16.0)).collect();
        let data = json!({
            "count": n,
            "shape": explored.shape,
            "thumbnails": thumbnails::sheet(explored.shape, explored.pixels),
            "numbers": explored.numbers,
            "classes": named,
            "labels": explored.labels.map(pack::indices),
            "files": explored.files,
            "models": models,
            "clusterColours": palette::classes(clusters.map_or(0, |c| (c + 1).min(pack::MOST))),
            "errorColours": errors,
            "errorColoursDark": errors.iter().map(|hex| dark::counterpart(hex)).collect::<Vec<_>>(),
        });
        Ok(Self {
            numbers: match explored.numbers {
                Some(numbers) => {
                    [numbers.iter().min(), numbers.iter().max()].map(|n| *n.unwrap_or(&0))
                }
                None => [0, n as u32 - 1],
            },
            has_files: explored.files.is_some(),
            has_errors: explored.models.iter().any(|m| m.errors.is_some()),
            has_clusters: explored.models.iter().any(|m| m.clusters.is_some()),
            classes,
            models: explored
                .models
                .iter()
                .map(|m| Shown {
                    name: m.name.to_owned(),
                    map_name: m.map_name.to_owned(),
                    dim: m.latents.len() / n,
                })
                .collect(),
            data,
        })
    }
}

/// Name, colour and number of images of each class; none without labels.
fn classes(explored: &Explored<'_>) -> Result<Vec<(String, String, usize)>, Error> {
    let Some(labels) = explored.labels else { return Ok(vec![]) };
    let mut counts = vec![0; explored.classes.len()];
    for &label in labels {
        expect(label < counts.len().min(pack::MOST), || {
            format!("an image is of class {label}, of which there are {}", counts.len())
        })?;
        counts[label] += 1;
    }
    let colours = palette::classes(counts.len());
    let named = explored.classes.iter().cloned().zip(colours).zip(counts);
    Ok(named.map(|((name, colour), count)| (name, colour, count)).collect())
}

fn pack_model(model: &ExploredModel<'_>, shape: [usize; 3], n: usize) -> Result<Value, String> {
    let (decoder, dim) = decoder::pack(model, shape)?;
    let sized = |what: &str, got: Option<usize>, expected: usize| match got {
        Some(got) if got != expected => Err(format!("{got} {what} where {expected} are needed")),
        _ => Ok(()),
    };
    sized("numbers of latents", Some(model.latents.len()), n * dim)?;
    sized("places on the map", Some(model.map.len()), n)?;
    sized("errors", model.errors.map(<[f32]>::len), n)?;
    sized("clusters", model.clusters.map(<[usize]>::len), n)?;
    if model.clusters.is_some_and(|c| c.iter().any(|&c| c >= pack::MOST)) {
        return Err(format!("there are more than {} clusters", pack::MOST));
    }
    // Sixteen bits, unless that alone would be megabytes.
    let bits = if n * dim <= 700_000 { pack::Bits::Sixteen } else { pack::Bits::Eight };
    let map = model.map.as_flattened();
    let table = |what: &str, values, columns, bits| {
        pack::table(values, columns, bits).ok_or_else(|| format!("{what} are not all finite"))
    };
    Ok(json!({
        "name": model.name,
        "mapName": model.map_name,
        "latents": table("latents", model.latents, dim, bits)?,
        "map": table("places on the map", map, 2, pack::Bits::Sixteen)?,
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
