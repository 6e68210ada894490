"""Delivery: how jobs end. Each ends once, is counted, and only then is its caller told."""

from __future__ import annotations

from collections.abc import Iterable

from ferryman_server.engine.dispatcher import Dispatcher, Outcome
from ferryman_server.engine.errors import DeadlineError, EngineError
from ferryman_server.engine.job import Result
from ferryman_server.engine.ticket import Ticket


def deliver(dispatcher: Dispatcher, answers: Iterable[tuple[Ticket, Result | EngineError]]) -> None:
    """End jobs that a worker had, each with its answer unless it was cancelled meanwhile."""
    outcomes: list[tuple[Ticket, Outcome]] = []
    due: list[tuple[Ticket, Result | EngineError]] = []
    tokens = 0
    for ticket, answer in answers:
        # From here on its caller cannot cancel it any more.
        if not ticket.set_running_or_notify_cancel():
            outcomes.append((ticket, Outcome.CANCELLED))
            continue
        due.append((ticket, answer))
        match answer:
            case Result():
                outcomes.append((ticket, Outcome.COMPLETED))
                tokens += len(answer.hypotheses[0].token_log_probs)
            case DeadlineError():
                outcomes.append((ticket, Outcome.EXPIRED))
            case _:
                outcomes.append((ticket, Outcome.FAILED))
    if outcomes:
        dispatcher.settle(outcomes, tokens=tokens)
    for ticket, answer in due:
        if isinstance(answer, Result):
            ticket.set_result(answer)
        else:
            ticket.set_exception(answer)


def abandon(dispatcher: Dispatcher, tickets: Iterable[Ticket]) -> None:
    """End jobs that nobody will decode any more, for the reason that the dispatcher knows."""
    deliver(dispatcher, [(ticket, dispatcher.reason()) for ticket in tickets])
