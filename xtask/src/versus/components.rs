//! `cargo xtask versus components`: trains residual autoencoders of random subsets of a collection, with the command's default settings, and
//! compares their test errors with those of as many principal components. `xtask/python/make_pictures.py` makes the collections that are not
//! pictures in files.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use latents_random::{Purpose, stream};
use serde_json::{Value, json};

use super::{Spread, number, result_of};
use crate::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// Pictures as PNG or JPEG files, in any sub-folders.
    #[arg(long, value_name = "DIR", default_value = "/usr/share/tuxpaint/stamps")]
    pictures: PathBuf,
    /// Side of the images.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    size: u32,
    /// Training images of a subset.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "50,100,300",
        value_parser = clap::value_parser!(u32).range(8..))]
    images: Vec<u32>,
    /// Dimensions of the latents, and components [default: a third of the training images, at most 64]
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(1..))]
    latent_dim: Option<u32>,
    /// Other images of the collection, which are measured.
    #[arg(long, value_name = "N", default_value_t = 150,
        value_parser = clap::value_parser!(u32).range(1..))]
    test_images: u32,
    /// Subsets of each number of images.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    subsets: u32,
    /// Threads that the program may use [default: all]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
}

pub(super) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    workspace.build_command()?;
    let mut files = vec![];
    list(&options.pictures, &mut files)?;
    files.sort();
    let mut rows = vec![];
    for &images in &options.images {
        ensure!(
            (images + options.test_images) as usize <= files.len(),
            "{} has {} pictures, fewer than {images} and {}",
            options.pictures.display(),
            files.len(),
            options.test_images
        );
        let lines: Vec<Value> = (1..=options.subsets)
            .map(|seed| one(workspace, options, &files, images, seed))
            .collect::<Result<_>>()?;
        rows.push((images, lines));
    }
    println!("\n{}", table(&rows)?);
    Ok(())
}

/// All files below a folder that have the names of pictures.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if path.is_dir() {
            list(&path, files)?;
        } else if ["png", "jpg", "jpeg"].contains(&ending.to_lowercase().as_str()) {
            files.push(path);
        }
    }
    Ok(())
}

/// Trains and measures with one subset, in a folder that is made for it.
fn one(
    workspace: &Workspace,
    options: &Options,
    files: &[PathBuf],
    images: u32,
    seed: u32,
) -> Result<Value> {
    let folder = tempfile::tempdir_in(&workspace.target)?;
    let mut order: Vec<&PathBuf> = files.iter().collect();
    stream(seed.into(), Purpose::Subset, images.into(), 0).shuffle(&mut order);
    let (train, others) = order.split_at(images as usize);
    for (part, files) in [("train", train), ("test", &others[..options.test_images as usize])] {
        let part = folder.path().join("pictures").join(part);
        std::fs::create_dir_all(&part)?;
        for (i, file) in files.iter().enumerate() {
            let name = file.file_name().context("a file without a name")?.to_string_lossy();
            std::fs::copy(file, part.join(format!("{i:04}-{name}")))?;
        }
    }

    let run = folder.path().join("run");
    let command = |words: &[&str]| {
        let mut command = Command::new(workspace.release("latents"));
        command.env("LATENTS_CACHE", folder.path().join("cache")).args(words).arg("--json");
        let threads = options.threads.map(|threads| threads.to_string());
        command.args(threads.iter().flat_map(|threads| ["--threads", threads]));
        command
    };
    let mut train = command(&["train", "ae", "--size", &options.size.to_string()]);
    let dim = options.latent_dim.unwrap_or((images / 3).min(64)).to_string();
    train.args(["--latent-dim", &dim, "--seed", &seed.to_string()]);
    train.arg("--data").arg(folder.path().join("pictures"));
    let trained = result_of(train.arg("--out").arg(&run))?;
    let card = result_of(command(&["evaluate"]).arg(&run))?;
    let [error, components] =
        ["mean_squared_error", "principal_components"].map(|key| number(&card, key));
    let (error, components) = (error?, components?);
    let line = json!({"images": images, "seed": seed, "latent_dim": card["latent_dim"],
        "seconds": trained["seconds"], "error": error, "components": components,
        "ratio": error / components});
    println!("  {line}");
    Ok(line)
}

fn table(rows: &[(u32, Vec<Value>)]) -> Result<String> {
    let mut lines = vec![
        "| training images | d | subsets | mean ratio | lowest | highest | seconds |".to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for (images, subsets) in rows {
        let ratios = Spread::of(subsets, "ratio")?;
        let sum: f64 = subsets.iter().map(|line| line["ratio"].as_f64().unwrap_or(f64::NAN)).sum();
        lines.push(format!(
            "| {images} | {} | {} | {:.3} | {:.3} | {:.3} | {:.1} |",
            subsets[0]["latent_dim"],
            subsets.len(),
            sum / subsets.len() as f64,
            ratios.lowest,
            ratios.highest,
            Spread::of(subsets, "seconds")?
        ));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_found_in_any_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("birds")).unwrap();
        for name in ["a.png", "a.txt", "birds/B.JPG", "birds/c.jpeg"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let mut files = vec![];
        list(folder.path(), &mut files).unwrap();
        files.sort();
        let expected =
            ["a.png", "birds/B.JPG", "birds/c.jpeg"].map(|name| folder.path().join(name));
        assert_eq!(files, expected);
    }

    #[test]
    fn a_row_has_the_mean_and_the_range_of_all_subsets() {
        let line = |ratio: f64, seconds: f64| json!({"latent_dim": 16, "ratio": ratio, "seconds": seconds});
        let text = table(&[(50, vec![line(0.5, 1.0), line(1.25, 3.0), line(0.8, 1.5)])]).unwrap();
        let row = "| 50 | 16 | 3 | 0.850 | 0.500 | 1.250 | 1.5 (1.0 to 3.0) |";
        assert!(text.ends_with(row), "{text}");
    }
}
