//! The explorer's markup: controls with their labels, and one column for each model. The script fills what depends on the data.

use maud::{Markup, PreEscaped, html};

use super::{Explorer, Shown};

impl Explorer {
    /// The explorer under its address within the page.
    pub(crate) fn markup(&self, name: &str) -> Markup {
        // Within a script element only `</script` and `<!--` mean something; without `<` there is neither.
        let data = self.data.to_string().replace('<', "\\u003c");
        let side_by_side = self.models.len() > 1;
        html! {
            div.explorer id=(name) data-models=(self.models.len()) {
                noscript { p.notice { "The explorer needs JavaScript, which this browser does not run here." } }
                (self.controls(name))
                div.models {
                    @for (i, model) in self.models.iter().enumerate() { (column(model, &format!("{name}-{i}"), side_by_side)) }
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

fn column(model: &Shown, name: &str, side_by_side: bool) -> Markup {
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
                summary { "How to move around" }
                p id={ (name) "-help" } {
                    "Drag the white handle: what lies under it is decoded as it moves. A place on the map becomes a latent vector as the "
                    "mean of its eight nearest images' latents, weighted by the inverse of their squared distance. Drag the map or scroll to move and zoom; "
                    "near enough, dots become pictures. Click two to four images to see what lies between them. "
                    "Keys: arrows move the handle, with Shift the map; plus and minus zoom, 0 shows all; Enter picks the image nearest to the handle, "
                    "Escape drops all picked ones."
                }
            }
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
                h4 { "Between images" }
                p.caption data-part="between-caption" {}
                canvas data-part="traversal" role="img" aria-label="Traversal" hidden {}
                button type="button" data-part="drop" hidden { "Drop the images" }
            }
            div.axes {
                h4 { "Axes of the latent space" }
                p.caption { "Most active first of " (model.dim) ", each over the range that the images fill." }
                div.sliders data-part="sliders" {}
                button type="button" data-part="more" hidden aria-expanded="false" { "All axes" }
            }
        }
    }
}
