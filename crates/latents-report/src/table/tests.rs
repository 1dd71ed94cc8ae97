//! Tests of tables: whole texts of each format, exact numbers, and texts with special characters.

use super::*;

fn trials() -> Table {
    let row = |trial: u64, optimizer: &str, rate: f64, loss: Option<f64>| {
        vec![trial.into(), optimizer.into(), Cell::Number(rate, Show::UpTo(4)), loss.into()]
    };
    Table {
        columns: ["trial", "optimizer", "learning_rate", "loss"].map(String::from).into(),
        rows: vec![
            row(0, "adam", 0.001, Some(0.020_704_912_345)),
            row(13, "sgd, with \"momentum\"", 3.162_277_66e-5, Some(12.0)),
            row(102, "a|b", 0.25, None),
        ],
    }
}

#[test]
fn markdown_is_aligned_and_rounded() {
    assert_eq!(
        trials().markdown(),
        "\
| trial | optimizer            | learning_rate |    loss |
| ----: | :------------------- | ------------: | ------: |
|     0 | adam                 |         0.001 | 0.02070 |
|    13 | sgd, with \"momentum\" |      3.162e-5 |   12.00 |
|   102 | a\\|b                 |          0.25 |         |
"
    );
}

#[test]
fn csv_is_quoted_and_exact() {
    assert_eq!(
        trials().csv(),
        "\
trial,optimizer,learning_rate,loss
0,adam,0.001,0.020704912345
13,\"sgd, with \"\"momentum\"\"\",3.16227766e-5,12.0
102,a|b,0.25,
"
    );
}

#[test]
fn json_has_objects_in_the_order_of_the_columns() {
    let text = trials().json();
    assert_eq!(
        text,
        r#"[
  {"trial": 0, "optimizer": "adam", "learning_rate": 0.001, "loss": 0.020704912345},
  {"trial": 13, "optimizer": "sgd, with \"momentum\"", "learning_rate": 3.16227766e-5, "loss": 12.0},
  {"trial": 102, "optimizer": "a|b", "learning_rate": 0.25, "loss": null}
]
"#
    );
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read[1]["loss"], 12.0);
}

#[test]
fn numbers_are_shown_as_asked() {
    let shown = |v: f64, show: Show| Cell::Number(v, show).marked();
    assert_eq!(shown(0.1234, Show::Significant(2)), "0.12");
    assert_eq!(shown(2.0, Show::Significant(4)), "2.000");
    assert_eq!(shown(2.0, Show::UpTo(4)), "2");
    assert_eq!(shown(1e-7, Show::UpTo(4)), "1e-7");
    assert_eq!(shown(12.345, Show::Decimals(1)), "12.3");
    assert_eq!(shown(-0.5, Show::Decimals(0)), "0");
    assert_eq!(shown(f64::NAN, Show::Decimals(2)), "NaN");
    assert_eq!(shown(f64::NEG_INFINITY, Show::UpTo(4)), "-inf");
}

#[test]
fn programs_get_every_bit() {
    let values =
        [0.1 + 0.2, f64::MIN_POSITIVE, 5e-324, f64::MAX, -0.0, 1e16, 123_456_789.125, 1e-5];
    let rows: Vec<Vec<Cell>> = values.iter().map(|&v| vec![v.into()]).collect();
    let table = Table { columns: vec!["v".into()], rows };
    let csv = table.csv();
    let json: Vec<serde_json::Value> = serde_json::from_str(&table.json()).unwrap();
    for ((line, object), value) in csv.lines().skip(1).zip(&json).zip(values) {
        assert_eq!(line.parse::<f64>().unwrap().to_bits(), value.to_bits());
        assert_eq!(object["v"].as_f64().unwrap().to_bits(), value.to_bits());
    }
    let whole = Table { columns: vec!["n".into()], rows: vec![vec![u64::MAX.into()]] };
    assert_eq!(whole.csv(), "n\n18446744073709551615\n");
    assert!(whole.json().contains("\"n\": 18446744073709551615}"));
}

#[test]
fn what_is_not_finite_has_no_number_in_json() {
    let row = vec![f64::NAN.into(), f64::INFINITY.into(), f64::NEG_INFINITY.into()];
    let table = Table { columns: ["a", "b", "c"].map(String::from).into(), rows: vec![row] };
    assert_eq!(table.csv(), "a,b,c\nNaN,inf,-inf\n");
    assert_eq!(table.json(), "[\n  {\"a\": null, \"b\": null, \"c\": null}\n]\n");
    let markdown = table.markdown();
    assert_eq!(markdown.lines().nth(2), Some("|  NaN |  inf | -inf |"));
}

#[test]
fn texts_are_data_not_markup() {
    let text = "*a* _b_ c_d `e` <script> [f](g) ~h~ & &lt; \\ i\n|j";
    let table = Table { columns: vec![text.into()], rows: vec![vec![text.into()]] };
    let marked = r"\*a\* \_b\_ c_d \`e\` \<script> \[f](g) \~h\~ & \&lt; \\ i \|j";
    let markdown = table.markdown();
    let lines: Vec<&str> = markdown.lines().collect();
    assert_eq!((lines[0], lines[2]), (&*format!("| {marked} |"), &*format!("| {marked} |")));
    assert_eq!(lines.len(), 3);
    // The line break is within the quotes.
    assert_eq!(table.csv(), format!("\"{text}\"\n\"{text}\"\n"));
    let read: Vec<serde_json::Value> = serde_json::from_str(&table.json()).unwrap();
    assert_eq!(read[0][text], text);
}

#[test]
fn rows_may_be_shorter_or_longer_than_the_columns() {
    let rows = vec![vec![], vec![Cell::from(1_i64), "x".into(), Cell::from(2.5)]];
    let table = Table { columns: vec!["n".into(), "n".into()], rows };
    assert_eq!(table.csv(), "n,n,column 3\n,,\n1,x,2.5\n");
    assert_eq!(
        table.markdown(),
        "\
|    n | n    | column 3 |
| ---: | :--- | -------: |
|      |      |          |
|    1 | x    |    2.500 |
"
    );
    assert!(table.json().contains("{\"n\": 1, \"n 2\": \"x\", \"column 3\": 2.5}"));
}

#[test]
fn empty_tables_are_well_formed() {
    let table = Table { columns: vec!["a".into()], rows: vec![] };
    assert_eq!(table.markdown(), "| a    |\n| :--- |\n");
    assert_eq!((table.csv(), table.json()), ("a\n".into(), "[]\n".into()));
    let blank = Table { columns: vec!["a".into()], rows: vec![vec![Cell::Empty]] };
    assert_eq!(blank.csv(), "a\n\"\"\n", "a blank line would be skipped");
    assert_eq!(Table::default().json(), "[]\n");
}
