"""Recurrent models against the equations of their papers."""

from __future__ import annotations

import numpy as np

from ferryman_training.recurrent import Recurrent

EXACT = {"rtol": 1e-10, "atol": 1e-11}
"""Both sides compute in float64; only the order of sums differs."""


class Papers:
    """One sentence at a time, one unit after the other, from the equations of the papers.

    Weights are looked up by name: of the blocks of a cell and of the terms of an equation.
    """

    def __init__(self, model: Recurrent) -> None:
        self.config = model.config
        self.weights = {name: p.detach().numpy() for name, p in model.named_parameters()}

    def embed(self, side: str, token: int) -> np.ndarray:
        side = "tied" if self.config.tied_embeddings else side
        return self.weights[f"embeddings.{side}.weight"][token] * self.config.width**0.5

    def cell(self, stack: str, end: str, x, h, c):
        """Elman 1990; Hochreiter and Schmidhuber 1997 with Gers et al. 2000; Cho et al. 2014."""
        W, U, b, d = (
            self.weights[f"{stack}.rnn.{part}_{end}"]
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        size = U.shape[1]
        read = [W[k : k + size] @ x + b[k : k + size] for k in range(0, len(W), size)]
        kept = [U[k : k + size] @ h + d[k : k + size] for k in range(0, len(U), size)]

        def gate(k: int) -> np.ndarray:
            return 1 / (1 + np.exp(-(read[k] + kept[k])))

        if self.config.cell == "rnn":
            return np.tanh(read[0] + kept[0]), None
        if self.config.cell == "gru":
            candidate = np.tanh(read[2] + gate(0) * kept[2])
            return gate(1) * h + (1 - gate(1)) * candidate, None
        c = gate(1) * c + gate(0) * np.tanh(read[2] + kept[2])
        return gate(3) * np.tanh(c), c

    def encode(self, source):
        """Return the annotations h_j, and (h, c) after the last token of every layer."""
        xs, last = [self.embed("source", token) for token in source], []
        directions = [("", 1), ("_reverse", -1)][: 1 + self.config.bidirectional]
        size = self.config.width // len(directions)
        for layer in range(self.config.encoder_layers):
            columns, ends = [], []
            for suffix, way in directions:
                h = c = np.zeros(size)
                seen = []
                for x in xs[::way]:
                    h, c = self.cell("encoder", f"l{layer}{suffix}", x, h, c)
                    seen.append(h)
                columns.append(seen[::way])
                ends.append((h, c))
            xs = [np.concatenate(parts) for parts in zip(*columns, strict=True)]
            h, c = zip(*ends, strict=True)
            last.append((np.concatenate(h), np.concatenate(c) if c[0] is not None else None))
        return xs, last

    def bridge(self, last):
        """Return (h, c) of every decoder layer before the first token."""
        depth = self.config.decoder_layers
        if self.config.bridge == "zero":
            return [(np.zeros(self.config.width), np.zeros(self.config.width))] * depth
        if self.config.bridge == "copy":
            return last
        h, c = last[-1]

        def dense(name: str, x: np.ndarray) -> list[np.ndarray]:
            y = self.weights[f"bridge.{name}.weight"] @ x + self.weights[f"bridge.{name}.bias"]
            return np.split(y, depth)

        hidden = [np.tanh(y) for y in dense("hidden", h)]
        return list(zip(hidden, dense("cell", c) if c is not None else [None] * depth, strict=True))

    def look(self, h, annotations):
        """Return the context and the alignment: a = softmax(score(h, h_j)), c = sum a_j h_j."""
        prefix = "decoder.score"

        def score(s: np.ndarray) -> float:
            if self.config.attention == "bahdanau" or self.config.score == "concat":
                inner = self.weights[f"{prefix}.query.weight"] @ h
                inner = inner + self.weights[f"{prefix}.key.weight"] @ s
                return float((self.weights[f"{prefix}.energy.weight"] @ np.tanh(inner))[0])
            if self.config.score == "general":
                return float(h @ self.weights[f"{prefix}.key.weight"] @ s)
            return float(h @ s)

        exponentials = np.exp([score(s) for s in annotations])
        alignment = exponentials / exponentials.sum()
        return sum(a * s for a, s in zip(alignment, annotations, strict=True)), alignment

    def advance(self, x, states):
        after = []
        for layer, before in enumerate(states):
            after.append(self.cell("decoder", f"l{layer}", x, *before))
            x = after[-1][0]
        return after

    def decode(self, source, target):
        """Return the logits of every position, and the alignment of it or None."""
        annotations, last = self.encode(source)
        states, feed = self.bridge(last), np.zeros(self.config.width)
        logits, alignments = [], []
        for token in target:
            y, alignment = self.embed("target", token), None
            if self.config.attention == "bahdanau":
                context, alignment = self.look(states[-1][0], annotations)
                states = self.advance(np.concatenate([y, context]), states)
                read = np.concatenate([states[-1][0], context, y])
                inner = self.weights["decoder.readout.weight"] @ read
                out = np.tanh(inner + self.weights["decoder.readout.bias"])
            else:
                fed = self.config.input_feeding
                states = self.advance(np.concatenate([y, feed]) if fed else y, states)
                out = states[-1][0]
                if self.config.attention == "luong":
                    context, alignment = self.look(out, annotations)
                    joined = np.concatenate([context, out])
                    out = feed = np.tanh(self.weights["decoder.combine.weight"] @ joined)
            logits.append(self.output(out))
            alignments.append(alignment)
        return np.array(logits), None if alignments[0] is None else np.array(alignments)

    def output(self, out):
        if self.config.tied_embeddings:
            return self.weights["embeddings.tied.weight"] @ out
        return self.weights["output.weight"] @ out + self.weights["output.bias"]


def test_logits_and_alignments_are_those_of_the_papers(model, sources, targets, source, target):
    logits, weights = model.logits(model(source, target)), model.attention(source, target)
    for row, (s, t) in enumerate(zip(sources, targets, strict=True)):
        expected, alignment = Papers(model).decode(s, t)
        np.testing.assert_allclose(logits[row, : len(t)].detach().numpy(), expected, **EXACT)
        if alignment is None:
            assert weights is None
        else:
            found = weights[row, : len(t), : len(s)].detach().numpy()
            np.testing.assert_allclose(found, alignment, **EXACT)
