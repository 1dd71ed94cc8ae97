//! NumPy's arrays: in as slices, which are not copied, and out as arrays that own their memory.

use latents::data::{ArrayNumbers, Depth, Pixels};
use numpy::{
    IntoPyArray, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArray2, PyReadonlyArrayDyn,
    PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// Rows `[n, d]` of an array of `float32` in C order.
pub(crate) struct Matrix<'py>(PyReadonlyArray2<'py, f32>);

impl<'a, 'py> FromPyObject<'a, 'py> for Matrix<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let array: PyReadonlyArray2<'py, f32> = object
            .extract()
            .map_err(|_| PyTypeError::new_err("expected an array [n, d] of float32"))?;
        if array.is_c_contiguous() {
            return Ok(Matrix(array));
        }
        Err(PyValueError::new_err("expected an array in C order"))
    }
}

impl Matrix<'_> {
    /// The numbers `[n, d]`.
    pub(crate) fn values(&self) -> PyResult<&[f32]> {
        Ok(self.0.as_slice()?)
    }

    /// `d`.
    pub(crate) fn dim(&self) -> usize {
        self.0.shape()[1]
    }
}

/// Images of a NumPy array of any of the types that need no conversion, in C order.
pub(crate) enum ImageArray<'py> {
    U8(PyReadonlyArrayDyn<'py, u8>),
    U16(PyReadonlyArrayDyn<'py, u16>),
    F32(PyReadonlyArrayDyn<'py, f32>),
    F64(PyReadonlyArrayDyn<'py, f64>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for ImageArray<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(array) = object.extract() {
            return Ok(Self::U8(array));
        }
        if let Ok(array) = object.extract() {
            return Ok(Self::U16(array));
        }
        if let Ok(array) = object.extract() {
            return Ok(Self::F32(array));
        }
        match object.extract() {
            Ok(array) => Ok(Self::F64(array)),
            Err(_) => Err(PyTypeError::new_err(
                "expected an array of uint8, uint16, float32 or float64 in C order",
            )),
        }
    }
}

impl ImageArray<'_> {
    pub(crate) fn shape(&self) -> Vec<usize> {
        match self {
            Self::U8(a) => a.shape().to_vec(),
            Self::U16(a) => a.shape().to_vec(),
            Self::F32(a) => a.shape().to_vec(),
            Self::F64(a) => a.shape().to_vec(),
        }
    }

    /// The numbers, in C order.
    pub(crate) fn numbers(&self) -> PyResult<ArrayNumbers<'_>> {
        Ok(match self {
            Self::U8(a) => ArrayNumbers::U8(a.as_slice()?),
            Self::U16(a) => ArrayNumbers::U16(a.as_slice()?),
            Self::F32(a) => ArrayNumbers::F32(a.as_slice()?),
            Self::F64(a) => ArrayNumbers::F64(a.as_slice()?),
        })
    }
}

/// An array of this shape, which takes the numbers over.
pub(crate) fn array<'py, T: numpy::Element>(
    py: Python<'py>,
    values: Vec<T>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    let flat: Bound<'py, PyArray1<T>> = values.into_pyarray(py);
    flat.reshape(shape.to_vec())
}

/// Pixels as an array `[n, c, h, w]` of `uint8` or `uint16`, with a copy of them.
pub(crate) fn pixels<'py>(
    py: Python<'py>,
    pixels: Pixels<'_>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match pixels {
        Pixels::Bytes(bytes) => array(py, bytes.to_vec(), shape)?.into_any(),
        Pixels::Words(words) => array(py, words.to_vec(), shape)?.into_any(),
    })
}

/// NumPy's name of the type of pixels of so many bits.
pub(crate) fn dtype(depth: Depth) -> &'static str {
    match depth {
        Depth::Eight => "uint8",
        Depth::Sixteen => "uint16",
    }
}
