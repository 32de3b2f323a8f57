"""Vectors as they are stored, and the nearest of many."""

import subprocess
import sys

import numpy as np
import pytest

from backend.files.embeddings.vectors import NearestVectors, combine, to_blob
from backend.files.retrieval.fusion import fuse


@pytest.mark.parametrize("scale", [1.0, 1e300, 1e-300])
def test_vector_is_stored_with_the_length_1(scale: float) -> None:
    stored = np.frombuffer(to_blob([3 * scale, -4 * scale]), "<f4")
    assert stored == pytest.approx([0.6, -0.8])


def test_nearest_of_all_blocks_are_those_of_all_vectors_at_once() -> None:
    generator = np.random.default_rng(1)
    vectors = generator.normal(size=(500, 8))
    blobs = [to_blob(vector) for vector in vectors]
    question = to_blob(vectors[123])
    nearest = NearestVectors(question, 10)
    rows = list(enumerate(blobs))
    for start in range(0, 500, 70):
        nearest.add(rows[start : start + 70])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = np.argsort(-(unit @ unit[123]))[:10]
    assert nearest.ids == expected.tolist()
    assert nearest.ids[0] == 123


def test_vectors_of_another_length_and_empty_ones_are_not_compared() -> None:
    nearest = NearestVectors(to_blob([1.0, 0.0]), 5)
    nearest.add([(1, b""), (2, to_blob([1.0, 0.0, 0.0]))])
    nearest.add([(3, to_blob([1.0, 1.0]))])
    assert nearest.ids == [3]


def test_previous_question_counts_by_its_weight_whatever_the_lengths() -> None:
    sum_of_both = np.frombuffer(combine([[9.0, 0.0], [0.0, 2.0]], (1.0, 0.5)), "<f4")
    assert sum_of_both == pytest.approx([1.0, 0.5])


def test_words_count_twice_as_much_as_meaning() -> None:
    assert fuse(["a", "b"], ["c", "d"], str) == ["a", "b", "c", "d"]
    assert fuse(["a", "b"], ["b", "c"], str) == ["b", "a", "c"]
    assert fuse([], ["c", "C", "d"], str.lower) == ["c", "d"]
    assert fuse(["a", "b"], [], str) == ["a", "b"]


@pytest.mark.slow
def test_api_without_an_embedding_model_does_not_import_numpy() -> None:
    program = "import sys; import backend.main; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
