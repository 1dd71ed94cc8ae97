//! Signals that stop the command: from the keyboard, from a terminal that closes, and from whatever manages jobs. Each cancels the work, which saves
//! what is needed to go on. A second one ends the process at once; what it had saved is intact.

use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::Result;
use latents::Cancel;

/// The signal of Ctrl-C.
const INTERRUPT: u8 = 2;
/// The signal that came last.
static CAME: AtomicU8 = AtomicU8::new(INTERRUPT);

/// Cancels `cancel` when a signal comes.
pub(crate) fn cancel_on_signals(cancel: Cancel) -> Result<()> {
    let stop = move |signal: u8| {
        if cancel.is_cancelled() {
            #[allow(clippy::exit)]
            std::process::exit((128 + signal).into());
        }
        CAME.store(signal, Ordering::Relaxed);
        cancel.cancel();
    };
    listen(stop)
}

/// The exit code of work that was stopped: 128 and the number of the signal, as shells have it.
pub(crate) fn stopped() -> u8 {
    128 + CAME.load(Ordering::Relaxed)
}

#[cfg(unix)]
fn listen(stop: impl Fn(u8) + Send + 'static) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

    let ignored = ignored();
    let listened = [SIGINT, SIGTERM, SIGHUP, SIGUSR1];
    // `nohup` ignores that a terminal closes; so does what it starts.
    let listened = listened.into_iter().filter(|&signal| signal != SIGHUP || !ignored(signal));
    let mut signals = signal_hook::iterator::Signals::new(listened)?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            stop(signal as u8);
        }
    })?;
    Ok(())
}

/// Which signals this process was started to ignore. Where that cannot be known, it is taken to be all.
#[cfg(unix)]
fn ignored() -> impl Fn(i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    move |signal| mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(not(unix))]
fn listen(stop: impl Fn(u8) + Send + 'static) -> Result<()> {
    Ok(ctrlc::set_handler(move || stop(INTERRUPT))?)
}
