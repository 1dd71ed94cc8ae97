//! Search by similarity: the nearest vectors of a collection to each query. What is searched may be latents of a run or vectors from elsewhere;
//! how the images of a run become queries is in `search/queries`, what comes out in `search/results`.

mod queries;
mod results;

use latents_data::find_image;
use latents_explore::neighbours::{Metric, NeighbourIndex, Neighbours};

pub use self::results::{Neighbour, QueryResult, SearchItem, SearchResults};
use crate::error::{Error, Result};
use crate::latents::Latents;
use crate::session::Session;

/// The settings of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchConfig {
    /// The number of neighbours of each query; all others if there are fewer.
    pub k: usize,
    /// How distances are measured.
    pub metric: Metric,
}

impl Default for SearchConfig {
    fn default() -> Self {
        SearchConfig { k: 20, metric: Metric::Euclidean }
    }
}

/// Vectors prepared for searches, with what is known of each: made once, queried many times. The search is exact.
///
/// ```
/// use latents::explore::neighbours::Metric;
/// use latents::{Latents, SearchIndex, Session};
///
/// let session = Session::default();
/// let z = Latents::new(vec![0.0, 0.0, 3.0, 4.0, 0.0, 0.0, 6.0, 8.0], 2)?;
/// let index = SearchIndex::new(z, Metric::Euclidean)?;
///
/// // Vector 0 is not its own neighbour, but its copy, vector 2, is.
/// let found = index.nearest_to_members(&[0], 2, &session)?;
/// let near: Vec<_> = found.queries[0].neighbours.iter().map(|n| (n.item.index, n.distance)).collect();
/// assert_eq!(near, [(2, 0.0), (1, 5.0)]);
///
/// let new = Latents::new(vec![6.0, 8.0], 2)?;
/// assert_eq!(index.nearest(&new, 1, &session)?.queries[0].neighbours[0].item.index, 3);
/// # Ok::<(), latents::Error>(())
/// ```
#[derive(Debug)]
pub struct SearchIndex {
    index: NeighbourIndex,
    /// Names, labels and parts; the vectors themselves are in the index.
    known: Latents,
}

impl SearchIndex {
    /// Prepares vectors.
    ///
    /// # Errors
    /// If there are none, a number is not finite, or a vector has no direction, as [`Metric::Cosine`] needs.
    pub fn new(mut latents: Latents, metric: Metric) -> Result<Self> {
        if latents.is_empty() {
            return Err(Error::Invalid("there are no vectors to search".into()));
        }
        let index = NeighbourIndex::new(latents.rows()?, metric)?;
        (latents.z, latents.log_variances) = (vec![], None);
        Ok(SearchIndex { index, known: latents })
    }

    /// The number of vectors, `n`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is no vector; never the case.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The number of the vector that `query` means: by its name, by the end of its name if no other ends like that, or by its number from 0.
    ///
    /// # Errors
    /// If there is none, or there are several.
    pub fn find(&self, query: &str) -> Result<usize> {
        Ok(find_image(self.known.names.as_deref(), self.len(), query)?)
    }

    /// The nearest `k` vectors to each of `queries` `[q, d]`; all if there are fewer. Queries are called by their names, or numbered.
    ///
    /// # Errors
    /// If the queries have another number of dimensions, or `k` is 0.
    pub fn nearest(&self, queries: &Latents, k: usize, session: &Session) -> Result<SearchResults> {
        let rows = queries.rows()?;
        if rows.dim() != self.index.dim() {
            return Err(Error::LatentDim { found: rows.dim(), expected: self.index.dim() });
        }
        let k = k.min(self.len());
        let found = session.runtime()?.run(|| self.index.nearest(rows, k, session))?;
        let query = |i: usize| match &queries.names {
            Some(names) => names[i].clone(),
            None => i.to_string(),
        };
        let each = (0..rows.len()).map(|i| self.result(query(i), None, &found, i));
        Ok(self.results(each.collect()))
    }

    /// The nearest `k` other vectors to each of the vectors with the given numbers; all others if there are fewer. A vector is not its own
    /// neighbour, but its exact copies are.
    ///
    /// # Errors
    /// If there is no vector of a number, or `k` is 0.
    pub fn nearest_to_members(
        &self,
        members: &[usize],
        k: usize,
        session: &Session,
    ) -> Result<SearchResults> {
        let last = self.len() - 1;
        if let Some(&index) = members.iter().find(|&&i| i > last) {
            return Err(Error::NoImage { index, last });
        }
        if last == 0 {
            return Err(Error::Invalid("there is only one vector: it has no neighbours".into()));
        }
        let k = k.min(last);
        let found = session.runtime()?.run(|| self.index.nearest_others(members, k, session))?;
        let each = members.iter().enumerate().map(|(i, &member)| {
            let item = self.item(member);
            self.result(item.to_string(), Some(item), &found, i)
        });
        Ok(self.results(each.collect()))
    }

    fn results(&self, queries: Vec<QueryResult>) -> SearchResults {
        SearchResults { metric: self.index.metric(), searched: self.len(), queries }
    }

    fn result(
        &self,
        query: String,
        member: Option<SearchItem>,
        found: &Neighbours,
        i: usize,
    ) -> QueryResult {
        let near = found.of(i).iter().zip(found.squared_of(i)).enumerate();
        let neighbours = near.map(|(j, (&number, &squared))| Neighbour {
            rank: j + 1,
            item: self.item(number as usize),
            distance: self.index.metric().distance(squared),
        });
        QueryResult { query, member, neighbours: neighbours.collect() }
    }

    /// What is known of a vector.
    fn item(&self, index: usize) -> SearchItem {
        let Latents { names, labels, parts, classes, .. } = &self.known;
        let label = labels.as_ref().and_then(|labels| *labels.get(index)?);
        SearchItem {
            index,
            name: names.as_ref().map(|names| names[index].clone()),
            part: parts.as_ref().map(|parts| parts[index]),
            label: label.and_then(|label| classes.get(usize::from(label)).cloned()),
        }
    }
}

#[cfg(test)]
mod tests;
