"""Targets and classes, as a file of one's own has them, made into what a model is to say."""

from dataclasses import dataclass

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from octet.rows.encoding import short
from octet.signature import Classes, Inputs, Numbers, Signature
from stages.dataset import Dataset
from stages.load.readers.two_passes import EXACT
from stages.load.split import Places, hold_out
from stages.params.data import Task
from stages.params.split import Split


@dataclass(frozen=True)
class Truth:
    """A column or array of what is to be predicted.

    Attributes:
        name: of the target, and the column of CSV in which predictions stand.
        unit: of the target, if it is a number.
        task: as params.yaml has it: numbers stand for classes only where it says so.
        where: file and column or array, for errors.
    """

    name: str
    unit: str
    task: Task | None
    where: str

    def are_classes(self, y: AnyArray) -> bool:
        """Whether these values are classes: text is, numbers are where ``task`` says so.

        Raises:
            OctetError: they are bytes, or text where ``task`` says that they are not.
        """
        if y.ndim != 1:
            raise OctetError(f"{self.where}: got shape {y.shape}; allowed is (rows,)")
        if y.dtype.kind == "S":
            raise OctetError(
                f"{self.where}: got bytes; allowed are numbers, text, and true or false: store "
                "y.astype(str)"
            )
        text = y.dtype.kind in "OUb"
        if text and self.task == "regression":
            raise OctetError(
                f"{self.where}: got {str(y[0])!r}, which is no number; allowed in a regression are "
                "numbers: correct it, or leave `task: regression` out"
            )
        return text or self.task == "classification"

    def dataset(
        self, inputs: Inputs, train: tuple[AnyArray, AnyArray], test: tuple[AnyArray, AnyArray]
    ) -> Dataset:
        """The rows to train on and to test on, each x and y, with labels as indices.

        Raises:
            OctetError: the targets are constant or no finite numbers; there is one class, or so
                many that they are none, or one that only the test rows have.
        """
        (x, y), (x_test, y_test) = train, test
        if self.are_classes(y):
            classes, y, y_test = self._labels(y, y_test)
            return Dataset(x, y, x_test, y_test, Signature(inputs, classes))
        y, y_test = finite(y, self.where), finite(y_test, self.where)
        if y.min() == y.max():
            raise OctetError(
                f"{self.where}: got {y[0]:g} in all {len(y)} training rows; nothing to learn"
            )
        return Dataset(x, y, x_test, y_test, Signature(inputs, Numbers(self.name, self.unit)))

    def split(self, inputs: Inputs, x: AnyArray, y: AnyArray, how: Split) -> Dataset:
        """As `dataset`, of rows of which some are held out; of each class its share.

        Raises:
            OctetError: as `dataset` and `hold_out`.
        """
        train, test = self.hold_out(y, how)
        return self.dataset(inputs, (x[train], y[train]), (x[test], y[test]))

    def hold_out(self, y: AnyArray, how: Split) -> tuple[Places, Places]:
        """As `split.hold_out`, of each class its share.

        Raises:
            OctetError: as there, or as `classes`.
        """
        if not self.are_classes(y):
            return hold_out(len(y), how)
        names, labels = self.classes(y)
        if (rare := names[np.bincount(labels) < 2]).size:
            raise OctetError(
                f"{self.where}: got 1 row of class {rare[0]!s}; allowed are two or more, one to "
                "train on and one to test on: leave it out"
            )
        return hold_out(len(y), how, labels)

    def classes(self, y: AnyArray) -> tuple[AnyArray, AnyArray]:
        """The different values, sorted, and the index of each row's among them.

        Raises:
            OctetError: there is but one, or there are too many.
        """
        if y.dtype.kind == "f":
            whole = finite(y, self.where).astype(np.int64)
            if (broken := y[whole != y]).size:
                raise OctetError(
                    f"{self.where}: got {broken[0]:g}; allowed as classes are text and whole "
                    "numbers: leave `task: classification` out"
                )
            y = whole
        names, labels = np.unique(y, return_inverse=True)
        if len(names) == 1:
            raise OctetError(
                f"{self.where}: got {names[0]!s} in all {len(y)} rows; allowed are two classes "
                "or more"
            )
        if 2 * len(names) > len(y):
            raise OctetError(
                f"{self.where}: got {len(names)} classes in {len(y)} rows; allowed are half as "
                "many as rows: is it a number, free text or an id?"
            )
        return names, labels.astype(np.min_scalar_type(len(names) - 1))

    def _labels(self, y: AnyArray, y_test: AnyArray) -> tuple[Classes, AnyArray, AnyArray]:
        names, labels = self.classes(y)
        if (unseen := y_test[~np.isin(y_test, names)]).size:
            raise OctetError(
                f"{self.where}: class {unseen[0]!s} is in {np.sum(unseen == unseen[0])} test rows "
                "and in no training row; move rows of it, or leave them out"
            )
        texts = tuple(map(str, names))
        for text in texts:
            refuse_name(text, f"{self.where}: class")
        y_test = np.searchsorted(names, y_test).astype(labels.dtype)
        return Classes(texts, self.name), labels, y_test


def finite(array: AnyArray, where: str) -> Array:
    """The numbers as float64.

    Raises:
        OctetError: one is not finite, or an integer that float64 does not have; or they are none.
    """
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise OctetError(f"{where}: got {array.dtype}; allowed are integers and floats of 64 bits")
    if array.dtype.kind in "iu" and array.size and _beyond(array):
        raise OctetError(
            f"{where}: got integers beyond 2^53, of which float64 has not all; an id? leave it out"
        )
    values = np.asarray(array, np.float64)
    if count := int(np.sum(~np.isfinite(values))):
        raise OctetError(
            f"{where}: got {count} missing or infinite values; allowed are finite numbers"
        )
    return values


def _beyond(array: AnyArray) -> bool:
    return int(array.max()) > EXACT or int(array.min()) < -EXACT


def refuse_name(name: str, what: str) -> None:
    """Refuse a name that a model file cannot have.

    Raises:
        OctetError: it is empty, has blanks around it, or what does not print.
    """
    if not name or not name.isprintable() or name != name.strip():
        raise OctetError(
            f"{what} {short(name)!r}: allowed are names of what prints, without blanks around them"
        )
