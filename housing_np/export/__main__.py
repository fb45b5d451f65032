"""python -m housing_np.export: a model to C, ONNX or a web page."""
