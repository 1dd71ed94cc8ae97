//! Explorers of models: maps of latents of images, with decoders that run in the browser. An explorer is a section of a page, or a page of its own.

use std::ops::Range;

use latents_data::{Labelled, evenly_spaced};
use latents_engine::Network;
use latents_explore::kmeans;
use latents_models::condition_value;
use latents_progress::count;
use latents_report::{Block, Explorer, ExplorerInput, ExplorerModel, Page, PageSection};

use crate::error::{Error, Result};
use crate::latents::Latents;
use crate::map::Tsne;
use crate::model::TrainedModel;

/// Most bytes of images in an explorer.
const MOST_BYTES: usize = 8 << 20;
/// The least and the largest number of clusters that points are coloured by.
const CLUSTERS: [usize; 2] = [2, 12];

/// A model with what an explorer shows of some images, as [`TrainedModel::explored`] makes it.
#[derive(Clone, Debug)]
pub struct ExploredModel {
    name: String,
    network: Network,
    decode: Range<usize>,
    parameters: Vec<f32>,
    condition: f32,
    latents: Latents,
    map: Vec<[f32; 2]>,
    errors: Vec<f32>,
    clusters: Vec<usize>,
}

/// The places of those of `n` images `[c, h, w]` of so many `numbers` that an explorer can hold: all, or evenly spaced ones.
#[must_use]
pub fn explored_places(numbers: usize, n: usize) -> Vec<usize> {
    evenly_spaced((MOST_BYTES / numbers.max(1)).max(1), n).collect()
}

/// The explorer of one or two models as a section of a page. `images` are those that they were explored with, `numbers` what these are called if they are a part of all, and
/// `point` says what each point is, such as `a test image`.
///
/// # Errors
/// If the images are neither grey nor in colour, or a decoder has a layer that a page cannot compute.
pub fn explorer_section(
    models: &[ExploredModel],
    images: &Labelled,
    numbers: Option<&[u32]>,
    classes: &[String],
    point: &str,
) -> Result<PageSection> {
    let labels: Option<Vec<usize>> =
        images.all_labels().map(|labels| labels.into_iter().map(usize::from).collect());
    let map_names: Vec<String> =
        models.iter().map(|model| format!("t-SNE of {} latents", model.latents.dim)).collect();
    let views = models.iter().zip(&map_names).map(|(model, map_name)| ExplorerModel {
        name: &model.name,
        map_name,
        network: &model.network,
        decode: model.decode.clone(),
        parameters: &model.parameters,
        condition: model.condition,
        latents: &model.latents.z,
        map: &model.map,
        errors: Some(&model.errors),
        clusters: Some(&model.clusters),
    });
    let explorer = Explorer::new(&ExplorerInput {
        shape: images.images.shape(),
        pixels: &images.images.pixels().to_bytes(),
        numbers,
        classes,
        labels: labels.as_deref(),
        files: images.names.as_deref(),
        models: views.collect(),
    })?;
    let help = format!(
        "Each point is {point}. Hover to see it; click two to four points to traverse between them; drag on the map or move an axis to decode other latents: the decoder runs in this page."
    );
    let blocks = vec![Block::Paragraph(help), Block::Explorer(explorer)];
    Ok(PageSection { id: "explore".into(), title: "Explore".into(), blocks })
}

impl TrainedModel {
    /// What an explorer shows of images: their `latents`, which are at these places of a `map`, the errors of their reconstructions, and clusters of the latents, about as
    /// many as there are classes.
    ///
    /// # Errors
    /// If the model has no latents, the images have another shape, or the call was interrupted.
    pub fn explored(
        &mut self,
        name: &str,
        images: &Labelled,
        latents: Latents,
        map: Vec<[f32; 2]>,
        seed: u64,
    ) -> Result<ExploredModel> {
        let k = self.classes().len().clamp(CLUSTERS[0], CLUSTERS[1]).min(images.len());
        let (rows, session) = (latents.rows()?, self.session().clone());
        let clusters = self.runtime().run(|| kmeans(rows, k, seed, &session))?;
        Ok(ExploredModel {
            name: name.to_owned(),
            network: self.config().network()?,
            decode: self.latent_space()?.decode,
            parameters: self.parameters().to_vec(),
            condition: condition_value(self.engine.layout()) as f32,
            errors: self.reconstruction_errors(images)?,
            clusters: clusters.labels.iter().map(|&c| c as usize).collect(),
            latents,
            map,
        })
    }

    /// A page on which a person explores the latents of images: a t-SNE of them, coloured by class, cluster or error of reconstruction, and the decoder. It is one file
    /// that refers to nothing outside itself. Of more images than 8 MB, evenly spaced ones are shown.
    ///
    /// ```no_run
    /// use latents::{Session, TrainedModel};
    ///
    /// let mut model = TrainedModel::open("runs/ae", &Session::default())?;
    /// let data = model.data()?;
    /// let page = model.explorer(&data.test, &data.classes, 0)?;
    /// std::fs::write("explorer.html", page.html()).expect("a file");
    /// # Ok::<(), latents::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the model has no latents, there are fewer than five images, they are neither grey nor in colour, a conditional model does not know the
    /// class of one, or the call was interrupted.
    pub fn explorer(&mut self, images: &Labelled, classes: &[String], seed: u64) -> Result<Page> {
        let channels = self.shape()[0];
        if !matches!(channels, 1 | 3) {
            return Err(Error::Invalid(format!(
                "an explorer shows images of 1 or 3 channels, and these have {channels}"
            )));
        }
        let places = explored_places(self.shape().iter().product(), images.len());
        // A conditional decoder takes the model's classes; those of images from elsewhere are found by their names.
        let shown = self.in_own_classes(&images.at(&places), classes).into_owned();
        let classes =
            if self.is_conditional() { self.classes().to_vec() } else { classes.to_vec() };
        let latents = self.encode(&shown)?;
        let map = Tsne::default().seed(seed).fit(&latents, &self.session().clone())?;
        let map = map.xy.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
        let model = self.explored(self.kind(), &shown, latents, map, seed)?;
        let numbers: Vec<u32> = places.iter().map(|&place| place as u32).collect();
        let numbers = (shown.len() < images.len()).then_some(&numbers[..]);
        let section = explorer_section(&[model], &shown, numbers, &classes, "an image")?;
        let title = format!("Latents of {} images", count(images.len() as u64));
        Ok(Page { title, sections: vec![section], ..Page::default() })
    }
}
