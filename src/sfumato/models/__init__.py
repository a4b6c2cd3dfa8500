"""Generative models: each written once against the questions of a trust setting."""

from sfumato.models.model import FittedModel as FittedModel
from sfumato.models.model import GradientModel as GradientModel
from sfumato.models.model import ImpossibleCondition as ImpossibleCondition
from sfumato.models.model import Model as Model
from sfumato.models.model import RecordLoss as RecordLoss
from sfumato.models.registry import MODELS as MODELS
from sfumato.models.registry import ModelEntry as ModelEntry
from sfumato.models.registry import names as names
from sfumato.models.settings import settings_of as settings_of
