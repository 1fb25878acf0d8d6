"""``train``: how a network is trained."""

from typing import Literal

from pydantic import Field

from stages.params.section import Section


class Noise(Section):
    """Gaussian noise on training images."""

    share: float = Field(ge=0, le=1, description="a fraction of each batch, from 0 to 1")
    std: float = Field(
        ge=0, le=10, description="a number from 0 to 10, in deviations of the pixels"
    )


class Augment(Section):
    """Random views of training images; the contact sheet shows them."""

    share: float = Field(ge=0, le=1, description="a fraction of each batch, from 0 to 1")
    rotation: float = Field(ge=0, le=180, description="degrees either way, from 0 to 180")
    translation: float = Field(ge=0, lt=1, description="a fraction of the side, from 0 to below 1")
    scale: float = Field(ge=0, lt=1, description="a fraction either way, from 0 to below 1")
    perspective: float = Field(ge=0, lt=1, description="a distortion from 0 to below 1")
    crop: float = Field(ge=0, lt=1, description="a fraction of the side, from 0 to below 1")


class Train(Section):
    """How a network is trained; linear and logistic regression have nothing to choose."""

    device: Literal["auto", "cpu", "cuda"] = Field(description="auto, cpu or cuda")
    seed: int = Field(ge=0, lt=2**32, description="an integer from 0 to 2^32 - 1")
    epochs: int = Field(ge=1, description="an integer from 1")
    batch: int = Field(ge=2, description="an integer from 2")
    learning_rate: float = Field(gt=0, le=1e38, description="a positive number up to 1e38")
    warm_up: float = Field(gt=0, lt=1, description="a fraction of all steps, between 0 and 1")
    label_smoothing: float = Field(ge=0, lt=1, description="a number from 0 to below 1")
    noise: Noise = Field(description="a mapping with share and std")
    augment: Augment = Field(description="a mapping; see params.yaml for its keys")
