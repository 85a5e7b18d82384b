"""Many threads on one memory, and nothing left behind."""

from __future__ import annotations

import gc
import os
import signal
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import uhop


def test_every_call_sees_one_version():
    random = np.random.default_rng(0)
    # Every pattern is one number, repeated: what is recalled must be one too.
    memory = uhop.Memory(np.full((1, 8), 1.0), alpha=2.0, beta=1e3, similarity="euclidean")
    queries = random.uniform(1, 40, (64, 1)).repeat(8, axis=1)

    def read(_):
        recalled = memory.retrieve(queries)
        assert (recalled == recalled[:, :1]).all()
        assert memory.separation().shape[0] >= 1
        return len(memory)

    def write(i):
        try:
            memory.add(np.full((1, 8), float(i)))
        except uhop.Busy:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        reads = [pool.submit(read, i) for i in range(200)]
        writes = [pool.submit(write, i) for i in range(2, 42)]
        sizes = [job.result() for job in reads]
        added = sum(job.result() for job in writes)
    assert len(memory) == 1 + added
    assert all(1 <= size <= 1 + added for size in sizes)


def test_threads_agree_bit_by_bit():
    random = np.random.default_rng(1)
    memory = uhop.Memory(random.random((500, 32)).astype(np.float32), alpha=1.5, beta=3.0)
    queries = random.random((100, 32)).astype(np.float32)
    expected = memory.retrieve(queries)
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda n: memory.retrieve(queries, threads=n), [None, 1, 2, 3] * 4)
        assert all(np.array_equal(expected, one) for one in found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked there")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    patterns = np.random.default_rng(1).random((200, 16))
    memory = uhop.Memory(patterns)
    expected = memory.retrieve(patterns)
    child = os.fork()
    if child == 0:
        # Never back into the tests: whatever happens, the process ends here, by an alarm if it waits.
        signal.alarm(30)
        try:
            found = memory.retrieve(patterns)
            memory.fit("max", max_steps=1)
            os._exit(0 if np.array_equal(found, expected) else 1)
        except BaseException:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def calls():
    random = np.random.default_rng(2)
    patterns, queries = random.random((20, 6)), random.random((5, 6))
    memory = uhop.Memory(patterns, patterns, ids=list(range(20)))
    yield lambda: memory.retrieve(queries, return_report=True, record_weights=True)
    yield lambda: memory.weights(queries)
    yield lambda: uhop.Memory(patterns).fit("max", max_steps=2, progress=lambda *_: None)
    yield lambda: uhop.entmax_vjp(queries, queries, 1.3)
    yield lambda: (memory.ids, memory.patterns, repr(memory))
    yield lambda: pytest.raises(uhop.InvalidInput, memory.retrieve, patterns[:, :2])


@pytest.mark.parametrize("call", list(calls()))
def test_references_are_given_back(call):
    marker = np.ones((3, 6))
    before = sys.getrefcount(marker)
    uhop.Memory(marker).retrieve(marker)
    assert sys.getrefcount(marker) == before
    for _ in range(5):
        call()
    gc.collect()
    count = len(gc.get_objects())
    blocks = sys.getallocatedblocks()
    for _ in range(200):
        call()
    gc.collect()
    # A leak of one object a call would be 200.
    assert len(gc.get_objects()) - count < 100
    assert sys.getallocatedblocks() - blocks < 100


def test_results_free_what_is_beneath_them():
    result = uhop.Memory(np.eye(3)).retrieve(np.eye(3))
    beneath = weakref.ref(result)
    view = result[1:]
    del result
    gc.collect()
    assert beneath() is not None or view.base is not None
    assert view.tolist() == np.asarray(view).tolist()


def test_memory_does_not_grow():
    resource = pytest.importorskip("resource")
    patterns = np.random.default_rng(3).random((200, 100))

    def once():
        memory = uhop.Memory(patterns)
        memory.retrieve(patterns)
        memory.add(patterns[:1])

    for _ in range(50):
        once()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(500):
        once()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    # A leak of one memory a turn would be 80,000 KiB.
    assert grown < 20_000
