"""Stage I: the files of the command, progress, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import uhop

FITS = [
    ("average", {}, []),
    ("average", {"batch": 12, "max_steps": 25, "seed": 3}, ["--batch", "12", "--steps", "25", "--seed", "3"]),
    ("average", {"tolerance": 1e-3, "keep_rows": True}, ["--tolerance", "0.001", "--keep-rows"]),
    ("max", {"max_steps": 5, "dim_features": 11}, ["--steps", "5", "--features", "11"]),
    (
        "max",
        {"optimizer": "adam", "rate": 0.02, "max_steps": 5},
        ["--optimizer", "adam", "--rate", "0.02", "--steps", "5"],
    ),
    ("whitening", {}, []),
    ("whitening", {"ridge": 0.1, "beta": 2.0}, ["--lambda", "0.1", "--beta", "2"]),
    ("whitening", {"corruption": uhop.Corruption.mask(0.25)}, ["--mask", "0.25"]),
    ("denoising", {"max_steps": 20}, ["--steps", "20"]),
    ("denoising", {"batch": 16, "corruption": uhop.Corruption.half_mask()}, ["--batch", "16", "--half-mask"]),
    ("auto", {}, None),
    ("auto", {"seed": 5, "corruption": uhop.Corruption.gaussian_noise(0.3)}, ["--seed", "5", "--noise", "0.3"]),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("loss", "options", "words"), FITS)
def test_the_file_is_that_of_the_command(command, tmp_path, dtype, loss, options, words):
    patterns = np.random.default_rng(1).random((24, 9)).astype(dtype)
    np.save(tmp_path / "p.npy", patterns)
    uhop.Memory(patterns).fit(loss, **options).save(tmp_path / "ours.safetensors")
    how = ["--auto"] if loss == "auto" else ["--loss", loss]
    run = [command, "fit", "p.npy", "-o", "theirs.safetensors", "--quiet", *how, *(words or [])]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True)
    ours, theirs = (tmp_path / f"{whose}.safetensors" for whose in ("ours", "theirs"))
    assert ours.read_bytes() == theirs.read_bytes()


def test_threads_change_nothing():
    patterns = np.random.default_rng(1).random((40, 9))
    one, two = (uhop.Memory(patterns).fit("average", max_steps=5, threads=n) for n in (1, 2))
    assert np.array_equal(one.feature_map, two.feature_map)


def test_learning_is_recorded():
    memory = uhop.Memory(np.random.default_rng(1).random((12, 5))).fit("max", max_steps=7)
    assert (memory.loss, memory.similarity, len(memory.losses)) == ("max", "kernel", 8)
    assert memory.feature_map.shape == (5, 5) and memory.tried is None
    auto = memory.copy().fit("auto", seed=1)
    assert len(auto.tried) >= 6
    errors = [error for _, _, error in auto.tried]
    assert errors == sorted(errors)


def test_progress_is_told_of_every_step():
    seen = []
    memory = uhop.Memory(np.random.default_rng(1).random((12, 5)))
    memory.fit("average", max_steps=6, progress=lambda *told: seen.append(told))
    assert [step for step, _, _ in seen] == list(range(7))
    assert {most for _, most, _ in seen} == {6}
    assert [loss for _, _, loss in seen] == memory.losses.tolist()


def test_an_exception_of_progress_ends_it():
    memory = uhop.Memory(np.random.default_rng(1).random((12, 5)))

    def stop(step, max_steps, loss):
        if step == 3:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        memory.fit("average", max_steps=10**9, progress=stop)
    assert memory.similarity == "dot"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("loss", ["average", "denoising"])
def test_ctrl_c_ends_it(loss):
    memory = uhop.Memory(np.random.default_rng(1).random((64, 32)))
    # A shell that starts the tests in the background lets them ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            memory.fit(loss, max_steps=10**9)
    finally:
        signal.signal(signal.SIGINT, before)
    assert memory.similarity == "dot"


def test_a_memory_that_was_changed_meanwhile_is_not_overwritten():
    memory = uhop.Memory(np.random.default_rng(1).random((12, 5)))

    def change(step, max_steps, loss):
        if step == 1:
            memory.remove(0)

    with pytest.raises(uhop.Busy, match="another thread"):
        memory.fit("average", max_steps=3, progress=change)
    assert memory.n_patterns == 11 and memory.similarity == "dot"


def test_the_interpreter_is_free_meanwhile():
    memory = uhop.Memory(np.random.default_rng(1).random((64, 32)))
    over = threading.Event()
    counted = []

    def count():
        while not over.is_set():
            counted.append(1)
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    memory.fit("average", max_steps=200)
    over.set()
    thread.join()
    assert len(counted) > 10


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"loss": "mean"}, 'loss is "mean"'),
        ({"optimizer": "sgd"}, 'optimizer is "sgd"'),
        ({"max_steps": 0}, "max_steps is 0"),
        ({"rate": -1.0}, "rate is -1"),
        ({"ridge": 0.1}, "ridge has no meaning for the average loss"),
        ({"loss": "whitening", "max_steps": 3}, "max_steps has no meaning for whitening"),
        ({"loss": "whitening", "ridge": 0.0}, "ridge is 0"),
        ({"loss": "auto", "beta": 3.0}, "beta has no meaning for auto"),
        ({"loss": "max", "batch": 3}, "closest pair of a batch"),
        ({"batch": 99}, "99"),
    ],
)
def test_bad_input_is_one_clear_line(options, line):
    memory = uhop.Memory(np.random.default_rng(1).random((12, 5)))
    with pytest.raises(uhop.InvalidInput, match=line) as caught:
        memory.fit(**options)
    assert "\n" not in str(caught.value) and memory.similarity == "dot"


def test_what_was_chosen_is_not_overridden():
    patterns = np.random.default_rng(1).random((12, 5))
    with pytest.raises(uhop.InvalidInput, match="cosine"):
        uhop.Memory(patterns, similarity="cosine").fit("max")
    with pytest.raises(uhop.InvalidInput, match="alpha=1.0"):
        uhop.Memory(patterns, alpha=2.0).fit("auto")
    assert uhop.Memory(patterns, alpha=2.0).fit("max").alpha == 2.0


def test_a_rate_that_is_too_large_is_said_to_be():
    memory = uhop.Memory(np.random.default_rng(1).random((12, 5)).astype(np.float32))
    with pytest.raises(uhop.Diverged, match="smaller learning rate"):
        memory.fit("average", rate=1e300)
