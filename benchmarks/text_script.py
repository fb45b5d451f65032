"""The usual script for a table in a file of text: pandas or polars reads and writes it, scikit-learn fits and predicts.

Called with the library, the command (train or predict), the table, the model, the file for the predictions, and what to
know of the table: commas (decimal ones), or skip or mean for missing cells.
"""

import sys
from importlib import import_module

import joblib

library, command, source, model_file, output, how = sys.argv[1:]
frames = import_module(library)
is_pandas = library == "pandas"
if source.endswith(".jsonl"):
    table = frames.read_json(source, lines=True) if is_pandas else frames.read_ndjson(source)
elif how == "commas":
    options = {"sep": ";", "decimal": ","} if is_pandas else {"separator": ";", "decimal_comma": True}
    table = frames.read_csv(source, **options)
else:
    table = frames.read_csv(source)
if how == "skip":
    table = table.dropna() if is_pandas else table.drop_nulls()
elif how == "mean":
    table = table.fillna(table.mean()) if is_pandas else table.with_columns(frames.all().fill_null(strategy="mean"))
X = table[[name for name in table.columns if name not in ("target", "note")]].to_numpy()
if command == "train":
    from sklearn.linear_model import LinearRegression

    joblib.dump(LinearRegression().fit(X, table["target"].to_numpy()), model_file)
else:
    answer = frames.DataFrame({"target": joblib.load(model_file).predict(X)})
    if is_pandas:
        answer.to_csv(output, index=False)
    else:
        answer.write_csv(output)
