"""The text of a degradation, with and without ranges: a pipeline that its own text names again, or an `InputError`."""

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
            made = pipeline.apply(IMAGE)
            assert made.shape == IMAGE.shape and made.min() >= 0 and made.max() <= 1
    try:
        drawn = parse_random_pipeline(text)
    except InputError:
        return
    one = drawn.draw(np.random.default_rng(len(data)))
    assert parse_degradation(one.text) == one


if __name__ == "__main__":
    main(target)
