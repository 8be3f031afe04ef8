"""Fuzz target: the text of a degradation gives a pipeline whose text parses to an equal one, or raises `InputError`."""

from __future__ import annotations

import numpy as np

from support import instrumented, main

with instrumented("ddrscope.degradations"):
    from ddrscope.degradations import parse_degradation, parse_random_pipeline
from ddrscope.errors import InputError

IMAGE = np.random.default_rng(1).random((12, 12, 3), dtype=np.float32)


def target(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        pipeline = parse_degradation(text)
    except InputError:
        pass
    else:
        assert parse_degradation(pipeline.text) == pipeline
        if len(pipeline.steps) < 4:
            degraded = pipeline.apply(IMAGE)
            assert degraded.shape == IMAGE.shape and degraded.min() >= 0 and degraded.max() <= 1
    try:
        random_pipeline = parse_random_pipeline(text)
    except InputError:
        return
    pipeline = random_pipeline.sample(np.random.default_rng(len(data)))
    assert parse_degradation(pipeline.text) == pipeline


if __name__ == "__main__":
    main(target)
