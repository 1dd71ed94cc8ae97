"""Learn, tune and explore latent spaces of image collections on an ordinary CPU.

>>> import latents
>>> data = latents.open("fashion-mnist-sample")
>>> model = latents.VAE(latent_dim=8, epochs=2, seed=1).fit(data)
>>> z = model.encode(data.test)
>>> z.shape
(500, 8)
>>> xy = latents.TSNE(perplexity=30).fit_transform(z)
>>> xy.shape
(500, 2)

Models (`Autoencoder`, `VAE`, `VQVAE`, `CNN`, `Classifier`) and tools (`TSNE`, `PCA`, `GaussianMixture`, `KMeans`, `Neighbors`, `LogisticProbe`) are estimators as those of
scikit-learn. Every run is a folder that the command ``latents`` reads too. The same seed gives the same bits on any number of threads.
"""

from ._clusters import GaussianMixture, KMeans
from ._data import Dataset, Images, open
from ._disentanglement import disentanglement
from ._display import Card, Explorer, Figure
from ._kinds import CNN, VAE, VQVAE, Autoencoder, Classifier, load
from ._latent_models import Neighbor
from ._latents import Error, __version__, set_threads
from ._maps import PCA, TSNE
from ._neighbors import LogisticProbe, Neighbors
from ._progress import set_progress
from ._tuning import FrozenTrial, Study, Trial, TrialPruned, TunedStudy, create_study, tune

__all__ = [
    "CNN",
    "PCA",
    "TSNE",
    "VAE",
    "VQVAE",
    "Autoencoder",
    "Card",
    "Classifier",
    "Dataset",
    "Error",
    "Explorer",
    "Figure",
    "FrozenTrial",
    "GaussianMixture",
    "Images",
    "KMeans",
    "LogisticProbe",
    "Neighbor",
    "Neighbors",
    "Study",
    "Trial",
    "TrialPruned",
    "TunedStudy",
    "__version__",
    "create_study",
    "disentanglement",
    "load",
    "open",
    "set_progress",
    "set_threads",
    "tune",
]
