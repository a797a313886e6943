"""Turns other people's networks into model folders that Stride loads: card.toml, code, weights and probe."""
