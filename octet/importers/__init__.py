"""Networks from other formats, a file each."""
