"""How good translations are: scores, their uncertainty, and whether two systems really differ.

It knows texts only, neither models nor bundles, so that training, export and server all measure
with the same ruler. Needs numpy and sacreBLEU.
"""

from ferryman_quality.bootstrap import Interval, bootstrap_interval
from ferryman_quality.comparison import Comparison, compare, randomisation_p_value
from ferryman_quality.errors import PairsError, QualityError
from ferryman_quality.metrics import Metric, Score, score
from ferryman_quality.pairs import Pair, read_pairs
from ferryman_quality.segments import Segments
from ferryman_quality.worst import Sentence, worst_sentences

__all__ = [
    "Comparison",
    "Interval",
    "Metric",
    "Pair",
    "PairsError",
    "QualityError",
    "Score",
    "Segments",
    "Sentence",
    "bootstrap_interval",
    "compare",
    "randomisation_p_value",
    "read_pairs",
    "score",
    "worst_sentences",
]
