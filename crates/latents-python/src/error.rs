//! Errors of the library as Python's exceptions.

use std::error::Error as _;
use std::io;

use latents::Error as E;
use latents::data::Error as D;
use latents::progress::chain;
use latents::train::Error as T;
use latents::tune::Error as U;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyFileNotFoundError, PyKeyboardInterrupt, PyValueError};
use pyo3::prelude::*;

create_exception!(
    latents,
    Error,
    PyException,
    "What went wrong in latents, where, and what to do next. Wrong arguments are ValueError or TypeError instead, and missing files FileNotFoundError."
);

/// The exception for an error of the library.
pub(crate) fn exception(error: &latents::Error) -> PyErr {
    let text = chain(error);
    if error.is_interrupted() {
        return PyKeyboardInterrupt::new_err(text);
    }
    if is_missing(error) {
        return PyFileNotFoundError::new_err(text);
    }
    if is_argument(error) { PyValueError::new_err(text) } else { Error::new_err(text) }
}

/// Whether a file or a folder is not there.
fn is_missing(error: &latents::Error) -> bool {
    if let Some(D::NoSuchPath { .. }) = of_data(error) {
        return true;
    }
    if let E::Train(T::NoRun { .. }) = error {
        return true;
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return io.kind() == io::ErrorKind::NotFound;
        }
        source = cause.source();
    }
    false
}

/// What is wrong with images, if something is.
fn of_data(error: &latents::Error) -> Option<&D> {
    fn of_run(error: &T) -> Option<&D> {
        match error {
            T::Data(error) => Some(error),
            T::RunData(error) => of_run(error),
            _ => None,
        }
    }
    match error {
        E::In { source, .. } => of_data(source),
        E::Data(error) => Some(error),
        E::Train(error) => of_run(error),
        _ => None,
    }
}

/// Whether an argument of a call is wrong.
fn is_argument(error: &latents::Error) -> bool {
    if let Some(error) = of_data(error) {
        return matches!(
            error,
            D::Array { .. }
                | D::Setting { .. }
                | D::UnknownSource { .. }
                | D::NoSuchImage { .. }
                | D::Parts { .. }
                | D::Fixed { .. }
        );
    }
    match error {
        E::In { source, .. } => is_argument(source),
        E::Explore(inner) => !matches!(inner, latents::explore::Error::Engine(_)),
        E::Train(inner) => matches!(
            inner,
            T::Config(_)
                | T::Settings { .. }
                | T::ForeignShape { .. }
                | T::ForeignRange { .. }
                | T::Model(_)
                | T::MissingLabels { .. }
                | T::UnknownClass { .. }
        ),
        E::Tune(inner) => matches!(
            inner,
            U::Distribution(_)
                | U::Space(_)
                | U::EmptySpace
                | U::Incompatible { .. }
                | U::UnknownName { .. }
                | U::Pruner(_)
                | U::Address { .. }
        ),
        E::Model(_)
        | E::Invalid(_)
        | E::ImagesOpen { .. }
        | E::LatentDim { .. }
        | E::OnlyPrior { .. }
        | E::NotConditional { .. }
        | E::ClassNeeded { .. }
        | E::ClassesMissing { .. }
        | E::NoImage { .. }
        | E::NoSuchQuery { .. }
        | E::AmbiguousQuery { .. }
        | E::EncoderNeeded
        | E::EncoderShape { .. }
        | E::NoValidation
        | E::SearchedAndSet { .. }
        | E::NothingToTune
        | E::NotTunable { .. }
        | E::OutputEnding { .. } => true,
        _ => false,
    }
}
