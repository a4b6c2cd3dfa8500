"""What synthetic rows are good for, each measure between two anchors: fresh real rows and independent columns."""

from sfumato.evaluation.associations import associations
from sfumato.evaluation.coverage import alpha_precision_beta_recall, coverage, prdc
from sfumato.evaluation.detection import Detection, Region, detect, detection_auc
from sfumato.evaluation.images import frechet, image_utility
from sfumato.evaluation.learning import LEARNERS, Prediction, majority, predict, task_of
from sfumato.evaluation.marginals import Binning, cliques, tvd, tvds
from sfumato.evaluation.queries import Query, query_errors, random_queries
from sfumato.evaluation.regression import Coefficient, coefficient_overlap, interval_overlap
from sfumato.evaluation.subgroups import Subgroup, subgroups
from sfumato.evaluation.summary import utility
from sfumato.evaluation.violations import tolerant, violations

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
