//! Maps of many points, such as projected latents: coloured by class, or as images. Both axes have the same scale, because a map
//! shows distances. The points of a class are a few paths of dots rather than one element each, so ten thousand points stay a small
//! file.

use std::fmt::Write as _;

use crate::figure::Figure;
use crate::font;
use crate::frame::{LABEL, MARGIN, heading, label};
use crate::legend::{self, Entry, Sample};
use crate::marks::{Mark, Shape, density};
use crate::palette;
use crate::raster::{ImageView, Raster};
use crate::scale::{drawable, extent};
use crate::scene::{Anchor, Scene};
use crate::svg::num;

/// Side of the square of a map.
const SIDE: f64 = 640.0;
const WIDTH: f64 = SIDE + 2.0 * MARGIN;
/// Distance between the outermost points and the frame.
const ROOM: f64 = 12.0;
/// The classes are drawn in this many turns, so that none covers all others.
const TURNS: usize = 12;
/// Side of the cell of a thumbnail, including its border.
const CELL: usize = 32;

/// The points of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct PointGroup {
    /// Name in the legend; any text. A group without a name is not in the legend.
    pub name: String,
    /// Positions `(x, y)`. A point that is not finite is left out.
    pub xy: Vec<(f64, f64)>,
}

/// Draws a map of points, each class in its own colour. `axes` names the two axes, if they have a meaning; they carry no numbers.
///
/// ```
/// use latents_report::{PointGroup, scatter};
///
/// let cats = PointGroup { name: "cat".into(), xy: vec![(0.0, 0.1), (0.2, 0.0)] };
/// let dogs = PointGroup { name: "dog".into(), xy: vec![(1.0, 0.9)] };
/// let figure = scatter("Principal components", &[cats, dogs], Some(("component 1", "component 2")));
/// assert!(figure.svg().contains("component 2"));
/// ```
#[must_use]
pub fn scatter(title: &str, classes: &[PointGroup], axes: Option<(&str, &str)>) -> Figure {
    draw(title, classes, None, axes)
}

/// Draws classes in their colours, and before them the points of none in grey.
fn draw(
    title: &str,
    classes: &[PointGroup],
    none: Option<&PointGroup>,
    axes: Option<(&str, &str)>,
) -> Figure {
    let groups: Vec<&PointGroup> = none.into_iter().chain(classes).collect();
    let mut scene = Scene::new(title);
    let top = heading(&mut scene, title, WIDTH).ceil() + 8.0;
    let all = || groups.iter().flat_map(|c| &c.xy).copied();
    let area = Area::around(all(), top);
    area.frame(&mut scene);
    let n = all().count();
    let (radius, opacity) = density(n);
    let mut colours = palette::classes(classes.len());
    if none.is_some() {
        colours.insert(0, palette::AXIS.into());
    }
    scene.markup(format!(
        r#"<g fill="none" stroke-linecap="round" stroke-width="{}">"#,
        num(2.0 * radius)
    ));
    for turn in 0..TURNS {
        for (i, class) in groups.iter().enumerate() {
            let mut path = String::new();
            for &point in class.xy.iter().skip(turn).step_by(TURNS) {
                if let Some((x, y)) = area.place(point) {
                    // Writing to a string cannot fail.
                    let _ = write!(path, "M{x:.1} {y:.1}h.01");
                }
            }
            if !path.is_empty() {
                let colour = &colours[i];
                let opacity = num(opacity);
                scene.markup(format!(
                    r#"<path class="points" d="{path}" stroke="{colour}" stroke-opacity="{opacity}"/>"#
                ));
            }
        }
    }
    scene.markup("</g>".into());
    let mut below = area.below(&mut scene, axes);
    if n == 0 {
        area.message(&mut scene, "no points");
    }
    let entries = groups.iter().zip(&colours).map(|(class, colour)| entry(&class.name, colour));
    let entries: Vec<Entry> = entries.filter(|e| !e.name.is_empty()).collect();
    if !entries.is_empty() {
        below = legend::below(&mut scene, below, WIDTH, &entries);
    }
    Figure::new(WIDTH, below + MARGIN, scene)
}

/// Draws a map of the points `xy`, `[n, 2]`, coloured by `labels`, `[n]`, which index `classes`. Without labels or classes, all
/// points have one colour and there is no legend. Points without a label are grey, and called "none". A label beyond `classes` counts as the last class; a point beyond `labels` is
/// left out. `axes` is as in [`scatter`].
///
/// ```
/// let classes = ["cat".to_owned(), "dog".to_owned()];
/// let figure =
///     latents_report::scatter_by_class("t-SNE", &[0.0, 0.1, 1.0, 0.9], Some(&[Some(0), Some(1)]), &classes, None);
/// assert!(figure.svg().contains("dog"));
/// ```
#[must_use]
pub fn scatter_by_class(
    title: &str,
    xy: &[f32],
    labels: Option<&[Option<u16>]>,
    classes: &[String],
    axes: Option<(&str, &str)>,
) -> Figure {
    let group = |name: &String| PointGroup { name: name.clone(), xy: vec![] };
    let mut groups: Vec<PointGroup> = classes.iter().map(group).collect();
    let labels = labels.filter(|_| !groups.is_empty());
    if labels.is_none() {
        groups = vec![group(&String::new())];
    }
    let last = groups.len() - 1;
    let mut none = PointGroup { name: "none".into(), xy: vec![] };
    for (i, point) in xy.chunks_exact(2).enumerate() {
        let point = (f64::from(point[0]), f64::from(point[1]));
        match labels.map_or(Some(Some(0)), |labels| labels.get(i).copied()) {
            Some(Some(class)) => groups[usize::from(class).min(last)].xy.push(point),
            Some(None) => none.xy.push(point),
            None => {}
        }
    }
    draw(title, &groups, Some(&none).filter(|none| !none.xy.is_empty()), axes)
}

/// The legend entry of a class.
fn entry(name: &str, colour: &str) -> Entry {
    let mark =
        Mark { shape: Shape::Disc, colour: colour.to_owned().into(), radius: 4.0, opacity: 1.0 };
    Entry { name: font::clean(name), sample: Sample::Point(mark), end: None }
}

/// The position of an image on a map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thumbnail {
    /// Position `(x, y)`.
    pub at: (f64, f64),
    /// The class that gives the colour of its border; `None` for no border.
    pub class: Option<usize>,
}

/// Draws a map of images. A grid covers the map, and each cell shows the image nearest to its centre. `image` gives the numbers from 0
/// to 1 of an image of `shape` `[c, h, w]` by its place in `images`; it is asked only for those that are shown. `names` are the names of
/// the classes, for the legend; `axes` is as in [`scatter`].
///
/// ```
/// use latents_report::{Thumbnail, thumbnails};
///
/// let image = |_| vec![0.0, 0.5, 0.5, 1.0];
/// let images = [(0.0, 0.1), (1.0, 0.9)].map(|at| Thumbnail { at, class: Some(0) });
/// let figure = thumbnails("t-SNE", &images, [1, 2, 2], &image, &["cat".into()], None);
/// assert!(figure.svg().contains("cat"));
/// ```
#[must_use]
pub fn thumbnails(
    title: &str,
    images: &[Thumbnail],
    shape: [usize; 3],
    image: &dyn Fn(usize) -> Vec<f32>,
    names: &[String],
    axes: Option<(&str, &str)>,
) -> Figure {
    let mut scene = Scene::new(title);
    let top = heading(&mut scene, title, WIDTH).ceil() + 8.0;
    let area = Area::around(images.iter().map(|i| i.at), top);
    let cells = SIDE as usize / CELL;
    // The image of each cell, and its squared distance from the centre.
    let mut chosen: Vec<Option<(f64, usize)>> = vec![None; cells * cells];
    for (i, thumbnail) in images.iter().enumerate() {
        let Some((x, y)) = area.place(thumbnail.at) else { continue };
        let (x, y) = ((x - area.left) / CELL as f64, (y - area.top) / CELL as f64);
        let (column, row) = ((x as usize).min(cells - 1), (y as usize).min(cells - 1));
        let (dx, dy) = (x - column as f64 - 0.5, y - row as f64 - 0.5);
        let distance = dx * dx + dy * dy;
        let cell = &mut chosen[row * cells + column];
        if cell.is_none_or(|(other, _)| distance < other) {
            *cell = Some((distance, i));
        }
    }
    let count = images.iter().filter_map(|i| i.class).max().map_or(0, |most| most + 1);
    let colours = palette::classes(names.len().max(count));
    let mut raster = Raster::new(cells * CELL, cells * CELL);
    for (i, cell) in chosen.iter().enumerate() {
        if let Some((_, which)) = *cell {
            let at = (i % cells * CELL, i / cells * CELL);
            let class = images[which].class;
            let border = class.and_then(|class| colours.get(class)).map(String::as_str);
            raster.draw(&ImageView { shape, pixels: &image(which) }, at, CELL, border);
        }
    }
    scene.markup(raster.element((area.left, area.top)));
    area.frame(&mut scene);
    if images.is_empty() {
        area.message(&mut scene, "no images");
    }
    let mut below = area.below(&mut scene, axes);
    let shown =
        |class: usize| chosen.iter().flatten().any(|(_, i)| images[*i].class == Some(class));
    let named = names.iter().zip(&colours).enumerate().filter(|(i, _)| shown(*i));
    let entries: Vec<Entry> = named.map(|(_, (name, colour))| entry(name, colour)).collect();
    if !entries.is_empty() {
        below = legend::below(&mut scene, below, WIDTH, &entries);
    }
    Figure::new(WIDTH, below + MARGIN, scene)
}

/// The square of a map, and the projection of points into it.
struct Area {
    left: f64,
    top: f64,
    /// Centre of the map, and pixels per unit of the map.
    middle: (f64, f64),
    scale: f64,
}

impl Area {
    fn around(points: impl Iterator<Item = (f64, f64)> + Clone, top: f64) -> Self {
        let points = points.filter(|p| drawable(p.0) && drawable(p.1));
        let x = extent(points.clone().map(|p| p.0)).unwrap_or((0.0, 0.0));
        let y = extent(points.map(|p| p.1)).unwrap_or((0.0, 0.0));
        let widest = (x.1 - x.0).max(y.1 - y.0);
        let scale = if widest > 1e-290 { (SIDE - 2.0 * ROOM) / widest } else { 1.0 };
        // Halved first, because the sum of distant ends could overflow.
        Area { left: MARGIN, top, middle: (x.0 / 2.0 + x.1 / 2.0, y.0 / 2.0 + y.1 / 2.0), scale }
    }

    fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let across = (x - self.middle.0) * self.scale + SIDE / 2.0;
        let down = SIDE / 2.0 - (y - self.middle.1) * self.scale;
        let inside = |v: f64| (0.0..=SIDE).contains(&v);
        (inside(across) && inside(down)).then_some((self.left + across, self.top + down))
    }

    fn frame(&self, scene: &mut Scene) {
        scene.markup(format!(
            r#"<rect class="frame" x="{}" y="{}" width="{}" height="{}" fill="none" stroke="{}"/>"#,
            num(self.left - 0.5),
            num(self.top - 0.5),
            num(SIDE + 1.0),
            num(SIDE + 1.0),
            palette::GRID
        ));
    }

    /// Draws the names of the axes. Returns the y below them.
    fn below(&self, scene: &mut Scene, axes: Option<(&str, &str)>) -> f64 {
        let bottom = self.top + SIDE;
        let Some((x, y)) = axes else { return bottom + 4.0 };
        let text = |content: &str| font::clean(content);
        let middle = self.left + SIDE / 2.0;
        scene.text(label("label", middle, bottom + 8.0 + LABEL, Anchor::Middle, text(x)));
        let mut upright =
            label("label", self.left - 8.0, self.top + SIDE / 2.0, Anchor::Middle, text(y));
        upright.turned = true;
        scene.text(upright);
        bottom + 14.0 + LABEL
    }

    fn message(&self, scene: &mut Scene, what: &str) {
        let (x, y) = (self.left + SIDE / 2.0, self.top + SIDE / 2.0);
        scene.text(label("label", x, y, Anchor::Middle, what.into()));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::testing::Pixels;

    fn classes(n: usize) -> Vec<PointGroup> {
        let point = |i: usize| {
            let angle = i as f64 * 2.4;
            ((i as f64).sqrt() * libm::cos(angle), (i as f64).sqrt() * libm::sin(angle))
        };
        (0..10)
            .map(|c| PointGroup {
                name: format!("class {c}"),
                xy: (0..n).filter(|i| i % 10 == c).map(point).collect(),
            })
            .collect()
    }

    #[test]
    fn ten_thousand_points_are_a_small_file() {
        let figure = scatter("Map", &classes(10_000), None);
        assert!(figure.svg().len() < 250_000, "{}", figure.svg().len());
        assert_eq!(figure.svg().matches("h.01").count(), 10_000);
        roxmltree::Document::parse(figure.svg()).unwrap();
    }

    #[test]
    fn a_point_is_where_it_should_be_in_its_colour() {
        let points =
            |name: &str, xy: &[(f64, f64)]| PointGroup { name: name.into(), xy: xy.to_vec() };
        let bad = (f64::NAN, 0.0);
        let classes = [points("a", &[(0.0, 0.0), bad]), points("b", &[(2.0, 0.0), (0.0, 1.0)])];
        let figure = scatter("Map", &classes, Some(("first", "second")));
        let pixels = Pixels::decode(&figure.png().unwrap());
        let top = 24.0 + 22.0 + 8.0;
        // The widest extent is 2, over 616 pixels; y is centred.
        let at = |x: f64, y: f64| {
            let (x, y) = (24.0 + 12.0 + 308.0 * x, top + 320.0 - 308.0 * (y - 0.5));
            pixels.at((2.0 * x) as usize, (2.0 * y) as usize)
        };
        assert_eq!(at(0.0, 0.0), [0x42, 0x69, 0xd0]);
        assert_eq!(at(2.0, 0.0), [0xef, 0xb1, 0x18]);
        assert_eq!(at(0.0, 1.0), [0xef, 0xb1, 0x18]);
        assert_eq!(at(1.0, 0.5), [255; 3]);
    }

    #[test]
    fn no_two_classes_have_one_colour() {
        let many: Vec<PointGroup> = (0..12)
            .map(|c| PointGroup { name: format!("class {c}"), xy: vec![(f64::from(c), 0.0)] })
            .collect();
        let figure = scatter("Map", &many, None);
        let colours: std::collections::BTreeSet<&str> =
            figure.svg().split(" stroke=").skip(1).map(|rest| &rest[..9]).collect();
        assert!(colours.len() > 12, "including that of the frame: {colours:?}");
    }

    #[test]
    fn points_without_a_label_are_grey_and_called_none() {
        let names = ["a", "b"].map(String::from);
        let labels = [Some(1), None, Some(0)];
        let map =
            scatter_by_class("Map", &[0.0, 0.0, 1.0, 1.0, 2.0, 0.5], Some(&labels), &names, None);
        let grey = format!(r#"stroke="{}" stroke-opacity"#, palette::AXIS);
        assert_eq!(map.svg().matches(&grey).count(), 1);
        assert_eq!(map.svg().matches(">none<").count(), 1);
        let all = scatter_by_class("Map", &[0.0, 0.0, 1.0, 1.0], Some(&labels[..1]), &names, None);
        assert!(!all.svg().contains(">none<"));
    }

    #[test]
    fn points_are_grouped_by_their_labels() {
        let xy = [0.0_f32, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        let axes = Some(("first", "second"));
        let group = |name: &str, points: &[usize]| {
            let at = |&i: &usize| (f64::from(xy[2 * i]), f64::from(xy[2 * i + 1]));
            PointGroup { name: name.into(), xy: points.iter().map(at).collect() }
        };
        let names = ["a", "b", "c"].map(String::from);
        let drawn = |labels: Option<&[u16]>, classes: &[String]| {
            let labels: Option<Vec<Option<u16>>> =
                labels.map(|labels| labels.iter().copied().map(Some).collect());
            scatter_by_class("Map", &xy, labels.as_deref(), classes, axes).svg().to_owned()
        };
        let wanted = |groups: &[PointGroup]| scatter("Map", groups, axes).svg().to_owned();
        let classes = [group("a", &[1, 3]), group("b", &[]), group("c", &[0, 2])];
        assert_eq!(drawn(Some(&[2, 0, 2, 0]), &names), wanted(&classes));
        assert_eq!(drawn(Some(&[2, 0, 200, 0]), &names), wanted(&classes), "beyond the classes");
        let classes = [group("a", &[0]), group("b", &[1]), group("c", &[])];
        assert_eq!(drawn(Some(&[0, 1]), &names), wanted(&classes), "two have no label");
        let all = wanted(&[group("", &[0, 1, 2, 3])]);
        assert_eq!(drawn(None, &names), all);
        assert_eq!(drawn(Some(&[2, 0, 2, 0]), &[]), all);
    }

    #[test]
    fn nothing_to_show_is_said() {
        for figure in
            [scatter("Map", &[], None), thumbnails("Map", &[], [1, 1, 1], &|_| vec![], &[], None)]
        {
            assert!(figure.svg().contains(">no "));
            figure.png().unwrap();
        }
        let same =
            PointGroup { name: String::new(), xy: vec![(1e308, -1e308), (5.0, 5.0), (5.0, 5.0)] };
        assert_eq!(scatter("Map", &[same], None).svg().matches("h.01").count(), 2);
    }

    #[test]
    fn each_cell_shows_one_image_with_its_border() {
        let thumbnail = |at, class| Thumbnail { at, class: Some(class) };
        let images =
            [thumbnail((0.0, 0.0), 0), thumbnail((10.0, 10.0), 1), thumbnail((0.0, 0.0), 1)];
        let asked = RefCell::new(vec![]);
        let image = |i: usize| {
            asked.borrow_mut().push(i);
            vec![[0.0, 1.0, 1.0][i]; 36]
        };
        let names = ["a".into(), "b".into(), "c".into()];
        let figure = thumbnails("Map", &images, [1, 6, 6], &image, &names, None);
        let mut asked = asked.into_inner();
        asked.sort_unstable();
        assert_eq!(asked, [0, 1], "only what is shown is read");
        let pixels = Pixels::decode(&figure.png().unwrap());
        let top = 24 + 22 + 8;
        let at = |x: usize, y: usize| pixels.at(2 * (24 + x), 2 * (top + y));
        assert_eq!(at(16, 640 - 16), [0; 3], "bottom left");
        assert_eq!(at(640 - 16, 16), [255; 3], "top right");
        let borders = (0..32).filter(|&x| at(x, 640 - 16) == [0x42, 0x69, 0xd0]).count();
        assert!(borders >= 2, "{borders}");
        assert_eq!(
            figure.svg().matches(r#"class="key""#).count(),
            2,
            "only what is shown is named"
        );
    }
}
