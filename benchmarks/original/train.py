"""Fit scikit-learn's LinearRegression to California Housing and save it with joblib."""

import joblib
from california import load
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error, r2_score

X, y = load()
model = LinearRegression().fit(X, y)
predicted = model.predict(X)
print("R2", repr(float(r2_score(y, predicted))))
print("MSE", repr(float(mean_squared_error(y, predicted))))
joblib.dump(model, "model.joblib")
