"""The embedded ONNX models and their cards."""
