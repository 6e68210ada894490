"""A translator that turns texts round, without any server."""

from __future__ import annotations

import asyncio

from ferryman import FinishReason, Hypothesis, Translation
from ferryman.files.chunks import ChunkSize

SMALL = ChunkSize(texts=3, bytes=200, units=8)


def translation_of(text, *, model="reversal@1.0.0"):
    hypothesis = Hypothesis(
        text=text[::-1],
        score=-0.5,
        log_prob=-1.5,
        token_count=3,
        finish_reason=FinishReason.EOS,
    )
    return Translation(
        source=text,
        hypotheses=(hypothesis,),
        model=model,
        source_language="en",
        target_language="fr",
    )


class Reverser:
    """Turns texts round; the chunks come back in another order than they went out in."""

    def __init__(self):
        self.texts = []
        self.under_way = self.most_under_way = 0

    async def __call__(self, texts):
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            for _ in range(1 + 7 * len(texts[0]) % 5 if texts else 0):
                await asyncio.sleep(0)
            self.texts += texts
            return [translation_of(text) for text in texts]
        finally:
            self.under_way -= 1
