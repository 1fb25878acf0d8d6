"""``split``: how rows are shared out between training and test."""

from pydantic import Field

from stages.params.section import Section


class Split(Section):
    """How rows are shared out between training and test."""

    test_size: float = Field(gt=0, lt=1, description="a fraction between 0 and 1")
    random_state: int = Field(ge=0, lt=2**32, description="an integer from 0 to 2^32 - 1")
