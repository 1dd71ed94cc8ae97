//! Maps the array `z` of an .npz file by t-SNE and prints one line of JSON: what `cargo xtask versus tsne` holds against openTSNE.
//!
//!     bench_tsne --latents z.npz [--threads 2] [--out map.npz]
//!
//! With `--judge map.npz`, whoever made it, it says instead how far that map can be trusted.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use latents_data::npz::{self, Array, Numbers};
use latents_explore::metrics::maps::{neighbour_accuracy, trustworthiness};
use latents_explore::{Progress, Rows, TsneConfig, tsne};

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1).cloned()
    };
    let path = PathBuf::from(value("--latents").ok_or("--latents FILE.npz is missing")?);
    let (shape, z) = npz::read_f32(&path, "z")?;
    let rows = Rows::new(&z, shape[1])?;
    let threads = value("--threads").map_or(Ok(0), |t| t.parse())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    if let Some(map) = value("--judge") {
        let (_, xy) = npz::read_f32(&PathBuf::from(map), "xy")?;
        let map = Rows::new(&xy, 2)?;
        let trust = pool.install(|| trustworthiness(rows, map, 10))?;
        let labels = npz::read_labels(&path, "label")?;
        let accuracy =
            labels.map(|l| pool.install(|| neighbour_accuracy(map, &l, 10))).transpose()?;
        let accuracy = accuracy.map_or("null".into(), |a| a.to_string());
        println!("{{\"trustworthiness\": {trust}, \"neighbour_accuracy\": {accuracy}}}");
        return Ok(());
    }
    let mut config = TsneConfig::default();
    if let Some(n) = value("--iterations") {
        config.iterations = n.parse()?;
    }
    let start = Instant::now();
    let mut neighbours = 0.0;
    let mut watch = |progress: Progress| {
        if matches!(progress, Progress::Steps(1, _)) {
            neighbours = start.elapsed().as_secs_f64();
        }
    };
    let map = pool.install(|| tsne(rows, &config, &AtomicBool::new(false), &mut watch))?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(out) = value("--out") {
        let shape = vec![rows.len(), 2];
        let xy = Array { name: "xy".into(), shape, numbers: Numbers::F32(map.xy.clone()) };
        npz::write(&PathBuf::from(out), &[xy])?;
    }
    let extent = map.xy.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    println!(
        "{{\"points\": {}, \"seconds\": {seconds:.3}, \"neighbours_seconds\": {neighbours:.3}, \"kl\": {:.5}, \"extent\": {extent}, \"peak_rss_mb\": {}}}",
        rows.len(),
        map.kl,
        peak_memory()
    );
    Ok(())
}

/// The most memory that this process had, in MB; 0 where the system does not tell.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
