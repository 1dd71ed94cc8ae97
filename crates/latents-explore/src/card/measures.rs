//! The measures of a card as names and numbers, to compare cards by.

use super::data::Card;

impl Card {
    /// Each measure that is one number, by its name in the card's JSON; those of a sampler have its name before them. What could not be measured
    /// is left out.
    ///
    /// ```no_run
    /// # fn show(card: &latents_explore::card::Card) {
    /// for (name, value) in card.measures() {
    ///     println!("{name}: {value}"); // mean_squared_error: 0.0094, ...
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn measures(&self) -> Vec<(String, f64)> {
        let (r, l) = (&self.reconstruction, &self.latents);
        let bounds = self.bounds.as_ref();
        let traversals = self.traversals.as_ref();
        let factors = self.disentanglement.as_ref();
        let mut all: Vec<(String, f64)> = [
            ("mean_squared_error", Some(r.mse.value)),
            ("principal_components", r.pca_mse),
            ("psnr", Some(r.psnr)),
            ("ssim", r.ssim.map(|ssim| ssim.value)),
            ("explained_variance", Some(r.explained_variance)),
            ("elbo", bounds.map(|b| b.elbo.value)),
            ("iwae", bounds.map(|b| b.iwae.value)),
            ("active_units", Some(l.active_units as f64)),
            ("effective_dimension", Some(l.effective_dimension)),
            ("neighbour_accuracy", l.neighbour_accuracy),
            ("components_neighbour_accuracy", l.components_neighbour_accuracy),
            ("mig", factors.map(|f| f.mig)),
            ("sap", factors.map(|f| f.sap)),
            ("disentanglement", factors.map(|f| f.disentanglement)),
            ("completeness", factors.map(|f| f.completeness)),
            ("informativeness", factors.map(|f| f.informativeness)),
            ("linear", traversals.map(|t| t.linear.value)),
            ("spherical", traversals.map(|t| t.spherical.value)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
        for sampler in self.samples.iter().flat_map(|samples| &samples.samplers) {
            let scores = [
                ("frechet", Some(sampler.frechet.value)),
                ("kernel", Some(sampler.kernel.value)),
                ("precision", Some(sampler.coverage.precision)),
                ("recall", Some(sampler.coverage.recall)),
                ("sharpness", sampler.sharpness),
            ];
            let name = |score| format!("{} {score}", sampler.name);
            all.extend(scores.into_iter().filter_map(|(score, value)| Some((name(score), value?))));
        }
        all.retain(|(_, value)| value.is_finite());
        all
    }
}
