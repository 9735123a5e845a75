"""A bounded part of random_ops.py. SLUICE_RANDOM_SEED plays one sequence again, SLUICE_RANDOM_SECONDS goes on for longer."""

import os
import random

import pytest
from random_ops import play


@pytest.mark.random
def test_random_operations_by_three_writers(spark, tmp_path, capsys):
    seed = int(os.environ.get("SLUICE_RANDOM_SEED", random.SystemRandom().randrange(10 ** 6)))
    seconds = float(os.environ.get("SLUICE_RANDOM_SECONDS", 60))
    with capsys.disabled():
        print(f"\nrandom operations, seed {seed}")
    game = play(tmp_path, seed, spark, seconds, least=10, say=lambda line: None)
    with capsys.disabled():
        print(f"{sum(game.done.values())} operations {game.done}, refused by the writer {game.refused}")
    assert game.done["run"] >= 1 and sum(game.done.values()) + sum(game.refused.values()) >= 10
