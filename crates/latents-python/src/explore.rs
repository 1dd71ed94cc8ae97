//! Explorations of vectors: each function fits or applies one of the library's, and returns arrays. The estimators in `python/latents` keep these arrays as their
//! attributes, so that they can be copied and stored as any Python object.

use latents::explore::classification::softmax;
use latents::explore::disentanglement::{Disentanglement, Factor};
use latents::explore::neighbours::NeighbourIndex;
use latents::explore::probes::{Logistic, LogisticConfig};
use latents::explore::{
    GaussianMixture, KmeansConfig, MixtureConfig, Pca, Rows, TransformConfig, TsneConfig,
    distances, kmeans_with, samplers, tsne_from, tsne_transform as place,
};
use latents::{Metric, Session};
use numpy::{PyArrayDyn, PyReadonlyArrayDyn};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{Matrix, array};
use crate::call::call;
use crate::error::exception;

type Floats<'py> = Bound<'py, PyArrayDyn<f32>>;
type Doubles<'py> = Bound<'py, PyArrayDyn<f64>>;
type Integers<'py> = Bound<'py, PyArrayDyn<i64>>;
/// Numbers of a fitted model, of any shape, in C order.
type Given<'py> = PyReadonlyArrayDyn<'py, f64>;

/// Calls `work` with rows, on the worker threads and without the interpreter.
fn on_rows<T: Send>(
    py: Python<'_>,
    rows: &Matrix<'_>,
    work: impl FnOnce(Rows<'_>, &Session) -> Result<T, latents::explore::Error> + Send,
) -> PyResult<T> {
    let (values, d) = (rows.values()?, rows.dim());
    call(py, |session| {
        let rows = Rows::new(values, d)?;
        Ok(session.runtime()?.run(|| work(rows, session))?)
    })
}

/// Settings of t-SNE.
#[derive(Clone, Copy, FromPyObject)]
pub(crate) struct TsneSettings {
    #[pyo3(item)]
    components: usize,
    #[pyo3(item)]
    perplexity: f64,
    #[pyo3(item)]
    early_exaggeration: f64,
    #[pyo3(item)]
    early_iterations: u32,
    #[pyo3(item)]
    iterations: u32,
    #[pyo3(item)]
    learning_rate: Option<f64>,
    #[pyo3(item)]
    seed: u64,
    /// Whether to start from random points.
    #[pyo3(item)]
    random: bool,
}

/// A map `[n, 2]` of rows by t-SNE, its divergence, and the perplexity that was used.
#[pyfunction]
pub(crate) fn tsne<'py>(
    py: Python<'py>,
    rows: Matrix<'py>,
    start: Option<Matrix<'py>>,
    settings: TsneSettings,
) -> PyResult<(Floats<'py>, f64, f64)> {
    let components = settings.components;
    let config = TsneConfig {
        components,
        perplexity: settings.perplexity,
        early_exaggeration: settings.early_exaggeration,
        early_iterations: settings.early_iterations,
        iterations: settings.iterations,
        learning_rate: settings.learning_rate,
        seed: settings.seed,
    };
    let start = start.as_ref().map(Matrix::values).transpose()?;
    let map = on_rows(py, &rows, |rows, session| {
        let random =
            settings.random.then(|| samplers::normal(rows.len(), components, settings.seed));
        tsne_from(rows, start.or(random.as_deref()), &config, session)
    })?;
    let n = map.xy.len() / 2;
    let places = map.xy.chunks_exact(2).flat_map(|y| &y[..components]).copied().collect();
    Ok((array(py, places, &[n, components])?, map.kl, map.perplexity))
}

/// The places `[m, components]` of new rows on a map of others.
#[pyfunction]
pub(crate) fn tsne_transform<'py>(
    py: Python<'py>,
    rows: Matrix<'py>,
    map: Matrix<'py>,
    new: Matrix<'py>,
) -> PyResult<Floats<'py>> {
    let (components, (new, d)) = (map.dim(), (new.values()?, new.dim()));
    let place_of = |y: &[f32]| [0, 1].map(|a| y.get(a).copied().unwrap_or(0.0));
    let map: Vec<f32> = map.values()?.chunks_exact(components).flat_map(place_of).collect();
    let placed = on_rows(py, &rows, |rows, session| {
        place(rows, &map, Rows::new(new, d)?, &TransformConfig::default(), session)
    })?;
    let m = placed.len() / 2;
    let places = placed.chunks_exact(2).flat_map(|y| &y[..components]).copied().collect();
    array(py, places, &[m, components])
}

/// Principal components of rows: so many, or as many as explain a part of the variance. Returns mean `[d]`, components `[k, d]`, variance `[k]`, its ratio `[k]`, the
/// total variance, and that of the noise.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub(crate) fn pca<'py>(
    py: Python<'py>,
    rows: Matrix<'py>,
    components: usize,
    part: Option<f64>,
) -> PyResult<(Doubles<'py>, Doubles<'py>, Doubles<'py>, Doubles<'py>, f64, f64)> {
    let d = rows.dim();
    let pca = on_rows(py, &rows, |rows, session| Pca::fit(rows, components, session))?;
    let pca = match part {
        Some(part) => pca.truncated(pca.components_for(part)),
        None => pca,
    };
    let variance = pca.explained_variance().to_vec();
    let k = variance.len();
    Ok((
        array(py, pca.mean().to_vec(), &[d])?,
        array(py, pca.components().to_vec(), &[k, d])?,
        array(py, variance, &[k])?,
        array(py, pca.explained_variance_ratio(), &[k])?,
        pca.total_variance(),
        pca.noise_variance(),
    ))
}

/// Components as they were returned by `pca`: mean, components and variance, and whether to whiten.
#[derive(FromPyObject)]
pub(crate) struct Analysis<'py> {
    #[pyo3(item)]
    mean: Given<'py>,
    #[pyo3(item)]
    components: Given<'py>,
    #[pyo3(item)]
    variance: Given<'py>,
    #[pyo3(item)]
    whiten: bool,
}

impl Analysis<'_> {
    fn pca(&self) -> PyResult<Pca> {
        let [mean, components, variance] = [&self.mean, &self.components, &self.variance]
            .map(|numbers| numbers.as_slice().map(<[f64]>::to_vec));
        let variance = variance?;
        let total = variance.iter().sum();
        let pca = Pca::from_parameters(mean?, components?, variance, total);
        Ok(pca.map_err(|error| exception(&error.into()))?.whiten(self.whiten))
    }
}

/// Coordinates `[n, k]` of rows.
#[pyfunction]
pub(crate) fn pca_transform<'py>(
    py: Python<'py>,
    of: Analysis<'py>,
    rows: Matrix<'py>,
) -> PyResult<Floats<'py>> {
    let pca = of.pca()?;
    let found = on_rows(py, &rows, |rows, _| pca.transform(rows))?;
    let k = pca.explained_variance().len();
    let n = found.len() / k;
    array(py, found, &[n, k])
}

/// Rows `[n, d]` of coordinates.
#[pyfunction]
pub(crate) fn pca_inverse<'py>(
    py: Python<'py>,
    of: Analysis<'py>,
    rows: Matrix<'py>,
) -> PyResult<Floats<'py>> {
    let pca = of.pca()?;
    let found = on_rows(py, &rows, |rows, _| pca.inverse_transform(rows))?;
    let d = pca.mean().len();
    let n = found.len() / d;
    array(py, found, &[n, d])
}

/// Settings of k-means.
#[derive(Clone, Copy, FromPyObject)]
pub(crate) struct ClusterSettings {
    #[pyo3(item)]
    clusters: usize,
    #[pyo3(item)]
    seed: u64,
    #[pyo3(item)]
    starts: u64,
    #[pyo3(item)]
    iterations: usize,
    #[pyo3(item)]
    candidates: usize,
}

/// Clusters of rows: centres `[k, d]`, the cluster of each row `[n]`, the sum of squared distances, and the number of iterations.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub(crate) fn kmeans<'py>(
    py: Python<'py>,
    rows: Matrix<'py>,
    settings: ClusterSettings,
) -> PyResult<(Floats<'py>, Integers<'py>, f64, usize)> {
    let ClusterSettings { clusters, seed, starts, iterations, candidates } = settings;
    let config = KmeansConfig { clusters, seed, starts, iterations, candidates, first: 0 };
    let d = rows.dim();
    let found = on_rows(py, &rows, |rows, session| kmeans_with(rows, &config, session))?;
    let labels: Vec<i64> = found.labels.iter().map(|&label| label.into()).collect();
    let n = labels.len();
    let centres = array(py, found.centres, &[clusters, d])?;
    Ok((centres, array(py, labels, &[n])?, found.inertia, found.iterations))
}

/// The distance of each row to each centre `[n, k]`.
#[pyfunction]
pub(crate) fn kmeans_distances<'py>(
    py: Python<'py>,
    rows: Matrix<'py>,
    centres: Matrix<'py>,
) -> PyResult<Floats<'py>> {
    let (centres, d) = (centres.values()?, centres.dim());
    let k = centres.len() / d;
    let found = on_rows(py, &rows, |rows, _| distances(rows, Rows::new(centres, d)?))?;
    let n = found.len() / k;
    array(py, found, &[n, k])
}

/// Settings of a Gaussian mixture.
#[derive(Clone, Copy, FromPyObject)]
pub(crate) struct MixtureSettings {
    #[pyo3(item)]
    components: usize,
    #[pyo3(item)]
    seed: u64,
    #[pyo3(item)]
    tolerance: f64,
    #[pyo3(item)]
    regularisation: f64,
    #[pyo3(item)]
    iterations: usize,
    #[pyo3(item)]
    starts: usize,
    #[pyo3(item)]
    candidates: usize,
}

/// A mixture fitted to rows: weights `[k]`, means `[k, d]`, covariances `[k, d, d]`, the mean log-likelihood, the number of iterations, and whether it converged.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub(crate) fn gaussian_mixture<'py>(
    py: Python<'py>,
    rows: Matrix<'py>,
    settings: MixtureSettings,
) -> PyResult<(Doubles<'py>, Doubles<'py>, Doubles<'py>, f64, usize, bool)> {
    let MixtureSettings {
        components: k,
        seed,
        tolerance,
        regularisation,
        iterations,
        starts,
        candidates,
    } = settings;
    let config = MixtureConfig {
        components: k,
        seed,
        tolerance,
        regularisation,
        iterations,
        starts,
        candidates,
    };
    let d = rows.dim();
    let (mixture, fit) =
        on_rows(py, &rows, |rows, session| GaussianMixture::fit_with(rows, &config, session))?;
    let all = |of: fn(&GaussianMixture, usize) -> &[f64]| -> Vec<f64> {
        (0..k).flat_map(|c| of(&mixture, c)).copied().collect()
    };
    Ok((
        array(py, mixture.weights().to_vec(), &[k])?,
        array(py, all(GaussianMixture::mean), &[k, d])?,
        array(py, all(GaussianMixture::covariance), &[k, d, d])?,
        fit.likelihood,
        fit.iterations,
        fit.converged,
    ))
}

/// A mixture as it was returned by `gaussian_mixture`.
#[derive(FromPyObject)]
pub(crate) struct Mixture<'py> {
    #[pyo3(item)]
    weights: Given<'py>,
    #[pyo3(item)]
    means: Given<'py>,
    #[pyo3(item)]
    covariances: Given<'py>,
}

impl Mixture<'_> {
    fn mixture(&self) -> PyResult<GaussianMixture> {
        let (weights, means) = (self.weights.as_slice()?, self.means.as_slice()?);
        let found = GaussianMixture::from_parameters(weights, means, self.covariances.as_slice()?);
        found.map_err(|error| exception(&error.into()))
    }
}

/// The logarithm of the density at each row `[n]`, and the probability of each component `[n, k]`.
#[pyfunction]
pub(crate) fn gaussian_mixture_posterior<'py>(
    py: Python<'py>,
    of: Mixture<'py>,
    rows: Matrix<'py>,
) -> PyResult<(Doubles<'py>, Doubles<'py>)> {
    let mixture = of.mixture()?;
    let found = on_rows(py, &rows, |rows, session| mixture.posterior(rows, session))?;
    let (n, k) = (found.log_densities.len(), mixture.weights().len());
    Ok((array(py, found.log_densities, &[n])?, array(py, found.probabilities, &[n, k])?))
}

/// The Bayesian information criterion of a mixture on rows, and Akaike's.
#[pyfunction]
pub(crate) fn gaussian_mixture_criteria<'py>(
    py: Python<'py>,
    of: Mixture<'py>,
    rows: Matrix<'py>,
) -> PyResult<(f64, f64)> {
    let mixture = of.mixture()?;
    on_rows(py, &rows, |rows, _| Ok((mixture.bic(rows)?, mixture.aic(rows)?)))
}

/// Draws `[n, d]` from a mixture, and the component of each `[n]`.
#[pyfunction]
pub(crate) fn gaussian_mixture_sample<'py>(
    py: Python<'py>,
    of: Mixture<'py>,
    n: usize,
    seed: u64,
) -> PyResult<(Floats<'py>, Integers<'py>)> {
    let mixture = of.mixture()?;
    let (rows, components) =
        call(py, |session| Ok(session.runtime()?.run(|| mixture.sample_labelled(n, seed))))?;
    let d = rows.len().checked_div(n).unwrap_or(0);
    let components = components.into_iter().map(i64::from).collect();
    Ok((array(py, rows, &[n, d])?, array(py, components, &[n])?))
}

/// Rows prepared for searches.
#[pyclass(frozen, module = "latents._latents", name = "NeighborIndex")]
pub(crate) struct NeighborIndex(NeighbourIndex);

#[pymethods]
impl NeighborIndex {
    #[new]
    fn new(py: Python<'_>, rows: Matrix<'_>, metric: &str) -> PyResult<Self> {
        let metric = match metric {
            "euclidean" => Metric::Euclidean,
            "cosine" => Metric::Cosine,
            other => {
                let text = format!("metric must be euclidean or cosine, not {other:?}");
                return Err(PyValueError::new_err(text));
            }
        };
        Ok(NeighborIndex(on_rows(py, &rows, |rows, _| NeighbourIndex::new(rows, metric))?))
    }

    /// Distances and numbers `[q, k]` of the nearest rows to each query; of the rows themselves, each without itself, if there are no queries.
    fn nearest<'py>(
        &self,
        py: Python<'py>,
        queries: Option<Matrix<'py>>,
        k: usize,
    ) -> PyResult<(Floats<'py>, Integers<'py>)> {
        let found = match &queries {
            Some(queries) => {
                on_rows(py, queries, |rows, session| self.0.nearest(rows, k, session))?
            }
            None => call(py, |session| {
                let all: Vec<usize> = (0..self.0.len()).collect();
                Ok(session.runtime()?.run(|| self.0.nearest_others(&all, k, session))?)
            })?,
        };
        let q = found.index.len() / k;
        let metric = self.0.metric();
        let far = found.squared.iter().map(|&squared| metric.distance(squared)).collect();
        let index = found.index.iter().map(|&i| i.into()).collect();
        Ok((array(py, far, &[q, k])?, array(py, index, &[q, k])?))
    }
}

/// Scores of disentanglement of rows and factors, which are names and the number of each row's value, as JSON.
#[pyfunction]
pub(crate) fn disentanglement(
    py: Python<'_>,
    rows: Matrix<'_>,
    factors: Vec<(String, Vec<u16>)>,
    seed: u64,
) -> PyResult<String> {
    let scores = on_rows(py, &rows, |rows, session| {
        let factors = factors.into_iter().map(|(name, values)| Factor::new(name, &values));
        Disentanglement::measure(rows, &factors.collect::<Result<Vec<_>, _>>()?, seed, session)
    })?;
    serde_json::to_string(&scores).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Settings of a logistic regression.
#[derive(Clone, Copy, FromPyObject)]
pub(crate) struct LogisticSettings {
    #[pyo3(item)]
    c: f64,
    #[pyo3(item)]
    standardize: bool,
    #[pyo3(item)]
    tolerance: f64,
    #[pyo3(item)]
    iterations: usize,
}

/// A logistic regression fitted to rows and the numbers of their classes: weights `[k, d]`, biases `[k]`, the number of iterations, and whether it converged.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub(crate) fn logistic<'py>(
    py: Python<'py>,
    rows: Matrix<'py>,
    labels: Vec<u16>,
    classes: usize,
    settings: LogisticSettings,
) -> PyResult<(Doubles<'py>, Doubles<'py>, usize, bool)> {
    let LogisticSettings { c, standardize, tolerance, iterations } = settings;
    let config = LogisticConfig { c, standardize, tolerance, iterations };
    let (values, d) = (rows.values()?, rows.dim());
    let fitted = call(py, |session| {
        Rows::new(values, d)?;
        let runtime = session.runtime()?;
        Ok(Logistic::fit(values, d, &labels, classes, config, &runtime, session)?)
    })?;
    let (weights, biases) = fitted.coefficients();
    let weights = array(py, weights, &[classes, d])?;
    Ok((weights, array(py, biases, &[classes])?, fitted.iterations(), fitted.converged()))
}

/// Logits and probabilities `[n, k]` of rows by a regression with these weights and biases.
#[pyfunction]
pub(crate) fn logistic_logits<'py>(
    py: Python<'py>,
    weights: Given<'py>,
    biases: Given<'py>,
    rows: Matrix<'py>,
) -> PyResult<(Floats<'py>, Floats<'py>)> {
    let regression =
        Logistic::from_coefficients(weights.as_slice()?.to_vec(), biases.as_slice()?.to_vec())
            .map_err(|error| exception(&error.into()))?;
    let (k, values, d) = (biases.as_slice()?.len(), rows.values()?, rows.dim());
    let logits = call(py, |session| {
        Rows::new(values, d)?;
        Ok(regression.logits(values, &session.runtime()?)?)
    })?;
    let (n, probabilities) = (logits.len() / k, softmax(&logits, k));
    Ok((array(py, logits, &[n, k])?, array(py, probabilities, &[n, k])?))
}
