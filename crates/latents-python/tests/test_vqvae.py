"""VQ-VAEs: models whose latents are codes, which are drawn from the model's own prior."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import latents

# Convolutions to codes of 7 x 7 places.
STAGES = [{"channels": channels, "kernel": 4, "stride": 2, "padding": 1} for channels in (8, 16)]
SMALL = {"stages": STAGES, "blocks": 1, "prior_channels": 8, "prior_blocks": 1, "epochs": 2, "seed": 3}
# The same, as flags of the command.
FLAGS = "--stages 8k4s2p1,16k4s2p1 --blocks 1 --prior-channels 8 --prior-blocks 1 --epochs 2 --seed 3".split()
COMMAND = [sys.executable, "-m", "latents"]


@pytest.fixture(scope="module")
def model(data):
    return latents.VQVAE(levels=(4, 3), **SMALL).fit(data)


def test_latents_are_codes(model, data):
    z = model.encode(data.test)
    assert z.shape == (120, 2 * 7 * 7) and model.code_bits_ == pytest.approx(49 * np.log2(12))
    of_four, of_three = z[:, :49], z[:, 49:]
    assert np.isin(np.round(3 * of_three, 4), [-2, 0, 2]).all() and len(np.unique(of_three)) > 1
    assert np.isin(4 * of_four, [-3, -1, 1, 3]).all() and len(np.unique(of_four)) > 1
    assert np.allclose(model.decode(z), model.reconstruct(data.test), atol=1e-6)
    assert model.config_["model"]["quantizer"] == {"kind": "levels", "levels": [4, 3]}
    assert {"val_reconstruction", "val_codes"} <= set(model.history_[-1])


def test_samples_are_of_codes_from_the_prior(model, data):
    images, z = model.sample(5, seed=1, return_latents=True)
    assert images.shape == (5, 1, 28, 28) and np.array_equal(images, model.decode(z))
    codes = np.unique(model.encode(data.train))
    assert np.isin(z, codes).all() and len(np.unique(z, axis=0)) == 5
    again = model.sample(5, seed=1, sampler="prior")
    assert np.array_equal(again, images) and not np.array_equal(model.sample(5, seed=2), images)
    assert np.array_equal(latents.VQVAE(levels=[4, 3], **SMALL).fit(data).sample(5, seed=1), images)
    for sampler in ("mixture", "flow", "normal", "uniform"):
        with pytest.raises(ValueError, match=f"drawn from its prior alone; the sampler {sampler}"):
            model.sample(5, sampler=sampler)
    with pytest.raises(ValueError, match="sampler must be"):
        model.sample(5, sampler="gauss")


def test_other_models_are_sampled_from_a_mixture(ae):
    assert np.array_equal(ae.sample(5, seed=1), ae.sample(5, sampler="mixture", components=10, seed=1))


def test_codes_of_a_learned_table(data):
    model = latents.VQVAE(codes=16, code_dim=4, commitment=0.5, **SMALL).fit(data)
    assert model.config_["model"]["quantizer"] == {"kind": "table", "codes": 16, "dim": 4, "commitment": 0.5}
    assert model.code_bits_ == 49 * 4 and model.encode(data.test).shape == (120, 4 * 49)
    assert model.sample(2).shape == (2, 1, 28, 28)
    loaded = latents.load(model.run_)
    assert (loaded.levels, loaded.codes, loaded.code_dim, loaded.commitment) == (None, 16, 4, 0.5)
    with pytest.raises(ValueError, match="levels and codes exclude each other"):
        latents.VQVAE(levels=[8], codes=16).fit(data)
    with pytest.raises(ValueError, match="code_dim is of a learned table"):
        latents.VQVAE(code_dim=4).fit(data)
    with pytest.raises(ValueError, match="commitment is of a learned table"):
        latents.VQVAE(levels=[8], commitment=1.0).fit(data)
    with pytest.raises(ValueError, match="one channel"):
        latents.VQVAE(levels=[]).fit(data)


def test_a_conditional_model_makes_images_of_a_class(images, labels):
    few, y = images[:200], np.where(labels[:200] < 5, "low", "high")
    model = latents.VQVAE(levels=[3, 3], conditional=True, **SMALL).fit(few, y)
    made, z, names = model.sample(5, seed=1, return_latents=True, return_classes=True)
    assert names.tolist() == ["high"] * 3 + ["low"] * 2
    assert np.array_equal(model.decode(z, names), made)
    low = model.sample(3, classes="low", seed=1, return_classes=True)
    assert low[0].shape == (3, 1, 28, 28) and low[1].tolist() == ["low"] * 3
    assert not np.array_equal(model.decode(z[:1], "low"), model.decode(z[:1], "high"))
    assert model.reconstruct(few[:3], y[:3]).shape == (3, 1, 28, 28)
    assert latents.load(model.run_).conditional is True
    with pytest.raises(ValueError, match="200 of 200 images have none"):
        latents.VQVAE(conditional=True, epochs=1).fit(few)
    with pytest.raises(ValueError, match='no class "middle"'):
        model.sample(2, classes="middle")


def test_a_classifier_begins_with_its_encoder(model, data):
    classifier = latents.Classifier(model, epochs=3, freeze_encoder=True, seed=1).fit(data)
    proba = classifier.predict_proba(data.test)
    assert proba.shape == (120, 10) and np.allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert classifier.score(data.test) > 0.2


def test_a_model_is_stored_and_loaded(model, data, tmp_path):
    z, made = model.encode(data.test), model.sample(3, seed=4)
    copied = pickle.loads(pickle.dumps(model))
    assert type(copied) is latents.VQVAE and copied.get_params() == model.get_params()
    model.save(tmp_path / "kept")
    for other in (copied, latents.load(tmp_path / "kept")):
        assert np.array_equal(other.encode(data.test), z) and np.array_equal(other.sample(3, seed=4), made)
    assert repr(latents.VQVAE(codes=4)) == "VQVAE(codes=4)"
    with pytest.raises(ValueError, match="not fitted"):
        _ = latents.VQVAE().code_bits_


def test_a_run_is_as_the_command_leaves_it(tmp_path):
    data = latents.open("fashion-mnist-sample", train_limit=300, test_limit=40)
    ours = latents.VQVAE(levels=[4, 3], **SMALL).fit(data, out=tmp_path / "ours")
    limits = ["--train-limit", "300", "--test-limit", "40"]
    for name, flags in (("theirs", ["--levels", "4,3"]), ("table", ["--codes", "8", "--code-dim", "2"])):
        train = ["train", "vqvae", "--data", "fashion-mnist-sample", *limits, *flags, *FLAGS, "--out", name]
        subprocess.run([*COMMAND, *train], check=True, cwd=tmp_path, capture_output=True)
    for name in ("model.safetensors", "config.toml"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes(), name
    theirs, table = latents.load(tmp_path / "theirs"), latents.load(tmp_path / "table")
    assert isinstance(theirs, latents.VQVAE) and np.array_equal(theirs.encode(data.test), ours.encode(data.test))
    assert (theirs.levels, theirs.codes, theirs.prior_channels, theirs.seed) == ([4, 3], None, 8, 3)
    assert (table.levels, table.codes, table.code_dim, table.commitment) == (None, 8, 2, 0.25)
    # A loaded model has all settings of its run, so that it can be fitted again.
    again = latents.VQVAE(**table.get_params()).fit(data)
    assert np.array_equal(again.encode(data.test), table.encode(data.test))
    sample = ["sample", "--run", "ours", "--n", "4", "--seed", "2", "--out", "new.npz"]
    subprocess.run([*COMMAND, *sample], check=True, cwd=tmp_path, capture_output=True)
    assert np.array_equal(np.load(tmp_path / "new.npz")["image"], ours.sample(4, seed=2))


def test_a_model_is_measured_explored_and_tuned(model, data, tmp_path):
    card = model.evaluate()
    assert card["code_bits"] == model.code_bits_ and "PCA of as many bits" in str(card)
    assert model.traverse(np.asarray(data.test)[0], np.asarray(data.test)[1], steps=4).shape == (4, 1, 28, 28)
    assert model.get_feature_names_out().tolist()[-1] == "z97"
    assert len(model.search(0, k=3)) == 3
    assert model.explore().html.lower().startswith("<!doctype html>")
    unset = {name: value for name, value in SMALL.items() if name not in ("blocks", "prior_channels")}
    unset["epochs"] = 1
    study = latents.tune(latents.VQVAE(levels=[3], **unset), data, space={"prior_channels": {"int": [4, 8]}}, trials=2, out=tmp_path)
    assert set(study.best_params) == {"prior_channels"} and latents.VQVAE(**study.best_params).prior_channels in range(4, 9)


def test_scikit_learn_clones_it():
    base = pytest.importorskip("sklearn.base")
    model = latents.VQVAE(levels=(4, 3), blocks=0)
    copied = base.clone(model)
    assert copied is not model and copied.get_params() == model.get_params()
    assert copied.set_params(levels=None, codes=9).get_params()["codes"] == 9
