"""The product: the network format and its runtime, on NumPy and safetensors alone."""
