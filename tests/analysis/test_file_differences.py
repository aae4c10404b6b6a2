from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lineage_api.analysis.differences import ValueChange
from lineage_api.analysis.file_differences import MOST_BYTES, RUN, doubtful, file_differences
from lineage_api.store.artifact_places import File
from lineage_api.store.artifact_trees import Tree


def tree(root, *, is_reached=True, is_whole=True, **sizes):
    """Files below a root, with their sizes."""
    files = {path: File(root, path, False, size) for path, size in sizes.items()}
    return Tree(root, files, is_reached=is_reached, is_whole=is_whole, folders=[])


def compared(base, head, digests=None):
    """What differs, and what is not known."""
    found = file_differences(base, head, digests or {})
    return found.changes, found.unknown


def test_what_came_went_and_grew():
    """By path, with the folder in which it is shown; MLmodel always differs, and is left out."""
    base = {RUN: tree("/1", a=1, gone=2), "model": tree("/m", MLmodel=1, pkl=3)}
    head = {RUN: tree("/2", a=2), "model": tree("/n", MLmodel=2, pkl=3, new=None), "other": tree("/o", x=0)}
    assert compared(base, head, {("model", "pkl"): ("x", "x")}) == (
        [
            ValueChange("a", "1", "2"),
            ValueChange("gone", "2", None),
            ValueChange("model/new", None, "of unknown size"),
            ValueChange("other/x", None, "0"),
        ],
        [],
    )


def test_files_of_one_size():
    """Their contents tell, where these were read; else nobody knows."""
    base, head = {RUN: tree("/1", a=1, b=1, c=1, d=None, e=0)}, {RUN: tree("/2", a=1, b=1, c=1, d=1, e=0)}
    assert doubtful(base, head) == [(RUN, "a"), (RUN, "b"), (RUN, "c")]
    assert compared(base, head, {(RUN, "a"): ("x", "y"), (RUN, "b"): ("x", None)}) == (
        [ValueChange("a", "sha256:x", "sha256:y")],
        [
            "of the same size, and too much to be read: c",
            "of the same size, and could not be read: b",
            "of a size that the artifact store does not tell: d",
        ],
    )
    same = {RUN: tree("/1", a=1, d=None)}
    assert compared(same, same) == ([], []), "they are at one place"


def test_as_many_files_are_read_as_may_be():
    """The smallest first, none that is too long."""
    sizes = {f"{n:02}": MOST_BYTES for n in range(20)} | {"a": MOST_BYTES + 1, "small": 1}
    found = doubtful({RUN: tree("/1", **sizes)}, {RUN: tree("/2", **sizes)})
    assert found == [(RUN, "small"), *((RUN, f"{n:02}") for n in range(15))]


def test_folders_of_which_nothing_is_known():
    """They make no difference on either side, and say why; in a folder that is not whole, only what is there counts."""
    base = {RUN: tree("/1", a=1)}
    assert compared(base, {RUN: None}) == ([], ["nothing says where the files of the head are"])
    hangs = {RUN: tree("/2", is_reached=False)}
    assert compared(hangs, base) == ([], ["the artifact store of the base did not answer"])
    assert compared({"m": tree("/1", a=1)}, {"m": tree("/2")}) == ([], ["the model of the head has no files"])
    assert compared(base, {RUN: tree("/2")}) == ([ValueChange("a", "1", None)], [])

    cut = {RUN: tree("/2", is_whole=False, b=2)}
    assert compared({RUN: tree("/1", a=1, b=1)}, cut) == (
        [ValueChange("b", "1", "2")], ["not all files of the head could be looked at"]
    )  # fmt: skip
    assert compared(cut, {RUN: tree("/1", a=1, b=2)}, {(RUN, "b"): ("x", "x")})[0] == []


SIZES = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 2))


@settings(deadline=None, max_examples=100, phases=[Phase.generate])
@given(
    SIZES,
    SIZES,
    st.booleans(),
    st.booleans(),
    st.dictionaries(st.sampled_from("abc"), st.tuples(*[st.sampled_from("xy") | st.none()] * 2)),
)
def test_no_file_is_lost(before, after, is_base_whole, is_head_whole, contents):
    """Each is the same for certain, or differs, or is named as unknown; unless its folder is not known as a whole."""
    base, head = {RUN: tree("/1", is_whole=is_base_whole, **before)}, {RUN: tree("/2", is_whole=is_head_whole, **after)}
    digests = {(RUN, path): pair for path, pair in contents.items()}

    changes, unknown = compared(base, head, digests)

    named = {change.key for change in changes} | {
        path for line in unknown if ": " in line for path in line.split(": ")[1].split(", ")
    }
    for path in before.keys() | after.keys():
        size = before.get(path)
        is_same = (
            path in before
            and path in after
            and size == after[path] is not None
            and (size == 0 or (contents.get(path) is not None and contents[path][0] == contents[path][1] is not None))
        )
        may_be_there = (path not in before and not is_base_whole) or (path not in after and not is_head_whole)
        assert (path in named) == (not is_same and not may_be_there)
