"""Linear regression: columns in, a number out."""

from octet.signature import Columns, Numbers
from stages.params.models import LinearModel
from stages.train import linear
from stages.train.kinds.kind import Job, Kind, Trained, in_one_step


def train(job: Job[LinearModel]) -> Trained:
    """Least squares."""
    data, features = job.dataset, job.dataset.signature.inputs.names
    layers = linear.fit(data.x_train, data.y_train, features, job.model.standardize)
    return in_one_step(data, layers)


KIND = Kind((Columns,), (Numbers,), train)
