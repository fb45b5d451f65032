"""The usual script for a table in a file: pandas or polars reads and writes it, scikit-learn fits and predicts.

Called with the library, the command (train or predict), the table, the model and the file for the predictions.
"""

import sys
from importlib import import_module
from pathlib import Path

import joblib

library, command, source, model_file, output = sys.argv[1:]
frames = import_module(library)
table = getattr(frames, f"read_{Path(source).suffix[1:]}")(source)
X = table[[name for name in table.columns if name != "target"]].to_numpy()
if command == "train":
    from sklearn.linear_model import LinearRegression

    joblib.dump(LinearRegression().fit(X, table["target"].to_numpy()), model_file)
else:
    answer = frames.DataFrame({"target": joblib.load(model_file).predict(X)})
    if library == "pandas":
        answer.to_csv(output, index=False)
    else:
        answer.write_csv(output)
