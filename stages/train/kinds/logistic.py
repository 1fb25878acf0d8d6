"""Logistic regression: columns in, a logit for each class out."""

from typing import cast

from octet.signature import Classes, Columns
from stages.params.models import LogisticModel
from stages.train import logistic
from stages.train.kinds.kind import Job, Kind, Trained, in_one_step


def train(job: Job[LogisticModel]) -> Trained:
    """The minimum of the penalized cross entropy."""
    data = job.dataset
    features, classes = data.signature.inputs.names, cast("Classes", data.signature.outputs).classes
    layers = logistic.fit(data.x_train, data.y_train, data.counts, features, classes)
    return in_one_step(data, layers)


KIND = Kind((Columns,), (Classes,), train)
