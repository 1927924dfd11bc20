"""The seeded world: what there is and how it lives, as functions of seed, index and time."""
