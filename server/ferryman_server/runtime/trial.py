"""A first load of a bundle, in a process that may die: ``python -m ferryman_server.runtime.trial``.

What parses tokenizers and graphs is C++, and there are files that make it read beyond its memory,
recurse without end or allocate all there is. So a bundle that was never loaded here is loaded, and
made to translate, in a process of its own with little time and memory; if that dies, nobody else
does. It protects from bundles that break what loads or runs them. It is no sandbox: a graph that
behaves until it meets a certain word passes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from ferryman_bundle import Bundle
from ferryman_bundle.errors import one_line
from ferryman_bundle.files import SizeLimits
from ferryman_bundle.sealed import SealedBundle
from ferryman_server.engine import Engine, EngineFailedError, Job, Search, Tail
from ferryman_server.runtime.onnx import OnnxRuntime
from ferryman_server.runtime.scorer import GRAPH as SCORER
from ferryman_server.runtime.scorer import Scorer

_LONGEST_SOURCE: Final = 1024
"""Tokens of a source that a trial translates, whatever the manifest allows."""
_TEXT: Final = "Any text, with 3 digits, an \u00e9, \u4e2d\u6587, a \U0001f600 and e\u0301."
_STEPS: Final = 8
_ROWS: Final = 64
_ADDRESSES: Final = 4 << 30
"""Bytes of address space, beyond the memory that may be used, for what is reserved and not used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOrder:
    """What a trial is to do, and within which limits."""

    path: str
    """Of the bundle."""
    variant: str
    seconds: float
    """Of processor time."""
    memory_bytes: int
    """To be allocated beyond what the process has when the trial begins."""
    bundle_bytes: int
    """Of all files of the bundle together."""

    def written(self) -> str:
        """Return the order as the argument of a process."""
        return json.dumps(asdict(self))


def main(arguments: Sequence[str]) -> None:
    """Carry out the order in the only argument; print one JSON object, and end the process.

    It has ``digest``, that of the bundle as it was found, or ``refused``, the reason in one line.
    """
    order = TrialOrder(**json.loads(arguments[0]))
    limit_this_process(order)
    try:
        answer = {"digest": translate_something(order)}
    except MemoryError:
        answer = {"refused": "it needs more memory than its size explains"}
    except Exception as error:
        answer = {"refused": _reason(error)}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    # Nothing is left to be done, and tearing down what a broken graph built may hang.
    os._exit(0)


def _reason(error: Exception) -> str:
    """Return why, in one line of bounded length; of a failed engine, what it failed of."""
    cause = error.__cause__ if isinstance(error, EngineFailedError) else None
    return one_line(" ".join(str(cause or error).split()) or type(error).__name__)


def limit_this_process(order: TrialOrder) -> None:
    """Let this process end when it takes too much, write no file, and leave no core."""
    seconds = max(1, round(order.seconds))
    addresses, data = _memory_in_use()
    limits = {
        resource.RLIMIT_DATA: data + order.memory_bytes,
        resource.RLIMIT_AS: addresses + order.memory_bytes + _ADDRESSES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    for kind, limit in limits.items():
        _, most = resource.getrlimit(kind)
        bounded = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(kind, (bounded, bounded))
    # At the first limit comes SIGXCPU, which tells the parent why, and at the second SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def _memory_in_use() -> tuple[int, int]:
    """Return how many bytes of address space, and of data, this process has."""
    pages = [int(count) for count in Path("/proc/self/statm").read_text("ascii").split()]
    size = resource.getpagesize()
    return pages[0] * size, pages[5] * size


def translate_something(order: TrialOrder) -> str:
    """Load a bundle, answer its golden sentences, translate short and long, and return its digest.

    Raises:
        Exception: Whatever is wrong with it.
    """
    sealed = SealedBundle.read(Path(order.path), SizeLimits(bundle=order.bundle_bytes))
    bundle = Bundle.open(sealed)
    for text in (_TEXT, *(g.text for g in bundle.manifest.golden.get(order.variant, ()))):
        bundle.tokenizer.decode(bundle.tokenizer.encode(text))
    ready = OnnxRuntime(bundle, variant=order.variant)
    ready.verify(bundle)
    plain = _plain_token(bundle)
    with Engine(ready, workers=1, max_rows=_ROWS) as engine:
        for future in engine.submit(_jobs(bundle, plain, _tails(ready))):
            future.result()
    # The server makes this session when something is first scored, long after the trial.
    if any(SCORER in variant.graphs for variant in bundle.manifest.variants.values()):
        Scorer(bundle).score([(plain,)], [(plain, plain)])
    return bundle.digest


def _plain_token(bundle: Bundle) -> int:
    """Return a token that may be in any text."""
    tokens = bundle.manifest.tokens
    special = {tokens.pad, tokens.unknown, tokens.bos, tokens.eos, *tokens.never_generated}
    return next((i for i in range(tokens.vocabulary_size) if i not in special), tokens.eos)


def _tails(ready: OnnxRuntime) -> set[Tail]:
    """Return what steps can be asked for: there is a graph for each."""
    possible = {Tail.FULL: ready.has_full_tail, Tail.SHORTLIST: ready.has_shortlist}
    return {Tail.FAST, *(tail for tail, is_there in possible.items() if is_there)}


def _jobs(bundle: Bundle, plain: int, tails: Collection[Tail]) -> list[Job]:
    """Return sources of every size, each with every kind of search that needs a graph of its own.

    Args:
        bundle: The model.
        plain: The token that sources are made of.
        tails: What steps can be asked for.
    """
    limits = bundle.manifest.limits
    longest = min(limits.max_source_tokens, _LONGEST_SOURCE)
    steps = min(_STEPS, limits.max_target_tokens)
    beam_size = min(bundle.manifest.generation.beam_size, _ROWS)
    searches = [Search(beam_size=width, max_tokens=steps) for width in sorted({1, beam_size})]
    if Tail.SHORTLIST in tails:
        searches += [replace(search, shortlist=True) for search in searches]
    if Tail.FULL in tails:
        searches.append(Search(max_tokens=steps, repetition_penalty=1.5))
    return [
        Job(source=(plain,) * length, search=search)
        for length in sorted({1, longest // 2, longest} - {0})
        for search in searches
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
