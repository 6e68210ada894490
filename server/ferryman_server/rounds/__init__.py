"""A request in rounds of decoding: what came out wrong is decoded again in another way.

`attempt` is one way to translate a sentence, `course` says which comes after which, and `rounds`
takes all sentences of a request through theirs together.
"""
