"""Cast the coefficients to uint8 by truncating a min-max scale; save both kinds with joblib."""

import joblib
import numpy as np

model = joblib.load("model.joblib")
low, high = model.coef_.min(), model.coef_.max()
scale = (high - low) / 255
quantized = ((model.coef_ - low) / scale).astype(np.uint8)
joblib.dump({"coef": model.coef_, "intercept": model.intercept_}, "float.joblib")
joblib.dump({"coef": quantized, "scale": scale, "low": low, "intercept": model.intercept_}, "quantized.joblib")
print("largest error of a coefficient", float(np.abs(quantized * scale + low - model.coef_).max()))
