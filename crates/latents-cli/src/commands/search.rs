//! `latents search`: the images of a collection that are most similar to others.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use latents::{
    Latents, SEARCH_ENDINGS, SearchConfig, SearchIndex, SearchResults, Selection, Session,
    TrainedModel, check_output, save_beside,
};
use serde::Serialize;

use crate::commands::{Split, list};
use crate::output::Output;

/// Find the images that are most similar to others
///
/// The nearest neighbours of each query among the latents of a run, or among vectors of your own; exact, by Euclidean or cosine distance. An image of the
/// collection is not its own neighbour, but its exact copies are. A figure (SVG and PNG) shows the first 50 queries with up to 20 neighbours each.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Folder of a trained run
    #[arg(long, value_name = "DIR", required_unless_present = "latents")]
    run: Option<PathBuf>,
    /// Search vectors of your own instead: the array `z` [n, d] of this file
    #[arg(long, value_name = "FILE.npz", conflicts_with_all = ["run", "split", "data"])]
    latents: Option<PathBuf>,
    /// What to search for: images of the searched ones by name, end of name or number from 0; paths of pictures, folders of pictures or files of arrays. With
    /// --latents, names and numbers only
    #[arg(long, value_name = "QUERY", num_args = 1.., required_unless_present = "queries")]
    image: Vec<String>,
    /// Search for the vectors `z` [q, d] of this file
    #[arg(long, value_name = "FILE.npz", requires = "latents", conflicts_with_all = ["run", "image"])]
    queries: Option<PathBuf>,
    /// Which images of the run's data set to search
    #[arg(long, value_enum, default_value = "all")]
    split: Split,
    /// Search images that the run has not seen, instead: a folder of pictures, a file of arrays, or the test part of a named data set
    #[arg(long, value_name = "SOURCE", conflicts_with = "split")]
    data: Option<String>,
    /// How many neighbours to show; all if there are fewer
    #[arg(short, long, value_name = "K", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    k: u32,
    /// How distances are measured
    #[arg(long, value_enum, default_value = "euclidean")]
    metric: Metric,
    /// File to write, by its ending .json, .npz, .csv or .md; the figure is written next to it [default: `figures/search.json` in the run's folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Metric {
    /// The Euclidean distance
    Euclidean,
    /// One minus the cosine of the angle: lengths do not matter
    Cosine,
}

impl From<Metric> for latents::Metric {
    fn from(metric: Metric) -> Self {
        match metric {
            Metric::Euclidean => latents::Metric::Euclidean,
            Metric::Cosine => latents::Metric::Cosine,
        }
    }
}

#[derive(Serialize)]
struct Written<'a> {
    out: Option<&'a Path>,
    figures: Vec<PathBuf>,
    #[serde(flatten)]
    found: &'a SearchResults,
}

impl Search {
    pub(crate) fn run(&self, session: &Session, output: Output) -> Result<()> {
        let default = || Some(self.run.as_ref()?.join("figures/search.json"));
        let out = self.out.clone().or_else(default);
        if let Some(out) = &out {
            check_output(out, &SEARCH_ENDINGS)?;
        }
        let (found, figure) = match (&self.latents, &self.run) {
            (Some(file), _) => (self.of_vectors(file, session)?, None),
            (None, Some(run)) => {
                let mut model = TrainedModel::open(run, session)?;
                model.latent_space()?;
                let selection = match &self.data {
                    Some(source) => Selection::Source(source.clone()),
                    None => self.split.into(),
                };
                let selected = model.select(&selection)?;
                let config = SearchConfig { k: self.k as usize, metric: self.metric.into() };
                let (found, figure) = model.search(&selected, &self.image, &config)?;
                (found, Some(figure))
            }
            (None, None) => anyhow::bail!("--run or --latents is needed"),
        };
        let mut figures = vec![];
        if let Some(out) = &out {
            found.save(out)?;
            if let Some(figure) = &figure {
                figures = save_beside(figure, out, "")?;
            }
        }
        let mut text = text(&found);
        if let Some(out) = &out {
            write!(text, "\n{}  {}", out.display(), list(&figures))?;
        }
        output.result(&text, &Written { out: out.as_deref(), figures, found: &found })
    }

    fn of_vectors(&self, file: &Path, session: &Session) -> Result<SearchResults> {
        let named = |e: latents::Error, file: &Path| e.context(file.display().to_string());
        let index = SearchIndex::new(Latents::load(file)?, self.metric.into())
            .map_err(|e| named(e, file))?;
        if let Some(queries) = &self.queries {
            let found = index.nearest(&Latents::load(queries)?, self.k as usize, session);
            return Ok(found.map_err(|e| named(e, queries))?);
        }
        let members = self.image.iter().map(|query| index.find(query));
        let members = members.collect::<Result<Vec<_>, _>>().map_err(|e| named(e, file))?;
        let found = index.nearest_to_members(&members, self.k as usize, session);
        Ok(found.map_err(|e| named(e, file))?)
    }
}

/// The neighbours of each query, one on a line.
fn text(found: &SearchResults) -> String {
    let mut lines = vec![];
    for query in &found.queries {
        let label = query.member.as_ref().and_then(|member| member.label.as_deref());
        lines.push(format!("{}  {}", query.query, label.unwrap_or_default()));
        for near in &query.neighbours {
            let known = near.item.part.map(|part| part.to_string()).into_iter();
            let known: Vec<String> = known.chain(near.item.label.clone()).collect();
            let (rank, item) = (near.rank, &near.item);
            lines.push(format!("{rank:>5}  {:<12.5}{item}  {}", near.distance, known.join("  ")));
        }
    }
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n")
}
