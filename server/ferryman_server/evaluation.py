"""A bundle as a system to measure: translated by the engine that serves it, as the service would.

Loading it proves it on its golden sentences first.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Final

from ferryman_bundle import Bundle
from ferryman_quality.attention import AttentionMap
from ferryman_quality.errors import NoAttentionError
from ferryman_quality.settings import Settings, require_length
from ferryman_quality.systems import Output, System
from ferryman_server.config import ServerConfig, load_config
from ferryman_server.decoding import AppliedOptions, apply_options
from ferryman_server.engine import Engine, Job, Result, Statistics
from ferryman_server.installed_models import find_bundle
from ferryman_server.loading import load_bundle, running_engine
from ferryman_server.request import DecodingOptions
from ferryman_server.runtime import NoScorerError, Scorer
from ferryman_server.text.passage import Passage, TextOptions, prepare_passage

_MOST_UNDER_WAY: Final = 512
"""Lines in the engine at a time: enough to keep batches full, few enough for its queue."""
_MOST_QUEUED_TOKENS: Final = 1 << 20
"""Of those lines."""
_ROWS: Final = 64
_WHOLE_LINES: Final = TextOptions(split_sentences=False)


class BundleSystem(System):
    """A bundle on disk, or an installed model.

    Args:
        name: Directory of the bundle, or name of the model.

    Raises:
        ModelNotInstalledError: There is neither.
        BundleUnusableError: It cannot be read.
    """

    def __init__(self, name: str) -> None:
        self._bundle = load_bundle(find_bundle(name))

    def translate(
        self, sources: Sequence[str], settings: Settings, on_line: Callable[[], None]
    ) -> Output:
        """Translate by an engine that does nothing else; see `System.translate`.

        Raises:
            ConfigError: A setting is wrong.
            DeviceError: The device cannot be used.
            BundleUnusableError: The bundle does not run here.
        """
        options = self._options(settings)
        with running_engine(self._bundle, _config(settings, options)) as engine:
            began = time.perf_counter()
            translations = translate_lines(engine, self._bundle, sources, options, on_line=on_line)
            seconds = time.perf_counter() - began
            statistics = engine.statistics()
        search = "greedy" if options.beam_size == 1 else f"beam {options.beam_size}"
        listed = ", shortlist" if options.use_shortlist else ""
        return Output(
            translations=translations,
            search=f"{search}, length penalty {options.length_penalty:g}{listed}",
            seconds=seconds,
            figures={
                "beam_size": options.beam_size,
                "length_penalty": options.length_penalty,
                **_figures(statistics, seconds),
            },
            remarks=_remarks(statistics),
        )

    def attend(self, source: str, target: str | None, settings: Settings) -> AttentionMap:
        """Tell what each piece of a translation looked at; see `System.attend`.

        Raises:
            NoAttentionError: The model has none, or its bundle has no graph that gives it.
            SettingError: One of the texts is too long.
        """
        bundle = self._bundle
        try:
            scorer = Scorer(bundle)
        except NoScorerError as error:
            raise NoAttentionError(str(error)) from error
        limits = bundle.manifest.limits
        read = bundle.tokenizer.encode(source)
        require_length("TEXT", len(read), most=limits.max_source_tokens)
        written = (
            self._translation(read, settings)
            if target is None
            else tuple(bundle.tokenizer.encode(target))
        )
        require_length("--target", len(written), most=limits.max_target_tokens)
        [scored] = scorer.score([read], [written])
        if scored.attention is None:
            raise NoAttentionError(
                f"the model {bundle.manifest.name} has no attention, so there is none to show"
            )
        end = bundle.manifest.tokens.eos
        return AttentionMap(
            source=tuple(map(bundle.tokenizer.piece, (*read, end))),
            target=tuple(map(bundle.tokenizer.piece, (*written, end))),
            weights=scored.attention,
        )

    def _translation(self, source: Sequence[int], settings: Settings) -> tuple[int, ...]:
        """Return what the engine makes of one sentence."""
        options = self._options(settings)
        job = Job(source=tuple(source), search=options.search(len(source)))
        with running_engine(self._bundle, _config(settings, options)) as engine:
            [future] = engine.submit([job])
            return future.result().hypotheses[0].ids

    def _options(self, settings: Settings) -> AppliedOptions:
        asked = DecodingOptions(
            beam_size=settings.beam_size,
            length_penalty=settings.length_penalty,
            use_shortlist=settings.shortlist,
        )
        return apply_options(asked, self._bundle.manifest)


def _config(settings: Settings, options: AppliedOptions) -> ServerConfig:
    """Return the engine's part of a server's configuration; `FERRYMAN_*` counts here too."""
    rows = settings.max_rows or _ROWS
    return load_config(
        {
            "workers": None if settings.workers is None else str(settings.workers),
            "max_rows": str(max(rows, options.beam_size)),
            "max_queued_tokens": str(_MOST_QUEUED_TOKENS),
            "device": settings.device.value,
            "variant": settings.variant,
        }
    )


def translate_lines(
    engine: Engine,
    bundle: Bundle,
    lines: Sequence[str],
    options: AppliedOptions,
    *,
    on_line: Callable[[], None] = lambda: None,
) -> list[str]:
    """Translate lines, each as one sentence, the way the service would.

    Args:
        engine: Running the bundle.
        bundle: The model.
        lines: The sources.
        options: How to search.
        on_line: Called after each line, in order.
    """
    passages = (
        prepare_passage(
            line,
            _WHOLE_LINES,
            language=bundle.manifest.language_pairs[0].source,
            encoder=bundle.tokenizer,
            max_tokens=bundle.manifest.limits.max_source_tokens,
        )
        for line in lines
    )
    translations = []
    for passage, results in _decoded(engine, passages, options):
        texts = [bundle.tokenizer.decode(result.hypotheses[0].ids) for result in results]
        translations.append(passage.compose(texts)[0])
        on_line()
    return translations


def _decoded(
    engine: Engine, passages: Iterable[Passage], options: AppliedOptions
) -> Iterator[tuple[Passage, list[Result]]]:
    """Yield passages with the results of their sentences, in order; many are under way at once."""
    under_way: deque[tuple[Passage, list[Future[Result]]]] = deque()
    try:
        for passage in passages:
            jobs = [
                Job(source=s.tokens, search=options.search(len(s.tokens)))
                for s in passage.sentences
            ]
            under_way.append((passage, engine.submit(jobs)))
            if len(under_way) == _MOST_UNDER_WAY:
                yield _finished(*under_way.popleft())
        while under_way:
            yield _finished(*under_way.popleft())
    finally:
        for _, futures in under_way:
            for future in futures:
                future.cancel()


def _finished(passage: Passage, futures: list[Future[Result]]) -> tuple[Passage, list[Result]]:
    return passage, [future.result() for future in futures]


def _figures(statistics: Statistics, seconds: float) -> dict[str, float]:
    """Return what an engine that began with this test set has counted."""
    return {
        "tokens_per_second": round(statistics.tokens / max(seconds, 1e-9), 1),
        "steps": statistics.steps,
        "mean_occupancy": round(statistics.occupancy, 4),
        "mean_occupancy_while_sentences_wait": round(statistics.occupancy_waiting, 4),
        "state_bytes_copied_per_step": round(statistics.bytes_copied / max(statistics.steps, 1)),
    }


def _remarks(statistics: Statistics) -> dict[str, str]:
    """Return the same for people."""
    copied = statistics.bytes_copied / max(statistics.steps, 1) / 1024
    return {
        "decoder steps": f"{statistics.steps:,}",
        "batch occupancy": f"{statistics.occupancy:.1%} on average, "
        f"{statistics.occupancy_waiting:.1%} while sentences wait",
        "state copied": f"{copied:,.0f} KiB a step",
    }
