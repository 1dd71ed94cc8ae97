"""The tools that stand alone, beside scikit-learn's where it is there."""

import pickle

import numpy as np
import pytest

import latents


def test_a_map_keeps_clusters_apart_and_takes_new_rows(clusters):
    X, which = clusters
    tsne = latents.TSNE(perplexity=10, random_state=1).fit(X)
    assert tsne.embedding_.shape == (120, 2) and tsne.embedding_.dtype == np.float32
    assert 0 < tsne.kl_divergence_ < 1 and tsne.n_iter_ == 1000 and tsne.n_features_in_ == 6
    near = latents.Neighbors(5).fit(tsne.embedding_).kneighbors(return_distance=False)
    assert (which[near] == which[:, None]).all()
    placed = tsne.transform(X[::7] + 0.01)
    nearest = latents.Neighbors(1).fit(tsne.embedding_).kneighbors(placed, return_distance=False)[:, 0]
    assert (which[nearest] == which[::7]).all()
    again = pickle.loads(pickle.dumps(tsne))
    assert np.array_equal(again.transform(X[:3]), tsne.transform(X[:3]))


def test_a_map_starts_where_it_is_told(clusters):
    X, _ = clusters
    start = np.random.default_rng(2).normal(size=(120, 2))
    one = latents.TSNE(perplexity=10, init=start).fit_transform(X)
    assert np.array_equal(one, latents.TSNE(perplexity=10, init=64 * start).fit_transform(X))
    random = latents.TSNE(perplexity=10, init="random", random_state=3)
    assert not np.array_equal(random.fit_transform(X), one)
    assert np.array_equal(random.fit_transform(X), latents.TSNE(perplexity=10, init="random", random_state=3, method="exact", angle=0.2, n_jobs=4).fit_transform(X))
    for wrong, text in (({"n_components": 3}, "planes"), ({"metric": "cosine"}, "euclidean"), ({"init": "spectral"}, "init"), ({"perplexity": 0.5}, "perplexity")):
        with pytest.raises(ValueError, match=text):
            latents.TSNE(**wrong).fit(X)


def test_components_are_scikit_learns(clusters):
    decomposition = pytest.importorskip("sklearn.decomposition")
    X, _ = clusters
    for options in ({"n_components": 3}, {"n_components": 4, "whiten": True}, {"n_components": 0.9}, {}):
        ours, theirs = latents.PCA(**options).fit(X), decomposition.PCA(svd_solver="full", **options).fit(X)
        for name in ("components_", "explained_variance_", "explained_variance_ratio_", "singular_values_", "mean_", "noise_variance_", "n_components_"):
            assert np.allclose(getattr(ours, name), getattr(theirs, name), atol=1e-5), (options, name)
        assert np.allclose(ours.transform(X), theirs.transform(X), atol=2e-5)
        assert np.allclose(ours.inverse_transform(ours.transform(X)), theirs.inverse_transform(theirs.transform(X)), atol=1e-4)
    assert ours.transform(X.astype(np.float32)).dtype == np.float32 and ours.transform(X).dtype == np.float64


def test_clusters_are_found(clusters):
    X, which = clusters
    model = latents.KMeans(3, random_state=4, n_init=3).fit(X)
    assert len({(a, b) for a, b in zip(model.labels_, which, strict=True)}) == 3
    assert np.array_equal(model.predict(X), model.labels_)
    far = model.transform(X)
    assert np.allclose(far[0], np.linalg.norm(X[0] - model.cluster_centers_, axis=1), atol=1e-4)
    assert model.score(X) == pytest.approx(-model.inertia_, rel=1e-5)


def test_a_mixture_is_scikit_learns(clusters):
    mixture = pytest.importorskip("sklearn.mixture")
    X, which = clusters
    ours, theirs = latents.GaussianMixture(3).fit(X), mixture.GaussianMixture(3, random_state=0).fit(X)
    assert ours.score(X) == pytest.approx(theirs.score(X), abs=1e-3)
    assert ours.bic(X) == pytest.approx(theirs.bic(X), rel=1e-4) and ours.aic(X) == pytest.approx(theirs.aic(X), rel=1e-4)
    assert np.allclose(np.sort(ours.weights_), np.sort(theirs.weights_), atol=1e-5)
    assert ours.converged_ and ours.covariances_.shape == (3, 6, 6)
    assert np.allclose(ours.predict_proba(X).sum(axis=1), 1)
    drawn, of = ours.sample(300)
    assert drawn.shape == (300, 6) and np.array_equal(ours.predict(drawn), of)
    assert np.allclose(ours.score_samples(X).mean(), ours.score(X))


def test_neighbours_are_scikit_learns(clusters):
    neighbors = pytest.importorskip("sklearn.neighbors")
    X, _ = clusters
    for metric in ("euclidean", "cosine"):
        ours, theirs = latents.Neighbors(4, metric=metric).fit(X), neighbors.NearestNeighbors(n_neighbors=4, metric=metric).fit(X)
        for queries in (None, X[:9] + 0.1):
            (d, i), (e, j) = ours.kneighbors(queries), theirs.kneighbors(queries)
            assert np.array_equal(i, j) and np.allclose(d, e, atol=1e-4)
    copied = pickle.loads(pickle.dumps(ours))
    assert np.array_equal(copied.kneighbors(X[:3])[1], ours.kneighbors(X[:3])[1])
    with pytest.raises(ValueError, match="n_neighbors"):
        ours.kneighbors(X, 121)
    with pytest.raises(ValueError, match="metric"):
        latents.Neighbors(metric="manhattan").fit(X)


def test_a_probe_is_scikit_learns(clusters):
    linear = pytest.importorskip("sklearn.linear_model")
    X, which = clusters
    random = np.random.default_rng(0)
    for y in (which, which > 0, np.array(["a", "b", "c"])[which]):
        noisy = X + random.normal(scale=8, size=X.shape)
        ours, theirs = latents.LogisticProbe(C=0.3).fit(noisy, y), linear.LogisticRegression(C=0.3, tol=1e-8, max_iter=5000).fit(noisy, y)
        assert ours.classes_.tolist() == theirs.classes_.tolist() and ours.coef_.shape == theirs.coef_.shape
        assert np.allclose(ours.coef_, theirs.coef_, atol=2e-3) and np.allclose(ours.predict_proba(noisy), theirs.predict_proba(noisy), atol=2e-3)
        assert np.allclose(ours.decision_function(noisy), theirs.decision_function(noisy), atol=2e-2)
        assert ours.predict(noisy).dtype == theirs.predict(noisy).dtype and ours.score(noisy, y) == pytest.approx(theirs.score(noisy, y), abs=0.02)


@pytest.mark.parametrize("tool", [latents.TSNE(perplexity=5), latents.PCA(2), latents.KMeans(2), latents.GaussianMixture(), latents.Neighbors(), latents.LogisticProbe()])
def test_wrong_input_is_refused_with_a_reason(tool):
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 2
    fit = lambda X: tool.fit(X, y) if isinstance(tool, latents.LogisticProbe) else tool.fit(X)
    for wrong, text in ((X[0], "Expected 2D array"), (X[:, :0], "0 feature"), (X[:0], "0 sample"), (X + 1j, "Complex"), (np.where(X > 2, np.nan, X) * np.nan, "NaN"), (X * 1e300, "too large")):
        with pytest.raises(ValueError, match=text):
            fit(wrong)
    with pytest.raises((TypeError, ValueError)):
        fit([["a", {}]] * 30)
    fit(X)
    for name in ("transform", "predict", "kneighbors"):
        if hasattr(tool, name):
            with pytest.raises(ValueError, match="X has 2 features"):
                getattr(tool, name)(X[:, :2])


def test_columns_of_tables_are_compared(clusters):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(clusters[0], columns=list("abcdef"))
    pca = latents.PCA(2).fit(table)
    assert pca.feature_names_in_.tolist() == list("abcdef") and pca.get_feature_names_out().tolist() == ["pca0", "pca1"]
    with pytest.raises(ValueError, match="unseen at fit time"):
        pca.transform(table.rename(columns={"a": "z"}))
    with pytest.warns(UserWarning, match="valid feature names"):
        pca.transform(clusters[0])


def test_disentanglement_is_scored_if_factors_are_known():
    factors = np.array([(a, b, c) for a in range(3) for b in range(4) for c in range(20)])[:, :2]
    noise = np.random.default_rng(1).normal(size=(len(factors), 2))
    scores = latents.disentanglement(np.hstack([factors[:, ::-1], noise]), factors)
    assert scores["disentanglement"] == scores["completeness"] == scores["informativeness"] == 1
    assert scores["images"] == 240 and scores["mig"] > 0.9
    assert [factor["importances"] for factor in scores["factors"]] == [[0, 1, 0, 0], [1, 0, 0, 0]]
    names = {"size": ["small" if a else "large" for a in factors[:, 0]], "angle": factors[:, 1]}
    named = latents.disentanglement(noise, names, random_state=3)
    assert [(factor["name"], factor["values"]) for factor in named["factors"]] == [("size", 2), ("angle", 4)]
    assert named["mig"] < 0.1 and named == latents.disentanglement(noise, names, random_state=3)
    wrong = [
        (noise, {"size": names["size"], "angle": [0] * 240}, "factor `angle` has the same value"),
        (noise, factors[:9], "inconsistent numbers of samples"),
        (noise, {"size": [None, *names["size"][1:]], "angle": factors[:, 1]}, "'size' has no value for some images"),
        (noise[::4], factors[::4], "at least 100 rows"),
        (noise[:, 0], factors, "latents should be a 2d array"),
        (noise, factors + 0.5, "continuous"),
        (noise * np.nan, factors, "not finite"),
    ]
    for z, of, text in wrong:
        with pytest.raises(ValueError, match=text):
            latents.disentanglement(z, of)
