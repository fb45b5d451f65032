"""Load the saved model and predict the first rows."""

import joblib
from california import load

model = joblib.load("model.joblib")
X, y = load(rows=5)
for predicted, actual in zip(model.predict(X).tolist(), y.tolist(), strict=True):
    print(repr(predicted), actual)
