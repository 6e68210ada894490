"""``python -m ferryman_training``: the same as ``ferryman train``."""

from ferryman_training.commands.train import app

app(prog_name="python -m ferryman_training")
