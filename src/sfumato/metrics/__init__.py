"""What synthetic rows are good for, each measure between two anchors: fresh real rows and independent columns."""

from sfumato.metrics.associations import associations
from sfumato.metrics.coverage import alpha_precision_beta_recall, coverage, prdc
from sfumato.metrics.detection import Detection, Region, detect, detection_auc
from sfumato.metrics.images import frechet, image_utility
from sfumato.metrics.learning import LEARNERS, Prediction, majority, predict, task_of
from sfumato.metrics.marginals import Binning, cliques, tvd, tvds
from sfumato.metrics.queries import Query, query_errors, random_queries
from sfumato.metrics.regression import Coefficient, coefficient_overlap, interval_overlap
from sfumato.metrics.subgroups import Subgroup, subgroups
from sfumato.metrics.summary import utility
from sfumato.metrics.violations import tolerant, violations

__all__ = [
    "LEARNERS",
    "Binning",
    "Coefficient",
    "Detection",
    "Prediction",
    "Query",
    "Region",
    "Subgroup",
    "alpha_precision_beta_recall",
    "associations",
    "cliques",
    "coefficient_overlap",
    "coverage",
    "detect",
    "detection_auc",
    "frechet",
    "image_utility",
    "interval_overlap",
    "majority",
    "prdc",
    "predict",
    "query_errors",
    "random_queries",
    "subgroups",
    "task_of",
    "tolerant",
    "tvd",
    "tvds",
    "utility",
    "violations",
]
