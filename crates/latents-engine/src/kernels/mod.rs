//! Everything that touches every number: written once over [`crate::simd::Simd`], run on the instruction set of the machine. The
//! only unsafe code of the project is here and in `simd`; each kernel checks the sizes of what it is given before it begins.

pub(crate) mod dot;
pub(crate) mod elementwise;
pub(crate) mod gather;
pub(crate) mod loss;
pub(crate) mod peak;
pub(crate) mod transpose;
