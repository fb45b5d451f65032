"""One library that fits: `load SOURCE`, `fit` and `answer` on standard input, numbers on standard output.

Called with the library and the folder of the data.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


def _lstsq() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda X, y: np.linalg.lstsq(np.column_stack([np.ones(len(X)), X]), y)[0]


def _model(name: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    if name == "scikit-learn":
        from sklearn.linear_model import LinearRegression
    elif name == "intelex":
        from sklearnex.linear_model import LinearRegression
    else:
        from housing_np import LinearRegression

    def fit(X: np.ndarray, y: np.ndarray) -> np.ndarray:
        model = LinearRegression().fit(X, y)
        return np.append(model.intercept_, model.coef_)

    return fit


def main() -> None:
    library, folder = sys.argv[1:]
    fit = _lstsq() if library == "lstsq" else _model(library)
    answer = np.empty(0)
    for line in sys.stdin:
        command, _, source = line.strip().partition(" ")
        if command == "load":
            mode = "r" if source == "mapped" else None
            X, y = (np.load(Path(folder, f"{name}.npy"), mmap_mode=mode) for name in "Xy")
            print(len(y), flush=True)
        elif command == "fit":
            start = time.perf_counter()
            answer = fit(X, y)
            print(time.perf_counter() - start, flush=True)
        else:
            print(*answer.tolist(), flush=True)


if __name__ == "__main__":
    main()
