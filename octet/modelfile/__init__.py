"""Model files: .safetensors in and out, checked. The only door for them."""
