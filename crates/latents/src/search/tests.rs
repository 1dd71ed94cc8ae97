use latents_data::Part;

use super::*;

fn named(train: (&[f32], &[&str]), test: (&[f32], &[&str])) -> SearchIndex {
    let both = [train.0, test.0].concat();
    let mut latents = Latents::new(both, 1).unwrap();
    latents.names = Some([train.1, test.1].concat().iter().map(|&n| n.to_owned()).collect());
    let part = |part, n| std::iter::repeat_n(part, n);
    let parts = part(Part::Train, train.0.len()).chain(part(Part::Test, test.0.len()));
    latents.parts = Some(parts.collect());
    SearchIndex::new(latents, Metric::Euclidean).unwrap()
}

#[test]
fn neighbours_come_with_what_is_known_of_them() {
    let index = named((&[0.0, 1.0, 9.0], &["a", "b", "c"]), (&[1.5, 8.0], &["x", "y"]));
    let found = index.nearest_to_members(&[index.find("b").unwrap()], 9, &Session::default());
    let found = found.unwrap();
    let QueryResult { query, member, neighbours } = &found.queries[0];
    assert_eq!((query.as_str(), member.as_ref().unwrap().index), ("b", 1));
    let near: Vec<_> = neighbours
        .iter()
        .map(|n| (n.rank, n.item.to_string(), n.item.part.unwrap(), n.item.index, n.distance))
        .collect();
    let (train, test) = (Part::Train, Part::Test);
    let expected = [
        (1, "x".into(), test, 3, 0.5),
        (2, "a".into(), train, 0, 1.0),
        (3, "y".into(), test, 4, 7.0),
        (4, "c".into(), train, 2, 8.0),
    ];
    assert_eq!(near, expected);
    assert_eq!(found.searched, 5);
}

#[test]
fn queries_that_mean_nothing_or_two_things_are_refused() {
    let index = named((&[0.0, 1.0], &["x/a", "7"]), (&[2.0], &["y/a"]));
    assert_eq!((index.find("7").unwrap(), index.find("2").unwrap()), (1, 2));
    assert!(index.find("a").is_err(), "two names end like that");
    assert!(index.find("b").is_err());
    assert!(index.find("3").is_err());
    assert!(SearchIndex::new(Latents::default(), Metric::Euclidean).is_err());
    let wide = Latents::new(vec![0.0; 4], 2).unwrap();
    let wrong = index.nearest(&wide, 1, &Session::default());
    assert!(matches!(wrong, Err(Error::LatentDim { found: 2, expected: 1 })));
}

#[test]
fn results_are_written_by_their_ending() {
    let folder = tempfile::tempdir().unwrap();
    let index = named((&[0.0, 1.0], &["a", "b"]), (&[5.0], &["c"]));
    let found = index.nearest_to_members(&[0, 2], 2, &Session::default()).unwrap();
    let file = |name: &str| folder.path().join(name);
    found.save(file("s.npz")).unwrap();
    let (shape, distances) = latents_data::npz::read_f32(&file("s.npz"), "distance").unwrap();
    assert_eq!((shape, distances), (vec![2, 2], vec![1.0, 5.0, 4.0, 5.0]));
    found.save(file("s.csv")).unwrap();
    let table = std::fs::read_to_string(file("s.csv")).unwrap();
    assert_eq!(table.lines().count(), 5);
    assert_eq!(table.lines().nth(3), Some("c,1,b,1,train,,4.0"));
    found.save(file("s.json")).unwrap();
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file("s.json")).unwrap()).unwrap();
    assert_eq!(json["queries"][1]["neighbours"][1]["name"], "a");
    assert_eq!(json["queries"][1]["member"]["part"], "test");
}
