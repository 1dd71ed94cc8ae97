//! Identifies the worker that runs a trial, and tells whether it is still alive. A worker locks a file in this machine's temporary folder
//! as long as its process lives, so other workers on the machine notice at once when it dies. Workers on other machines notice it by
//! missing heartbeats.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use latents_files::{FileError, Lock};

/// Time between two heartbeats of a running trial, in seconds.
pub const HEARTBEAT_INTERVAL: f64 = 10.0;
/// Time without a heartbeat after which a worker on another machine is considered dead, in seconds.
pub const GRACE_PERIOD: f64 = 60.0;

/// Age after which the lock file of a dead worker is removed, in seconds.
const STALE: f64 = 24.0 * 3600.0;

/// A worker: a process, or a part of it, that runs trials.
#[derive(Debug)]
pub(crate) struct Worker {
    name: String,
    _lock: Option<Lock>,
}

impl Worker {
    /// A worker with a name that is unique on all machines.
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

    /// Whether `owner` has abandoned its trial, `silence` seconds after the trial's last heartbeat.
    pub(crate) fn is_abandoned(&self, owner: &str, silence: f64) -> bool {
        let is_name = |c: char| c.is_ascii_hexdigit() || c == '-';
        if owner == self.name {
            return false;
        }
        let path = folder().join(owner);
        if !owner.chars().all(is_name) || !path.exists() {
            return silence > GRACE_PERIOD;
        }
        match latents_files::lock(&path) {
            Ok(Some(free)) if free.holds() => true,
            Ok(None) => false,
            // The lock tells nothing.
            _ => silence > GRACE_PERIOD,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(folder().join(&self.name));
    }
}

/// Removes the lock files of workers that died long ago. Their trials are recognised by missing heartbeats.
fn sweep() {
    let Ok(files) = std::fs::read_dir(folder()) else { return };
    for file in files.flatten() {
        let age = file.metadata().and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
        if age.is_some_and(|age| age.as_secs_f64() > STALE)
            && let Ok(Some(_free)) = latents_files::lock(&file.path())
        {
            // A file that cannot be removed does no harm.
            let _ = std::fs::remove_file(file.path());
        }
    }
}

/// The folder for lock files of this machine's workers; each user has their own.
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
        assert!(!me.is_abandoned(&name, 1e9), "its lock shows that it is alive");
        assert!(!me.is_abandoned(me.name(), 1e9));
        // After a process is killed, its file is still there without a lock.
        let path = folder().join("dead-0");
        std::fs::write(&path, b"").unwrap();
        assert!(me.is_abandoned("dead-0", 0.0) && me.is_abandoned("dead-0", 0.0));
        std::fs::remove_file(path).unwrap();
        // A worker on another machine is known only by its heartbeats.
        for owner in ["dead-1", "../dead", "elsewhere"] {
            assert!(
                !me.is_abandoned(owner, GRACE_PERIOD - 1.0)
                    && me.is_abandoned(owner, GRACE_PERIOD + 1.0)
            );
        }
        drop(other);
        assert!(!folder().join(name).exists());
    }
}
