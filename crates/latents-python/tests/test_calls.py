"""How calls behave: signals, threads, processes, warnings, memory."""

import gc
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import numpy as np
import pytest

import latents

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and processes as Unix has them")


def run(code, **options):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300, **options)


def test_an_import_does_no_work():
    done = run(
        """
        import sys, time
        begun = time.perf_counter()
        import latents
        took = time.perf_counter() - begun
        assert "numpy" not in sys.modules and "sklearn" not in sys.modules and "pandas" not in sys.modules
        assert latents.Autoencoder(latent_dim=3).get_params()["latent_dim"] == 3
        print(took)
        """
    )
    assert done.returncode == 0, done.stderr
    # Mostly the time to load the extension module; 0.05 s on a quiet machine.
    assert float(done.stdout) < 0.5


@pytest.mark.parametrize("what", ["model", "map"])
def test_ctrl_c_ends_a_call_and_a_run_goes_on(tmp_path, what):
    code = """
        import latents, numpy as np, os, signal, sys, threading, time
        # What starts the tests in the background ignores it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        data = latents.open("fashion-mnist-sample")
        model = latents.Autoencoder(latent_dim=6, epochs=5000, seed=1)
        rows = np.random.default_rng(0).normal(size=(4000, 20))
        sent = []
        def interrupt():
            time.sleep(1.5)
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt).start()
        try:
            if sys.argv[1] == "model":
                model.fit(data, out="run")
            else:
                latents.TSNE(max_iter=100000).fit(rows)
        except KeyboardInterrupt:
            print(time.monotonic() - sent[0])
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), what], capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    # Half a second on a quiet machine.
    assert float(done.stdout) < 3
    if what == "model":
        epochs = len((tmp_path / "run/metrics.jsonl").read_text().splitlines())
        assert epochs >= 1 and (tmp_path / "run/checkpoint/last.safetensors").exists()
        shown = run("import latents; latents.load('run')", cwd=tmp_path)
        assert shown.returncode != 0 and "Error" in shown.stderr


def test_the_interpreter_goes_on_meanwhile(ae, data):
    """Another thread counts while a map is made."""
    rows = np.random.default_rng(0).normal(size=(1500, 20))
    counted, over = 0, threading.Event()

    def work():
        latents.TSNE(max_iter=600).fit(rows)
        over.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not over.is_set():
        counted += 1
        time.sleep(0.001)
    thread.join()
    assert counted > 20


def test_threads_share_a_model_and_give_the_same(ae, data):
    expected, found = ae.encode(data.test), []
    threads = [threading.Thread(target=lambda: found.append(ae.encode(data.test))) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(found) == 6 and all(np.array_equal(z, expected) for z in found)


def test_results_outlive_their_model(data):
    model = latents.Autoencoder(latent_dim=3, epochs=1).fit(data)
    z, pixels = model.encode(data.test), np.asarray(data.test[:3])
    kept = z.copy(), pixels.copy()
    del model
    gc.collect()
    np.zeros(10**6)
    assert np.array_equal(z, kept[0]) and np.array_equal(pixels, kept[1])


def test_results_do_not_depend_on_threads(data):
    rows = np.random.default_rng(0).normal(size=(300, 8))
    maps = []
    try:
        for threads in (1, 3):
            latents.set_threads(threads)
            model = latents.Autoencoder(latent_dim=3, epochs=1, seed=1).fit(data)
            maps.append((latents.TSNE(random_state=1).fit_transform(rows), model.encode(data.test)))
    finally:
        latents.set_threads(None)
    assert all(np.array_equal(one, three) for one, three in zip(*maps, strict=True))
    with pytest.raises(ValueError):
        latents.set_threads(0)


def _encode(model, images, queue):
    queue.put(model.encode(images).tobytes())


def test_a_process_that_is_spawned_gets_a_model(ae, data):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    images = np.asarray(data.test)[:20]
    process = context.Process(target=_encode, args=(ae, images, queue))
    process.start()
    assert queue.get(timeout=120) == ae.encode(images).tobytes()
    process.join()


def test_a_fork_is_told_that_it_has_no_threads():
    done = run(
        """
        import latents, os, numpy as np, warnings
        warnings.simplefilter("ignore")
        rows = np.random.default_rng(0).normal(size=(20, 3))
        def child():
            try:
                latents.PCA(2).fit(rows)
            except RuntimeError as error:
                os._exit(7 if "spawn" in str(error) else 1)
            os._exit(0)
        def fork():
            pid = os.fork()
            if pid == 0:
                child()
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert fork() == 0, "before it was used"
        latents.PCA(2).fit(rows)
        assert fork() == 7, "after it was used"
        """
    )
    assert done.returncode == 0, done.stderr


def test_warnings_are_pythons():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.warns(UserWarning, match="perplexity 30 is too large for 20 rows"):
        latents.TSNE().fit(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        latents.TSNE(perplexity=5).fit(rows)


def test_progress_is_shown_when_it_is_asked_for(capfd, data):
    latents.set_progress(True)
    try:
        latents.Autoencoder(latent_dim=2, epochs=1).fit(np.asarray(data.train))
    finally:
        latents.set_progress(False)
    assert "image" in capfd.readouterr().err
    latents.Autoencoder(latent_dim=2, epochs=1).fit(data)
    assert capfd.readouterr() == ("", "")


def test_many_fits_leave_nothing_behind():
    rows = np.random.default_rng(0).normal(size=(60, 4))
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)

    def work(times):
        for _ in range(times):
            latents.PCA(2).fit_transform(rows)
            latents.KMeans(3).fit(rows)
            latents.Autoencoder(latent_dim=2, epochs=1).fit(images).encode(images)
        gc.collect()

    def memory():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    if not os.path.exists("/proc/self/statm"):
        pytest.skip("needs /proc")
    # The allocator keeps what was freed: some tens of fits until it has what they need.
    work(80)
    before = memory()
    work(60)
    assert memory() - before < 12 << 20


def test_bytes_are_encoded_without_a_copy():
    """The peak of memory grows by the latents and little more, whatever the size of the array."""
    done = run(
        """
        import latents, numpy as np, resource
        images = np.random.default_rng(0).integers(0, 256, (200, 28, 28), dtype=np.uint8)
        model = latents.Autoencoder(latent_dim=2, epochs=1).fit(images)
        large = np.tile(images, (2000, 1, 1))  # 300 MB
        model.encode(large[:10000])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        z = model.encode(large)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
        assert z.shape == (400000, 2)
        print(grown - z.nbytes)
        """
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 64 << 20


def test_a_signal_that_python_handles_ends_a_call(tmp_path):
    done = run(
        """
        import latents, numpy as np, os, signal, threading, time
        class Stop(Exception): pass
        def stop(*_): raise Stop
        signal.signal(signal.SIGTERM, stop)
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
        try:
            latents.TSNE(max_iter=100000).fit(np.random.default_rng(0).normal(size=(3000, 10)))
        except Stop:
            print("stopped")
        """
    )
    assert done.stdout == "stopped\n", done.stderr
    assert signal.getsignal(signal.SIGINT) is not None
