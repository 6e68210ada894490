"""Measuring a server: calls in a closed or an open loop, and what became of them."""
