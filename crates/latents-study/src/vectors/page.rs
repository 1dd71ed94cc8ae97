//! What the page says about vectors: the map, the clusters, the neighbours, the outliers, what labels can be told from them, and the
//! explorer.

use latents::data::evenly_spaced;
use latents::report::{
    Block, Cell, Explorer, ExplorerInput, ExplorerModel, Figure, Finding, ImageView, Page,
    PageSection, Show, Table, Tile, Tone, grid,
};
use latents::{LinearDecoder, MapMethod, Session, explored_places};

use super::{Found, VectorStudy};
use crate::error::Result;
use crate::words;

/// Images of each cluster, and queries and neighbours of each, that are shown.
const MEMBERS: usize = 10;
const QUERIES: [usize; 2] = [8, 10];
/// Most components of the explorer.
const AXES: usize = 32;

pub(super) fn page(study: &VectorStudy, found: &Found, session: &Session) -> Result<Page> {
    let n = words::count(found.latents.len());
    let mut page = Page {
        title: format!("A study of the vectors of {}", study.latents.display()),
        lead: match &study.images {
            Some(images) => {
                format!("{n} vectors of {} numbers, of images of {images}.", found.latents.dim)
            }
            None => format!("{n} vectors of {} numbers.", found.latents.dim),
        },
        ..Page::default()
    };
    let sections = [
        Some(map(found)),
        probe(found),
        Some(clusters(found)),
        neighbours(found, session)?,
        Some(outliers(found)),
    ];
    for (section, finding) in sections.into_iter().flatten() {
        page.sections.push(section);
        page.summary.push(finding);
    }
    page.sections.extend(explorer(found, session)?);
    let again = (!study.repeat_with.is_empty())
        .then(|| Block::Code { caption: String::new(), text: study.repeat_with.clone() });
    let entries = vec![
        ("vectors".to_owned(), study.latents.display().to_string()),
        ("images".into(), study.images.clone().unwrap_or_else(|| "none".into())),
        ("seed".into(), study.seed.to_string()),
        ("latents".into(), env!("CARGO_PKG_VERSION").into()),
    ];
    let settings = Block::Settings { caption: "Data".into(), entries };
    let blocks = again.into_iter().chain([settings]).collect();
    page.sections.push(PageSection {
        id: "made".into(),
        title: "How this was made".into(),
        blocks,
    });
    Ok(page)
}

/// A section, and what the summary says of it.
type Part = (PageSection, Finding);

fn part(id: &str, title: &str, blocks: Vec<Block>, finding: String) -> Part {
    let section = PageSection { id: id.into(), title: title.into(), blocks };
    (section, Finding::new(Tone::Neutral, finding).of(id))
}

fn figure(id: &str, picture: &Figure, caption: String) -> Block {
    Block::Figure { id: id.into(), picture: picture.into(), caption, alt: String::new() }
}

/// The number of components that explain a fraction of the variance; `None` if those that were looked at do not.
fn needed(explained: &[f64], fraction: f64) -> Option<usize> {
    let mut sum = 0.0;
    let place = explained.iter().position(|ratio| {
        sum += ratio;
        sum >= fraction
    });
    place.map(|place| place + 1)
}

fn map(found: &Found) -> Part {
    let mapped = words::count(found.mapped.len());
    let kl = match found.map.method {
        MapMethod::Tsne { kl, .. } => format!(" (KL divergence {} nats)", words::error(kl)),
        MapMethod::Pca { .. } => String::new(),
    };
    let mut blocks =
        vec![figure("V1-tsne", &found.map.figure(), format!("{mapped} vectors by t-SNE{kl}."))];
    if let Some(images) = &found.images {
        let shown = found.map.thumbnails(&images.at(&found.mapped));
        blocks.push(figure("V1-images", &shown, "The same map with its images.".into()));
    }
    blocks.push(figure(
        "V1-pca",
        &found.components.figure(),
        "All vectors by their first two principal components.".into(),
    ));
    let number = |fraction: f64| match needed(&found.explained, fraction) {
        Some(k) => words::count(k),
        None => format!("more than {}", words::count(found.explained.len())),
    };
    let finding = format!(
        "Principal components that explain half of the variance of the vectors: {}; nine tenths of it: {}.",
        number(0.5),
        number(0.9)
    );
    blocks.push(Block::Paragraph(finding.clone()));
    part("V1", "Maps", blocks, finding)
}

fn probe(found: &Found) -> Option<Part> {
    let probe = found.probe.as_ref()?;
    let best = &probe.probes[0];
    let finding = format!(
        "From the vectors, a logistic regression tells the labels of {} of the test vectors, and the vote of {} nearest neighbours those of {}.",
        words::accuracy(best.logistic),
        probe.k,
        words::accuracy(best.neighbours)
    );
    let caption = format!(
        "Learnt from {} vectors, measured on {} others.",
        words::count(probe.train_images),
        words::count(probe.test_images)
    );
    let table = Block::Table { id: "V2-probes".into(), table: probe.table(), caption };
    Some(part("V2", "What the vectors tell about labels", vec![table], finding))
}

fn clusters(found: &Found) -> Part {
    let (latents, clusters) = (&found.latents, &found.clusters);
    let k = clusters.centres.len() / latents.dim;
    let distance = |i: usize, cluster: usize| -> f64 {
        let row = &latents.z[i * latents.dim..][..latents.dim];
        let centre = &clusters.centres[cluster * latents.dim..][..latents.dim];
        row.iter().zip(centre).map(|(x, c)| f64::from(x - c).powi(2)).sum()
    };
    let mut members: Vec<(usize, Vec<usize>)> = (0..k)
        .map(|cluster| {
            let of_cluster = (0..latents.len()).filter(|&i| clusters.labels[i] as usize == cluster);
            let mut near: Vec<usize> = of_cluster.collect();
            near.sort_by(|&a, &b| distance(a, cluster).total_cmp(&distance(b, cluster)));
            (cluster, near)
        })
        .collect();
    members.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(&b.0)));
    let mut columns = vec!["cluster", "vectors", "nearest to its centre"];
    let labelled = latents.labels.is_some();
    if labelled {
        columns.extend(["most frequent label", "its share, %"]);
    }
    let row = |(cluster, near): &(usize, Vec<usize>)| {
        let mut cells = vec![
            Cell::Integer(*cluster as i128),
            Cell::Integer(near.len() as i128),
            Cell::Text(near.first().map(|&i| found.name(i)).unwrap_or_default()),
        ];
        if labelled {
            let mut counts = std::collections::BTreeMap::new();
            near.iter()
                .filter_map(|&i| latents.class_of(i))
                .for_each(|c| *counts.entry(c).or_insert(0usize) += 1);
            let most = counts.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(a.0)));
            cells.extend(match most {
                Some((class, count)) => {
                    let share = 100.0 * count as f64 / near.len() as f64;
                    [Cell::Text(class.to_owned()), Cell::Number(share, Show::Decimals(1))]
                }
                None => [Cell::Empty, Cell::Empty],
            });
        }
        cells
    };
    let columns = columns.into_iter().map(str::to_owned).collect();
    let table = Table { columns, rows: members.iter().map(row).collect() };
    let mut blocks = vec![];
    let rows: Vec<Vec<usize>> =
        members.iter().map(|(_, near)| near.iter().take(MEMBERS).copied().collect()).collect();
    let captions: Vec<String> = members.iter().map(|(c, _)| format!("cluster {c}")).collect();
    if let Some(sheet) = sheet(found, "Images nearest to the centres of clusters", &rows, &captions)
    {
        blocks.push(figure("V3-images", &sheet, "A row for each cluster, largest first.".into()));
    }
    let caption =
        "Clusters by k-means, largest first; the file clusters.csv has the cluster of each vector.";
    blocks.push(Block::Table { id: "V3-clusters".into(), table, caption: caption.into() });
    let largest = members.first().map_or(0, |(_, near)| near.len());
    let finding = format!(
        "Of {k} clusters, the largest has {} vectors and the smallest {}.",
        words::count(largest),
        words::count(members.last().map_or(0, |(_, near)| near.len()))
    );
    part("V3", "Clusters", blocks, finding)
}

fn neighbours(found: &Found, session: &Session) -> Result<Option<Part>> {
    let k = QUERIES[1].min(found.index.len().saturating_sub(1));
    if k == 0 {
        return Ok(None);
    }
    let queries: Vec<usize> = evenly_spaced(QUERIES[0], found.latents.len()).collect();
    let results = found.index.nearest_to_members(&queries, k, session)?;
    let rows: Vec<Vec<usize>> = queries
        .iter()
        .zip(&results.queries)
        .map(|(&query, result)| {
            let near = result.neighbours.iter().map(|neighbour| neighbour.item.index);
            std::iter::once(query).chain(near).collect()
        })
        .collect();
    let mut blocks = vec![];
    if let Some(sheet) = sheet(found, "Vectors and their nearest neighbours", &rows, &[]) {
        let caption = "Each row: an image, and those whose vectors are nearest to its own.";
        blocks.push(figure("V4-images", &sheet, caption.into()));
    } else {
        let columns = ["vector", "nearest", "second nearest"].map(str::to_owned).to_vec();
        let row = |row: &Vec<usize>| {
            let name =
                |place: usize| row.get(place).map_or(Cell::Empty, |&i| Cell::Text(found.name(i)));
            vec![name(0), name(1), name(2)]
        };
        let table = Table { columns, rows: rows.iter().map(row).collect() };
        let caption = "Some vectors and their nearest neighbours.".into();
        blocks.push(Block::Table { id: "V4-names".into(), table, caption });
    }
    let finding = match &found.latents.labels {
        Some(labels) => {
            let same = rows.iter().flat_map(|row| row[1..].iter().map(move |&i| (row[0], i)));
            let pairs: Vec<bool> = same.map(|(a, b)| labels[a] == labels[b]).collect();
            let share =
                pairs.iter().filter(|&&same| same).count() as f64 / pairs.len().max(1) as f64;
            format!(
                "Among the neighbours that are shown, {} have the label of their vector.",
                words::percent_rounded(share)
            )
        }
        None => format!("{} vectors with their nearest neighbours.", queries.len()),
    };
    Ok(Some(part("V4", "Neighbours", blocks, finding)))
}

fn outliers(found: &Found) -> Part {
    let far = &found.outliers.farthest;
    let mut blocks = vec![];
    let rows = [far.iter().map(|outlier| outlier.image).collect()];
    if let Some(sheet) = sheet(found, "Images of the farthest vectors", &rows, &[]) {
        blocks.push(figure("V5-images", &sheet, "The farthest vectors, farthest first.".into()));
    }
    let columns = ["name", "label", "Mahalanobis distance"].map(str::to_owned).to_vec();
    let row = |outlier: &latents::Outlier| {
        vec![
            Cell::Text(found.name(outlier.image)),
            outlier.class.clone().map_or(Cell::Empty, Cell::Text),
            Cell::Number(outlier.distance, Show::Significant(3)),
        ]
    };
    let table = Table { columns, rows: far.iter().map(row).collect() };
    let caption =
        "Distances from the mean of all vectors, in proportion to their covariance.".into();
    blocks.push(Block::Table { id: "V5-outliers".into(), table, caption });
    let copies = found.outliers.near_duplicates.len();
    let finding = format!(
        "The farthest vector is that of {}. Pairs of equal vectors: {}.",
        far.first().map(|outlier| found.name(outlier.image)).unwrap_or_default(),
        words::count(copies)
    );
    part("V5", "Outliers", blocks, finding)
}

/// Rows of images of vectors, with the ends of their names; `None` without images.
fn sheet(found: &Found, title: &str, rows: &[Vec<usize>], captions: &[String]) -> Option<Figure> {
    let images = found.images.as_ref()?;
    let shape = images.images.shape();
    if !matches!(shape[0], 1 | 3) {
        return None;
    }
    let pixels: Vec<Vec<Vec<f32>>> =
        rows.iter().map(|row| row.iter().map(|&i| images.images.image_unit(i)).collect()).collect();
    let mut tiles: Vec<Vec<Tile<'_>>> = vec![];
    for (row, pixels) in rows.iter().zip(&pixels) {
        let mut line = vec![];
        for (&i, pixels) in row.iter().zip(pixels) {
            let name = found.name(i);
            let caption = name.rsplit('/').next().unwrap_or_default().to_owned();
            line.push(Tile { caption, image: ImageView { shape, pixels } });
        }
        tiles.push(line);
    }
    Some(grid(title, &tiles, captions))
}

/// The explorer of the mapped vectors that have grey or colour images, whose decoder is linear.
fn explorer(found: &Found, session: &Session) -> Result<Option<PageSection>> {
    let Some(images) = &found.images else { return Ok(None) };
    let shape = images.images.shape();
    if !matches!(shape[0], 1 | 3) {
        return Ok(None);
    }
    let size: usize = shape.iter().product();
    let decoder = LinearDecoder::fit(&found.latents, &images.images, AXES, session)?;
    let k = decoder.network.input[0];
    let places = explored_places(size, found.mapped.len());
    let chosen: Vec<usize> = places.iter().map(|&place| found.mapped[place]).collect();
    let shown = images.at(&chosen);
    let components: Vec<f32> =
        chosen.iter().flat_map(|&i| &decoder.components[i * k..(i + 1) * k]).copied().collect();
    let map: Vec<[f32; 2]> =
        places.iter().map(|&i| [found.map.xy[2 * i], found.map.xy[2 * i + 1]]).collect();
    let clusters: Vec<usize> = chosen.iter().map(|&i| found.clusters.labels[i] as usize).collect();
    let numbers: Vec<u32> = chosen.iter().map(|&i| i as u32).collect();
    let of_chosen = |labels: &Vec<Option<u16>>| {
        chosen.iter().map(|&i| labels[i].map(usize::from)).collect::<Option<Vec<usize>>>()
    };
    let labels = found.latents.labels.as_ref().and_then(of_chosen);
    let files: Vec<String> = chosen.iter().map(|&i| found.name(i)).collect();
    let model = ExplorerModel {
        name: "Vectors",
        map_name: "t-SNE of the vectors",
        network: &decoder.network,
        decode: 0..1,
        parameters: &decoder.parameters,
        condition: 1.0,
        latents: &components,
        map: &map,
        errors: None,
        clusters: Some(&clusters),
    };
    let input = ExplorerInput {
        shape,
        pixels: &shown.images.pixels().to_bytes(),
        numbers: Some(&numbers),
        classes: &found.latents.classes,
        labels: labels.as_deref(),
        files: Some(&files),
        models: vec![model],
    };
    let blocks = vec![
        Block::Paragraph(format!(
            "Each point is a vector. Hover to see its image; click two to four points to go from one to the other. The pictures between are made by a linear regression from the first {k} principal components of the vectors to the pixels, so they are blurred, and say nothing of the program that made the vectors."
        )),
        Block::Explorer(Explorer::new(&input)?),
    ];
    Ok(Some(PageSection { id: "explore".into(), title: "Explore".into(), blocks }))
}
