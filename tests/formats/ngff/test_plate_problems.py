from __future__ import annotations

from napari_scope.formats.ngff.plate.problems import PlateProblems


def test_each_sentence_is_told_once_and_not_without_end() -> None:
    problems = PlateProblems(["known"])
    heard: list[tuple[str, ...]] = []
    problems.add("before anybody listens")
    problems.listen(heard.append)
    problems.tell()
    assert heard == []
    for n in range(5):
        for _ in range(2):
            problems.add("known")
            problems.add(f"a{n}")
            problems.add(f"b{n}")
        problems.tell()
        problems.tell()
    assert heard == [("a0", "b0"), ("a1", "b1"), ("a2", "b2")]
    assert problems.all[:3] == ("known", "before anybody listens", "a0")
    assert len(problems.all) == 12


def test_a_plate_of_problems_does_not_fill_the_memory() -> None:
    problems = PlateProblems()
    for n in range(5000):
        problems.add(str(n))
    assert len(problems.all) == 1000
