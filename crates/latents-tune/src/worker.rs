//! Who is at a trial, and whether they still live. A worker holds a lock on a file in this machine's folder for temporary files for as long as
//! its process lives; so its neighbours know of its death at once. Workers on other machines know it by its heartbeats.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use latents_files::{FileError, Lock};

/// Seconds between two heartbeats of a running trial.
pub const HEARTBEAT: f64 = 10.0;
/// Seconds without a heartbeat after which a worker on another machine is taken for dead.
pub const GRACE: f64 = 60.0;

/// Age of a lock, in seconds, after which nobody is interested in its owner any more.
const LONG: f64 = 24.0 * 3600.0;

/// A process that works on trials, or a part of it that does so on its own account.
#[derive(Debug)]
pub(crate) struct Worker {
    name: String,
    _lock: Option<Lock>,
}

impl Worker {
    /// A worker whose name no other has, on any machine.
    pub(crate) fn new() -> Result<Self, FileError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let name = format!("{:x}-{now:x}-{count:x}", std::process::id());
        sweep();
        let lock = latents_files::lock(&folder().join(&name))?;
        Ok(Worker { name, _lock: lock })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether `owner` has left its trial behind, `silence` seconds after the trial's last heartbeat.
    pub(crate) fn is_abandoned(&self, owner: &str, silence: f64) -> bool {
        let is_name = |c: char| c.is_ascii_hexdigit() || c == '-';
        if owner == self.name {
            return false;
        }
        let path = folder().join(owner);
        if !owner.chars().all(is_name) || !path.exists() {
            return silence > GRACE;
        }
        match latents_files::lock(&path) {
            Ok(Some(free)) if free.holds() => true,
            Ok(None) => false,
            // No word from its lock.
            _ => silence > GRACE,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(folder().join(&self.name));
    }
}

/// Removes the locks of workers that died long ago, whose trials are known by their silence.
fn sweep() {
    let Ok(files) = std::fs::read_dir(folder()) else { return };
    for file in files.flatten() {
        let age = file.metadata().and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
        if age.is_some_and(|age| age.as_secs_f64() > LONG)
            && let Ok(Some(_free)) = latents_files::lock(&file.path())
        {
            // It does no harm where it cannot be removed.
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// Where this machine's workers have their locks; each user has a folder of their own.
fn folder() -> PathBuf {
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(std::env::var_os);
    let user = user.unwrap_or_default().to_string_lossy().replace(['/', '\\'], "-");
    std::env::temp_dir().join(format!("latents-workers-{user}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_abandoned_once_it_is_gone() {
        let [me, other] = [Worker::new().unwrap(), Worker::new().unwrap()];
        let name = other.name().to_owned();
        assert_ne!(me.name(), name);
        assert!(!me.is_abandoned(&name, 1e9), "its lock says that it lives");
        assert!(!me.is_abandoned(me.name(), 1e9));
        // As when the process was killed: the file stays and the lock goes.
        let path = folder().join("dead-0");
        std::fs::write(&path, b"").unwrap();
        assert!(me.is_abandoned("dead-0", 0.0) && me.is_abandoned("dead-0", 0.0));
        std::fs::remove_file(path).unwrap();
        // As on another machine: there is nothing but its silence.
        for owner in ["dead-1", "../dead", "elsewhere"] {
            assert!(!me.is_abandoned(owner, GRACE - 1.0) && me.is_abandoned(owner, GRACE + 1.0));
        }
        drop(other);
        assert!(!folder().join(name).exists());
    }
}
