"""The codes of least output error, with a proof."""
