//! Formats whose files may have several pages, of any numbers and channels: TIFF, and FITS and DICOM if this build reads them.

use super::bands::{Bands, check_channels};
#[cfg(feature = "dicom")]
use super::dicom;
#[cfg(feature = "fits")]
use super::fits;
use super::{Header, tiff};
use crate::pictures::Pages;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paged {
    Tiff,
    #[cfg(feature = "fits")]
    Fits,
    #[cfg(feature = "dicom")]
    Dicom,
}

impl Paged {
    /// The format of a file's content; `None` if it is none of these.
    ///
    /// # Errors
    /// If this build does not read the format.
    #[allow(clippy::unnecessary_wraps)] // A build without a format has errors.
    pub(super) fn of(file: &[u8]) -> Result<Option<Self>, String> {
        if tiff::is_tiff(file) {
            return Ok(Some(Self::Tiff));
        }
        if file.starts_with(b"SIMPLE  =") {
            #[cfg(feature = "fits")]
            return Ok(Some(Self::Fits));
            #[cfg(not(feature = "fits"))]
            return Err(missing("FITS", "fits"));
        }
        if file.get(128..132) == Some(b"DICM") {
            #[cfg(feature = "dicom")]
            return Ok(Some(Self::Dicom));
            #[cfg(not(feature = "dicom"))]
            return Err(missing("DICOM", "dicom"));
        }
        Ok(None)
    }

    /// Reads the head of a file of `length` bytes, of which these are the first.
    pub(super) fn header(self, file: &[u8], length: u64, pages: Pages) -> Result<Header, String> {
        let _ = length;
        match self {
            Self::Tiff => tiff::header(file, pages),
            #[cfg(feature = "fits")]
            Self::Fits => fits::header(file, length, pages),
            #[cfg(feature = "dicom")]
            Self::Dicom => dicom::header(file, length, pages),
        }
    }

    /// The channels of a page. A byte is worth `byte`.
    pub(super) fn bands(self, file: &[u8], page: u32, byte: f32) -> Result<Bands, String> {
        match self {
            Self::Tiff => tiff::bands(file, page, byte),
            #[cfg(feature = "fits")]
            Self::Fits => fits::bands(file, page, byte),
            #[cfg(feature = "dicom")]
            Self::Dicom => dicom::bands(file, page, byte),
        }
    }

    /// The channels of all pages.
    pub(super) fn all_pages(self, file: &[u8], byte: f32) -> Result<Bands, String> {
        let pages = self.header(file, file.len() as u64, Pages::Pictures)?.pages;
        let mut all = self.bands(file, 0, byte)?;
        for page in 1..pages {
            let next = self.bands(file, page, byte)?;
            let size = |bands: &Bands| (bands.channels[0].width, bands.channels[0].height);
            if size(&next) != size(&all) {
                return Err(format!(
                    "page {page} has another size than the first, so pages are no channels"
                ));
            }
            all.channels.extend(next.channels);
            check_channels(all.channels.len())?;
        }
        all.alpha = None;
        Ok(all)
    }
}

#[cfg(not(all(feature = "dicom", feature = "fits")))]
fn missing(format: &str, feature: &str) -> String {
    format!("this build does not support {format}; build with the feature `{feature}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        assert_eq!(Paged::of(b"II*\0"), Ok(Some(Paged::Tiff)));
        assert_eq!(Paged::of(b"\x89PNG"), Ok(None));
        let dicom = [&[0; 128][..], b"DICM"].concat();
        for (file, format, is_read) in [
            (&b"SIMPLE  =                    T"[..], "FITS", cfg!(feature = "fits")),
            (&dicom, "DICOM", cfg!(feature = "dicom")),
        ] {
            let found = Paged::of(file);
            assert_eq!(found.is_ok(), is_read);
            let feature = format.to_lowercase();
            let said = found.err().unwrap_or_default();
            assert!(is_read || said.ends_with(&format!("build with the feature `{feature}`")));
        }
    }
}
