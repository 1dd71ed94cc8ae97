"""The estimators in scikit-learn: its own checks, clones, pipelines, searches."""

import numpy as np
import pytest

import latents

pytest.importorskip("sklearn")
from sklearn.base import clone, is_classifier  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

TOOLS = [latents.TSNE(perplexity=3, max_iter=60), latents.PCA(), latents.KMeans(2), latents.GaussianMixture(), latents.Neighbors(), latents.LogisticProbe()]


# A classifier needs the encoder of another model, or images that the study's convolutions fit.
MODELS = [
    latents.Autoencoder(epochs=1),
    latents.VAE(epochs=1),
    latents.VQVAE(levels=[3, 3], blocks=0, prior_channels=4, prior_blocks=1, epochs=1),
    latents.CNN(epochs=40),
]


@parametrize_with_checks(TOOLS + MODELS)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_models_are_cloned_and_searched(images, labels):
    model = latents.Autoencoder(latent_dim=3, epochs=1, seed=2, schedule={"kind": "cosine"})
    copied = clone(model)
    assert copied is not model and copied.get_params() == model.get_params()
    X, y = images[:200].reshape(200, -1), labels[:200] % 2
    pipeline = make_pipeline(latents.Autoencoder(latent_dim=3, epochs=1), latents.LogisticProbe())
    assert pipeline.fit(X, y).predict(X[:7]).shape == (7,)
    search = GridSearchCV(latents.CNN(epochs=1), {"learning_rate": [0.01, 0.001]}, cv=2)
    assert search.fit(X, y).best_params_["learning_rate"] in (0.01, 0.001)
    assert is_classifier(latents.CNN()) and not is_classifier(latents.Autoencoder())
    assert make_pipeline(latents.PCA(5), latents.KMeans(2)).fit_predict(X).shape == (200,)


def test_an_estimator_that_is_not_fitted_says_so(images):
    from sklearn.exceptions import NotFittedError

    for model in (latents.Autoencoder(), latents.CNN(), latents.PCA()):
        with pytest.raises(NotFittedError):
            (model.predict if hasattr(model, "predict") else model.transform)(images.reshape(len(images), -1))
