from __future__ import annotations

import copy
import json
import pickle

from napari_scope.layers.single import SingleDict


def test_a_copy_is_the_object_itself() -> None:
    one = SingleDict(path="/data", number=1)
    held = {"layer": one}
    assert copy.copy(one) is one
    assert copy.deepcopy(held)["layer"] is one


def test_it_is_equal_to_itself_only() -> None:
    one, other = SingleDict(path="/data"), SingleDict(path="/data")
    assert one == one
    assert one != other and not (one == other) and not (one != one)
    assert one != {"path": "/data"}
    assert len({one, other}) == 2


def test_elsewhere_it_is_a_plain_dictionary() -> None:
    one = SingleDict(path="/data")
    back = pickle.loads(pickle.dumps(one))
    assert type(back) is dict and back == {"path": "/data"}
    assert json.loads(json.dumps(one)) == {"path": "/data"}
