//! Tests of the explorer: packed data, markup, and errors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use latents_engine::{Layer, Network, Section};
use serde_json::Value;

use super::*;

fn network() -> Network {
    let section = |name: &str, layers| Section { name: name.into(), layers };
    let encoder = vec![Layer::Linear { out_features: 3 }];
    let decoder = vec![
        Layer::Linear { out_features: 4 },
        Layer::Sigmoid,
        Layer::Reshape { shape: [1, 2, 2] },
    ];
    let sections = vec![section("encoder", encoder), section("decoder", decoder)];
    Network { input: [1, 2, 2], sections }
}

struct Data {
    network: Network,
    parameters: Vec<f32>,
    latents: Vec<f32>,
    map: Vec<[f32; 2]>,
    pixels: Vec<u8>,
    classes: Vec<String>,
}

impl Data {
    fn new() -> Self {
        // The encoder has 4 x 3 + 3 parameters, the decoder 3 x 4 + 4.
        Self {
            network: network(),
            parameters: (0..31).map(|i| i as f32).collect(),
            latents: (0..15).map(|i| i as f32 * 0.5).collect(),
            map: (0..5).map(|i| [i as f32, -(i as f32)]).collect(),
            pixels: vec![7; 20],
            classes: vec!["<script>".into(), "b".into()],
        }
    }

    fn model(&self) -> ExplorerModel<'_> {
        ExplorerModel {
            name: "AE",
            map_name: "PCA",
            network: &self.network,
            decode: 1..2,
            parameters: &self.parameters,
            condition: 1.5,
            latents: &self.latents,
            map: &self.map,
            errors: None,
            clusters: None,
        }
    }

    fn input(&self) -> ExplorerInput<'_> {
        ExplorerInput {
            shape: [1, 2, 2],
            pixels: &self.pixels,
            numbers: None,
            classes: &self.classes,
            labels: None,
            files: None,
            models: vec![self.model()],
        }
    }
}

fn refused(input: &ExplorerInput<'_>) -> String {
    Explorer::new(input).unwrap_err().to_string()
}

#[test]
fn the_decoder_alone_is_in_the_page() {
    let data = Data::new();
    let explorer = Explorer::new(&data.input()).unwrap();
    let decoder = &explorer.data["models"][0]["decoder"];
    let layers = decoder["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 3);
    assert_eq!(layers[0]["parameters"]["weight"], serde_json::json!([0, 12]));
    assert_eq!(layers[0]["parameters"]["bias"], serde_json::json!([12, 4]));
    // The first weight is the sixteenth parameter: 15 as a 16-bit float is 0x4b80.
    let weights = decoder["weights"].as_str().unwrap();
    let bytes = STANDARD.decode(weights).unwrap();
    assert_eq!((bytes.len(), &bytes[..2]), (32, &[0x80, 0x4b][..]));
}

#[test]
fn a_conditional_decoder_has_a_choice_of_classes() {
    let mut data = Data::new();
    data.network.sections[1].layers.insert(0, Layer::Condition { features: 2 });
    // The decoder has 5 x 4 weights now.
    data.parameters = (0..39).map(|i| i as f32).collect();
    let labels = [0, 1, 1, 0, 1];
    let input = ExplorerInput { labels: Some(&labels), ..data.input() };
    let explorer = Explorer::new(&input).unwrap();
    let layers = &explorer.data["models"][0]["decoder"]["layers"];
    assert_eq!(
        layers[0]["spec"],
        serde_json::json!({ "kind": "condition", "features": 2, "value": 1.5 })
    );
    assert_eq!(layers[1]["input"], serde_json::json!([5, 1, 1]));
    let html = explorer.markup("explorer").into_string();
    assert!(html.contains("data-part=\"as\"") && html.matches("<option").count() == 4, "{html}");
    // The page must know the classes, and those that the decoder is given.
    assert!(refused(&data.input()).contains("one of 2 classes, but the images have labels of 0"));
    data.classes.push("c".into());
    let input = ExplorerInput { labels: Some(&labels), ..data.input() };
    assert!(refused(&input).contains("one of 2 classes, but the images have labels of 3"));
}

#[test]
fn without_labels_there_are_no_classes() {
    let data = Data::new();
    let mut input = data.input();
    let html =
        |input: &ExplorerInput<'_>| Explorer::new(input).unwrap().markup("explorer").into_string();
    let without = html(&input);
    assert!(!without.contains("fieldset") && !without.contains("Colour by"));
    let labels = [0, 1, 1, 0, 1];
    input.labels = Some(&labels);
    let with = html(&input);
    assert_eq!(with.matches("type=\"checkbox\"").count(), 2);
    assert!(with.contains("&lt;script&gt;") && with.contains(">3</span>"));
}

#[test]
fn embedded_data_cannot_end_its_element() {
    let data = Data::new();
    let files: Vec<String> = (0..5).map(|i| format!("</script><!--{i}")).collect();
    let labels = [0; 5];
    let input = ExplorerInput { files: Some(&files), labels: Some(&labels), ..data.input() };
    let html = Explorer::new(&input).unwrap().markup("explorer").into_string();
    assert_eq!(html.matches("</script").count(), 1);
    let json = html.split("<script type=\"application/json\">").nth(1).unwrap();
    let json = json.split("</script>").next().unwrap();
    assert!(!json.contains('<'));
    let read: Value = serde_json::from_str(json).unwrap();
    assert_eq!(read["files"][3], "</script><!--3");
    assert_eq!(read["classes"][0]["name"], "<script>");
}

#[test]
fn what_does_not_fit_is_named() {
    let data = Data::new();
    let labels = [0, 1, 2, 0, 1];
    let input = ExplorerInput { labels: Some(&labels), ..data.input() };
    assert!(refused(&input).contains("label 2, but there are 2 classes"));
    let labels = [0, 1];
    let input = ExplorerInput { labels: Some(&labels), ..data.input() };
    assert!(refused(&input).contains("2 labels for 5 images"));
    let input = ExplorerInput { pixels: &data.pixels[..18], ..data.input() };
    assert!(refused(&input).contains("18 bytes are not"));
    let input = ExplorerInput { shape: [1, 4, 1], ..data.input() };
    assert!(refused(&input).contains("AE: the decoder gives images of shape [1, 2, 2]"));
    let input = ExplorerInput { models: vec![], ..data.input() };
    assert!(refused(&input).contains("one or two models, not 0"));

    let with = |change: &dyn Fn(&mut ExplorerModel<'static>)| {
        let mut model = Box::leak(Box::new(Data::new())).model();
        change(&mut model);
        refused(&ExplorerInput { models: vec![model], ..data.input() })
    };
    assert!(with(&|m| m.decode = 2..3).contains("no sections 2..3"));
    assert!(with(&|m| m.decode = 0..1).contains("gives images of shape [3, 1, 1]"));
    assert!(with(&|m| m.latents = &m.latents[..14]).contains("14 latent values, but 15"));
    assert!(with(&|m| m.map = &m.map[..4]).contains("4 positions on the map, but 5"));
    assert!(with(&|m| m.parameters = &m.parameters[..30]).contains("30 parameters, but"));
    assert!(with(&|m| m.errors = Some(&[f32::NAN; 5])).contains("errors are not all finite"));
    assert!(with(&|m| m.parameters = &[1e6; 31]).contains("65504"));
}
