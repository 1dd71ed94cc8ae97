//! A study of vectors that any program made, with or without their images: maps, clusters, neighbours, outliers, probes, and one page.
//! What the page says is in `page`.

mod page;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use latents::data::{Labelled, evenly_spaced};
use latents::explore::{Clusters, Pca, kmeans};
use latents::tables::{Column, ColumnTable, Values};
use latents::{
    Dataset, LatentMap, Latents, OutlierConfig, Outliers, Pictures, ProbeConfig, ProbeResults,
    SearchIndex, Session, Source, Tsne, count,
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::study::StudySummary;

/// Most vectors on the t-SNE map; of more, evenly spaced ones are shown.
const MAPPED: usize = 10_000;
/// Most components that are looked at.
const COMPONENTS: usize = 256;
/// Outliers of each kind.
const OUTLIERS: usize = 10;

/// A study of vectors, such as embeddings of another model, which leaves `report.html`.
///
/// ```no_run
/// use latents::Session;
/// use latents_study::VectorStudy;
///
/// let study = VectorStudy {
///     images: Some("./photos".into()),
///     out: "runs/vectors".into(),
///     ..VectorStudy::of("z.parquet")
/// };
/// println!("{}", study.run(&Session::default())?.report.display());
/// # Ok::<(), latents_study::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct VectorStudy {
    /// The file of vectors, as [`Latents::load`] takes it.
    pub latents: PathBuf,
    /// Their images, as [`Dataset::open`] takes them; matched by name, or by order if the vectors have no names.
    pub images: Option<String>,
    /// How pictures become images of one shape.
    pub pictures: Pictures,
    /// Seed of everything random. Default: 1.
    pub seed: u64,
    /// The folder for everything that the study leaves. Default: `runs/vectors`.
    pub out: PathBuf,
    /// How this study can be made again, for the page to show. Default: empty, and the page shows nothing.
    pub repeat_with: String,
}

/// What the results in a folder depend on, kept in `study.toml`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    seed: u64,
    latents: PathBuf,
    images: Option<String>,
}

/// Everything that was found.
struct Found {
    latents: Latents,
    images: Option<Labelled>,
    map: LatentMap,
    /// The places of the mapped vectors among all.
    mapped: Vec<usize>,
    components: LatentMap,
    /// The fraction of the variance that each component explains.
    explained: Vec<f64>,
    clusters: Clusters,
    outliers: Outliers,
    probe: Option<ProbeResults>,
    index: SearchIndex,
}

impl VectorStudy {
    /// A study of the vectors of a file, without images.
    #[must_use]
    pub fn of(latents: impl Into<PathBuf>) -> Self {
        VectorStudy {
            latents: latents.into(),
            images: None,
            pictures: Pictures::default(),
            seed: 1,
            out: "runs/vectors".into(),
            repeat_with: String::new(),
        }
    }

    /// Makes the study and writes its page, its map (`map.csv`) and its clusters (`clusters.csv`).
    ///
    /// # Errors
    /// If the vectors or the images cannot be read, no image belongs to a vector, there are too few vectors, the folder holds another
    /// study, or the session was cancelled.
    pub fn run(&self, session: &Session) -> Result<StudySummary> {
        let began = Instant::now();
        let (latents, images) = self.open(session)?;
        self.claim()?;
        let found = self.explore(latents, images, session)?;
        found.map.save(self.out.join("map.csv"))?;
        let table = found.clusters_table()?;
        latents::tables::write(&self.out.join("clusters.csv"), &table)
            .map_err(latents::Error::from)?;
        let page = page::page(self, &found, session)?;
        page.save(&self.out)?;
        Ok(StudySummary {
            report: self.out.join("report.html"),
            markdown: self.out.join("report.md"),
            findings: page.summary.into_iter().map(|finding| finding.text).collect(),
            seconds: began.elapsed().as_secs_f64(),
            stages: vec![],
        })
    }

    /// The vectors, and the images of those that have one.
    fn open(&self, session: &Session) -> Result<(Latents, Option<Labelled>)> {
        let latents = Latents::load_with(&self.latents, session)?;
        let Some(source) = &self.images else { return Ok((latents, None)) };
        let is_fixed = source.parse::<Source>()?.is_fixed();
        // All images stay together, in the order of the source.
        let whole = Pictures { test_fraction: 0.0, ..self.pictures.clone() };
        let pictures = if is_fixed { self.pictures.clone() } else { whole };
        let data = Dataset::open_with(source, &pictures, session)?;
        let (images, _) = data.all();
        let places = places(&latents, &images, source)?;
        let (kept, of_images): (Vec<usize>, Vec<usize>) =
            places.iter().enumerate().filter_map(|(i, place)| Some((i, (*place)?))).unzip();
        if kept.len() < latents.len() {
            let without = (latents.len() - kept.len()) as u64;
            session.note(&format!("{} vectors without an image are left out", count(without)));
        }
        let (mut latents, images) = (latents.at(&kept), images.at(&of_images));
        if latents.labels.is_none() && images.labels.is_some() {
            latents.labels.clone_from(&images.labels);
            latents.classes = data.classes;
        }
        Ok((latents, Some(images)))
    }

    /// Makes the folder this study's, unless it is another's.
    fn claim(&self) -> Result<()> {
        latents_files::sweep(&self.out);
        let file = self.out.join("study.toml");
        let (latents, images) = (self.latents.clone(), self.images.clone());
        let ours = Identity { seed: self.seed, latents, images };
        if file.exists() {
            let theirs = toml::from_str::<Identity>(&latents_files::read_text(&file)?);
            return match theirs {
                Ok(theirs) if theirs == ours => Ok(()),
                _ => Err(Error::OtherStudy { file }),
            };
        }
        latents_files::create_folder(&self.out)?;
        Ok(latents_files::write(&file, toml::to_string(&ours)?.as_bytes())?)
    }

    fn explore(
        &self,
        latents: Latents,
        images: Option<Labelled>,
        session: &Session,
    ) -> Result<Found> {
        let mapped: Vec<usize> = evenly_spaced(MAPPED, latents.len()).collect();
        let map = Tsne::default().seed(self.seed).fit(&latents.at(&mapped), session)?;
        let components = LatentMap::pca(&latents, session)?;
        let rows = latents.rows()?;
        let wanted = COMPONENTS.min(latents.dim).min(latents.len());
        let k = latents.classes.len().clamp(8, 20).min(latents.len());
        let (explained, clusters) = session.runtime()?.run(|| {
            let explained = Pca::fit(rows, wanted, session)?.explained_variance_ratio();
            Ok::<_, latents::explore::Error>((explained, kmeans(rows, k, self.seed, session)?))
        })?;
        let outliers = latents.outliers(OutlierConfig { top: OUTLIERS, same: 0.0 }, session)?;
        let labelled = latents.labels.iter().flatten().any(Option::is_some);
        let several = latents.classes.len() > 1;
        let config = ProbeConfig { seed: self.seed, labels: vec![], ..ProbeConfig::default() };
        let probe = || latents.probe(&self.latents.display().to_string(), &config, session);
        let probe = (labelled && several).then(probe).transpose()?;
        let index = SearchIndex::new(latents.clone(), latents::Metric::Euclidean)?;
        Ok(Found {
            latents,
            images,
            map,
            mapped,
            components,
            explained,
            clusters,
            outliers,
            probe,
            index,
        })
    }
}

impl Found {
    fn name(&self, i: usize) -> String {
        match (&self.latents.names, &self.images) {
            (Some(names), _) => names[i].clone(),
            (None, Some(images)) => images.name_of(i),
            (None, None) => i.to_string(),
        }
    }

    /// The cluster of each vector.
    fn clusters_table(&self) -> Result<ColumnTable> {
        let n = self.latents.len();
        let names = (0..n).map(|i| Some(self.name(i))).collect();
        let label = |i: usize| self.latents.class_of(i).map(str::to_owned);
        let clusters = self.clusters.labels.iter().map(|&c| Some(c.into())).collect();
        let table = ColumnTable::new(vec![
            Column::new("name", Values::Text(names)),
            Column::new("label", Values::Text((0..n).map(label).collect())),
            Column::new("cluster", Values::I64(clusters)),
        ]);
        Ok(table.map_err(latents::Error::from)?)
    }
}

/// The image of each vector: that of its name, that of the same file in another folder if there is one only, or that at the same place
/// if the vectors have no names.
fn places(latents: &Latents, images: &Labelled, source: &str) -> Result<Vec<Option<usize>>> {
    let (Some(names), Some(of_images)) = (&latents.names, &images.names) else {
        if latents.len() == images.len() {
            return Ok((0..images.len()).map(Some).collect());
        }
        return Err(Error::OtherImages {
            images: source.to_owned(),
            problem: format!(
                "it has {} images, but there are {} vectors, and names that would match them are missing",
                images.len(),
                latents.len()
            ),
        });
    };
    let file = |name: &str| name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let by_name: HashMap<&str, usize> =
        of_images.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let mut by_file: HashMap<String, Option<usize>> = HashMap::new();
    for (i, name) in of_images.iter().enumerate() {
        by_file.entry(file(name)).and_modify(|place| *place = None).or_insert(Some(i));
    }
    let place = |name: &String| {
        let exact = by_name.get(name.as_str()).copied();
        exact.or_else(|| by_file.get(&file(name)).copied().flatten())
    };
    let places: Vec<Option<usize>> = names.iter().map(place).collect();
    if places.iter().all(Option::is_none) {
        return Err(Error::OtherImages {
            images: source.to_owned(),
            problem: "none of the vectors has the name of an image".into(),
        });
    }
    Ok(places)
}

#[cfg(test)]
mod tests;
