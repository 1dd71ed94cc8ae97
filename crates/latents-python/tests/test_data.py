"""Image collections."""

import numpy as np
import pytest

import latents


def test_a_source_has_parts_labels_and_shape(data):
    assert (data.shape, len(data.train), len(data.test), len(data.unlabelled)) == ((1, 28, 28), 600, 120, 0)
    assert data.classes[9] == "Ankle boot"
    assert data.train.shape == (600, 1, 28, 28)
    assert "600 training and 120 test images" in repr(data)
    assert set(data.train.labels) == set(range(10))
    pixels = np.asarray(data.test)
    assert pixels.dtype == np.uint8 and pixels.shape == (120, 1, 28, 28) and pixels.max() == 255
    assert np.asarray(data.test, dtype=np.float32).dtype == np.float32


def test_images_are_chosen_as_from_an_array(data):
    pixels = np.asarray(data.test)
    for index in (slice(3, 9, 2), [5, 1], np.arange(120) % 7 == 0, 4, -1):
        chosen = data.test[index]
        assert np.array_equal(np.asarray(chosen), np.atleast_2d(pixels[index]).reshape(-1, 1, 28, 28))
        assert chosen.labels == np.atleast_1d(np.array(data.test.labels)[index]).tolist()
    with pytest.raises(IndexError):
        data.test[120]


def test_columns_of_labels_stay_with_the_images():
    images = latents.open("shapes").test
    assert list(images.columns) == ["shape", "scale", "orientation", "x", "y"]
    assert images.columns["shape"] == images.labels
    assert images[7:9].columns["x"] == images.columns["x"][7:9]
    assert latents.open("fashion-mnist-sample", train_limit=9).train.columns == {}


def test_a_folder_of_pictures_has_names_and_classes(tmp_path, data):
    image = pytest.importorskip("PIL.Image")
    for i, pixels in enumerate(np.asarray(data.train)[:12, 0]):
        folder = tmp_path / "photos" / ("cat" if i % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels).save(folder / f"{i}.png")
    opened = latents.open(tmp_path / "photos", size=16, test_fraction=0.25)
    assert (opened.shape, opened.classes) == ((1, 16, 16), ["cat", "dog"])
    assert sorted(opened.train.names + opened.test.names)[0] == "cat/1.png"
    assert opened.all.find("dog/0.png") in range(12)


def test_a_data_set_shows_itself(data):
    assert data.contact_sheet()._repr_svg_().startswith("<svg")
    page = data._repr_html_()
    assert page.startswith("<pre>fashion-mnist-sample: ") and "</pre><svg" in page


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no-such-folder"):
        latents.open(tmp_path / "no-such-folder")
    with pytest.raises(ValueError, match="unknown data set"):
        latents.open("fashion-mist")
    with pytest.raises(ValueError, match="no_such_setting"):
        latents.open("fashion-mnist-sample", no_such_setting=1)
    with pytest.raises(ValueError, match="train_limit"):
        latents.open("fashion-mnist-sample", train_limit=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(latents.Error, match="no readable picture"):
        latents.open(tmp_path / "empty")
