//! Named tensors of 32-bit floats in safetensors files: weights under PyTorch's names and in its layouts, and other arrays that a run keeps.
//! Reading weights checks the name and the shape of each tensor.

use std::collections::HashMap;
use std::path::Path;

use latents_engine::Layout;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use crate::error::Error;

/// The contents of a safetensors file: named tensors of 32-bit floats in row-major order, and notes (the format's metadata).
///
/// ```
/// use latents_models::Tensors;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("means.safetensors");
/// let mut tensors = Tensors::default();
/// tensors.push("means", &[2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
/// tensors.save(&path)?;
/// let (shape, numbers) = Tensors::load(&path)?.take("means").expect("the tensor was saved");
/// assert_eq!((shape, numbers[5]), (vec![2, 3], 5.0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors {
    /// Name, shape and numbers of each tensor.
    pub entries: Vec<(String, Vec<usize>, Vec<f32>)>,
    /// Texts by name.
    pub notes: HashMap<String, String>,
}

impl Tensors {
    /// Adds a tensor.
    pub fn push(&mut self, name: impl Into<String>, shape: &[usize], numbers: Vec<f32>) {
        self.entries.push((name.into(), shape.to_vec(), numbers));
    }

    /// Removes a tensor and returns its shape and numbers. The order of the remaining entries may change.
    #[must_use]
    pub fn take(&mut self, name: &str) -> Option<(Vec<usize>, Vec<f32>)> {
        let at = self.entries.iter().position(|(n, _, _)| n == name)?;
        let (_, shape, numbers) = self.entries.swap_remove(at);
        Some((shape, numbers))
    }

    /// Adds every parameter of a network under its name, with `prefix` before it.
    ///
    /// # Panics
    /// If the number of `parameters` is not that of the layout.
    pub fn push_parameters(&mut self, prefix: &str, layout: &Layout, parameters: &[f32]) {
        assert_eq!(parameters.len(), layout.parameter_count());
        for p in layout.parameters() {
            self.push(format!("{prefix}{}", p.name), &p.shape, parameters[p.range()].to_vec());
        }
    }

    /// Removes and returns the parameters of a network, or says which is missing or has another shape.
    fn take_parameters(&mut self, prefix: &str, layout: &Layout) -> Result<Vec<f32>, String> {
        let mut parameters = vec![0.0; layout.parameter_count()];
        for p in layout.parameters() {
            let name = format!("{prefix}{}", p.name);
            let Some((shape, numbers)) = self.take(&name) else {
                return Err(format!("it has no tensor `{name}`: it belongs to another model"));
            };
            if shape != p.shape {
                return Err(format!(
                    "tensor `{name}` is {shape:?}, but the model needs {:?}",
                    p.shape
                ));
            }
            // The optimiser's numbers may overflow without harm; weights never.
            let wrong = numbers.iter().find(|x| !x.is_finite()).filter(|_| prefix.is_empty());
            if let Some(wrong) = wrong {
                return Err(format!(
                    "tensor `{name}` has the value {wrong}, which is not a finite number"
                ));
            }
            parameters[p.range()].copy_from_slice(&numbers);
        }
        Ok(parameters)
    }

    /// Writes the file atomically: it is complete or not there.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be written.
    ///
    /// # Panics
    /// If a tensor's shape does not match its number of elements, or there are more than 2^48 elements.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let views = self.entries.iter().map(|(name, shape, numbers)| {
            let bytes: &[u8] = bytemuck::cast_slice(numbers);
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (name, view.expect("every shape matches its numbers"))
        });
        let notes = (!self.notes.is_empty()).then(|| self.notes.clone());
        let bytes = serialize(views, notes).expect("tensors fit into memory");
        latents_files::write(path, &bytes)?;
        Ok(())
    }

    /// Reads a file that [`Tensors::save`] or PyTorch wrote.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read; [`Error::Weights`] if it is damaged or has tensors that are not 32-bit floats.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::parse(&latents_files::read(path)?, path)
    }

    /// Reads the contents of such a file; `path` is only for the error.
    ///
    /// # Errors
    /// As [`Tensors::load`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        Self::of_bytes(bytes).map_err(|reason| Error::Weights { path: path.to_owned(), reason })
    }

    fn of_bytes(bytes: &[u8]) -> Result<Self, String> {
        let damaged = |e| format!("it is not a whole safetensors file ({e})");
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let mut tensors =
            Tensors { entries: vec![], notes: header.metadata().clone().unwrap_or_default() };
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(format!("tensor `{name}` has type {:?}, not F32", view.dtype()));
            }
            let numbers = view.data().chunks_exact(4);
            let numbers = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            tensors.push(name, view.shape(), numbers);
        }
        Ok(tensors)
    }
}

/// Writes a network's parameters as a safetensors file, under PyTorch's names and in its layouts.
///
/// # Errors
/// [`Error::File`] if the file cannot be written.
pub fn save_parameters(path: &Path, layout: &Layout, parameters: &[f32]) -> Result<(), Error> {
    let mut tensors = Tensors::default();
    tensors.push_parameters("", layout, parameters);
    tensors.save(path)
}

/// Reads a network's parameters from a safetensors file that [`save_parameters`] or PyTorch wrote.
///
/// # Errors
/// [`Error::File`] if the file cannot be read; [`Error::Weights`] if it is damaged or belongs to another model. The error names the tensor and
/// both shapes.
pub fn load_parameters(path: &Path, layout: &Layout) -> Result<Vec<f32>, Error> {
    Tensors::load(path)?.parameters("", layout, path)
}

impl Tensors {
    /// Removes and returns every parameter of a network. Names have `prefix` before them; `path` is only for the error.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor is missing, has another shape, or, without a prefix, has a number that is not finite.
    pub fn parameters(
        &mut self,
        prefix: &str,
        layout: &Layout,
        path: &Path,
    ) -> Result<Vec<f32>, Error> {
        let taken = self.take_parameters(prefix, layout);
        taken.map_err(|reason| Error::Weights { path: path.to_owned(), reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AutoencoderConfig, Model};
    use latents_engine::{Init, initialize};

    #[test]
    fn parameters_come_back_under_pytorch_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let layout =
            AutoencoderConfig::default().network([1, 28, 28], 0).unwrap().layout().unwrap();
        let parameters = initialize(&layout, Init::default(), 3);
        save_parameters(&path, &layout, &parameters).unwrap();
        assert_eq!(load_parameters(&path, &layout).unwrap(), parameters);
        let mut names: Vec<String> =
            Tensors::load(&path).unwrap().entries.into_iter().map(|(n, _, _)| n).collect();
        names.sort();
        assert_eq!(
            names[..4],
            ["decoder.0.bias", "decoder.0.weight", "decoder.11.bias", "decoder.11.weight"]
        );
        assert_eq!(names.len(), 20);
    }

    #[test]
    fn weights_that_are_not_finite_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let layout =
            AutoencoderConfig::default().network([1, 28, 28], 0).unwrap().layout().unwrap();
        for wrong in [f32::NAN, f32::INFINITY] {
            let mut parameters = initialize(&layout, Init::default(), 3);
            let last = parameters.len() - 1;
            parameters[last] = wrong;
            save_parameters(&path, &layout, &parameters).unwrap();
            let error = load_parameters(&path, &layout).unwrap_err().to_string();
            assert!(error.contains("tensor `decoder.11.bias` has the value"), "{error}");
        }
    }

    #[test]
    fn another_model_and_damage_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let layout = |d| {
            let config = AutoencoderConfig { latent_dim: d, ..Default::default() };
            config.network([1, 28, 28], 0).unwrap().layout().unwrap()
        };
        let (small, large) = (layout(8), layout(9));
        save_parameters(&path, &small, &initialize(&small, Init::default(), 3)).unwrap();
        let error = load_parameters(&path, &large).unwrap_err().to_string();
        assert!(error.contains("encoder.9.weight") && error.contains("[9, 64]"), "{error}");
        let whole = std::fs::read(&path).unwrap();
        for bytes in
            [&whole[..whole.len() - 1], &whole[..20], b"", b"\xff\xff\xff\xff\xff\xff\xff\x7f{}"]
        {
            std::fs::write(&path, bytes).unwrap();
            let error = load_parameters(&path, &small).unwrap_err().to_string();
            assert!(
                error.contains("model.safetensors") && error.contains("not a whole"),
                "{error}"
            );
        }
    }
}
