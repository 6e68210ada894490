"""What the treatment of texts costs: a plain file with it and without it, interleaved.

    python -m benchmarks.texts BUNDLE FILE [--lines 400] [--rounds 5]

FILE has one text a line; what follows a tab is left out, so a TSV of pairs will do. With: cut into
sentences, protected spans and second tries, as a request has them by default. Without: whole lines,
no spans, no second try. The time is that of the process, engine included.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ferryman_server.catalogue import Catalogue
from ferryman_server.config import load_config
from ferryman_server.limits import Limits
from ferryman_server.loading import load_bundle, model_of, running_engine
from ferryman_server.protection.detection import ProtectionOptions
from ferryman_server.request import TranslationRequest
from ferryman_server.text.passage import TextOptions
from ferryman_server.translator import Translator

_WITH = TextOptions(protection=ProtectionOptions(), second_try=True)
_WITHOUT = TextOptions(split_sentences=False)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--lines", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    lines = arguments.file.read_text(encoding="utf-8").splitlines()[: arguments.lines]
    texts = tuple(line.partition("\t")[0] for line in lines)
    config = load_config({"workers": "1", "trial_seconds": "0"})
    bundle = load_bundle(arguments.bundle, config)
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    preparation: dict[str, list[float]] = {"without": [], "with": []}
    with running_engine(bundle, config) as engine, ThreadPoolExecutor(1) as executor:
        catalogue = Catalogue([model_of(bundle, engine, config)])
        for number in range(arguments.rounds + 1):
            for name, options in (("without", _WITHOUT), ("with", _WITH)):
                request = TranslationRequest(texts=texts, text=options)
                translator = Translator(catalogue, Limits(max_texts=len(texts)), executor)
                began = time.process_time()
                result = asyncio.run(translator.translate(request))
                if number:  # the first round warms up
                    seconds[name].append(time.process_time() - began)
                    preparation[name].append(result.work.preparation_seconds)
    ratios = [a / b for a, b in zip(seconds["with"], seconds["without"], strict=True)]
    report = [
        f"{name:8} {statistics.median(own):7.3f} CPU s, of which preparing "
        f"{statistics.median(preparation[name]):.3f} s"
        for name, own in seconds.items()
    ]
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    report.append(f"with / without: {low:.3f} / {middle:.3f} / {high:.3f}\n")
    sys.stdout.write("\n".join(report))


if __name__ == "__main__":
    main()
