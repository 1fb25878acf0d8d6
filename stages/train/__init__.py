"""Train a network. What torch must find in the environment before it is imported is set here."""

import os

# Kernels that every x86-64 processor has, whatever this one could do besides: the bits of a trained
# network must not depend on it. See stages/train/kernels.py for the rest.
os.environ["ATEN_CPU_CAPABILITY"] = "default"
os.environ["MKL_CBWR"] = "COMPATIBLE"
