//! Time of a principal component analysis: `cargo bench -p latents-explore --bench pca -- FILE COLUMNS COMPONENTS`, where the file has
//! rows of 32-bit floats (little endian) and nothing else. Prints a line of JSON: seconds, and the share of the variance that the
//! components explain.

#![allow(clippy::print_stdout)] // A benchmark prints.

use std::time::Instant;

use latents_explore::{Pca, Rows};
use latents_progress::Monitor;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [file, columns, components] = &words[..] else {
        return Err("name a file, its number of columns, and the number of components".into());
    };
    let (columns, components) = (columns.parse()?, components.parse()?);
    let bytes = std::fs::read(file)?;
    let values: Vec<f32> =
        bytes.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect();
    let rows = Rows::new(&values, columns)?;
    let start = Instant::now();
    let pca = Pca::fit(rows, components, &Monitor::default())?;
    let seconds = start.elapsed().as_secs_f64();
    let explained: f64 = pca.explained_variance_ratio().iter().sum();
    println!(
        "{{\"rows\": {}, \"columns\": {columns}, \"components\": {components}, \"seconds\": {seconds:.3}, \"explained\": {explained:.9}}}",
        rows.len()
    );
    Ok(())
}
