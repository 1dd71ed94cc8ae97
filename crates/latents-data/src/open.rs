//! Opening a data set in one call: from a source as text, or the default one. How sources are read is in `source`.

use latents_progress::{Monitor, chain};

use crate::dataset::Dataset;
use crate::error::Error;
use crate::locations::Locations;
use crate::pictures::Pictures;
use crate::source::Source;

impl Dataset {
    /// Opens a [`Source`] as it is written, with the default [`Locations`] and [`Pictures`].
    ///
    /// # Errors
    /// Any [`Error`]: [`Error::UnknownSource`], [`Error::NoSuchPath`] or [`Error::OneFile`] if `source` cannot be parsed, and
    /// those of [`Source::load`].
    pub fn open(source: &str, monitor: &Monitor) -> Result<Self, Error> {
        Self::open_with(source, &Pictures::default(), monitor)
    }

    /// Opens a [`Source`] as it is written, with the default [`Locations`]. `pictures` says how a folder of pictures or an `.npz`
    /// file becomes images of one shape.
    ///
    /// # Errors
    /// As of [`open`](Self::open), and [`Error::Fixed`] if the source takes no settings.
    pub fn open_with(source: &str, pictures: &Pictures, monitor: &Monitor) -> Result<Self, Error> {
        source.parse::<Source>()?.load_with(pictures, &Locations::default(), monitor)
    }

    /// Opens the default data set with the default [`Locations`], as [`load_default`] does. If that is the sample of
    /// Fashion-MNIST, a note to `monitor` says why.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if `monitor` is cancelled.
    pub fn open_default(monitor: &Monitor) -> Result<Self, Error> {
        let (dataset, reason) = load_default(&Locations::default(), monitor)?;
        if let Some(reason) = reason {
            monitor.note(&unavailable(&reason));
        }
        Ok(dataset)
    }
}

/// What a user who named no data set is told if it is the sample.
fn unavailable(reason: &str) -> String {
    format!("Fashion-MNIST is not available ({reason});\nusing the built-in sample of it instead.")
}

/// The default data set: Fashion-MNIST if it is found or can be downloaded; otherwise the compiled-in sample of it, and the
/// reason in words.
///
/// # Errors
/// [`Error::Interrupted`] if `monitor` is cancelled. No other in practice: the sample is always there.
pub fn load_default(
    locations: &Locations,
    monitor: &Monitor,
) -> Result<(Dataset, Option<String>), Error> {
    match Source::FashionMnist.load(locations, monitor) {
        Ok(dataset) => Ok((dataset, None)),
        Err(error @ Error::Interrupted(_)) => Err(error),
        Err(error) => {
            let sample = Source::FashionMnistSample.load(locations, monitor)?;
            Ok((sample, Some(chain(&error))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_network_the_sample_is_taken_and_the_reason_told() {
        let nowhere = Locations::nowhere();
        let (set, reason) = load_default(&nowhere, &Monitor::default()).unwrap();
        assert_eq!((set.name.as_str(), set.train.len()), ("fashion-mnist-sample", 2_500));
        let reason = reason.unwrap();
        assert!(
            reason.contains("LATENTS_OFFLINE") && reason.contains("a folder of your own"),
            "{reason}"
        );

        // The cause of an error is told too.
        let file = tempfile::NamedTempFile::new().unwrap();
        let blocked = Locations { cache: Some(file.path().into()), offline: false, ..nowhere };
        let (_, reason) = load_default(&blocked, &Monitor::default()).unwrap();
        let reason = reason.unwrap();
        assert!(
            reason.starts_with("cannot create the folder") && reason.contains(": "),
            "{reason}"
        );
    }

    #[test]
    fn cancelling_does_not_fall_back_to_the_sample() {
        let (cache, monitor) = (tempfile::tempdir().unwrap(), Monitor::default());
        monitor.cancel().cancel();
        let cache = Some(cache.path().into());
        let mirrors = vec!["http://127.0.0.1:1".into()];
        let locations = Locations { cache, mirrors, offline: false, ..Locations::nowhere() };
        assert!(matches!(load_default(&locations, &monitor), Err(Error::Interrupted(_))));
    }

    #[test]
    fn a_source_is_opened_as_it_is_written() {
        let monitor = Monitor::default();
        let set = Dataset::open("fashion-mnist-sample", &monitor).unwrap();
        assert_eq!((set.shape(), set.test.len()), ([1, 28, 28], 500));
        assert_eq!((set.range, set.pictures.is_default()), ([0.0, 255.0], true));
        let error = Dataset::open("", &monitor).unwrap_err();
        assert!(matches!(error, Error::UnknownSource { .. }), "{error}");
        let grey = Pictures { grey: true, ..Pictures::default() };
        let error = Dataset::open_with("fashion-mnist-sample", &grey, &monitor).unwrap_err();
        assert!(matches!(error, Error::Fixed { .. }), "{error}");
    }
}
