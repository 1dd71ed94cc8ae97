//! The thread that records the heartbeats of a running trial.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::study::Heartbeat;
use crate::worker::HEARTBEAT_INTERVAL;

/// Heartbeats that are recorded until this is dropped, as [`Heartbeat::keep`] makes it.
pub struct Heartbeats {
    over: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Records heartbeats in a thread of its own until the returned value is dropped: workers that wait for the trial must hear of it even if its objective reports
    /// nothing for a long time.
    #[must_use]
    pub fn keep(self) -> Heartbeats {
        let over = Arc::new((Mutex::new(false), Condvar::new()));
        let told = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut recorded = Instant::now();
            let mut is_over = told.0.lock().unwrap_or_else(PoisonError::into_inner);
            while !*is_over {
                let waited = told.1.wait_timeout(is_over, Duration::from_secs(1));
                is_over = waited.unwrap_or_else(PoisonError::into_inner).0;
                if !*is_over && recorded.elapsed().as_secs_f64() >= HEARTBEAT_INTERVAL {
                    recorded = Instant::now();
                    // The storage may answer again later; a lost trial is noticed at its next report.
                    let _ = self.record();
                }
            }
        });
        Heartbeats { over, thread: Some(thread) }
    }
}

impl Drop for Heartbeats {
    fn drop(&mut self) {
        *self.over.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.over.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, there would be no more heartbeats, as is wanted.
            let _ = thread.join();
        }
    }
}
