"""Ridge regression: columns in, a number out, and smaller weights than least squares has."""

from octet.signature import Columns, Numbers
from stages.params.models import RidgeModel
from stages.train import linear
from stages.train.kinds.kind import Job, Kind, Trained, in_one_step


def train(job: Job[RidgeModel]) -> Trained:
    """Least squares with a penalty on the weights."""
    data, model = job.dataset, job.model
    features = data.signature.inputs.names
    layers = linear.fit(data.x_train, data.y_train, features, model.standardize, model.alpha)
    return in_one_step(data, layers)


KIND = Kind((Columns,), (Numbers,), train)
