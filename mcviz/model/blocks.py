"""Examples in blocks of one size, the last one filled up: a part of a model computes that many rows, whatever it gets.

Matrix products round differently for other sizes, and the same example must give the same bits in any company.
"""

from collections.abc import Iterator

import numpy as np

from mcviz.model.texts import NumbersOfTexts


def padded_block(examples: np.ndarray | NumbersOfTexts, start: int, size: int) -> np.ndarray:
    """Rows `start` to `start + size - 1`, zeros where there are no examples; `start` may lie up to a block before 0."""
    if 0 <= start <= len(examples) - size:
        return examples[start : start + size]
    block = np.zeros((size, *examples.shape[1:]), examples.dtype)
    given = examples[max(start, 0) : start + size]
    block[max(-start, 0) :][: len(given)] = given
    return block


def padded_blocks(examples: np.ndarray | NumbersOfTexts, size: int) -> Iterator[tuple[slice, np.ndarray]]:
    """All examples, block by block: which of them a block holds, and the (size, ...) block."""
    for start in range(0, len(examples), size):
        yield slice(start, min(start + size, len(examples))), padded_block(examples, start, size)
