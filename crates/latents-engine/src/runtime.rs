//! The worker threads and the instruction set. Neither changes a result.

use crate::error::Error;
use crate::isa::Isa;

/// The worker threads and the instruction set that engines and optimisers run on. Neither changes a result.
///
/// ```
/// use latents_engine::Runtime;
///
/// let runtime = Runtime::new(Some(2), None)?;
/// assert_eq!(runtime.threads(), 2);
/// # Ok::<(), latents_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct Runtime {
    pool: rayon::ThreadPool,
    isa: Isa,
}

impl Runtime {
    /// Starts `threads` workers (default: one for each core that this process may use) with the given instruction set (default: the
    /// best of this machine).
    ///
    /// # Errors
    /// [`Error::Threads`] if the system cannot start the threads.
    pub fn new(threads: Option<usize>, isa: Option<Isa>) -> Result<Self, Error> {
        let threads = threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        });
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(|i| format!("latents-{i}"))
            .build()
            .map_err(|e| Error::Threads { threads, reason: e.to_string() })?;
        Ok(Runtime { pool, isa: isa.unwrap_or_else(Isa::detect) })
    }

    /// The number of worker threads.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The instruction set of the kernels.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Runs `work` on every worker at once.
    pub(crate) fn broadcast<R: Send>(&self, work: impl Fn() -> R + Sync) -> Vec<R> {
        self.pool.broadcast(|_| work())
    }

    /// Runs `work` on a worker. A loop that calls the engine often is faster inside `run`, because its calls then need no change of
    /// thread.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }
}
