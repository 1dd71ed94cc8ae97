//! Compares the engine with PyTorch by the golden files in this folder, which `xtask/python/golden_*.py` make and describe. This module
//! reads and compares the files. Properties that need no other library are tested in `tests/gradients` and beside the code.

#![allow(clippy::unwrap_used)] // Clippy allows unwrap in test functions, but not in the functions that they call.

mod batch_penalties;
mod importance;
mod latents;
mod networks;
mod optimizers;
mod schedules;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use latents_engine::{Isa, Runtime};
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// One golden file.
struct Golden {
    name: String,
    case: serde_json::Value,
    tensors: BTreeMap<String, Tensor>,
}

impl Golden {
    fn read(path: &Path) -> Golden {
        let bytes = std::fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            assert_eq!(view.dtype(), Dtype::F32, "{name} in {}", path.display());
            let numbers = view.data().chunks_exact(4);
            let values = numbers.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
            (name.to_owned(), Tensor { shape: view.shape().to_vec(), values })
        });
        let tensors = tensors.collect();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let case = serde_json::from_str(&header.metadata().as_ref().unwrap()["case"]).unwrap();
        Golden { name: path.file_stem().unwrap().to_str().unwrap().to_owned(), case, tensors }
    }

    /// All files of a kind. There must be `count`, so that a missing file is an error.
    fn read_all(kind: &str, count: usize) -> Vec<Golden> {
        let paths = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
        let mut goldens: Vec<Golden> = paths
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(kind))
            .map(|path| Golden::read(&path))
            .collect();
        goldens.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(goldens.len(), count, "golden files {kind}* in {FOLDER}");
        goldens
    }

    fn case<T: DeserializeOwned>(&self, key: &str) -> T {
        serde_json::from_value(self.case[key].clone())
            .unwrap_or_else(|e| panic!("{key} of {}: {e}", self.name))
    }

    /// A setting of the case, if it is present.
    fn option<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.case.get(key).map(|_| self.case(key))
    }

    fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no {name}", self.name))
    }

    fn values(&self, name: &str) -> &[f32] {
        &self.tensor(name).values
    }

    /// Asserts that `got` equals PyTorch's tensor `name` to `tolerance`.
    fn check(&self, name: &str, got: &[f32], tolerance: f64, how: &str) {
        let expected: Vec<f64> = self.values(name).iter().map(|&x| f64::from(x)).collect();
        let error = relative_error(got, &expected);
        assert!(error <= tolerance, "{}, {how}: {name} is off by {error:e}", self.name);
    }
}

/// Euclidean norm of the difference, relative to the expected norm. No golden tensor has a norm below 1e-3; the floor is for sums of
/// tensors, which might cancel.
fn relative_error(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let difference = got.iter().zip(expected).map(|(&a, b)| (f64::from(a) - b).powi(2));
    let norm = expected.iter().map(|b| b * b).sum::<f64>().sqrt();
    difference.sum::<f64>().sqrt() / norm.max(1e-3)
}

/// One runtime for each instruction set of this machine.
fn runtimes() -> Vec<Arc<Runtime>> {
    let runtime = |isa| Arc::new(Runtime::new(Some(2), Some(isa)).unwrap());
    Isa::available().into_iter().map(runtime).collect()
}
