"""Models: fits, what fitted models do, and the folders that they leave."""

import copy
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import latents
from latents import _latents

MODELS = [latents.Autoencoder, latents.VAE, latents.VQVAE, latents.CNN, latents.Classifier]


@pytest.mark.parametrize("model", MODELS)
def test_the_keyword_arguments_are_the_settings_of_config_toml(model):
    own = {"minutes", "encoder", "from_scratch", "freeze_encoder"}
    names = {name for name, _ in _latents.setting_paths(model._kind)}
    if model is latents.VQVAE:
        names = names - {"quantizer"} | {"levels", "codes", "code_dim", "commitment"}
    assert set(model._parameters()) - own == names
    assert sorted(m._kind for m in MODELS) == sorted(_latents.kinds())


def test_latents_and_reconstructions(ae, data):
    z = ae.encode(data.test)
    assert z.shape == (120, 6) and z.dtype == np.float32 and z.flags.owndata is not None
    assert np.array_equal(z, ae.transform(data.test))
    decoded = ae.decode(z)
    assert decoded.shape == (120, 1, 28, 28) and 0 <= decoded.min() and decoded.max() <= 1
    assert np.allclose(decoded, ae.reconstruct(data.test), atol=1e-6)
    errors = ae.reconstruction_errors(data.test)
    expected = ((decoded - np.asarray(data.test) / 255) ** 2).mean(axis=(1, 2, 3))
    assert np.allclose(errors, expected, rtol=1e-4)
    assert ae.score(data.test) == pytest.approx(-errors.mean(), rel=1e-6)
    assert [m["epoch"] for m in ae.history_] == [1, 2]
    assert ae.config_["model"]["latent_dim"] == 6


def test_arrays_are_encoded_as_the_images_that_they_are(ae, data):
    pixels, z = np.asarray(data.test), ae.encode(data.test)
    for same in (pixels, pixels[:, 0], pixels.transpose(0, 2, 3, 1), pixels.reshape(120, -1), pixels.astype(np.int64), np.asfortranarray(pixels), pixels / 255.0):
        assert np.allclose(ae.encode(same), z, atol=2e-3), same.shape
    assert np.array_equal(ae.encode(pixels), z)
    assert np.array_equal(ae.encode(pixels[3:4]), z[3:4])
    with pytest.raises(ValueError, match="outside|range"):
        ae.encode(pixels.astype(np.float32) * 1000)
    with pytest.raises(ValueError, match="finite"):
        ae.encode(np.full((2, 28, 28), np.nan))
    with pytest.raises(ValueError, match="Expected 2D array"):
        ae.encode(np.zeros(5))
    with pytest.raises(TypeError, match="part of it"):
        ae.encode(data)


def test_samples_and_traversals(ae, data):
    for sampler in ("mixture", "flow", "prior", "normal", "uniform"):
        images, z = ae.sample(5, sampler=sampler, components=2, seed=1, return_latents=True)
        assert images.shape == (5, 1, 28, 28) and z.shape == (5, 6)
        assert np.array_equal(images, ae.sample(5, sampler=sampler, components=2, seed=1))
    with pytest.raises(ValueError, match="sampler"):
        ae.sample(1, sampler="gauss")
    z = [ae.sample(5, sampler="normal", temperature=t, return_latents=True)[1] for t in (1.0, 0.5)]
    assert np.array_equal(0.5 * z[0], z[1])
    with pytest.raises(ValueError, match="temperature"):
        ae.sample(1, temperature=-1.0)
    z = ae.encode(data.test)
    path = ae.traverse(z[0], z[1], steps=4)
    assert path.shape == (4, 1, 28, 28) and np.allclose(path[[0, -1]], ae.decode(z[:2]), atol=1e-6)
    assert np.allclose(ae.traverse(np.asarray(data.test)[0], z[1], steps=4), path, atol=1e-6)
    assert ae.traverse(z[0], axis=2, steps=3).shape == (1, 3, 1, 28, 28)
    assert ae.traverse(z[0], steps=3).shape == (6, 3, 1, 28, 28)
    with pytest.raises(ValueError, match=r"\[n, 5\]"):
        ae.decode(np.zeros((2, 5)))


@pytest.mark.parametrize("kind", ["mixture", "vamp"])
def test_a_learned_prior_is_sampled_from(data, kind):
    model = latents.VAE(latent_dim=4, epochs=1, prior={"kind": kind, "components": 5}, seed=1).fit(data)
    z = model.sample(20, sampler="prior", seed=1, return_latents=True)[1]
    assert not np.array_equal(z, model.sample(20, sampler="normal", seed=1, return_latents=True)[1])
    assert model.config_["model"]["prior"] == {"kind": kind, "components": 5}


def test_search_outliers_and_figures(ae, data):
    near = ae.search(0, k=3)
    assert len(near) == 3 and near[0].distance <= near[1].distance and near[0].index != 0
    assert isinstance(near[0].name, str) and near[0].label in data.classes
    assert [len(found) for found in ae.search([0, 1], k=2, X=data.test, metric="cosine")] == [2, 2]
    # The images of the last search are not encoded again, unless they may be others.
    kept = ae._last_searched[3]
    test = data.test
    first = ae.search(3, k=2, X=test)
    assert ae._last_searched[3] is not kept
    kept = ae._last_searched[3]
    assert ae.search(3, k=2, X=test) == first and ae._last_searched[3] is kept
    pixels = np.array(test)
    changed = pixels[::-1].copy()
    assert ae.search(3, k=2, X=pixels) == [n for n in ae.search(3, k=2, X=pixels)]
    assert [n.index for n in ae.search(len(test) - 4, k=2, X=changed)] == [len(test) - 1 - n.index for n in ae.search(3, k=2, X=pixels)]
    assert ae._last_searched[3] is kept
    found = ae.outliers(data.test, top=4)
    assert list(found["kind"][:4]) == ["hardest"] * 4
    for figure in (ae.loss_figure(), ae.reconstructions_figure(), ae.map_figure(data.test)):
        assert figure._repr_svg_().startswith("<svg")


def test_an_explorer_is_one_page(ae, tmp_path):
    page = ae.explore()
    assert page.html.lower().startswith("<!doctype html>") and page._repr_html_().startswith("<iframe srcdoc=")
    assert "Ankle boot" in page.html and "src=\"http" not in page.html
    page.save(tmp_path / "explorer.html")
    assert (tmp_path / "explorer.html").read_text(encoding="utf-8") == page.html
    with pytest.raises(ValueError, match="html"):
        page.save(tmp_path / "explorer.txt")


def test_a_card_measures_test_images(ae, data):
    card = ae.evaluate()
    assert str(card) == card._repr_markdown_() and "mean squared error" in str(card)
    again = ae.evaluate(np.asarray(data.test))
    mse = lambda c: json.dumps(c).count("mse")
    assert set(again) <= set(card) and mse(again) == mse(card)


def test_a_classifier_keeps_the_type_of_its_labels(images, labels, data):
    names = np.array(["odd", "even"])[(labels + 1) % 2]
    for y in (names, labels % 2 * 3 + 1, (labels % 2).astype(bool), [str(x) for x in names]):
        model = latents.CNN(epochs=1, seed=1).fit(images[:200], y[:200])
        assert model.classes_.tolist() == np.unique(y[:200]).tolist()
        predicted = model.predict(images[200:230])
        assert predicted.dtype == model.classes_.dtype and set(predicted.tolist()) <= set(model.classes_.tolist())
        proba = model.predict_proba(images[200:230])
        assert proba.shape == (30, 2) and np.allclose(proba.sum(axis=1), 1, atol=1e-5)
        assert model.score(images[200:230], y[200:230]) == np.mean(predicted == np.asarray(y[200:230]))
    assert "accuracy" in str(model.evaluate(images[200:260], [str(x) for x in names[200:260]]))
    with pytest.raises(ValueError, match="requires y"):
        latents.CNN().fit(images)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        latents.CNN().fit(images, labels[:-1])


def test_a_classifier_begins_with_an_encoder(ae, data):
    model = latents.Classifier(ae, epochs=1).fit(data)
    assert model.predict(data.test).shape == (120,) and model.classes_.tolist() == data.classes
    assert 0 <= model.score(data.test) <= 1
    with pytest.raises(ValueError, match="encoder"):
        latents.Classifier().fit(data)
    with pytest.raises(ValueError, match="not fitted"):
        latents.Classifier(latents.Autoencoder()).fit(data)


def test_a_run_is_as_the_command_leaves_it(tmp_path):
    """The same settings give the same bytes from both, and each opens the other's."""
    data = latents.open("fashion-mnist-sample")
    ours = latents.Autoencoder(latent_dim=6, epochs=1, seed=5).fit(data, out=tmp_path / "ours")
    call = [sys.executable, "-m", "latents"]
    flags = ["train", "ae", "--data", "fashion-mnist-sample", "--latent-dim", "6", "--epochs", "1", "--seed", "5", "--out", "theirs"]
    subprocess.run([*call, *flags], check=True, cwd=tmp_path, capture_output=True)
    for name in ("model.safetensors", "latents.safetensors", "config.toml"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes(), name
    theirs = latents.load(tmp_path / "theirs")
    assert np.array_equal(theirs.encode(data.test), ours.encode(data.test))
    assert (theirs.latent_dim, theirs.epochs, theirs.seed) == (6, 1, 5)
    encoded = subprocess.run([*call, "encode", "--run", "ours", "--split", "test", "--out", "z.npz"], cwd=tmp_path, capture_output=True)
    assert encoded.returncode == 0, encoded.stderr.decode()
    assert np.array_equal(np.load(tmp_path / "z.npz")["z"], ours.encode(data.test))


def test_a_run_of_arrays_says_that_they_are_gone(tmp_path, images):
    latents.Autoencoder(latent_dim=2, epochs=1).fit(images, out=tmp_path / "run")
    loaded = latents.load(tmp_path / "run")
    assert loaded.sample(2).shape == (2, 1, 28, 28)
    with pytest.raises(latents.Error, match="arrays in memory"):
        loaded.search(0)
    assert len(loaded.search(0, k=2, X=images)) == 2
    shown = subprocess.run([sys.executable, "-m", "latents", "evaluate", "run"], cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 1 and "arrays in memory" in shown.stderr


def test_a_fit_goes_on_where_it_stopped(tmp_path, data):
    model = latents.Autoencoder(latent_dim=4, epochs=1, seed=1).fit(data, out=tmp_path / "run")
    metrics = (tmp_path / "run/metrics.jsonl").read_bytes()
    assert np.array_equal(model.encode(data.test), latents.Autoencoder(latent_dim=4, epochs=1, seed=1).fit(data, out=tmp_path / "run").encode(data.test))
    assert (tmp_path / "run/metrics.jsonl").read_bytes() == metrics, "its times would differ"
    with pytest.raises(latents.Error, match="other settings"):
        latents.Autoencoder(latent_dim=4, epochs=1, seed=2).fit(data, out=tmp_path / "run")


def test_models_are_copied_stored_and_loaded(ae, data, tmp_path):
    z = ae.encode(data.test)
    for other in (pickle.loads(pickle.dumps(ae)), copy.deepcopy(ae)):
        assert np.array_equal(other.encode(data.test), z) and other.run_ != ae.run_
        assert other.get_params() == ae.get_params()
    ae.save(tmp_path / "kept")
    assert np.array_equal(latents.load(tmp_path / "kept").encode(data.test), z)
    with pytest.raises(FileExistsError):
        ae.save(tmp_path / "kept")
    with pytest.raises(FileNotFoundError):
        latents.load(tmp_path / "none")
    unfitted = pickle.loads(pickle.dumps(latents.VAE(latent_dim=3)))
    assert unfitted.latent_dim == 3 and not unfitted.__sklearn_is_fitted__()


def test_a_temporary_run_goes_with_its_model(data):
    model = latents.Autoencoder(latent_dim=2, epochs=1).fit(data)
    run = Path(model.run_)
    assert run.is_dir()
    del model
    assert not run.exists()


def test_a_damaged_run_is_not_taken(ae, tmp_path):
    shutil.copytree(ae.run_, tmp_path / "run")
    weights = tmp_path / "run/model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-100] ^= 1
    weights.write_bytes(content)
    with pytest.raises(latents.Error, match="model.safetensors"):
        latents.load(tmp_path / "run")
    assert latents.load(tmp_path / "run", force=True).latent_dim == 6


def test_settings_are_checked(data):
    with pytest.raises(ValueError, match="epochs"):
        latents.Autoencoder(epochs=0).fit(data)
    with pytest.raises(ValueError, match="optimizer|adm"):
        latents.Autoencoder(optimizer="adm").fit(data)
    with pytest.raises(ValueError, match="Invalid parameter 'dim'"):
        latents.Autoencoder().set_params(dim=3)
    with pytest.raises(TypeError):
        latents.Autoencoder(dim=3)
    assert repr(latents.VAE(latent_dim=np.int64(4), seed=1)).startswith("VAE(latent_dim=")
    model = latents.VAE(latent_dim=np.int64(4), hidden=np.array([16]), epochs=1, schedule={"kind": "cosine"}).fit(data)
    assert model.config_["training"]["schedule"] == {"kind": "cosine"} and model.encode(data.test).shape == (120, 4)


@pytest.fixture(scope="module")
def cvae(data):
    return latents.VAE(latent_dim=4, epochs=2, conditional=True, seed=1).fit(data)


def test_a_conditional_model_makes_images_of_a_class(cvae, data):
    assert cvae.config_["model"]["conditional"] is True and cvae.get_params()["conditional"] is True
    images, z, names = cvae.sample(23, sampler="normal", return_latents=True, return_classes=True)
    assert images.shape == (23, 1, 28, 28) and z.shape == (23, 4)
    assert list(names[:4]) == [data.classes[0]] * 3 + [data.classes[1]] and len(set(names)) == 10
    assert np.array_equal(cvae.decode(z, names), images)
    coats = cvae.sample(3, sampler="normal", classes="Coat")
    assert np.array_equal(coats, cvae.decode(z[:3], "Coat"))
    assert not np.array_equal(coats, images[:3])
    each = cvae.sample(3, sampler="normal", classes=["Bag", "Coat", "Bag"], return_classes=True)[1]
    assert list(each) == ["Bag", "Coat", "Bag"]
    with pytest.raises(ValueError, match='did you mean "Coat"'):
        cvae.sample(2, classes="Goat")
    with pytest.raises(ValueError, match="name one of its classes"):
        cvae.decode(z)


def test_a_conditional_model_decodes_images_as_their_classes(cvae, data, ae):
    z = cvae.encode(data.test)
    names = [data.classes[label] for label in data.test.labels]
    own = cvae.decode(z, names)
    assert np.allclose(own, cvae.reconstruct(data.test), atol=1e-6)
    pixels = np.asarray(data.test)
    assert np.array_equal(cvae.reconstruct(pixels, names), cvae.reconstruct(data.test))
    assert cvae.score(pixels, names) == cvae.score(data.test) == -cvae.reconstruction_errors(data.test).mean(dtype=np.float64)
    with pytest.raises(ValueError, match="120 of 120 have no label"):
        cvae.reconstruct(pixels)
    with pytest.raises(ValueError, match="no label"):
        cvae.explore(pixels)
    path = cvae.traverse(z[0], z[1], steps=3)
    assert path.shape == (10, 3, 1, 28, 28)
    coats = cvae.traverse(z[0], z[1], steps=3, classes="Coat")
    assert np.array_equal(coats, path[data.classes.index("Coat")])
    assert cvae.traverse(z[0], axis=1, steps=3, classes="Coat").shape == (1, 3, 1, 28, 28)
    with pytest.raises(ValueError, match="name one of its classes"):
        cvae.traverse(z[0], axis=1, steps=3)
    assert "Decode as" in cvae.explore(data.test).html
    assert len(cvae.outliers(data.test, top=3)) > 0
    assert cvae.evaluate()["conditional"] is True
    with pytest.raises(ValueError, match="model without a condition"):
        ae.sample(2, classes="Coat")
    with pytest.raises(ValueError, match="conditional=True"):
        ae.sample(2, return_classes=True)


def test_a_conditional_model_is_fitted_on_arrays_with_classes(images, labels, tmp_path):
    few = images[:200]
    with pytest.raises(ValueError, match="200 of 200 images have none"):
        latents.VAE(latent_dim=4, epochs=1, conditional=True).fit(few)
    y = np.where(labels[:200] < 5, "low", "high")
    model = latents.VAE(latent_dim=4, epochs=1, conditional=True).fit(few, y)
    assert model.sample(2, sampler="normal", classes="low").shape == (2, 1, 28, 28)
    assert model.reconstruct(few[:3], y[:3]).shape == (3, 1, 28, 28)
    model.save(tmp_path / "kept")
    again = latents.load(tmp_path / "kept")
    assert again.conditional is True
    assert np.array_equal(again.sample(4, sampler="normal"), model.sample(4, sampler="normal"))
    assert model.evaluate(few[:40], y[:40])["conditional"] is True
