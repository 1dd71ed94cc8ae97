//! Marks of points: discs, rings and crosses.

use std::borrow::Cow;

use crate::palette;
use crate::scene::Scene;
use crate::svg::num;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Disc,
    /// A ring with a white inside.
    Ring,
    Cross,
}

/// The look of points.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    pub(crate) shape: Shape,
    pub(crate) colour: Cow<'static, str>,
    /// Half the width.
    pub(crate) radius: f64,
    /// From 0 (transparent) to 1 (opaque).
    pub(crate) opacity: f64,
}

impl Mark {
    /// The mark of the best point: larger than its neighbours, whose radius is given.
    pub(crate) fn best(neighbours: f64) -> Self {
        let radius = neighbours + 1.2;
        Self { shape: Shape::Disc, colour: palette::BEST.into(), radius, opacity: 1.0 }
    }

    /// Draws a mark at each of `places`, as a group of this class. Draws nothing if there are no places.
    pub(crate) fn draw(
        &self,
        scene: &mut Scene,
        class: &str,
        places: impl IntoIterator<Item = (f64, f64)>,
    ) {
        let mut places = places.into_iter().peekable();
        if places.peek().is_none() {
            return;
        }
        let &Self { shape, ref colour, radius, opacity } = self;
        let opacity =
            if opacity < 1.0 { format!(r#" opacity="{}""#, num(opacity)) } else { String::new() };
        let paint = match shape {
            Shape::Disc => format!(r#"fill="{colour}""#),
            Shape::Ring => format!(r##"fill="#ffffff" stroke="{colour}" stroke-width="1.2""##),
            Shape::Cross => format!(r#"fill="none" stroke="{colour}" stroke-width="1.4""#),
        };
        scene.markup(format!(r#"<g class="{class}" {paint}>"#));
        for (x, y) in places {
            let (x, y, r) = (num(x), num(y), num(radius));
            scene.markup(if shape == Shape::Cross {
                let d = num(radius * 2.0);
                format!(r#"<path d="M{x} {y}m-{r} -{r}l{d} {d}m0 -{d}l-{d} {d}"{opacity}/>"#)
            } else {
                format!(r#"<circle cx="{x}" cy="{y}" r="{r}"{opacity}/>"#)
            });
        }
        scene.markup("</g>".into());
    }
}

/// Radius and opacity at which `n` points in one figure can be told apart.
pub(crate) fn density(n: usize) -> (f64, f64) {
    let n = n.max(1) as f64;
    let radius = (3.6 * libm::pow(60.0 / n, 0.25)).clamp(1.5, 3.6);
    (radius, (1.6 * libm::pow(60.0 / n, 0.2)).clamp(0.55, 1.0))
}
