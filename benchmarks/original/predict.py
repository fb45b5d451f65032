"""Load the saved model and predict the first rows."""

import joblib
from data import california

model = joblib.load("model.joblib")
X, y = california(rows=5)
for predicted, actual in zip(model.predict(X).tolist(), y.tolist(), strict=True):
    print(repr(predicted), actual)
