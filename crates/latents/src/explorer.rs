//! The explorer of one model as a page: a map of latents of images, and a decoder that runs in the browser.

use latents_data::{Labelled, evenly_spaced};
use latents_explore::kmeans;
use latents_report::{Block, Explorer, ExplorerInput, ExplorerModel, Page, PageSection};

use crate::error::{Error, Result};
use crate::map::Tsne;
use crate::model::TrainedModel;

/// Most bytes of images in a page.
const MOST_BYTES: usize = 8 << 20;
/// Clusters that points are coloured by, if the images have fewer classes or more.
const CLUSTERS: [usize; 2] = [2, 12];
/// What a person can do on the page.
const HELP: &str = "Each point is an image. Hover to see it; click two to four points to traverse between them; drag on the map or move an axis to decode other latents: the \
    decoder runs in this page.";

impl TrainedModel {
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
    /// If the model has no latents, there are fewer than five images, they are neither grey nor in colour, or the call was interrupted.
    pub fn explorer(&mut self, images: &Labelled, classes: &[String], seed: u64) -> Result<Page> {
        let shape = self.shape();
        if !matches!(shape[0], 1 | 3) {
            let channels = shape[0];
            return Err(Error::Invalid(format!(
                "an explorer shows images of 1 or 3 channels, and these have {channels}"
            )));
        }
        let most = (MOST_BYTES / shape.iter().product::<usize>()).max(1);
        let places: Vec<usize> = evenly_spaced(most.min(images.len()), images.len()).collect();
        let shown = images.at(&places);
        let space = self.latent_space()?;
        let latents = self.encode(&shown)?;
        let session = self.session().clone();
        let map = Tsne::default().seed(seed).fit(&latents, &session)?;
        let k = classes.len().clamp(CLUSTERS[0], CLUSTERS[1]).min(shown.len());
        let clusters = session
            .runtime()?
            .run(|| kmeans(latents.rows()?, k, seed, &session).map_err(Error::from))?;
        let errors = self.reconstruction_errors(&shown)?;
        let network = self.config().network()?;
        let numbers: Vec<u32> = places.iter().map(|&place| place as u32).collect();
        let labels: Option<Vec<usize>> =
            shown.all_labels().map(|labels| labels.into_iter().map(usize::from).collect());
        let clusters: Vec<usize> = clusters.labels.iter().map(|&c| c as usize).collect();
        let points: Vec<[f32; 2]> = map.xy.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
        let map_name = format!("t-SNE of {} latents", latents.dim);
        let model = ExplorerModel {
            name: self.kind(),
            map_name: &map_name,
            network: &network,
            decode: space.decode,
            parameters: self.parameters(),
            latents: &latents.z,
            map: &points,
            errors: Some(&errors),
            clusters: Some(&clusters),
        };
        let explorer = Explorer::new(&ExplorerInput {
            shape,
            pixels: &shown.images.pixels().to_bytes(),
            numbers: (shown.len() < images.len()).then_some(&numbers[..]),
            classes,
            labels: labels.as_deref(),
            files: shown.names.as_deref(),
            models: vec![model],
        })?;
        let blocks = vec![Block::Paragraph(HELP.into()), Block::Explorer(explorer)];
        let section = PageSection { id: "explore".into(), title: "Explore".into(), blocks };
        let title = format!("Latents of {} images", latents_progress::count(images.len() as u64));
        Ok(Page { title, sections: vec![section], ..Page::default() })
    }
}
