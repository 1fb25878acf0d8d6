"""Linear regression: columns in, a number out."""

from octet.signature import Columns, Numbers
from stages.params.models import LinearModel
from stages.train import linear
from stages.train.kinds.kind import Job, Kind, Trained, in_one_step


def train(job: Job[LinearModel]) -> Trained:
    """Least squares."""
    return in_one_step(job.dataset, linear.fit(job.dataset, job.model.standardize))


KIND = Kind((Columns,), (Numbers,), train)
