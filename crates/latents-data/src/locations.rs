//! Where data sets may lie or come from on this machine: folders, mirrors and time-outs. The environment is read here and
//! nowhere else, so whoever wants other places (a test, say) makes their own [`Locations`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Where to look for data sets, and how to download them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locations {
    /// The folder in which downloads are kept, one sub-folder a data set; `None` where the environment names no place.
    pub cache: Option<PathBuf>,
    /// Folders of the system's package manager, each with one sub-folder a data set; looked into after the cache.
    pub system: Vec<PathBuf>,
    /// Addresses of folders that hold Fashion-MNIST's four gzipped files, tried in order.
    pub mirrors: Vec<String>,
    /// Never download.
    pub offline: bool,
    /// A mirror that sends nothing, or less than 1 KiB a second, for this long has stalled.
    pub stall: Duration,
    /// How often one mirror is asked for one file before the next mirror is.
    pub attempts: u32,
    /// How long to wait before asking the same mirror again.
    pub pause: Duration,
    /// Pixels of more bytes than this are kept in a file, of which the system has in memory what is in use.
    pub memory: u64,
}

impl Locations {
    /// No folder, no mirror, no network: only what is compiled in can be loaded.
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
        // The XDG Base Directory Specification has relative paths ignored.
        let xdg = || {
            folder("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(|p| p.join("latents"))
        };
        Self {
            cache: folder("LATENTS_CACHE").or_else(xdg).or_else(home),
            system: if cfg!(unix) { vec!["/usr/share/datasets".into()] } else { Vec::new() },
            mirrors: crate::fashion::MIRRORS.iter().map(|&mirror| mirror.to_owned()).collect(),
            offline: variable("LATENTS_OFFLINE").is_some_and(|on| !on.is_empty() && on != "0"),
            ..Self::nowhere()
        }
    }
}

impl Default for Locations {
    /// What the environment says. The cache is `LATENTS_CACHE`, else `latents` in `XDG_CACHE_HOME` (in `LOCALAPPDATA` on
    /// Windows), else `~/.cache/latents`; `LATENTS_OFFLINE=1` switches downloads off.
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
        assert_eq!(with(&[]).mirrors, crate::fashion::MIRRORS);
    }
}
