"""Generated messages and stubs of protos/ferryman/v1; `make protos` writes them.

For a client of one's own, or a server. `ferryman.Client` needs none of this.
"""
