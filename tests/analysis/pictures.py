"""Pictures of anything, with labels that mean mischief."""

from hypothesis import strategies as st

from lineage_api.analysis.picture import Box, Line, Picture

KINDS = ["Dataset", "Run", "LoggedModel", "ModelVersion"]
NASTY = [
    '"]; click n0 "javascript:alert(1)"', "<script>alert(1)</script>", "&lt;b&gt; &#60; #quot; #35;", "`x` **b** _i_",
    "a\nn9 --> n8", "\u2028x\u2029\u202eabc\u2066\x00\x1b\x85", "%%{init: {}}%%", "end", "1. one", "- item", "--- ===",
    "\\N \\G \\\\", "x\\", "]]>", "fa:fa-car", "style:#f00;", "ﬂ°°60¶ßimg src=x onerror=alert(1)ﬂ°°62¶ß", "\ud800", "",
    " \t ", "é 日本 🚲", "learning_rate", "x" * 300, "http://www.example.com/?a=b&c", "@{ shape: rect }",
]  # fmt: skip
texts = st.one_of(
    st.sampled_from(NASTY), st.text(max_size=20), st.lists(st.sampled_from(NASTY), max_size=3).map("".join)
)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """A few boxes, and lines between any of them: rings, doubles and lines from a box to itself among them."""
    labels = draw(st.lists(st.tuples(st.sampled_from([*KINDS, "Other"]), texts), max_size=8))
    boxes = [Box(f"key {place}", kind, label) for place, (kind, label) in enumerate(labels)]
    if not boxes:
        return Picture([], [])
    keys = st.sampled_from([box.key for box in boxes])
    kinds = st.sampled_from(["READ_BY", "PRODUCED", "REGISTERED_AS"])
    return Picture(boxes, draw(st.lists(st.builds(Line, keys, keys, kinds), max_size=12)))


SMALL = Picture(
    [
        Box("d", "Dataset", "flights (1a2b)"),
        Box("r", "Run", 'a "good" run'),
        Box("m", "LoggedModel", "model"),
        Box("v", "ModelVersion", "m v1"),
        Box("o", "Other", ""),
    ],
    [Line("d", "r", "READ_BY"), Line("r", "m", "PRODUCED"), Line("m", "v", "REGISTERED_AS")],
)
