//! One of several pieces of the pictures of a source, so that a process reads no other pictures than its own. What a piece is, and what its
//! labels mean, depends on the names of all pictures, but on the contents of none.

use std::path::Path;

use latents_progress::Monitor;

use super::cache::digest;
use super::decode::places;
use super::listing::{Known, Listing};
use super::load;
use crate::arrange::{Arranged, Described, classes};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::locations::Locations;
use crate::part::Part;
use crate::pictures::Pictures;
use crate::shard::Shard;

/// A piece of the pictures of a source.
#[derive(Debug)]
pub struct PictureShard {
    /// The pictures, all in the training part; `None` if there is none that can be read.
    pub dataset: Option<Dataset>,
    /// The classes of all pictures of the source.
    pub classes: Vec<String>,
    /// Names of unreadable pictures of this piece, with reasons, if there are no others.
    pub broken: Vec<(String, String)>,
    /// SHA-256 of the names of all pictures of the source, in order.
    pub collection: String,
}

/// Reads a piece of the pictures of a listing. They are neither taken from the cache nor put there, because the cache has a place for a
/// source and not for its pieces.
pub(crate) fn load_shard(
    name: String,
    folder: &Path,
    mut listing: Listing,
    settings: &Pictures,
    shard: Shard,
    monitor: &Monitor,
) -> Result<PictureShard, Error> {
    if settings.size.is_none() && shard.count() > 1 {
        let problem = "a shard needs the `size` of the images, which would depend on all pictures";
        return Err(Error::Setting { problem: problem.to_owned() });
    }
    // All of them are read.
    let settings = &Pictures { test_fraction: 0.0, ..settings.clone() };
    let collection = digest(listing.files.iter().map(|file| file.name.as_str()));
    let classes = listing.keep_shard(settings, shard);
    let (mut dataset, mut broken) = (None, vec![]);
    if !listing.files.is_empty() {
        let locations = Locations { cache: None, ..Locations::default() };
        match load(name, folder, &listing, settings, &locations, monitor) {
            Ok(read) => dataset = Some(read),
            Err(Error::NoPictures { broken: unreadable, .. }) => broken = unreadable,
            Err(error) => return Err(error),
        }
    }
    Ok(PictureShard { dataset, classes, broken, collection })
}

impl Listing {
    /// Keeps the pictures of a piece, in the order that they have among the images of the whole data set of which none is held out, each with the number of its class there
    /// as its label; returns the names of all classes.
    fn keep_shard(&mut self, settings: &Pictures, shard: Shard) -> Vec<String> {
        let names: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        let known: Vec<_> = self.files.iter().map(|file| file.known.as_ref()).collect();
        let (places, _) = places(&names, &known, self.is_packed());
        let kept: Vec<usize> = (0..places.len()).filter(|&i| places[i].is_some()).collect();
        let texts: Vec<Option<String>> =
            places.iter().flatten().map(|place| place.class.clone()).collect();
        let (classes, labels) = classes(&texts, self.classes.clone())
            .unwrap_or_else(|_| (vec![], vec![None; texts.len()]));
        let described = Described {
            parts: places.iter().flatten().map(|place| place.part).collect(),
            labels: &labels,
            copies: (0..kept.len()).collect(),
        };
        let Arranged(parts) = described.arrange(settings, &mut vec![]);
        let order: Vec<usize> = parts.into_iter().flatten().collect();

        let mut files: Vec<_> = std::mem::take(&mut self.files).into_iter().map(Some).collect();
        for &i in &order[shard.range(order.len())] {
            let Some(mut file) = files[kept[i]].take() else { continue };
            let label = labels[i].map(|label| label.to_string());
            file.known = Some(Known { part: Some(Part::Train), label });
            self.files.push(file);
        }
        if shard.index() > 0 {
            // Told once.
            self.broken.clear();
        }
        self.column_labels.clear();
        self.is_shard = shard.count() > 1;
        self.classes = Some(classes.clone());
        classes
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma, Rgb, RgbImage};

    use super::*;
    use crate::dataset::Labelled;
    use crate::images::Images;
    use crate::source::Source;

    /// A picture of one colour, or a grey one.
    fn picture(folder: &Path, name: &str, shade: u8, is_grey: bool) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if is_grey {
            GrayImage::from_pixel(4, 4, Luma([shade])).save(path).unwrap();
        } else {
            RgbImage::from_pixel(4, 4, Rgb([shade, 0, 255 - shade])).save(path).unwrap();
        }
    }

    fn settings() -> Pictures {
        Pictures { size: Some([4, 4]), test_fraction: 0.0, ..Pictures::default() }
    }

    fn read(source: &Source, shard: Shard) -> PictureShard {
        source.load_shard(&settings(), shard, &Monitor::default()).unwrap().unwrap()
    }

    /// The images of all pieces, one after the other, with their labels, and what all have in common.
    fn in_pieces(source: &Source, count: usize) -> (Labelled, Vec<String>) {
        let pieces: Vec<PictureShard> =
            (0..count).map(|index| read(source, Shard::new(index, count).unwrap())).collect();
        let first = |piece: &PictureShard| (piece.classes.clone(), piece.collection.clone());
        assert!(pieces.iter().all(|piece| first(piece) == first(&pieces[0])));
        let classes = pieces[0].classes.clone();
        let read = || pieces.iter().filter_map(|piece| piece.dataset.as_ref());
        assert!(read().all(|set| set.test.is_empty() && set.validation.is_empty()));
        // A piece without colours has one channel.
        let coloured: Vec<Images> = read().map(|set| set.train.images.coloured()).collect();
        let images = Images::concat(&coloured.iter().collect::<Vec<_>>()).unwrap();
        let of = |set: &Dataset| {
            let labels = set.train.labels.clone();
            labels.unwrap_or_else(|| vec![None; set.train.len()])
        };
        let labels: Vec<Option<u16>> = read().flat_map(of).collect();
        let names = read().flat_map(|set| set.train.names.clone().unwrap()).collect();
        let labels = (!classes.is_empty()).then_some(labels);
        (Labelled { labels, names: Some(names), ..Labelled::unlabelled(images) }, classes)
    }

    fn check(source: &Source) {
        let whole =
            source.load_with(&settings(), &Locations::nowhere(), &Monitor::default()).unwrap();
        let (all, _) = whole.all();
        assert_eq!(whole.shape()[0], 3);
        for count in [1, 2, 3, all.len(), all.len() + 3] {
            assert_eq!(in_pieces(source, count), (all.clone(), whole.classes.clone()), "{count}");
        }
    }

    #[test]
    fn pieces_together_are_the_whole() {
        let place = tempfile::tempdir().unwrap();
        let (plain, classes, parts) =
            (place.path().join("plain"), place.path().join("classes"), place.path().join("parts"));
        for i in 0..7 {
            picture(&plain, &format!("{i}.png"), 30 * i, i > 3);
            picture(&classes, &format!("{}/{i}.png", ["a", "b10", "b9"][i as usize / 3]), i, i < 3);
        }
        // A class of its own piece has another number there, and a part without labels comes last.
        for (i, name) in ["test/x/1", "test/y/2", "train/y/3", "train/z/4", "val/5", "unlabelled/6"]
            .iter()
            .enumerate()
        {
            picture(&parts, &format!("{name}.png"), 40 * i as u8, i == 2);
        }
        for folder in [&plain, &classes, &parts] {
            check(&Source::Folder(folder.clone()));
        }
        // Unreadable pictures are in no piece.
        std::fs::write(plain.join("3.png"), b"no picture").unwrap();
        std::fs::write(plain.join("5.png"), b"").unwrap();
        check(&Source::Folder(plain.clone()));
        let alone = read(&Source::Folder(plain), Shard::new(5, 7).unwrap());
        assert!(alone.dataset.is_none() && alone.broken[0].0 == "5.png", "{alone:?}");
    }

    #[test]
    fn an_archive_is_cut_by_its_entries() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("in");
        let mut archive =
            tar::Builder::new(std::fs::File::create(place.path().join("all.tar")).unwrap());
        for i in 0..5 {
            picture(&folder, &format!("{i}.png"), 50 * i, false);
            archive
                .append_path_with_name(folder.join(format!("{i}.png")), format!("{i}.png"))
                .unwrap();
            let mut head = tar::Header::new_gnu();
            head.set_size(1);
            head.set_mode(0o644);
            head.set_cksum();
            let label = [b'0' + i % 2];
            archive.append_data(&mut head, format!("{i}.cls"), &label[..]).unwrap();
        }
        archive.finish().unwrap();
        check(&Source::Tar(place.path().join("all.tar")));
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn tables_are_cut_by_their_rows() {
        use latents_tables::{Column, ColumnTable, Values};

        let place = tempfile::tempdir().unwrap();
        let (folder, tables) = (place.path().join("in"), place.path().join("tables"));
        std::fs::create_dir(&tables).unwrap();
        // The test part comes first by name, and last by rank.
        for (name, first) in
            [("test.parquet", 0), ("train-a.parquet", 90), ("train-b.parquet", 200)]
        {
            let of = |i: u8| {
                picture(&folder, "x.png", first / 2 + i, false);
                Some(std::fs::read(folder.join("x.png")).unwrap())
            };
            let labels = (0..70).map(|i| Some(format!("class {}", (first + i) / 30))).collect();
            let table = ColumnTable::new(vec![
                Column::new("image", Values::Bytes((0..70).map(of).collect())),
                Column::new("label", Values::Text(labels)),
            ]);
            latents_tables::write(&tables.join(name), &table.unwrap()).unwrap();
        }
        check(&Source::Table(tables));
    }

    #[test]
    fn a_range_that_depends_on_all_pictures_is_refused() {
        let place = tempfile::tempdir().unwrap();
        for i in 0..4u16 {
            let deep = image::ImageBuffer::from_pixel(4, 4, Luma([1000 * i]));
            deep.save(place.path().join(format!("{i}.png"))).unwrap();
        }
        let source = Source::Folder(place.path().into());
        let shard = |count| Shard::new(0, count).unwrap();
        let load = |settings: &Pictures, shard| {
            source.load_shard(settings, shard, &Monitor::default()).map(Option::unwrap)
        };
        let error = load(&settings(), shard(2)).unwrap_err().to_string();
        assert!(error.contains("a shard needs a `range`"), "{error}");
        assert!(load(&settings(), shard(1)).unwrap().dataset.is_some());
        let sizeless = Pictures { size: None, ..Pictures::default() };
        assert!(matches!(load(&sizeless, shard(2)), Err(Error::Setting { .. })));
        let ranged = Pictures { range: "0..4000".parse().unwrap(), ..settings() };
        assert_eq!(load(&ranged, shard(2)).unwrap().dataset.unwrap().train.len(), 2);
    }
}
