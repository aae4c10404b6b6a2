"""Walking the lineage, on links that were made up."""

from itertools import pairwise

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lineage_api.analysis.lineage import BOTH, Link, Node, Way, walks

NODES = [Node("Run", (f"{n}",)) for n in range(9)]
LINKS = st.sets(st.builds(Link, st.just("STARTED"), st.sampled_from(NODES), st.sampled_from(NODES)), max_size=25)
WAYS = st.sampled_from([[Way.UPSTREAM], [Way.DOWNSTREAM], BOTH])


def distances(links, start, ways):
    """How far each node is that can be reached by going one way or the other, without turning round."""
    found = {start: 0}
    for way in ways:
        frontier, seen, distance = {start}, {start}, 0
        while frontier:
            distance += 1
            ends = [link[1:] if way is Way.DOWNSTREAM else link[:0:-1] for link in links]
            frontier = {far for near, far in ends if near in frontier} - seen
            seen |= frontier
            found.update({node: min(distance, found.get(node, distance)) for node in frontier})
    return found


def driven(links, walk):
    """What comes of a walk, and what it asked for; of links downstream it is sent as few as it says will do."""
    asked = []
    try:
        wanted = next(walk)
        while True:
            asked.append(wanted)
            sent = set()
            for node in wanted.nodes.get(Way.UPSTREAM, ()):
                sent |= {link for link in links if link.target == node}
            for node in wanted.nodes.get(Way.DOWNSTREAM, ()):
                sent |= set([link for link in sorted(links) if link.source == node][: wanted.most])
            wanted = walk.send(sent)
    except StopIteration as end:
        return end.value, asked


@settings(deadline=None, max_examples=150, phases=[Phase.generate])
@given(LINKS, st.lists(st.sampled_from(NODES), min_size=1, max_size=3, unique=True), WAYS, st.integers(1, 5), st.data())
def test_a_walk_is_what_it_says(links, starts, ways, depth, data):
    """Nearest first, no node twice, all links between, and truncated exactly when something is left out."""
    most = data.draw(st.integers(1, 10))

    graphs, asked = driven(links, walks(starts, ways, depth, most))

    assert len(asked) <= depth + 2
    for start, graph in zip(starts, graphs, strict=True):
        far = distances(links, start, ways)
        near = [node for node in far if far[node] <= depth]
        assert graph.nodes[0] == start
        assert len(set(graph.nodes)) == len(graph.nodes) == min(len(near), most)
        given_distances = [far[node] for node in graph.nodes]
        assert given_distances == sorted(far[node] for node in near)[: len(graph.nodes)]
        assert set(graph.links) == {link for link in links if {link.source, link.target} <= set(graph.nodes)}
        assert len(set(graph.links)) == len(graph.links)
        assert graph.is_truncated == (len(graph.nodes) < len(far))


def test_nothing_is_asked_twice_where_nothing_is_cut():
    """Once for each distance."""
    links = [Link("STARTED", *ends) for ends in pairwise(NODES)]

    [graph], asked = driven(links, walks([NODES[0]], [Way.DOWNSTREAM], 20, 100))

    assert graph.nodes == NODES
    assert [wanted.nodes for wanted in asked] == [{Way.DOWNSTREAM: {node}} for node in NODES]
