"""Arrays as bytes that compress well, without loss but for the rounding of probabilities to 1/65535.

Passes differ in the noisy low bits of every probability, which no compressor can shrink. But the classes of a pass add
up to one: of each image's likeliest class only the difference to that is kept, which is nearly always a rounding of 0,
±1 or ±2. `python benchmarks/store.py` prints what that saves beside the same 16 bits compressed as they are.
"""

import numpy as np

STEPS = 65535


def quantise(probs: np.ndarray) -> np.ndarray:
    """Round probabilities to the nearest 1/65535.

    Args:
        probs: (T, N, C) float32 in 0..1.

    Returns:
        (N, C, T) uint16: one image's numbers together, one class's passes in a row.
    """
    steps = np.rint(np.clip(probs, 0, 1) * np.float32(STEPS)).astype(np.uint16)
    return np.ascontiguousarray(steps.transpose(1, 2, 0))


def dequantise(steps: np.ndarray) -> np.ndarray:
    """The probabilities that `quantise` stands for: (N, C, T) uint16 to (T, N, C) float32."""
    return np.ascontiguousarray(steps.transpose(2, 0, 1)) / np.float32(STEPS)


def encode_steps(steps: np.ndarray) -> bytes:
    """(N, C, T) uint16 to the bytes of a frame."""
    likeliest = steps.mean(axis=2).argmax(axis=1).astype("<u2")
    rows = np.arange(len(steps))
    missing = (STEPS - steps.sum(axis=1, dtype=np.int64)).astype(np.int16)  # modulo 2**16, as the inverse is
    kept = steps.copy()
    kept[rows, likeliest] = _zigzag(missing)
    return likeliest.tobytes() + to_planes(kept)


def decode_steps(frame: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """The inverse of `encode_steps`, for `shape` = (N, C, T)."""
    count = shape[0]
    likeliest = np.frombuffer(frame, dtype="<u2", count=count)
    steps = from_planes(frame[2 * count :], np.dtype("<u2"), shape)
    rows = np.arange(count)
    missing = _unzigzag(steps[rows, likeliest])
    steps[rows, likeliest] = 0
    others = steps.sum(axis=1, dtype=np.int64)
    steps[rows, likeliest] = (STEPS - others - missing).astype(np.uint16)
    return steps


def steps_bytes(shape: tuple[int, int, int]) -> int:
    """The size of a frame of `encode_steps`."""
    count, classes, passes = shape
    return 2 * count + 2 * count * classes * passes


def to_planes(array: np.ndarray) -> bytes:
    """An array's bytes, all first bytes of its items first, then all second ones, and so on."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return little.reshape(-1, 1).view(np.uint8).T.tobytes()


def from_planes(data: bytes, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """The inverse of `to_planes`; the array is the caller's own."""
    little = dtype.newbyteorder("<")
    planes = np.frombuffer(data, dtype=np.uint8).reshape(dtype.itemsize, -1)
    return np.array(planes.T, order="C").view(little).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _zigzag(values: np.ndarray) -> np.ndarray:
    wide = values.astype(np.int32)
    return np.where(wide >= 0, 2 * wide, -2 * wide - 1).astype(np.uint16)


def _unzigzag(values: np.ndarray) -> np.ndarray:
    wide = values.astype(np.int64)
    return np.where(wide % 2 == 0, wide // 2, -(wide + 1) // 2)
