"""How fast an export or a model answers, and what memory it takes."""

from pathlib import Path

import numpy as np
import pytest

from runners import benchmark


def test_times_are_those_of_batches_after_the_warm_up(monkeypatch):
    now, sizes, taken = [0.0], [], iter((9.0, 9.0, 0.01, 0.02, 0.03, 0.04, 0.1))
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: now[0])

    def batch(size):
        sizes.append(size)
        now[0] += next(taken)
        return 3 * size

    found = benchmark.measure(batch, 4, warmup=2, repeats=5)
    assert sizes == [4] * 7
    assert found.latency_p50_ms == pytest.approx(30)
    assert found.latency_p95_ms == pytest.approx(40 + 0.8 * 60)  # between the last two of five
    assert found.samples_per_second == pytest.approx(5 * 4 / 0.2)
    assert found.tokens_per_second == pytest.approx(3 * found.samples_per_second)


def test_the_peak_of_memory_begins_anew_with_each_size():
    """On Linux; elsewhere a process knows its peak since the start only."""
    benchmark.forget_peak(gpu=False)
    before = benchmark.peak(gpu=False)
    np.ones(30_000_000).sum()  # 240 MB
    assert benchmark.peak(gpu=False) - before > 200_000_000
    if Path("/proc/self/clear_refs").exists():
        benchmark.forget_peak(gpu=False)
        assert benchmark.peak(gpu=False) - before < 100_000_000


def test_memory_is_that_of_all_gpus(monkeypatch):
    begun = []
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.reset_peak_memory_stats", lambda device=0: begun.append(device))
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda device=0: [3, 4][device] * 2**20)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device=0: f"GPU {device}")
    assert benchmark.measure(lambda size: size, 2, warmup=0, repeats=1, gpu=True).peak_memory_mib == 7
    assert begun == [0, 1]
    assert benchmark.machine(1, gpu=True)["gpus"] == "GPU 0, GPU 1"
