//! Where work runs: the worker threads and the instruction set. Neither changes a result.

use crate::error::Error;
use crate::isa::Isa;

/// Worker threads and their instruction set.
#[derive(Debug)]
pub struct Runtime {
    pool: rayon::ThreadPool,
    isa: Isa,
}

impl Runtime {
    /// With `threads` workers (none: one for each core that this process may use) and the given instruction set (none: the best
    /// of this machine).
    ///
    /// # Errors
    /// [`Error::Threads`] where the system refuses the threads.
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

    /// The number of workers.
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

    /// Runs `work` on a worker. A loop that calls the engine often is faster in here, as the calls then need not change threads.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }
}
