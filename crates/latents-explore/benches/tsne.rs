//! Maps the array `z` of an .npz file by t-SNE and prints one line of JSON, which `cargo xtask versus tsne` compares with openTSNE:
//!
//! ```text
//! cargo bench -p latents-explore -- --latents z.npz [--threads 2] [--iterations N] [--out map.npz]
//! ```
//!
//! Paths are relative to this crate's folder. Without `--latents`, maps random vectors `[2000, 32]`. With `--judge map.npz`, prints the scores
//! of that map instead.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use latents_data::npz::{self, Array, Numbers};
use latents_explore::metrics::maps::{neighbour_accuracy, trustworthiness};
use latents_explore::{Rows, TsneConfig, samplers, tsne};
use latents_progress::{Cancel, Monitor, Progress, Reporter};

/// Takes the time until the first iteration of t-SNE is done.
struct FirstStep {
    start: Instant,
    seconds: OnceLock<f64>,
}

impl Reporter for FirstStep {
    fn progress(&self, progress: &Progress<'_>) {
        if progress.task == "t-SNE" {
            self.seconds.get_or_init(|| self.start.elapsed().as_secs_f64());
        }
    }
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1).cloned()
    };
    let path = value("--latents").map(PathBuf::from);
    let (shape, z) = match &path {
        Some(path) => npz::read_f32(path, "z")?,
        None => (vec![2000, 32], samplers::normal(2000, 32, 1)),
    };
    let rows = Rows::new(&z, shape[1])?;
    let threads = value("--threads").map_or(Ok(0), |t| t.parse())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    if let Some(map) = value("--judge") {
        let (_, xy) = npz::read_f32(&PathBuf::from(map), "xy")?;
        let map = Rows::new(&xy, 2)?;
        let trust = pool.install(|| trustworthiness(rows, map, 10, &Monitor::default()))?;
        let labels = path.map(|path| npz::open(&path)?.read("label")).transpose()?;
        let labels = labels.and_then(|labels| labels.i64s());
        let labels: Option<Vec<u16>> =
            labels.and_then(|l| l.into_iter().map(|l| u16::try_from(l).ok()).collect());
        let accuracy = labels
            .map(|l| pool.install(|| neighbour_accuracy(map, &l, 10, &Monitor::default())))
            .transpose()?;
        let accuracy = accuracy.map_or("null".into(), |a| a.to_string());
        println!("{{\"trustworthiness\": {trust}, \"neighbour_accuracy\": {accuracy}}}");
        return Ok(());
    }
    let mut config = TsneConfig::default();
    if let Some(n) = value("--iterations") {
        config.iterations = n.parse()?;
    }
    let start = Instant::now();
    let first_step = Arc::new(FirstStep { start, seconds: OnceLock::new() });
    let monitor = Monitor::new(first_step.clone(), Cancel::default());
    let map = pool.install(|| tsne(rows, &config, &monitor))?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(out) = value("--out") {
        let shape = vec![rows.len(), 2];
        let xy = Array { name: "xy".into(), shape, numbers: Numbers::F32(map.xy.clone()) };
        npz::write(&PathBuf::from(out), &[xy])?;
    }
    let neighbours = first_step.seconds.get().copied().unwrap_or_default();
    let extent = map.xy.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    println!(
        "{{\"points\": {}, \"seconds\": {seconds:.3}, \"neighbours_seconds\": {neighbours:.3}, \"kl\": {:.5}, \"extent\": {extent}, \"peak_rss_mib\": {}}}",
        rows.len(),
        map.kl,
        peak_rss_mib()
    );
    Ok(())
}

/// Peak memory of this process, in MiB; 0 if the system does not report it.
fn peak_rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    // The system writes kB for KiB.
    let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
