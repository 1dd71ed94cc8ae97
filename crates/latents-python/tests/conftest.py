"""What the tests share: the sample, and small models of it."""

import numpy as np
import pytest

import latents

latents.set_progress(False)


@pytest.fixture(scope="session")
def data():
    return latents.open("fashion-mnist-sample", train_limit=600, test_limit=120)


@pytest.fixture(scope="session")
def images(data):
    return np.asarray(data.train)


@pytest.fixture(scope="session")
def labels(data):
    return np.array(data.train.labels)


@pytest.fixture(scope="session")
def ae(data):
    return latents.Autoencoder(latent_dim=6, epochs=2, seed=3).fit(data)


@pytest.fixture(scope="session")
def clusters():
    """Three clusters of 40 rows in 6 dimensions, and which each is of."""
    random = np.random.default_rng(1)
    which = np.repeat(np.arange(3), 40)
    return random.normal(size=(120, 6)) + 12 * np.eye(6)[which], which
