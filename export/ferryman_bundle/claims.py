"""What a manifest claims of a variant: how it was proved, how well it translates, how fast."""

from __future__ import annotations

from ferryman_bundle.section import Count, Finite, Label, Positive, Prose, Section


class GoldenSentence(Section):
    """A source and the translation that greedy search must give on any machine."""

    text: Prose
    source_ids: tuple[Count, ...]
    """Without the end of sentence."""
    ids: tuple[Count, ...]
    """Without start and end."""
    log_prob: Finite
    """Sum over the tokens, the end included."""


class Parity(Section):
    """How the graphs of a variant differ from the model they were made from."""

    sentences: Positive
    steps: Positive
    """Decoder steps compared, over all sentences."""
    worst_difference: dict[Label, float]
    """Largest absolute difference of each output and state tensor. It is not a number where the
    graphs computed one that is none, and their maker accepted that knowingly."""
    argmax_agreement: float
    """Share of the steps, under the reference translation, with the same likeliest token."""
    greedy_identity: float
    """Share of the sentences whose greedy translations are equal token for token."""
    accepted_loss: bool
    """True where the graphs fell short of the required agreement, or lost more quality than is
    allowed, and were accepted knowingly."""


class SearchSettings(Section):
    """The search that a figure was measured with."""

    beam_size: Positive
    length_penalty: Finite


class Loss(Section):
    """What a variant loses against another of its bundle on one test set, by paired bootstrap."""

    baseline: Label
    """Name of the other."""
    bleu: Finite
    """BLEU of the other less that of this one; below zero where this one is better."""
    low: Finite
    """Lower end of the 95 % interval."""
    high: Finite
    """Upper end of the 95 % interval."""
    p_value: Finite
    """How probable a difference of this size is between systems that are equally good."""


class Quality(Section):
    """How well a variant translates, measured through the engine that serves it."""

    test_set: Label
    sentences: Positive
    bleu: Finite
    bleu_signature: Label
    chrf: Finite
    chrf_signature: Label
    search: SearchSettings
    loss: Loss | None = None
    """None of the first variant, which the others are held against."""


class Speed(Section):
    """How fast a variant translated sentences of its test set: one worker of one thread.

    Seconds are of CPU time, which is what the clock shows on an idle machine.
    """

    tokens_per_second_alone: Finite
    """Target tokens, one sentence after the other."""
    tokens_per_second_together: Finite
    """Target tokens, so many sentences at a time."""
    together: Positive
    """So many."""
    sentences: Positive
    device: Label
    """The processor or the GPU, in words."""
    search: SearchSettings
