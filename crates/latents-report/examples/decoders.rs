//! Makes pages for the browser test: explorers whose decoders have every kind of layer, names with markup, no labels, colour, ten
//! thousand images. `decoders.json` has some latents and the images that the engine decodes from them, with which the test compares
//! the pages: `cargo run --release -p latents-report --example decoders -- DIR`.

use std::path::PathBuf;
use std::sync::Arc;

use latents_engine::{Engine, Init, Inputs, Layer, Network, Runtime, Section, Shape, initialize};
use latents_report::{
    Block, Explorer, ExplorerInput, ExplorerModel, Finding, Page, PageSection, Picture, Table, Tone,
};
use serde_json::{Value, json};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)>";

/// The shape of most latents.
const FEW: Shape = [6, 1, 1];

fn main() -> Fallible<()> {
    let dir = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "target/decoders".into()));
    let runtime = Arc::new(Runtime::new(None, None)?);
    let mut blocks = vec![Block::Paragraph(HOSTILE.into())];
    let mut expected = vec![];
    for (name, input, layers) in decoders() {
        let (explorer, answers) = explorer_of(&name, (input, layers), 60, &runtime, false)?;
        blocks.push(Block::Heading(name));
        blocks.push(Block::Explorer(explorer));
        expected.push(answers);
    }
    let table = Table { columns: vec![HOSTILE.into()], rows: vec![vec![HOSTILE.into()]] };
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\" onload=\"alert(3)\"><title>{}</title></svg>",
        "a drawing"
    );
    blocks.push(Block::Table { id: HOSTILE.into(), table, caption: HOSTILE.into() });
    blocks.push(Block::Figure {
        id: String::new(),
        picture: Picture::Svg(svg),
        caption: HOSTILE.into(),
        alt: HOSTILE.into(),
    });
    blocks.push(Block::Settings {
        caption: HOSTILE.into(),
        entries: vec![(HOSTILE.into(), HOSTILE.into())],
    });
    blocks.push(Block::Code { caption: HOSTILE.into(), text: HOSTILE.into() });
    let section = PageSection { id: HOSTILE.into(), title: HOSTILE.into(), blocks };
    let page = Page {
        title: HOSTILE.into(),
        lead: HOSTILE.into(),
        notices: vec![HOSTILE.into()],
        summary: vec![Finding::new(Tone::Contrary, HOSTILE).of(HOSTILE)],
        sections: vec![section],
    };
    page.save(&dir.join("hostile"))?;

    let (_, input, study) = decoders().remove(0);
    let (explorer, answers) = explorer_of("Ten thousand", (input, study), 10_000, &runtime, true)?;
    let section = PageSection {
        id: "S4".into(),
        title: "Many".into(),
        blocks: vec![Block::Explorer(explorer)],
    };
    Page { title: "Ten thousand images".into(), sections: vec![section], ..Page::default() }
        .save(&dir.join("many"))?;

    let (name, layers) = conditional();
    let (explorer, given) = explorer_of(&name, (FEW, layers), 60, &runtime, true)?;
    let section = PageSection {
        id: "S4".into(),
        title: "A class".into(),
        blocks: vec![Block::Explorer(explorer)],
    };
    Page { title: "A conditional decoder".into(), sections: vec![section], ..Page::default() }
        .save(&dir.join("given"))?;

    let answers = json!({ "hostile": expected, "many": [answers], "given": [given] });
    std::fs::write(dir.join("decoders.json"), answers.to_string())?;
    Ok(())
}

/// Decoders from latents of some shape, which together have every kind of layer.
fn decoders() -> Vec<(String, Shape, Vec<Layer>)> {
    let linear = |out_features| Layer::Linear { out_features };
    let up = |out_channels, kernel: usize, stride: usize, padding: usize, extra: usize| {
        Layer::ConvTranspose2d {
            out_channels,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            output_padding: [extra; 2],
        }
    };
    let reshape = |shape| Layer::Reshape { shape };
    vec![
        (
            "The reference study's decoder".into(),
            [64, 1, 1],
            vec![
                linear(64),
                Layer::Relu,
                Layer::Dropout { p: 0.2 },
                linear(288),
                Layer::Relu,
                reshape([32, 3, 3]),
                up(16, 3, 2, 0, 0),
                Layer::Relu,
                up(8, 4, 2, 1, 0),
                Layer::Relu,
                up(1, 4, 2, 1, 0),
                Layer::Sigmoid,
            ],
        ),
        (
            "Colour, output padding, GELU, a convolution".into(),
            FEW,
            vec![
                linear(8 * 5 * 4),
                Layer::Gelu,
                reshape([8, 5, 4]),
                up(6, 3, 2, 1, 1),
                Layer::BatchNorm2d { momentum: 0.1, epsilon: 1e-3 },
                Layer::Silu,
                Layer::Conv2d { out_channels: 5, kernel: [3, 2], stride: [1, 1], padding: [1, 1] },
                Layer::LeakyRelu { slope: 0.2 },
                up(3, 5, 3, 2, 2),
                Layer::Sigmoid,
            ],
        ),
        (
            "Uneven windows, tanh, a step in a convolution".into(),
            FEW,
            vec![
                linear(40),
                Layer::Tanh,
                linear(4 * 6 * 7),
                reshape([4, 6, 7]),
                Layer::ConvTranspose2d {
                    out_channels: 5,
                    kernel: [2, 5],
                    stride: [3, 2],
                    padding: [0, 2],
                    output_padding: [2, 0],
                },
                Layer::LeakyRelu { slope: 0.01 },
                Layer::Conv2d { out_channels: 3, kernel: [3, 3], stride: [2, 1], padding: [2, 0] },
                Layer::Gelu,
                up(1, 2, 2, 0, 0),
                Layer::Sigmoid,
            ],
        ),
        (
            "An image of codes".into(),
            [2, 1, 3],
            vec![
                Layer::Conv2d { out_channels: 4, kernel: [3; 2], stride: [1; 2], padding: [1; 2] },
                Layer::Silu,
                up(1, 4, 2, 1, 0),
                Layer::Sigmoid,
            ],
        ),
        residual(),
    ]
}

fn explorer_of(
    name: &str,
    (input, layers): (Shape, Vec<Layer>),
    n: usize,
    runtime: &Arc<Runtime>,
    labelled: bool,
) -> Fallible<(Explorer, Value)> {
    let d: usize = input.iter().product();
    let network = Network { input, sections: vec![Section { name: "decoder".into(), layers }] };
    let mut engine: Engine = Engine::new(&network, Arc::clone(runtime))?;
    let shape = engine.layout().output();
    let mut parameters = initialize(engine.layout(), Init::default(), 5);
    for parameter in engine.layout().parameters() {
        // Statistics as after training.
        let statistic = [("running_mean", 0.3), ("running_var", 0.4)];
        if let Some((_, value)) = statistic.iter().find(|(name, _)| parameter.name.ends_with(name))
        {
            parameters[parameter.range()].fill(*value);
        }
    }
    // A wave through the latent space. The map is made of its first three dimensions.
    let latents: Vec<f32> = (0..n * d)
        .map(|i| libm::sin((i / d) as f64 * 0.37 * (1.0 + (i % d) as f64 * 0.21)) as f32 * 3.0)
        .collect();
    let map: Vec<[f32; 2]> = latents
        .chunks(d)
        .enumerate()
        .map(|(i, z)| [z[0] * 4.0 + z[2], z[1] * 4.0 + (i as f32 * 0.618).fract()])
        .collect();
    // Of a conditional decoder, an image is of the class of its label.
    let features = engine.layout().condition_features();
    let conditions: Vec<f32> = if features == 0 {
        vec![]
    } else {
        (0..n * features)
            .map(|i| if (i / features) % 3 == i % features { 2.0 } else { 0.0 })
            .collect()
    };
    let batch = Inputs::Values(&latents[..]).with_conditions(&conditions);
    let images = engine.forward(&parameters, batch, 0..1)?;
    let pixels: Vec<u8> = images.iter().map(|v| (v * 255.0).round() as u8).collect();
    let errors: Vec<f32> = (0..n).map(|i| 0.01 + (i as f32 * 0.1).sin().abs() * 0.02).collect();
    let clusters: Vec<usize> = (0..n).map(|i| i % 12).collect();
    let files: Vec<String> = (0..n).map(|i| format!("{HOSTILE}/{i}.png")).collect();
    let classes: Vec<String> = (0..3).map(|i| format!("{i} {HOSTILE}")).collect();
    let labels: Vec<usize> = (0..n).map(|i| i % 3).collect();
    let model = ExplorerModel {
        name,
        map_name: HOSTILE,
        network: &network,
        decode: 0..1,
        parameters: &parameters,
        condition: 2.0,
        latents: &latents,
        map: &map,
        errors: Some(&errors),
        clusters: Some(&clusters),
    };
    let explorer = Explorer::new(&ExplorerInput {
        shape,
        pixels: &pixels,
        numbers: None,
        classes: &classes,
        labels: labelled.then_some(&labels[..]),
        files: Some(&files),
        models: vec![model],
    })?;
    let some = 8.min(n);
    let numbers: usize = shape.iter().product();
    let answers = json!({
        "latents": &latents[..some * d],
        "dim": d,
        "images": &images[..some * numbers],
        "labels": &labels[..some],
    });
    Ok((explorer, answers))
}

/// A decoder that is given one of three classes, also in the middle.
fn conditional() -> (String, Vec<Layer>) {
    let given = || Layer::Condition { features: 3 };
    let layers = vec![
        given(),
        Layer::Linear { out_features: 40 },
        Layer::Silu,
        Layer::Reshape { shape: [10, 2, 2] },
        given(),
        Layer::ConvTranspose2d {
            out_channels: 1,
            kernel: [4; 2],
            stride: [4; 2],
            padding: [0; 2],
            output_padding: [0; 2],
        },
        Layer::Sigmoid,
    ];
    ("A class beside the latents".into(), layers)
}

/// A decoder with residuals.
fn residual() -> (String, Shape, Vec<Layer>) {
    let linear = |out_features| Layer::Linear { out_features };
    let convolution = |kernel: usize, stride: usize, padding: usize| Layer::Conv2d {
        out_channels: 4,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 2],
    };
    let up = |kernel: usize, stride: usize, padding: usize| Layer::ConvTranspose2d {
        out_channels: 3,
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 2],
        output_padding: [0; 2],
    };
    let sum = |layers, shortcut| Layer::Residual { layers, shortcut, drop: 0.0 };
    let reshape = |shape| Layer::Reshape { shape };
    let branch = vec![linear(5 * 3 * 2), Layer::Silu, reshape([5, 3, 2]), up(4, 2, 1)];
    let blocks = sum(vec![convolution(3, 1, 1), Layer::Silu], vec![]);
    let refiner = vec![convolution(6, 2, 2), blocks, up(6, 2, 2)];
    let layers = vec![
        sum(branch, vec![linear(3 * 6 * 4), reshape([3, 6, 4])]),
        sum(refiner, vec![]),
        Layer::Clip,
    ];
    ("Residuals, with and without a shortcut of layers, and limits".into(), FEW, layers)
}
