use super::*;
use latents_random::{Purpose, stream};

fn cloud(n: usize, d: usize, coarse: bool) -> Vec<f32> {
    let mut s = stream(3, Purpose::Synthetic, n as u64, d as u64);
    let value = |x: f64| if coarse { x.round() } else { x };
    (0..n * d).map(|_| value(s.normal()) as f32).collect()
}

#[test]
fn neighbours_are_those_of_a_full_sort() {
    // Coarse numbers tie often; sizes fall between the blocks.
    for (n, m, d, k, coarse) in [
        (33, 200, 3, 5, true),
        (131, 17, 7, 17, false),
        (1, 1, 1, 1, false),
        (300, 450, 2, 90, true),
    ] {
        let (queries, rows) = (cloud(n, d, coarse), cloud(m, d, coarse));
        let (queries, rows) = (Rows::new(&queries, d).unwrap(), Rows::new(&rows, d).unwrap());
        let found = nearest(queries, rows, k).unwrap();
        for (i, q) in queries.iter().enumerate() {
            let distance =
                |r: &[f32]| q.iter().zip(r).fold(0.0f32, |s, (a, b)| (a - b).mul_add(a - b, s));
            let mut all: Vec<(f32, u32)> =
                rows.iter().enumerate().map(|(j, r)| (distance(r), j as u32)).collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let expected: Vec<u32> = all[..k].iter().map(|a| a.1).collect();
            assert_eq!(found.of(i), expected, "{n} {m} {d} {k}: query {i}");
            assert_eq!(found.squared_of(i)[k - 1].to_bits(), all[k - 1].0.to_bits());
        }
    }
}

#[test]
fn distances_that_overflow_are_an_error() {
    let rows = [0.0, 0.0, 1.0, 1.0, 1e20, 0.0];
    let rows = Rows::new(&rows, 2).unwrap();
    assert!(nearest(rows, rows, 1).is_ok());
    let said = nearest_others(rows, 2).unwrap_err().to_string();
    assert!(said.contains("row 0 has a distance") && said.contains("scale"), "{said}");
}

#[test]
fn an_index_finds_the_same_for_one_query_on_any_number_of_threads() {
    let (n, d, k) = (20_000, 5, 7);
    let rows = cloud(n, d, true);
    let rows = Rows::new(&rows, d).unwrap();
    let index = NeighbourIndex::new(rows, Metric::Euclidean).unwrap();
    let query = cloud(1, d, true);
    let query = Rows::new(&query, d).unwrap();
    let monitor = Monitor::default();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            (
                index.slices(1).len(),
                index.nearest(query, k, &monitor),
                index.nearest_others(&[77], k, &monitor),
            )
        })
    };
    let (one, first, others) = with(1);
    let (several, again, others_again) = with(4);
    assert_eq!((one, several), (1, 4));
    let (first, others) = (first.unwrap(), others.unwrap());
    assert_eq!((&first, &others), (&again.unwrap(), &others_again.unwrap()));
    let all = nearest_others(rows, k).unwrap();
    assert_eq!((all.of(77), all.squared_of(77)), (others.of(0), others.squared_of(0)));
}

#[test]
fn cosine_ignores_lengths() {
    let rows = [1.0, 0.0, 0.0, 5.0, -2.0, 0.0, 1e-3, 1e-3];
    let rows = Rows::new(&rows, 2).unwrap();
    let index = NeighbourIndex::new(rows, Metric::Cosine).unwrap();
    let found =
        index.nearest(Rows::new(&[100.0, 0.0], 2).unwrap(), 4, &Monitor::default()).unwrap();
    assert_eq!(found.of(0), [0, 3, 1, 2]);
    let distances: Vec<f32> =
        found.squared_of(0).iter().map(|&s| Metric::Cosine.distance(s)).collect();
    let expected = [0.0, 1.0 - 0.5f32.sqrt(), 1.0, 2.0];
    for (d, e) in distances.iter().zip(expected) {
        assert!((d - e).abs() < 1e-6, "{distances:?}");
    }
    let zero = [1.0, 1.0, 0.0, 0.0];
    let said = NeighbourIndex::new(Rows::new(&zero, 2).unwrap(), Metric::Cosine).unwrap_err();
    assert!(said.to_string().contains("row 1 is zero"), "{said}");
}

#[test]
fn a_search_refuses_what_does_not_fit() {
    let rows = [0.0, 0.0, 5.0, 5.0];
    let index = NeighbourIndex::new(Rows::new(&rows, 2).unwrap(), Metric::Euclidean).unwrap();
    let query = Rows::new(&[0.0], 1).unwrap();
    let monitor = Monitor::default();
    assert!(matches!(
        index.nearest(query, 1, &monitor),
        Err(Error::Size { expected: 2, got: 1, .. })
    ));
    assert!(matches!(
        index.nearest_others(&[0], 2, &monitor),
        Err(Error::TooFew { needed: 3, .. })
    ));
    assert!(index.nearest_others(&[2], 1, &monitor).is_err());
}

#[test]
fn a_row_is_not_its_own_neighbour_but_a_duplicate_is() {
    let rows = [0.0, 0.0, 5.0, 5.0, 0.0, 0.0, 9.0, 9.0];
    let found = nearest_others(Rows::new(&rows, 2).unwrap(), 1).unwrap();
    assert_eq!(found.index, [2, 3, 0, 1]);
    assert!(nearest_others(Rows::new(&rows, 2).unwrap(), 4).is_err());
}
