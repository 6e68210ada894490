"""Trains translation models: from a parallel corpus to a checkpoint that the exporter reads.

In the order in which a batch meets them: `corpus`, `augmentation`, `vocabulary`, `batching`,
`dataset`, `transformer` (on `attention`), `loss`, `optimization`, `learner`, `averaging`,
`validation` (on `decoding`), `checkpoint`, `resumption`; `trainer` is the loop over all of them,
`reporting` and `display` are what a person sees of it. `launch` and `worker` are the processes.
"""
