//! Settings: from Python's keyword arguments, which come as JSON, to layers.

use latents::{Recipe, SettingsLayer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::Value;

use crate::error::exception;

/// The kinds of models.
#[pyfunction]
pub(crate) fn kinds() -> Vec<&'static str> {
    latents::ModelConfig::kinds().to_vec()
}

/// The name of each setting of a kind of model and its path in `config.toml`.
#[pyfunction]
pub(crate) fn setting_paths(kind: &str) -> PyResult<Vec<(String, String)>> {
    latents::setting_paths(kind).map_err(|error| exception(&error))
}

/// A JSON object as its entries.
pub(crate) fn entries(json: &str) -> PyResult<serde_json::Map<String, Value>> {
    match serde_json::from_str(json) {
        Ok(Value::Object(entries)) => Ok(entries),
        _ => Err(PyValueError::new_err(format!("settings must be a JSON object, not {json}"))),
    }
}

/// A layer of settings by their paths.
pub(crate) fn layer(json: &str) -> PyResult<SettingsLayer> {
    let mut layer = SettingsLayer::default();
    for (path, value) in entries(json)? {
        layer.set(&path, &value).map_err(|error| exception(&error.into()))?;
    }
    Ok(layer)
}

/// What else a recipe is made of.
#[derive(Clone, Debug, FromPyObject)]
pub(crate) struct Start {
    /// The folder of a run whose encoder a classifier starts from.
    #[pyo3(item)]
    encoder: Option<std::path::PathBuf>,
    #[pyo3(item)]
    from_scratch: bool,
    #[pyo3(item)]
    freeze_encoder: bool,
    #[pyo3(item)]
    minutes: Option<f64>,
}

/// The recipe of a kind of model with these settings.
pub(crate) fn recipe(kind: &str, settings: &str, start: Option<Start>) -> PyResult<Recipe> {
    let mut recipe = Recipe::new(kind).map_err(|error| exception(&error))?;
    recipe = recipe.set_all(layer(settings)?);
    let Some(start) = start else { return Ok(recipe) };
    if let Some(encoder) = start.encoder {
        recipe = recipe.encoder(encoder);
    }
    if start.from_scratch {
        recipe = recipe.from_scratch();
    }
    if start.freeze_encoder {
        recipe = recipe.freeze_encoder();
    }
    if let Some(minutes) = start.minutes {
        recipe = recipe.minutes(minutes);
    }
    Ok(recipe)
}
