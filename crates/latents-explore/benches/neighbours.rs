//! Time of an exact search among random vectors: `cargo bench -p latents-explore --bench neighbours -- [VECTORS] [DIMENSIONS]`.
//! Prints a line of JSON: milliseconds of a query that comes alone, and of one among a thousand.

#![allow(clippy::print_stdout)] // A benchmark prints.

use std::time::Instant;

use latents_explore::Rows;
use latents_explore::neighbours::{Metric, NeighbourIndex};
use latents_explore::samplers::normal;
use latents_progress::Monitor;

fn main() -> Result<(), latents_explore::Error> {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let (n, d) = (numbers.next().unwrap_or(70_000), numbers.next().unwrap_or(64));
    let monitor = Monitor::default();
    let (vectors, queries) = (normal(n, d, 1), normal(1000, d, 2));
    let index = NeighbourIndex::new(Rows::new(&vectors, d)?, Metric::Euclidean)?;
    let mut alone = vec![];
    for query in queries.chunks_exact(d).take(200) {
        let start = Instant::now();
        index.nearest(Rows::new(query, d)?, 20, &monitor)?;
        alone.push(1e3 * start.elapsed().as_secs_f64());
    }
    alone.sort_by(f64::total_cmp);
    let start = Instant::now();
    index.nearest(Rows::new(&queries, d)?, 20, &monitor)?;
    let among = start.elapsed().as_secs_f64();
    let [median, highest] = [alone[alone.len() / 2], alone[alone.len() - 1]];
    println!(
        "{{\"vectors\": {n}, \"dimensions\": {d}, \"alone_ms\": {median:.3}, \"slowest_alone_ms\": {highest:.3}, \"among_1000_ms\": {among:.3}}}"
    );
    Ok(())
}
