"""Document formats: where their texts are, and how translations take their place."""
