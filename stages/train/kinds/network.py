"""A network of layers, trained by torch."""

from octet.signature import Columns, Images
from stages.params.models import NetworkModel
from stages.train import network
from stages.train.kinds.kind import Job, Kind, Trained


def train(job: Job[NetworkModel]) -> Trained:
    """As ``train`` in params.yaml says."""
    layers, history = network.fit(job.dataset, job.model, job.how, job.where)
    sheet = network.sheet(job.dataset, job.how.augment, job.how.seed)
    return Trained(layers, history, sheet, params={"train": job.how.model_dump()})


KIND = Kind((Columns, Images), (), train)
