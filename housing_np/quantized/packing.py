"""Integers of fewer than 8 bits without gaps between them, as files, C and the page hold them."""

from math import prod

import numpy as np
from numpy.typing import NDArray


def packed(q: np.ndarray, bits: int) -> NDArray[np.uint8]:
    """Return the lowest bits of each integer, one after another from the lowest bit of the first byte on.

    Integers follow each other row by row, and may cross from a byte into the next; the rest of the last byte is 0. With
    4 bits it is the order of ONNX's UINT4, with 8 bits the integers themselves.
    https://onnx.ai/onnx/technical/int4.html

    >>> packed(np.array([[1, 2], [15, 0]], np.uint8), 4).tolist() == [0x21, 0x0F]
    True
    """
    return np.packbits(np.unpackbits(q.reshape(-1, 1), axis=1, count=bits, bitorder="little"), bitorder="little")


def unpacked(content: np.ndarray, shape: tuple[int, ...], bits: int) -> NDArray[np.uint8]:
    """Return the integers of this shape that `packed` made the content from.

    >>> unpacked(np.array([0x21, 0x0F], np.uint8), (2, 2), 4)
    array([[ 1,  2],
           [15,  0]], dtype=uint8)
    """
    each = np.unpackbits(content, count=prod(shape) * bits, bitorder="little").reshape(-1, bits)
    return np.packbits(each, axis=1, bitorder="little").reshape(shape)


def packed_size(count: int, bits: int) -> int:
    """Return how many bytes so many numbers of so many bits take."""
    return -(-count * bits // 8)
