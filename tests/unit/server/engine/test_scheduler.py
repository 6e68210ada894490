"""Who may wait and who boards: order, budgets, shares, priorities, deadlines, refusals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_server.engine import (
    DeadlineError,
    Job,
    OverloadedError,
    Phase,
    Priority,
    QuotaError,
    Search,
)
from ferryman_server.engine.fair_queue import FairQueue
from ferryman_server.engine.scheduler import Scheduler
from ferryman_server.engine.ticket import Ticket


def ticket(*, rows=1, tokens=4, max_tokens=10, **job) -> Ticket:
    search = Search(beam_size=rows, max_tokens=max_tokens)
    return Ticket(Job(source=(5,) * (tokens - 1), search=search, **job), 0.0)


def scheduler(*, rows=8, batch_tokens=10_000, queued_tokens=10_000, **times) -> Scheduler:
    return Scheduler(
        max_rows=rows, max_batch_tokens=batch_tokens, max_queued_tokens=queued_tokens, **times
    )


def board(queue: Scheduler, running=(), *, idle_workers=0, now=0.0) -> list[Ticket]:
    return queue.board(running, idle_workers=idle_workers, now=now)


def test_tickets_board_in_the_order_they_came_until_the_rows_are_full():
    queue, tickets = scheduler(rows=8), [ticket(rows=3) for _ in range(4)]
    queue.enqueue(tickets, 0.0)
    assert board(queue) == tickets[:2]
    assert len(queue) == 2


def test_nobody_overtakes_one_that_does_not_fit():
    queue, running = scheduler(rows=8), [ticket(rows=5)]
    wide, narrow = ticket(rows=4), ticket(rows=1)
    queue.enqueue([wide, narrow], 0.0)
    assert board(queue, running) == []
    assert board(queue, []) == [wide, narrow]


def test_one_free_row_is_enough_to_board():
    queue, tickets = scheduler(rows=16), [ticket() for _ in range(20)]
    queue.enqueue(tickets, 0.0)
    assert board(queue, [ticket() for _ in range(15)]) == tickets[:1]


def test_the_token_budget_counts_padding_and_room_to_grow():
    # Two sources of 4 and 20 tokens, each with 2 caches of up to 30: 2 * (20 + 2 * 30) = 160.
    short = ticket(rows=2, tokens=4, max_tokens=10)
    long = ticket(rows=2, tokens=20, max_tokens=30)
    for budget, boarders in ((160, [short, long]), (159, [short])):
        queue = scheduler(batch_tokens=budget)
        queue.enqueue([short, long], 0.0)
        assert board(queue) == boarders


def test_a_width_more_than_there_is_memory_for_waits_its_turn():
    queue, running = scheduler(max_lanes=2), [ticket(rows=1), ticket(rows=2)]
    third, again = ticket(rows=3), ticket(rows=2)
    queue.enqueue([third, again], 0.0)
    assert board(queue, running) == []
    assert board(queue, running[:1]) == [third]
    assert board(queue, running) == [again]


def test_one_alone_boards_whatever_its_size():
    queue, huge = scheduler(batch_tokens=10), ticket(tokens=500, max_tokens=500)
    queue.enqueue([huge, ticket()], 0.0)
    assert board(queue) == [huge]


def test_idle_workers_are_left_their_share():
    queue, tickets = scheduler(), [ticket() for _ in range(6)]
    queue.enqueue(tickets, 0.0)
    assert board(queue, idle_workers=2) == tickets[:2]
    assert board(queue, idle_workers=1) == tickets[2:4]
    assert board(queue, idle_workers=0) == tickets[4:]


def test_a_busy_worker_leaves_a_single_ticket_to_an_idle_one():
    queue, single = scheduler(), ticket()
    queue.enqueue([single], 0.0)
    assert board(queue, [ticket()], idle_workers=1) == []
    assert board(queue, [], idle_workers=0) == [single]


def test_expired_tickets_leave_the_queue_and_the_others_keep_their_places():
    queue = scheduler()
    tickets = [ticket(deadline=deadline) for deadline in (5.0, None, 3.0, 9.0)]
    queue.enqueue(tickets, 0.0)
    assert queue.expire(2.9) == []
    assert queue.expire(5.0) == [tickets[0], tickets[2]]
    assert queue.expire(8.9) == []
    assert board(queue, now=8.9) == [tickets[1], tickets[3]]


def test_a_full_queue_refuses_all_of_a_submission_or_none():
    queue = scheduler(queued_tokens=20)
    queue.enqueue([ticket(tokens=15)], 0.0)
    with pytest.raises(OverloadedError):
        queue.enqueue([ticket(tokens=2), ticket(tokens=4)], 0.0)
    assert (len(queue), queue.queued_tokens) == (1, 15)
    queue.enqueue([ticket(tokens=5)], 0.0)
    assert queue.queued_tokens == 20


def test_a_submission_that_never_fits_is_the_callers_fault():
    with pytest.raises(ValueError, match="submit fewer at a time"):
        scheduler(queued_tokens=20).enqueue([ticket(tokens=21)], 0.0)


def test_the_wait_is_that_of_the_tokens_in_excess_at_the_speed_measured():
    queue = scheduler(rows=1, queued_tokens=40)
    queue.enqueue([ticket(tokens=10) for _ in range(4)], now=100.0)
    board(queue, now=101.0)
    board(queue, now=104.0)
    # 10 tokens left within the last 3 seconds; 30 tokens come, for 20 of which there is room.
    with pytest.raises(OverloadedError) as caught:
        queue.enqueue([ticket(tokens=30)], now=104.0)
    assert caught.value.retry_after == pytest.approx(10 / (10 / 3))


def test_before_anything_was_measured_the_wait_is_a_second():
    queue = scheduler(queued_tokens=10)
    queue.enqueue([ticket(tokens=10)], now=100.0)
    with pytest.raises(OverloadedError) as caught:
        queue.enqueue([ticket(tokens=10)], now=100.0)
    assert caught.value.retry_after == 1.0


def test_a_withdrawn_ticket_makes_room():
    queue, tickets = scheduler(queued_tokens=20), [ticket(tokens=10), ticket(tokens=10)]
    queue.enqueue(tickets, 0.0)
    assert queue.withdraw(tickets[0])
    assert not queue.withdraw(tickets[0])
    queue.enqueue([ticket(tokens=10)], 0.0)
    assert queue.clear()[0] is tickets[1]
    assert (len(queue), queue.queued_tokens) == (0, 0)


def busy(queue: Scheduler, **job) -> None:
    """Let a queue of one row learn that it decodes one ticket of 8 tokens a second."""
    queue.enqueue([ticket(tokens=4, **job) for _ in range(12)], 0.0)
    for second in range(3):
        (one,) = board(queue, now=float(second))
        assert one.cost == 8


def test_whoever_would_wait_too_long_is_refused_with_the_time_that_is_too_long():
    queue = scheduler(rows=1, max_wait_seconds=6.0)
    busy(queue)
    with pytest.raises(OverloadedError) as caught:
        queue.enqueue([ticket()], 2.0)
    assert caught.value.retry_after == pytest.approx(9 - 6)
    for second in range(3, 6):
        board(queue, now=float(second))
    queue.enqueue([ticket()], 5.0)


def test_a_submission_is_let_in_by_the_wait_for_its_turn_whatever_its_size():
    queue = scheduler(rows=1, max_wait_seconds=1.0)
    busy(queue)
    while len(queue):
        board(queue, now=3.0)
    queue.enqueue([ticket() for _ in range(1000)], 3.0)


def test_a_deadline_before_its_turn_is_refused_and_one_after_it_is_not():
    queue = scheduler(rows=1)
    busy(queue)
    with pytest.raises(DeadlineError) as caught:
        queue.enqueue([ticket(deadline=2.0 + 8.5)], 2.0)
    assert caught.value.phase is Phase.QUEUED
    queue.enqueue([ticket(deadline=2.0 + 9.5)], 2.0)


def test_a_higher_priority_goes_first_and_its_wait_is_shorter():
    queue = scheduler(rows=1, max_wait_seconds=5.0)
    busy(queue, priority=Priority.LOW)
    high, normal = ticket(priority=Priority.HIGH), ticket(priority=Priority.NORMAL)
    low = ticket(priority=Priority.LOW)
    queue.enqueue([normal], 2.0)
    queue.enqueue([high], 2.0)
    with pytest.raises(OverloadedError):
        queue.enqueue([low], 2.0)
    assert board(queue, now=2.0) == [high]
    assert board(queue, now=2.0) == [normal]


def test_who_has_waited_for_long_rises_one_priority_after_the_other():
    queue = scheduler(rows=1, ageing_seconds=10.0)
    low = ticket(priority=Priority.LOW)
    queue.enqueue([low], 0.0)
    for second in range(25):
        queue.enqueue([ticket(priority=Priority.HIGH, client="other")], float(second))
        (boarder,) = board(queue, now=float(second))
        if boarder is low:
            break
    # Twice ten seconds, and its place among the high ones is before those who came later.
    assert second == 20


def test_a_client_that_sends_much_waits_for_itself():
    queue = scheduler(rows=1)
    flood = [ticket(client="flood") for _ in range(50)]
    queue.enqueue(flood, 0.0)
    board(queue)
    polite = [ticket(client="polite") for _ in range(3)]
    for one in polite:
        queue.enqueue([one], 0.0)
    boarded = [board(queue)[0] for _ in range(7)]
    assert [one for one in boarded if one in polite] == polite
    assert [one for one in boarded if one not in polite] == flood[1:5]


def test_a_client_of_costly_sentences_has_as_much_of_the_server_not_as_many_sentences():
    queue = scheduler(rows=8)
    wide = [ticket(client="wide", rows=7, max_tokens=4) for _ in range(20)]
    narrow = [ticket(client="narrow", rows=1, max_tokens=4) for _ in range(80)]
    queue.enqueue(wide, 0.0)
    queue.enqueue(narrow, 0.0)
    cost = {"wide": 0, "narrow": 0}
    while all(cost[client] < 400 for client in cost):
        for one in board(queue):
            cost[one.job.client] += one.cost
    assert cost["wide"] == pytest.approx(cost["narrow"], abs=wide[0].cost + narrow[0].cost)


def test_nobody_can_fill_the_queue_and_there_is_always_room_for_another():
    queue = scheduler(queued_tokens=10_000)

    def flood(client: str) -> None:
        while True:
            queue.enqueue([ticket(client=client)], 0.0)

    for client in ("a", "b", "c"):
        with pytest.raises(QuotaError):
            flood(client)
    queue.enqueue([ticket(client="d")], 0.0)


@given(
    arrivals=st.lists(
        st.tuples(
            st.integers(0, 30),
            st.sampled_from(Priority),
            st.sampled_from("abc"),
            st.integers(1, 4),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_nobody_starves_and_everybody_leaves_once(arrivals):
    """One row a second, while a flood of the highest priority never ends."""
    queue = scheduler(rows=4, ageing_seconds=5.0, queued_tokens=10**9)
    coming = [
        (second, ticket(priority=priority, client=client, rows=rows))
        for second, priority, client, rows in arrivals
    ]
    ours = {one for _, one in coming}
    left: list[Ticket] = []
    waits: dict[Ticket, int] = {}
    came = {one: second for second, one in coming}
    for second in range(10_000):
        queue.enqueue([one for moment, one in coming if moment == second and one in ours], second)
        queue.enqueue([ticket(priority=Priority.HIGH, client="flood", rows=4)], float(second))
        boarders = board(queue, now=float(second))
        assert boarders
        left += [one for one in boarders if one in ours]
        waits |= {one: second - came[one] for one in boarders if one in ours}
        if len(left) == len(ours):
            break
    assert sorted(map(id, left)) == sorted(map(id, ours))
    # Twice the age to rise to the top, and there, in turns, everybody who was before.
    assert max(waits.values()) <= 2 * 5 + 2 * len(ours) + 2


@given(
    moves=st.lists(
        st.tuples(
            st.sampled_from(["add", "serve", "remove", "age"]),
            st.sampled_from(Priority),
            st.sampled_from("abcd"),
            st.integers(1, 30),
        ),
        max_size=80,
    )
)
def test_the_queue_is_in_the_order_of_its_definition_and_its_sums_are_right(moves):
    queue, waiting, now = FairQueue(ageing_seconds=7.0), [], 0.0
    for kind, priority, client, tokens in moves:
        now += 1.0
        if kind == "add":
            waiting.append(ticket(priority=priority, client=client, tokens=tokens + 1))
            queue.add(waiting[-1], now)
        elif kind == "age":
            queue.age(now)
        elif waiting:
            one = next(iter(queue)) if kind == "serve" else waiting[tokens % len(waiting)]
            getattr(queue, kind)(one)
            waiting.remove(one)
        places = [queue._places[one] for one in queue]
        assert places == sorted(places)
        assert set(queue) == set(waiting)
        assert len(queue) == len(waiting)
        assert queue.cost == pytest.approx(sum(one.cost for one in waiting))
        for name in "abcd":
            mine = [one for one in waiting if one.job.client == name]
            assert queue._backlogs.get(name, 0) == pytest.approx(sum(one.cost for one in mine))
            of_one_level = [
                [p.number for p in places if p.level == level and queue._tickets[p.number] in mine]
                for level in range(3)
            ]
            assert all(numbers == sorted(numbers) for numbers in of_one_level)


@given(
    arrivals=st.lists(
        st.tuples(st.integers(1, 8), st.integers(2, 40), st.integers(0, 5)), min_size=1, max_size=60
    ),
    durations=st.lists(st.integers(1, 12), min_size=60, max_size=60),
    budget=st.integers(50, 2000),
)
def test_everyone_boards_in_order_of_arrival_and_budgets_hold(arrivals, durations, budget):
    """A worker that decodes every ticket for some rounds, while others keep arriving."""
    queue = scheduler(rows=8, batch_tokens=budget)
    coming = [
        (number + delay, ticket(rows=rows, tokens=tokens))
        for number, (rows, tokens, delay) in enumerate(arrivals)
    ]
    coming.sort(key=lambda arrival: arrival[0])
    order = [one for _, one in coming]
    left = dict(zip(order, durations, strict=False))
    running: list[Ticket] = []
    boarded: list[Ticket] = []
    now = 0.0
    while len(boarded) < len(order) or running:
        queue.enqueue([one for moment, one in coming if moment == now], now)
        boarders = board(queue, running, now=now)
        boarded += boarders
        running += boarders
        assert running or not len(queue), "someone waits though nobody is decoded"
        assert sum(one.rows for one in running) <= 8
        widths = {one.rows for one in running}
        lanes = [[one for one in running if one.rows == width] for width in widths]
        tokens = sum(
            len(lane) * (max(one.source_tokens for one in lane) + lane[0].rows * 10)
            for lane in lanes
        )
        assert tokens <= budget or len(running) == 1
        for one in running:
            left[one] -= 1
        running = [one for one in running if left[one] > 0]
        now += 1
        # Each waits at most until all before it have been decoded, one after another.
        assert now <= max(moment for moment, _ in coming) + sum(durations[: len(order)]) + 1
    assert boarded == order


def test_an_idle_share_is_never_less_than_fair():
    for waiting in range(1, 9):
        for idle in range(3):
            queue = scheduler(rows=64)
            queue.enqueue([ticket() for _ in range(waiting)], 0.0)
            taken = board(queue, idle_workers=idle)
            assert len(taken) == math.ceil(waiting / (1 + idle))
