"""Networks in other formats, a file each."""
