"""Sentences through their attempts, with a model that loses what it can."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ferryman_bundle.tokenizer import PLACEHOLDERS, RESERVED
from ferryman_server.decoding import apply_options
from ferryman_server.engine import FinishReason, Hypothesis, Job, Result
from ferryman_server.glossary.terms import Glossary, Term, find_terms
from ferryman_server.protection.detection import ProtectionOptions
from ferryman_server.request import DecodingOptions
from ferryman_server.rounds.attempt import reserved_ids
from ferryman_server.rounds.course import Conditions
from ferryman_server.rounds.rounds import Rounds
from ferryman_server.rounds.task import Task
from ferryman_server.text.passage import TextOptions, prepare_passage

Model = Callable[[Job], str]
"""What a model makes of a job; upper case is its French."""


def source(job: Job) -> str:
    return "".join(map(chr, job.source))


def careful(job: Job) -> str:
    return source(job).upper()


def careless(job: Job) -> str:
    """Loses whatever no search makes it have."""
    required = [chr(token) for chain in job.search.required for token in chain]
    return "".join(c for c in source(job).upper() if c not in RESERVED or c in required)


def hopeless(job: Job) -> str:
    """Is cut in a loop before it has anything."""
    return "".join(c for c in source(job).upper() if c not in RESERVED)


def result(text: str, count: int) -> Result:
    hypothesis = Hypothesis(
        ids=tuple(map(ord, text)),
        token_log_probs=(-0.5,) * (len(text) + 1),
        log_prob=-0.5 * (len(text) + 1),
        score=-0.5,
        finish_reason=FinishReason.EOS,
    )
    return Result(
        hypotheses=(hypothesis,) * count, queue_seconds=0.0, decode_seconds=0.0, steps=len(text)
    )


@pytest.fixture
def rounds_of(model):
    def make(*texts: str, prefix: str = "", conditions: Conditions | None = None, **decoding):
        tasks = []
        for text in texts:
            passage = prepare_passage(
                text,
                TextOptions(protection=ProtectionOptions()),
                language="en",
                encoder=model.tokenizer,
                max_tokens=60,
            )
            options = apply_options(DecodingOptions(**decoding), model.manifest)
            tasks += [
                Task(
                    sentence=s,
                    number=i,
                    options=options,
                    model=model,
                    prefix=prefix,
                    text=s.span.of(text),
                    languages=("en", "fr"),
                )
                for i, s in enumerate(passage.sentences)
            ]
        return Rounds(tasks, conditions)

    return make


def run(rounds: Rounds, model: Model) -> list[str]:
    while jobs := rounds.jobs:
        rounds.take([result(model(job), job.search.num_hypotheses) for job in jobs])
    return [outcome.candidates[0].text for outcome in rounds.outcomes]


TEXTS = ("open %s now", "plain words", "copy {a} to %d")
CAPITALS = ["OPEN %s NOW", "PLAIN WORDS", "COPY {a} TO %d"]


def test_what_the_model_carries_by_itself_is_decoded_once(rounds_of):
    rounds = rounds_of(*TEXTS)
    assert run(rounds, careful) == CAPITALS
    assert rounds.count == 1


def test_what_is_lost_is_decoded_again_by_a_search_that_must_have_it(rounds_of):
    rounds = rounds_of(*TEXTS)
    first = rounds.jobs
    assert not any(job.search.required for job in first)
    rounds.take([result(careless(job), 1) for job in first])
    again = rounds.jobs
    assert [job.search.required for job in again] == [
        ((ord(PLACEHOLDERS[0]),),),
        ((ord(PLACEHOLDERS[0]),), (ord(PLACEHOLDERS[1]),)),
    ]
    # No other reserved character may come.
    forbidden = {token for (token,) in again[0].search.suppressed}
    assert forbidden == {ord(character) for character in RESERVED} - {ord(PLACEHOLDERS[0])}
    assert run(rounds, careless) == CAPITALS
    assert not any(outcome.is_piecewise for outcome in rounds.outcomes)


def test_what_no_search_keeps_is_translated_around(rounds_of):
    rounds = rounds_of(*TEXTS)
    assert run(rounds, hopeless) == CAPITALS
    assert [outcome.is_piecewise for outcome in rounds.outcomes] == [True, False, True]
    assert rounds.count == 3
    pieces = rounds.outcomes[0].candidates[0].hypotheses
    assert ["".join(map(chr, h.ids)) for h in pieces] == ["OPEN", "NOW"]
    assert rounds.outcomes[0].candidates[0].log_prob == sum(h.log_prob for h in pieces)


def test_a_model_that_cannot_be_bound_goes_from_the_first_attempt_to_pieces(rounds_of):
    rounds = rounds_of(*TEXTS, conditions=Conditions(can_bind=False))
    rounds.take([result(hopeless(job), 1) for job in rounds.jobs])
    assert [source(job) for job in rounds.jobs] == ["open", "now", "copy", "to"]
    assert run(rounds, hopeless) == CAPITALS


def test_a_vocabulary_without_reserved_pieces_is_translated_around_at_once(rounds_of, monkeypatch):
    monkeypatch.setattr("ferryman_server.rounds.course.reserved_ids", lambda _: {})
    rounds = rounds_of(*TEXTS)
    assert run(rounds, careful) == CAPITALS
    assert rounds.count == 1
    assert rounds.outcomes[0].is_piecewise


def test_what_is_given_up_says_what_it_lost(rounds_of):
    rounds = rounds_of(*TEXTS)
    rounds.take([result(careless(job), 1) for job in rounds.jobs])
    rounds.give_up()
    assert rounds.jobs == []
    lost = [[one.text for one in o.candidates[0].lost] for o in rounds.outcomes]
    assert lost == [["%s"], [], ["{a}", "%d"]]


def test_a_text_that_is_read_while_it_is_decoded_is_bound_from_the_start(rounds_of):
    rounds = rounds_of(*TEXTS, conditions=Conditions(is_final=True))
    assert [bool(job.search.required) for job in rounds.jobs] == [True, False, True]
    assert run(rounds, careless) == CAPITALS


def test_a_span_of_the_prefix_is_the_span_of_the_source(rounds_of):
    rounds = rounds_of("open %s now", prefix="%s: ")
    (job,) = rounds.jobs
    assert job.search.prefix == tuple(map(ord, f"{PLACEHOLDERS[0]}: "))


def test_every_hypothesis_must_keep_its_spans(rounds_of):
    rounds = rounds_of("open %s now", beam_size=2, num_hypotheses=2)
    whole, without = result(f"A {PLACEHOLDERS[0]}", 1), result("A", 1)
    rounds.take(
        [
            Result(
                hypotheses=whole.hypotheses + without.hypotheses,
                queue_seconds=0.0,
                decode_seconds=0.0,
                steps=3,
            )
        ]
    )
    assert rounds.jobs[0].search.required


def test_a_reserved_character_that_the_model_makes_up_never_reaches_a_reader(rounds_of):
    rounds = rounds_of("plain words")
    assert run(rounds, lambda job: f"A{RESERVED[9]}B") == ["AB"]


def test_the_tokens_of_reserved_characters_are_those_of_the_vocabulary(model):
    ids: dict[str, int] = dict(reserved_ids(model.tokenizer))
    assert ids == {character: ord(character) for character in RESERVED}


def order(jobs: Sequence[Job]) -> list[str]:
    return [source(job) for job in jobs]


def test_answers_come_in_the_order_of_the_sentences_whatever_each_needs(rounds_of):
    texts = [f"word{i} %s" if i % 2 else f"word{i}" for i in range(6)]
    rounds = rounds_of(*texts)
    assert order(rounds.jobs) == [t.replace("%s", PLACEHOLDERS[0]) for t in texts]
    assert run(rounds, hopeless) == [t.replace("word", "WORD") for t in texts]


def stammering(job: Job) -> str:
    """Repeats itself unless its search forbids that."""
    return "PAS DE FICHIERS" if job.search.no_repeat_ngram else "PAS PAS PAS PAS PAS"


def test_what_looks_wrong_is_searched_for_once_more_and_the_better_one_is_kept(rounds_of):
    rounds = rounds_of("there are no files", conditions=Conditions(second_try=True))
    assert run(rounds, stammering) == ["PAS DE FICHIERS"]
    (outcome,) = rounds.outcomes
    assert outcome.is_second
    assert outcome.doubts == set()
    assert rounds.count == 2


def test_a_second_try_that_is_no_better_is_not_taken(rounds_of):
    rounds = rounds_of("there are no files", conditions=Conditions(second_try=True))
    assert run(rounds, lambda job: "PAS PAS PAS PAS PAS") == ["PAS PAS PAS PAS PAS"]
    (outcome,) = rounds.outcomes
    assert not outcome.is_second
    assert [str(doubt) for doubt in outcome.doubts] == ["repetition"]
    assert rounds.count == 2


def test_a_copy_is_searched_for_again_without_the_words_of_the_source(rounds_of):
    rounds = rounds_of("one two three four five", conditions=Conditions(second_try=True))
    rounds.take([result(source(job), 1) for job in rounds.jobs])
    (job,) = rounds.jobs
    assert tuple(map(ord, "one")) in job.search.suppressed


def test_there_is_no_second_try_where_nobody_wants_one(rounds_of):
    rounds = rounds_of("there are no files")
    assert run(rounds, stammering) == ["PAS PAS PAS PAS PAS"]
    assert rounds.count == 1


def with_terms(rounds_of, model, text: str, *pairs: tuple[str, str]) -> Rounds:
    passage = prepare_passage(
        text,
        TextOptions(protection=ProtectionOptions()),
        language="en",
        encoder=model.tokenizer,
        max_tokens=60,
    )
    (sentence,) = passage.sentences
    terms = Glossary(terms=tuple(Term(*pair) for pair in pairs))
    task = Task(
        sentence=sentence,
        number=0,
        options=apply_options(DecodingOptions(), model.manifest),
        model=model,
        text=text,
        passage=text,
        languages=("en", "fr"),
        terms=tuple(find_terms(text, terms, "en")),
    )
    return Rounds([task])


def test_a_term_that_is_there_by_itself_is_left_to_the_model(rounds_of, model):
    rounds = with_terms(rounds_of, model, "open files", ("file", "FILE"))
    assert run(rounds, careful) == ["OPEN FILES"]
    assert rounds.count == 1
    assert rounds.outcomes[0].missing_terms == ()


def test_a_term_that_is_missing_is_carried_and_restored_as_its_translation(rounds_of, model):
    rounds = with_terms(rounds_of, model, "open files of %s", ("file", "fichier"))
    assert run(rounds, careless) == ["OPEN fichier OF %s"]
    assert rounds.outcomes[0].missing_terms == ()
    assert [found.term.source for found in rounds.outcomes[0].terms] == ["file"]


def test_a_term_that_cannot_be_had_is_said_and_spans_go_before_it(rounds_of, model):
    rounds = with_terms(rounds_of, model, "open files", ("file", "fichier"))
    assert run(rounds, hopeless) == ["OPEN FILES"]
    assert [found.term.target for found in rounds.outcomes[0].missing_terms] == ["fichier"]
