"""The operators of ONNX that Octet knows, by what they do; `registry` has them by name."""
