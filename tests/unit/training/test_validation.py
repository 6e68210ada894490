"""Scores on held-out text, whoever computes them."""

from __future__ import annotations

import pytest
import sacrebleu
import torch
from torch.nn import functional

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_training.batching import tokenize
from ferryman_training.corpus import SentencePair
from ferryman_training.model_config import RecurrentConfig
from ferryman_training.replicas import Replicas
from ferryman_training.seq2seq import Seq2Seq, build_model
from ferryman_training.validation import HeldOut, token_loss

PAIRS = [
    SentencePair("The file is in the folder.", "Le fichier est dans le dossier."),
    SentencePair("The folder is empty.", "Le dossier est vide."),
    SentencePair("The file.", "Le fichier."),
]


@pytest.fixture
def held_out(tokenizer) -> HeldOut:
    tokens = [tokenize(pair, tokenizer) for pair in PAIRS]
    return HeldOut(pairs=PAIRS, tokens=tokens, tokenizer=tokenizer, decoded=2)


@pytest.fixture(params=["transformer", "recurrent"])
def model(request, config, tokenizer) -> Seq2Seq:
    torch.manual_seed(1)
    kinds = {"transformer": config.model, "recurrent": RecurrentConfig(width=16, dropout=0.3)}
    return build_model(kinds[request.param], tokenizer.vocabulary_size).eval()


def score(held_out, model):
    return held_out.score(
        model.state_dict(), model.config, device=torch.device("cpu"), replicas=Replicas()
    )


def test_the_loss_is_the_mean_over_all_tokens_of_cross_entropy(held_out, model):
    losses = []
    for pair in held_out.tokens:
        hidden = model(torch.tensor([[*pair.source, EOS]]), torch.tensor([[BOS, *pair.target]]))
        targets = torch.tensor([*pair.target, EOS])
        losses.append(functional.cross_entropy(model.logits(hidden)[0], targets, reduction="none"))
    total, count = token_loss(model, held_out.tokens, batch_size=2)
    assert count == sum(len(pair.target) + 1 for pair in held_out.tokens)
    assert total / count == pytest.approx(torch.cat(losses).mean().item(), rel=1e-5)


def test_scores_are_sacrebleus_of_the_translations_shown(held_out, model):
    scores = score(held_out, model)
    assert [s.source for s in scores.samples] == [p.source for p in PAIRS[:2]]
    translations = [s.translation for s in scores.samples]
    references = [[p.target for p in PAIRS[:2]]]
    assert scores.bleu == sacrebleu.corpus_bleu(translations, references).score
    assert scores.chrf == sacrebleu.corpus_chrf(translations, references).score


def test_validation_leaves_the_source_of_chance_alone(held_out, model):
    before = torch.random.get_rng_state()
    score(held_out, model)
    assert torch.equal(before, torch.random.get_rng_state())
