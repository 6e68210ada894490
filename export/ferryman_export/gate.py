"""The gate: what a variant has to show before it is written.

It must have the model's likeliest token often enough, step by step, and must not translate worse
than the first variant of its bundle by more than half a point of BLEU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ferryman_bundle.claims import Loss
from ferryman_bundle.manifest import Parity
from ferryman_export.errors import ExportError
from ferryman_export.parity import finite
from ferryman_export.recipe import Recipe
from ferryman_quality import compare

MOST_BLEU_LOST: Final = 0.5
_SIGNIFICANT: Final = 0.05
"""A loss that chance makes more often than this is none."""


def shortcomings(parity: Parity, recipe: Recipe) -> list[str]:
    """Return in what the graphs of a variant fall short of their model, each as a clause."""
    found = []
    if not finite(parity.worst_difference):
        found.append("some of its tensors are not numbers")
    # Written so that what is no number falls short.
    if not parity.argmax_agreement >= recipe.agreement:
        found.append(
            f"it has the model's likeliest token at {parity.argmax_agreement:.2%} of the steps, "
            f"and {recipe.agreement:.1%} are required"
        )
    return found


def measure_loss(
    references: Sequence[str], baseline: Sequence[str], candidate: Sequence[str], *, name: str
) -> Loss:
    """Compare the translations of two variants by paired bootstrap.

    Args:
        references: Of the test set.
        baseline: Translations of the variant to compare with.
        candidate: Translations of the variant in question.
        name: Of the variant to compare with.
    """
    found = compare(references, baseline, candidate)
    return Loss(
        baseline=name,
        bleu=round(-found.delta, 3),
        low=round(-found.high, 3),
        high=round(-found.low, 3),
        p_value=round(found.p_value, 4),
    )


def excess(loss: Loss) -> list[str]:
    """Return why a loss is too great, as a clause, if it is."""
    if loss.bleu <= MOST_BLEU_LOST or loss.p_value >= _SIGNIFICANT:
        return []
    return [
        f"it loses {loss.bleu:.2f} BLEU against {loss.baseline} (95 % interval {loss.low:.2f} to "
        f"{loss.high:.2f}), and {MOST_BLEU_LOST} are allowed"
    ]


def judge(parity: Parity, faults: Sequence[str], recipe: Recipe, *, accept_loss: bool) -> Parity:
    """Return the parity of a variant, marked where it has faults that are accepted.

    Args:
        parity: As measured.
        faults: Clauses.
        recipe: Of the variant.
        accept_loss: Whether it is written all the same.

    Raises:
        ExportError: It has faults, and they are not accepted.
    """
    if not faults:
        return parity
    if accept_loss:
        return parity.model_copy(update={"accepted_loss": True})
    raise ExportError(
        f"the variant {recipe.name} is refused: {'; '.join(faults)}. --accept-loss writes the "
        "bundle all the same, and its card will say so for ever"
    )
