"""Ridge regression: columns in, a number out, and smaller weights than least squares has."""

from octet.signature import Columns, Numbers
from stages.params.models import RidgeModel
from stages.train import linear
from stages.train.kinds.kind import Job, Kind, Trained, in_one_step


def train(job: Job[RidgeModel]) -> Trained:
    """Least squares with a penalty on the weights."""
    data, model = job.dataset, job.model
    return in_one_step(data, linear.fit(data, model.standardize, model.alpha))


KIND = Kind((Columns,), (Numbers,), train)
