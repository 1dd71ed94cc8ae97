//! The markup of the explorer: controls with their labels, and one column for each model. The script fills in the data.

use maud::{Markup, PreEscaped, html};

use super::{Explorer, ModelTexts};

impl Explorer {
    /// The explorer. `name` is its anchor in the page.
    pub(crate) fn markup(&self, name: &str) -> Markup {
        // Within a script element only `</script` and `<!--` are special; without `<` neither can occur.
        let data = self.data.to_string().replace('<', "\\u003c");
        let side_by_side = self.models.len() > 1;
        html! {
            div.explorer id=(name) data-models=(self.models.len()) {
                noscript { p.notice { "The explorer needs JavaScript, which is disabled in this browser." } }
                (self.controls(name))
                div.models {
                    @for (i, model) in self.models.iter().enumerate() { (column(model, &self.classes, &format!("{name}-{i}"), side_by_side)) }
                }
                p.unseen role="status" aria-live="polite" data-part="status" {}
                script type="application/json" { (PreEscaped(data)) }
            }
        }
    }

    fn controls(&self, name: &str) -> Markup {
        let has_classes = !self.classes.is_empty();
        let colours = [
            ("class", "class", has_classes),
            ("error", "reconstruction error", self.has_errors),
            ("cluster", "cluster", self.has_clusters),
        ];
        let offered = colours.iter().any(|c| c.2);
        let find = if self.has_files { "Find by number or file name" } else { "Find by number" };
        html! {
            div.controls {
                form role="search" data-part="search" {
                    label for={ (name) "-find" } { (find) }
                    input.field type="search" id={ (name) "-find" } autocomplete="off" spellcheck="false" data-part="find"
                        placeholder={ (self.numbers[0]) " to " (self.numbers[1]) };
                    button type="submit" { "Show" }
                    ul.found data-part="found" {}
                }
                @if offered {
                    div {
                        label for={ (name) "-colour" } { "Colour by" }
                        select id={ (name) "-colour" } data-part="colour" {
                            @for (value, text, offered) in colours { @if offered { option value=(value) { (text) } } }
                        }
                    }
                }
                div.legend data-part="legend" hidden {}
                @if has_classes {
                    fieldset.classes data-part="classes" {
                        legend { "Classes" }
                        @for (i, (class, colour, count)) in self.classes.iter().enumerate() {
                            label.chip {
                                input type="checkbox" checked value=(i);
                                span.swatch style={ "background:" (colour) } {}
                                span { (class) }
                                span.count { (count) }
                            }
                        }
                        button type="button" data-part="all" { "All" }
                        button type="button" data-part="none" { "None" }
                    }
                }
            }
        }
    }
}

/// Name, colour and number of images of each class.
type Classes = [(String, String, usize)];

fn column(model: &ModelTexts, classes: &Classes, name: &str, side_by_side: bool) -> Markup {
    html! {
        section.model aria-labelledby={ (name) "-title" } {
            h3 id={ (name) "-title" } { (model.name) }
            p.caption { (model.map_name) }
            div.stage {
                canvas.map data-part="map" tabindex="0" role="application" aria-label={ "Map of the latents of " (model.name) }
                    aria-describedby={ (name) "-help" } {}
                div.tip data-part="tip" hidden {}
                div.zoom {
                    button type="button" data-part="in" aria-label="Zoom in" { "+" }
                    button type="button" data-part="out" aria-label="Zoom out" { "−" }
                    button type="button" data-part="whole" aria-label="Show the whole map" { "⤢" }
                }
            }
            details.help open[!side_by_side] {
                summary { "How to use the map" }
                p id={ (name) "-help" } {
                    "Drag the white handle to decode the latent vector at its position: the mean of the latents of the eight nearest images, "
                    "weighted by the inverse of their squared distance. Drag the map to move it, and scroll to zoom; at high zoom, dots become "
                    "pictures. Click two to four images to interpolate between them. Keys: arrows move the handle, and with Shift the map; "
                    "plus and minus zoom, 0 shows the whole map; Enter selects the image nearest to the handle, Escape clears the selection."
                }
            }
            @if model.conditional { (decode_as(classes, name)) }
            div.decoded {
                figure {
                    canvas.image data-part="decoded" role="img" aria-label="Decoded image" {}
                    figcaption data-part="decoded-caption" {}
                }
                figure data-part="original-figure" hidden {
                    canvas.image data-part="original" role="img" aria-label="Original image" {}
                    figcaption data-part="original-caption" {}
                }
            }
            div.between data-part="between" {
                h4 { "Interpolation between images" }
                p.caption data-part="between-caption" {}
                canvas data-part="traversal" role="img" aria-label="Interpolation" hidden {}
                button type="button" data-part="drop" hidden { "Clear selection" }
            }
            div.axes {
                h4 { "Latent dimensions" }
                p.caption { (model.dim) " dimensions, those with the largest standard deviation first. Each slider covers the range of the images." }
                div.sliders data-part="sliders" {}
                button type="button" data-part="more" hidden aria-expanded="false" { "All dimensions" }
            }
        }
    }
}

/// The choice of the class that a conditional decoder is given.
fn decode_as(classes: &Classes, name: &str) -> Markup {
    html! {
        div.given {
            label for={ (name) "-as" } { "Decode as" }
            select id={ (name) "-as" } data-part="as" {
                option value="" { "the class of the image" }
                @for (i, (class, ..)) in classes.iter().enumerate() { option value=(i) { (class) } }
            }
            p.caption {
                "The decoder is given a class beside the latent vector: the one that is chosen here, or else that of the image, of the image nearest "
                "to the handle, or of the first one of an interpolation."
            }
        }
    }
}
