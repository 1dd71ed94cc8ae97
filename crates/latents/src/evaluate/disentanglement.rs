//! Scores of disentanglement of a model, on images whose factors of variation are known because their source has several columns of labels. What
//! is measured and how is in `latents_explore::disentanglement`.

use latents_data::{Dataset, Labelled, Part};
use latents_explore::Rows;
use latents_explore::card::Card;
use latents_explore::disentanglement::{
    Disentanglement, Factor, IMAGES_OF_A_VALUE, LEAST_FACTOR_IMAGES,
};

use crate::error::{Error, Result};
use crate::model::TrainedModel;
use crate::session::Session;

impl TrainedModel {
    /// Measures whether the latents of the test images follow the factors of variation that are known of them: of the columns of labels, those
    /// in which every test image has a label and there are at least ten images for each different label, on average. `None` if these are
    /// fewer than two; nothing can be measured then.
    ///
    /// ```no_run
    /// # fn main() -> latents::Result<()> {
    /// use latents::{Dataset, Session, TrainedModel};
    ///
    /// let session = Session::default();
    /// let mut model = TrainedModel::open("runs/shapes", &session)?;
    /// let data = Dataset::open("shapes", &session)?;
    /// if let Some(scores) = model.disentanglement(&data, &session)? {
    ///     println!("mutual information gap: {:.3}", scores.mig);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the model has no latents, there are no test images or, with known factors, fewer than [`LEAST_FACTOR_IMAGES`], or the call was
    /// interrupted.
    pub fn disentanglement(
        &mut self,
        data: &Dataset,
        session: &Session,
    ) -> Result<Option<Disentanglement>> {
        let d = self.latent_space()?.dim;
        if data.test.is_empty() {
            return Err(Error::NoImages { run: self.dir().to_owned(), part: Part::Test });
        }
        let test = self.in_own_classes(&data.test, &data.classes);
        let z = self.encode(&test)?.z;
        self.scores_of(Rows::new(&z, d)?, &known_factors(&test)?, session)
    }

    /// Adds the scores of latents `[n, d]` to a card, or why several known factors have none.
    pub(super) fn score_factors(
        &self,
        card: &mut Card,
        latents: Rows<'_>,
        images: &Labelled,
        session: &Session,
    ) -> Result<()> {
        let factors = known_factors(images)?;
        let impossible = not_measured(&factors, latents.len(), latents.dim());
        if impossible.is_none() {
            card.disentanglement = self.scores_of(latents, &factors, session)?;
        }
        card.left_out.extend(impossible);
        Ok(())
    }

    /// The scores of latents `[n, d]`, if several factors are known.
    fn scores_of(
        &self,
        latents: Rows<'_>,
        factors: &[Factor],
        session: &Session,
    ) -> Result<Option<Disentanglement>> {
        if factors.len() < 2 {
            return Ok(None);
        }
        session.stage("measuring disentanglement");
        let seed = self.config.training.seed;
        let scores =
            self.runtime().run(|| Disentanglement::measure(latents, factors, seed, session));
        Ok(Some(scores?))
    }
}

/// The columns of labels that can be factors of variation of these images.
fn known_factors(images: &Labelled) -> Result<Vec<Factor>> {
    let mut factors = vec![];
    for column in &images.columns {
        let Some(labels) = column.labels.iter().copied().collect::<Option<Vec<u16>>>() else {
            continue;
        };
        if labels.windows(2).all(|pair| pair[0] == pair[1]) {
            continue;
        }
        let factor = Factor::new(&column.name, &labels)?;
        if factor.count() * IMAGES_OF_A_VALUE <= labels.len() {
            factors.push(factor);
        }
    }
    Ok(factors)
}

/// Why several known factors cannot be measured of `n` images with `d` latents.
fn not_measured(factors: &[Factor], n: usize, d: usize) -> Option<String> {
    if factors.len() < 2 || (n >= LEAST_FACTOR_IMAGES && d >= 2) {
        return None;
    }
    Some(format!(
        "Scores of disentanglement take at least {LEAST_FACTOR_IMAGES} test images and 2 latents, and there are {n} and {d}."
    ))
}

#[cfg(test)]
mod tests {
    use latents_data::{ColumnLabels, Images};

    use super::*;

    #[test]
    fn columns_that_vary_and_are_known_of_all_images_are_factors() {
        let column = |name: &str, of: &dyn Fn(u16) -> Option<u16>| ColumnLabels {
            name: name.into(),
            labels: (0..40).map(of).collect(),
        };
        let images = Labelled {
            columns: vec![
                column("size", &|i| Some(7 * (i % 4))),
                column("same", &|_| Some(2)),
                column("unknown", &|i| (i != 9).then_some(i % 2)),
                column("number", &|i| Some(i % 5)),
                column("side", &|i| Some(i / 20)),
            ],
            ..Labelled::unlabelled(Images::new(1, 1, 1, vec![0; 40]).unwrap())
        };
        let factors = known_factors(&images).unwrap();
        let found: Vec<_> = factors.iter().map(|f| (f.name(), f.count())).collect();
        assert_eq!(found, [("size", 4), ("side", 2)]);
        let said = not_measured(&factors, 40, 3).unwrap();
        assert!(said.contains("at least 100 test images and 2 latents, and there are 40 and 3"));
        assert!(
            not_measured(&factors, 100, 2).is_none()
                && not_measured(&factors[1..], 40, 3).is_none()
        );
    }
}
