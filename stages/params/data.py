"""``data`` of a system: the name of a bundled data set, or a class a kind of one's own files."""

from collections import Counter
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from stages.params.section import BELOW_TOP, SHA256, BelowTop, Section, Sha256, is_below_top
from stages.params.split import Split

# The keys of DATA_SETS in stages/load/readers.
Bundled = Literal["diabetes", "california_housing", "wine", "breast_cancer", "digits", "mnist"]

_ADD = "python -m stages.add NAME --data FILE"
_SHA256 = f"{SHA256}; python -m stages.add NAME writes them"
_NAME = "the name of a column, as text"
_NAMES = "a list of names of columns"
_TASK = "regression, or classification where numbers stand for classes; text always does"
_SPLIT = "a mapping of test_size and random_state, or of column alone, or of test alone"


Task = Literal["regression", "classification"]


class OwnSplit(Section):
    """Which rows are held out: a share of its own, what a column says, or another file."""

    test_size: float | None = Field(default=None, gt=0, lt=1, description="between 0 and 1")
    random_state: int | None = Field(
        default=None, ge=0, lt=2**32, description="an integer from 0 to 2^32 - 1"
    )
    column: str | None = Field(default=None, description=f"{_NAME}: train or test in each row")
    test: BelowTop | None = Field(default=None, description=BELOW_TOP)

    @model_validator(mode="after")
    def _check(self) -> Self:
        ways = self.column, self.test, self.test_size or self.random_state
        if sum(way is not None for way in ways) > 1:
            raise ValueError(f"got several ways to split; allowed is {_SPLIT}")
        return self

    def over(self, common: Split) -> Split:
        """The shares of this one, and of the common one what this does not say."""
        own = self.model_dump(include={"test_size", "random_state"}, exclude_none=True)
        return Split(**(common.model_dump() | own))


class _Files(Section):
    """What all kinds have: bytes that are pinned, and a split."""

    kind: str
    sha256: Sha256 = Field(description=_SHA256)
    split: OwnSplit = Field(default=OwnSplit(), description=_SPLIT)

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of files or folders, in the order in which they are pinned and read."""
        raise NotImplementedError


class Table(_Files):
    """Columns with names, of which one is the target."""

    path: BelowTop = Field(description=BELOW_TOP)
    target: str = Field(description=f"{_NAME} that is to be predicted")
    unit: str = Field(default="", description="what the target is measured in, as text")
    task: Task | None = Field(default=None, description=_TASK)
    weights: str | None = Field(
        default=None, description=f"{_NAME}: how much a training row counts in the fit, from 0"
    )
    columns: tuple[str, ...] = Field(default=(), description=f"{_NAMES} to use; all, if left out")
    drop: tuple[str, ...] = Field(default=(), description=f"{_NAMES} to leave out")
    missing: Literal["refuse", "impute"] = Field(
        default="refuse",
        description="refuse, or impute: the mean or the most frequent of the training rows",
    )

    @property
    def files(self) -> tuple[str, ...]:
        """The table, and the one of the test rows."""
        return (self.path, self.split.test) if self.split.test else (self.path,)

    @property
    def told(self) -> tuple[str, ...]:
        """The columns that are read and are no features."""
        names = self.target, self.weights, self.split.column
        return tuple(name for name in names if name is not None)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.weights is not None and self.weights in (self.target, self.split.column):
            raise ValueError(
                f"weights: got {self.weights}, which is the target or says how to split; allowed "
                "is a column of its own"
            )
        if self.columns and self.drop:
            raise ValueError("got columns and drop; allowed is one of them")
        for key, names in (("columns", self.columns), ("drop", self.drop)):
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                raise ValueError(f"got {twice[0]} more than once in {key}; allowed is once")
        return self


class Csv(Table):
    """A table as text; packed with gzip or not."""

    kind: Literal["csv"] = Field(description="csv")
    separator: Literal[",", ";", "\t", "|"] = Field(
        default=",", description='",", ";", "\\t" or "|"'
    )


class Parquet(Table):
    """A table as Parquet."""

    kind: Literal["parquet"] = Field(description="parquet")


class Arrays(_Files):
    """Arrays x and y, of any shape: in one .npz or .safetensors file, or an .npy file each."""

    kind: Literal["arrays"] = Field(description="arrays")
    path: BelowTop | None = Field(default=None, description=f"{BELOW_TOP}: .npz or .safetensors")
    x: str = Field(default="x", description="the name of an array in path, or an .npy file")
    y: str = Field(default="y", description="the name of an array in path, or an .npy file")
    x_test: str | None = Field(default=None, description="as x, of the test rows")
    y_test: str | None = Field(default=None, description="as y, of the test rows")
    unit: str = Field(default="", description="what the target is measured in, as text")
    task: Task | None = Field(default=None, description=_TASK)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the arrays: two, or four where test rows have their own."""
        names = self.x, self.y, self.x_test, self.y_test
        return tuple(name for name in names if name is not None)

    @property
    def files(self) -> tuple[str, ...]:
        """The one file, or the file of each array."""
        return self.names if self.path is None else (self.path,)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.x_test is None) != (self.y_test is None):
            raise ValueError("got one of x_test and y_test; allowed are both, or none")
        if self.x_test == self.x:
            raise ValueError(f"got {self.x} as x and as x_test; allowed are other rows to test on")
        if self.x_test is not None and self.split != OwnSplit():
            raise ValueError("got split and x_test; these arrays have test rows of their own")
        if self.split.column or self.split.test:
            raise ValueError("got split.column or split.test; allowed are x_test and y_test")
        if self.path is None:
            for name in self.names:
                if not is_below_top(name) or not name.endswith(".npy"):
                    raise ValueError(
                        f"got {name!r} and no path; allowed is an .npy file, {BELOW_TOP}"
                    )
        return self


class Idx(_Files):
    """Four files as MNIST's."""

    kind: Literal["idx"] = Field(description="idx")
    train_images: BelowTop = Field(description=BELOW_TOP)
    train_labels: BelowTop = Field(description=BELOW_TOP)
    test_images: BelowTop = Field(description=BELOW_TOP)
    test_labels: BelowTop = Field(description=BELOW_TOP)

    @property
    def files(self) -> tuple[str, ...]:
        """All four."""
        return self.train_images, self.train_labels, self.test_images, self.test_labels

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.split != OwnSplit():
            raise ValueError("got split; these files have test rows of their own")
        return self


_Side = Annotated[int, Field(ge=1, le=4096)]


class ImageFolder(_Files):
    """A folder with a folder of PNG or JPEG files for each class."""

    kind: Literal["images"] = Field(description="images")
    path: BelowTop = Field(description=BELOW_TOP)
    colour: bool | None = Field(default=None, description="true or false; as they are, if left out")
    size: tuple[_Side, _Side] | None = Field(
        default=None, description="[height, width] that all are brought to, in pixels up to 4096"
    )

    @property
    def files(self) -> tuple[str, ...]:
        """The folder, and the one of the test images."""
        return (self.path, self.split.test) if self.split.test else (self.path,)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.split.column:
            raise ValueError("got split.column, of images; allowed are fractions or a test folder")
        return self


Own = Csv | Parquet | Arrays | Idx | ImageFolder


def _kind(data: Any) -> str | None:
    """By what one of the kinds is chosen; a bundled data set is a name alone."""
    if isinstance(data, str):
        return "bundled"
    kind = data.get("kind") if isinstance(data, dict) else getattr(data, "kind", None)
    return kind if isinstance(kind, str) else None


def refuse_foreign(data: Any) -> Any:
    """Refuse a name that is none, or the path of a file.

    Raises:
        ValueError: it says by what command a file comes in.
    """
    text, mapping = isinstance(data, str), isinstance(data, dict | BaseModel)
    if not mapping and not (text and data in get_args(Bundled)):
        # What is no text may be too long to show.
        said = f"got {data!r}; allowed is {DATA}; for a file of your own run {_ADD}" if text else ""
        raise ValueError(said)
    return data


DATA = f"{' or '.join(get_args(Bundled))}, or a mapping with kind"
Data = Annotated[
    Annotated[Bundled, Tag("bundled")]
    | Annotated[Csv, Tag("csv")]
    | Annotated[Parquet, Tag("parquet")]
    | Annotated[Arrays, Tag("arrays")]
    | Annotated[Idx, Tag("idx")]
    | Annotated[ImageFolder, Tag("images")],
    Discriminator(_kind),
]
