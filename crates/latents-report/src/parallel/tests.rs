//! Tests of parallel coordinates: positions, colours and order of lines, and studies that are hard to draw.

use roxmltree::{Document, Node};

use super::*;
use crate::study::TrialOutcome;
use crate::testing::{
    LINEAR, LOG, Label, assert_finite, attribute, choices, hard_studies, labels, near, of_class,
    study, tidy_labels, vertices,
};

fn small() -> StudyView {
    study(
        &[("rate", LOG), ("kind", choices(&["a", "b", "c"])), ("width", LINEAR)],
        &[
            (3.0, &[Some(0.001), Some(0.0), Some(10.0)]),
            (1.0, &[Some(0.1), Some(2.0), Some(30.0)]),
            (2.0, &[Some(0.01), Some(1.0), Some(20.0)]),
        ],
    )
}

/// Positions of the vertical axes.
fn axes(document: &Document<'_>, count: usize) -> Vec<f64> {
    let lines = of_class(document, "axis").into_iter().take(count);
    lines
        .map(|n| n.attribute("d").unwrap()[1..].split_once(' ').unwrap().0.parse().unwrap())
        .collect()
}

/// Height of the label `text` of the axis at `x`.
fn level(labels: &[Label], x: f64, text: &str) -> f64 {
    let label = labels
        .iter()
        .filter(|l| l.class == "tick" && l.text == text)
        .find(|l| (x - 16.0..x).contains(&l.x[1]))
        .unwrap_or_else(|| panic!("no {text} at {x}: {labels:?}"));
    // The box of a text extends below its baseline.
    label.y[0] + 11.5 * font::CAP_HEIGHT / 2.0
}

fn lines<'a, 'input>(document: &'a Document<'input>) -> Vec<Node<'a, 'input>> {
    let group = of_class(document, "trials")[0];
    group.children().filter(|n| n.has_tag_name("path")).collect()
}

#[test]
fn lines_pass_the_axes_at_their_values() {
    let figure = parallel_coordinates("t", &small());
    let document = Document::parse(figure.svg()).unwrap();
    let labels = tidy_labels(figure.svg());
    let axes = axes(&document, 4);
    // From the worst to the best.
    let mut drawn = lines(&document);
    drawn.extend(of_class(&document, "best"));
    let wanted =
        [["3.0", "0.001", "a", "10"], ["2.0", "0.01", "b", "20"], ["1.0", "0.1", "c", "30"]];
    assert_eq!(drawn.len(), 3);
    for (line, texts) in drawn.iter().zip(wanted) {
        let path = vertices(line);
        assert_eq!(path.iter().map(|v| v.0).collect::<String>(), "MLLL");
        for ((vertex, &x), text) in path.iter().zip(&axes).zip(texts) {
            assert!(near(vertex.1, x), "{text}");
            assert!((vertex.2 - level(&labels, x, text)).abs() < 0.02, "{text}");
        }
    }
    let path = vertices(&drawn[1]);
    assert!(near(path[1].2, f64::midpoint(vertices(&drawn[0])[1].2, vertices(&drawn[2])[1].2)));
}

#[test]
fn colours_darken_towards_the_best_which_is_red_and_on_top() {
    let mut given = small();
    for i in 0..30 {
        let mut trial = given.trials[0].clone();
        trial.number = 3 + i;
        trial.value = Some(1e6 - i as f64);
        given.trials.push(trial);
    }
    for lower_is_better in [true, false] {
        given.lower_is_better = lower_is_better;
        let figure = parallel_coordinates("t", &given);
        let document = Document::parse(figure.svg()).unwrap();
        let strokes: Vec<String> =
            lines(&document).iter().map(|n| n.attribute("stroke").unwrap().to_owned()).collect();
        assert_eq!(strokes.len(), 32);
        assert_eq!(strokes[0], palette::sequential(0.0));
        assert_eq!(strokes[16], palette::sequential(0.5));
        assert_eq!(strokes[31], palette::sequential(31.0 / 32.0));
        let best = of_class(&document, "best")[0];
        assert_eq!(best.attribute("stroke"), Some("#d8182c"));
        assert!(best.range().start > lines(&document)[31].range().start);
        let key =
            if lower_is_better { "best: trial 1, 1.000" } else { "best: trial 3, 1.000×10⁶" };
        assert!(figure.svg().contains(key));

        // The colour bar beside the first axis runs from the colour of the worst value to that of the best.
        let ramp = of_class(&document, "ramp")[0];
        let mut rects: Vec<Node<'_, '_>> =
            ramp.children().filter(|n| n.has_tag_name("rect")).collect();
        rects.sort_by(|a, b| attribute(a, "y").total_cmp(&attribute(b, "y")));
        let ends = [rects[0], rects[rects.len() - 1]].map(|n| n.attribute("fill").unwrap());
        let dark = usize::from(lower_is_better);
        assert!(ends[dark] < ends[1 - dark], "{ends:?}");
        let path = vertices(&best);
        let y = attribute(&rects[if dark == 1 { rects.len() - 1 } else { 0 }], "y");
        assert!((y - path[0].2).abs() < 9.0, "{y} {path:?}");
    }
}

#[test]
fn equal_values_are_all_dark() {
    let mut given = small();
    given.trials.iter_mut().for_each(|t| t.value = Some(5.0));
    let figure = parallel_coordinates("t", &given);
    let document = Document::parse(figure.svg()).unwrap();
    let strokes: Vec<_> =
        lines(&document).iter().map(|n| n.attribute("stroke").unwrap().to_owned()).collect();
    assert_eq!(strokes, [palette::sequential(1.0), palette::sequential(1.0)]);
    assert!(figure.svg().contains("best: trial 0, 5.000"), "of equals the first");
}

#[test]
fn a_line_has_gaps_where_its_trial_lacks_a_parameter() {
    let mut given = small();
    given.trials[0].params = vec![Some(-1.0), Some(1.0), None];
    given.trials[2].params = vec![Some(0.01), Some(3.0), Some(f64::NAN)];
    let figure = parallel_coordinates("t", &given);
    let document = Document::parse(figure.svg()).unwrap();
    let axes = axes(&document, 4);
    let data: Vec<String> =
        lines(&document).iter().map(|n| n.attribute("d").unwrap().to_owned()).collect();
    // Alone on the first and the third axis.
    assert_eq!(data[0].matches('M').count(), 2);
    assert!(data[0].starts_with(&format!("M{} ", num(axes[0] - 3.0))), "{data:?}");
    assert!(data[0].contains(&format!("M{} ", num(axes[2] - 3.0))) && !data[0].contains('L'));
    // There is no fourth choice.
    assert_eq!((data[1].matches('M').count(), data[1].matches('L').count()), (1, 1));
}

#[test]
fn only_complete_trials_are_drawn_and_the_rest_is_counted() {
    let mut given = small();
    given.trials[0].outcome = TrialOutcome::Pruned;
    given.trials[2].value = Some(f64::INFINITY);
    given.trials.push(TrialView { outcome: TrialOutcome::Failed, ..given.trials[0].clone() });
    let figure = parallel_coordinates("t", &given);
    let document = Document::parse(figure.svg()).unwrap();
    assert_eq!((of_class(&document, "trials").len(), of_class(&document, "best").len()), (0, 1));
    let note = "not shown: 1 pruned, 1 failed, 1 without a finite value";
    assert!(labels(figure.svg()).iter().any(|l| l.text == note));

    given.trials.truncate(1);
    let empty = parallel_coordinates("t", &given);
    assert!(empty.svg().contains("no complete trials") && empty.svg().contains("1 pruned"));
}

#[test]
fn names_stand_over_their_axes_and_long_ones_are_broken() {
    let mut given = small();
    given.parameters[2].name = "encoder.hidden_width of the second stage of the network".into();
    let figure = parallel_coordinates("t", &given);
    let document = Document::parse(figure.svg()).unwrap();
    let axes = axes(&document, 4);
    let names = tidy_labels(figure.svg()).into_iter().filter(|l| l.class == "label");
    let over = |x: f64| -> Vec<String> {
        let over = names.clone().filter(|l| (f64::midpoint(l.x[0], l.x[1]) - x).abs() < 0.1);
        over.map(|l| l.text).collect()
    };
    assert_eq!(over(axes[0]), ["loss"]);
    assert_eq!(over(axes[1]), ["rate"]);
    assert_eq!(over(axes[3]).join(" "), "encoder.hidden_width of the second stage of the network");
}

#[test]
fn hard_studies_are_drawn_tidily() {
    for study in hard_studies(1_000) {
        let figure = parallel_coordinates(&study.objective, &study);
        assert_finite(figure.svg());
        tidy_labels(figure.svg());
        let document = Document::parse(figure.svg()).unwrap();
        let complete = study.ranked().len();
        assert_eq!(of_class(&document, "best").len(), complete.min(1));
        if complete > 1 {
            assert_eq!(lines(&document).len(), complete - 1);
        }
        assert!(attribute(&document.root_element(), "width") <= 2_000.0);
    }
}
