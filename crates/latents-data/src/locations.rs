//! Where data sets are found on this machine and downloaded from: folders, mirrors and time-outs. Environment variables are read
//! only here, so a caller that wants other places, such as a test, makes its own [`Locations`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The public addresses of Fashion-MNIST: the authors' own, TensorFlow's copy and, if TLS is built in, the authors' repository, which
/// requires it. Downloads are checked against their SHA-256 sums, so the connection need not be trusted.
const MIRRORS: &[&str] = &[
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "http://storage.googleapis.com/tensorflow/tf-keras-datasets",
    #[cfg(feature = "tls")]
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
];

/// Where data sets are found, and how they are downloaded.
///
/// ```
/// use latents_data::{Locations, Source};
/// use latents_progress::Monitor;
///
/// // Nothing but what is compiled in.
/// let data = Source::FashionMnistSample.load(&Locations::nowhere(), &Monitor::default())?;
/// assert_eq!(data.train.len(), 2_500);
/// # Ok::<(), latents_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locations {
    /// The folder that keeps downloads and decoded pictures, with a sub-folder for each data set; `None` for no cache.
    pub cache: Option<PathBuf>,
    /// Folders of the system's package manager, each with a sub-folder for each data set. The cache takes precedence.
    pub system: Vec<PathBuf>,
    /// Addresses of folders with the four gzipped files of Fashion-MNIST, tried in order.
    pub mirrors: Vec<String>,
    /// Never download.
    pub offline: bool,
    /// A download stalls if the mirror sends nothing, or less than 1 KiB a second, for this long.
    pub stall: Duration,
    /// The number of attempts to download a file from one mirror before the next mirror is tried.
    pub attempts: u32,
    /// The pause before the next attempt at the same mirror.
    pub pause: Duration,
    /// Above this many bytes, decoded pictures are kept in a memory-mapped file rather than in memory.
    pub memory: u64,
}

impl Locations {
    /// No folder, no mirror, no network: only the compiled-in sample and the user's own files can be loaded.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            cache: None,
            system: Vec::new(),
            mirrors: Vec::new(),
            offline: true,
            stall: Duration::from_secs(20),
            attempts: 3,
            pause: Duration::from_secs(1),
            memory: 1 << 28,
        }
    }

    fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || {
            if cfg!(windows) {
                folder("LOCALAPPDATA").map(|local| local.join("latents"))
            } else {
                folder("HOME").map(|home| home.join(".cache").join("latents"))
            }
        };
        // The XDG Base Directory Specification says that relative paths are ignored.
        let xdg = || {
            folder("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(|p| p.join("latents"))
        };
        Self {
            cache: folder("LATENTS_CACHE").or_else(xdg).or_else(home),
            system: if cfg!(unix) { vec!["/usr/share/datasets".into()] } else { Vec::new() },
            mirrors: MIRRORS.iter().map(|&mirror| mirror.to_owned()).collect(),
            offline: variable("LATENTS_OFFLINE").is_some_and(|on| !on.is_empty() && on != "0"),
            ..Self::nowhere()
        }
    }
}

impl Default for Locations {
    /// The locations that the environment variables give. The cache is `LATENTS_CACHE`; or `latents` in `XDG_CACHE_HOME` (in
    /// `LOCALAPPDATA` on Windows); or `~/.cache/latents`. `LATENTS_OFFLINE=1` switches downloads off.
    fn default() -> Self {
        Self::from_environment(|name| std::env::var_os(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Locations {
        let find = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
        Locations::from_environment(find)
    }

    #[cfg(unix)]
    #[test]
    fn the_cache_follows_the_environment() {
        let cache = |variables: &[(&str, &str)]| with(variables).cache;
        let (own, xdg, home) =
            (("LATENTS_CACHE", "/own"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/me"));
        assert_eq!(cache(&[own, xdg, home]), Some("/own".into()));
        assert_eq!(cache(&[("LATENTS_CACHE", ""), xdg, home]), Some("/xdg/latents".into()));
        let at_home = Some("/home/me/.cache/latents".into());
        assert_eq!(cache(&[("XDG_CACHE_HOME", "relative"), home]), at_home);
        assert_eq!(cache(&[home]), at_home);
        assert_eq!(cache(&[]), None);
    }

    #[test]
    fn downloads_can_be_switched_off() {
        for (value, offline) in [("1", true), ("yes", true), ("0", false), ("", false)] {
            assert_eq!(with(&[("LATENTS_OFFLINE", value)]).offline, offline, "{value:?}");
        }
        assert!(!with(&[]).offline);
        assert_eq!(with(&[]).mirrors, MIRRORS);
    }
}
