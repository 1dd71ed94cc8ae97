//! Queries of a trained model: images of the searched ones, by name or number, and pictures from elsewhere, by path.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use latents_data::{Labelled, Source, is_array_file, read_picture};
use latents_report::{Figure, ImageView, Tile, grid};

use super::{QueryResult, SearchConfig, SearchIndex, SearchResults};
use crate::error::{Error, Result};
use crate::latents::Latents;
use crate::model::TrainedModel;
use crate::selection::SelectedImages;

/// Queries, and neighbours of each, that a figure shows.
const SHOWN: [usize; 2] = [50, 20];

/// An image to search for.
enum Query {
    /// The searched image with this number.
    Member(usize),
    /// The picture from elsewhere with this number.
    Foreign(usize),
}

/// Pictures from elsewhere.
#[derive(Default)]
struct Foreign {
    names: Vec<String>,
    /// Their latents `[n, d]`.
    z: Vec<f32>,
    /// The pixels of those that the figure may show.
    pixels: Vec<Vec<f32>>,
}

impl TrainedModel {
    /// Prepares the latents of images for searches.
    ///
    /// # Errors
    /// If the model has no latents, or there are no images.
    pub fn search_index(
        &mut self,
        selected: &SelectedImages,
        config: &SearchConfig,
    ) -> Result<SearchIndex> {
        SearchIndex::new(self.encode_selected(selected)?, config.metric)
    }

    /// The images among `selected` whose latents are nearest to those of each query, and a figure of the queries with their neighbours. A query is
    /// one of the images, as [`Labelled::find`] understands it: its name, the end of its name, or its number; or the path of a picture, a folder of
    /// pictures or a file of arrays, which are resized to the run's shape. An image is not its own neighbour, also if it is given by the path of its file, but
    /// its exact copies are.
    ///
    /// ```no_run
    /// use latents::{SearchConfig, Selection, Session, TrainedModel};
    ///
    /// let mut model = TrainedModel::open("runs/vae", &Session::default())?;
    /// let all = model.select(&Selection::All)?;
    /// let (found, figure) = model.search(&all, &["cat.jpg"], &SearchConfig::default())?;
    /// for near in &found.queries[0].neighbours {
    ///     println!("{} {}", near.item, near.distance);
    /// }
    /// figure.save("cat-neighbours.svg")?;
    /// # Ok::<(), latents::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the model has no latents, a query means nothing or several things, or a picture cannot be read.
    pub fn search(
        &mut self,
        selected: &SelectedImages,
        queries: &[impl AsRef<str>],
        config: &SearchConfig,
    ) -> Result<(SearchResults, Figure)> {
        // What a query means is found out before the images are encoded.
        let resolved = self.resolve(&selected.images, queries)?;
        let index = self.search_index(selected, config)?;
        self.answer(selected, &index, resolved, config.k)
    }

    /// As [`TrainedModel::search`], among images that [`TrainedModel::search_index`] has prepared before.
    ///
    /// # Errors
    /// As of [`TrainedModel::search`].
    ///
    /// # Panics
    /// If the index is not of these images.
    pub fn search_prepared(
        &mut self,
        selected: &SelectedImages,
        index: &SearchIndex,
        queries: &[impl AsRef<str>],
        k: usize,
    ) -> Result<(SearchResults, Figure)> {
        assert_eq!(index.len(), selected.images.len(), "the index is of other images");
        let resolved = self.resolve(&selected.images, queries)?;
        self.answer(selected, index, resolved, k)
    }

    fn answer(
        &self,
        selected: &SelectedImages,
        index: &SearchIndex,
        (queries, foreign): (Vec<Query>, Foreign),
        k: usize,
    ) -> Result<(SearchResults, Figure)> {
        let (dim, images) = (self.latent_space()?.dim, &selected.images);
        let members = queries.iter().filter_map(|query| match *query {
            Query::Member(i) => Some(i),
            Query::Foreign(_) => None,
        });
        let members: Vec<usize> = members.collect();
        // All queries have the same number of neighbours.
        let k = k.min(index.len() - usize::from(!members.is_empty()));
        let session = self.session.clone();
        let mut of_members = match members[..] {
            [] => vec![],
            _ => index.nearest_to_members(&members, k, &session)?.queries,
        }
        .into_iter();
        let mut z = Latents::new(foreign.z, dim)?;
        z.names = Some(foreign.names);
        let mut of_foreign = match z.len() {
            0 => vec![],
            _ => index.nearest(&z, k, &session)?.queries,
        }
        .into_iter();
        let each = queries.iter().map(|query| match query {
            Query::Member(_) => of_members.next(),
            Query::Foreign(_) => of_foreign.next(),
        });
        let found = index.results(each.flatten().collect());

        let shown = queries.iter().zip(&found.queries).take(SHOWN[0]);
        let rows = shown.filter_map(|(query, found)| {
            let image = match *query {
                Query::Member(i) => images.images.image_unit(i),
                Query::Foreign(i) => foreign.pixels.get(i)?.clone(),
            };
            Some(figure_row(images, image, found))
        });
        let figure = draw(&rows.collect::<Vec<_>>(), self.shape());
        Ok((found, figure))
    }

    /// What each query means.
    fn resolve(
        &mut self,
        images: &Labelled,
        queries: &[impl AsRef<str>],
    ) -> Result<(Vec<Query>, Foreign)> {
        let names = images.names.iter().flatten().enumerate();
        let numbers: HashMap<&str, usize> = names.map(|(i, name)| (name.as_str(), i)).collect();
        let root = match self.config.data.source.parse() {
            Ok(Source::Folder(folder)) => folder.canonicalize().ok(),
            _ => None,
        };
        // The image that a file is.
        let of_file = |path: &Path| {
            let inner = located(path)?.strip_prefix(root.as_ref()?).ok()?.to_owned();
            let name: Vec<_> =
                inner.components().map(|c| c.as_os_str().to_string_lossy()).collect();
            numbers.get(name.join("/").as_str()).copied()
        };
        let (mut resolved, mut foreign) = (vec![], Foreign::default());
        for query in queries.iter().map(AsRef::as_ref) {
            let path = Path::new(query);
            let is_path = query.starts_with('.') || path.is_absolute();
            let found = if is_path && path.exists() {
                None
            } else {
                match images.find(query) {
                    Ok(i) => Some(i),
                    Err(_) if path.exists() => None,
                    Err(source) => {
                        return Err(Error::NoSuchQuery { query: query.into(), source });
                    }
                }
            };
            match found {
                Some(i) if path.exists() && of_file(path) != Some(i) => {
                    // It could as well be another picture: this is not guessed.
                    return Err(Error::AmbiguousQuery {
                        query: query.into(),
                        image: images.name_of(i),
                    });
                }
                Some(i) => resolved.push(Query::Member(i)),
                None if path.is_dir() || is_array_file(path) => {
                    let opened = self.foreign_data(query)?.images;
                    let z = self.latent_means(&opened)?;
                    for (i, z) in z.chunks_exact(z.len() / opened.len().max(1)).enumerate() {
                        let (name, member) = match &opened.names {
                            Some(names) if path.is_dir() => {
                                let file = path.join(&names[i]);
                                (file.display().to_string(), of_file(&file))
                            }
                            _ => (format!("{query}:{}", opened.name_of(i)), None),
                        };
                        resolved.push(match member {
                            Some(member) => Query::Member(member),
                            None => foreign.push(name, z, &opened, i),
                        });
                    }
                }
                None => {
                    if let Some(i) = of_file(path) {
                        resolved.push(Query::Member(i));
                    } else {
                        let picture = read_picture(path, self.shape(), &self.config.data.pictures)?;
                        let picture = Labelled::unlabelled(picture);
                        let z = self.latent_means(&picture)?;
                        resolved.push(foreign.push(query.into(), &z, &picture, 0));
                    }
                }
            }
        }
        if resolved.is_empty() {
            return Err(Error::Invalid("there are no images to search for".into()));
        }
        Ok((resolved, foreign))
    }
}

impl Foreign {
    fn push(&mut self, name: String, z: &[f32], images: &Labelled, i: usize) -> Query {
        self.names.push(name);
        self.z.extend(z);
        if self.pixels.len() < SHOWN[0] {
            self.pixels.push(images.images.image_unit(i));
        }
        Query::Foreign(self.names.len() - 1)
    }
}

/// The path of a file with the links in its folder resolved; the file itself may be a link.
fn located(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
    Some(folder.join(path.file_name()?))
}

/// The images of a row of the figure with their captions, and the row's own caption.
struct FigureRow {
    caption: String,
    images: Vec<(Vec<f32>, String)>,
}

fn figure_row(images: &Labelled, image: Vec<f32>, found: &QueryResult) -> FigureRow {
    // The end of a path says most.
    let short = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let mut row = vec![(image, "query".to_owned())];
    row.extend(found.neighbours.iter().take(SHOWN[1]).map(|n| {
        let image = images.images.image_unit(n.item.index);
        (image, format!("{} {:.3}", short(&n.item.to_string()), n.distance))
    }));
    FigureRow { caption: short(&found.query), images: row }
}

fn draw(rows: &[FigureRow], shape: [usize; 3]) -> Figure {
    fn tile((pixels, caption): &(Vec<f32>, String), shape: [usize; 3]) -> Tile<'_> {
        Tile { caption: caption.clone(), image: ImageView { shape, pixels } }
    }
    let tiles: Vec<Vec<Tile<'_>>> =
        rows.iter().map(|row| row.images.iter().map(|i| tile(i, shape)).collect()).collect();
    let captions: Vec<String> = rows.iter().map(|row| row.caption.clone()).collect();
    grid("Nearest images", &tiles, &captions)
}
