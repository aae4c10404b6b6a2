"""Attacks by what a document says."""
# ruff: noqa: UP031 - the braces are those of GraphQL

from collections.abc import Iterator

from tests.attacks.attack import (
    ANSWERED,
    NOT_PARSED,
    NOT_VALID,
    TOO_MUCH,
    WRONG_FIELD,
    Attack,
    asked,
    either,
    right,
)

REFUSED = right(400, codes="TOO_COMPLEX GRAPHQL_PARSE_FAILED GRAPHQL_VALIDATION_FAILED")
"""One of several checks refuses it; which of them comes first is no matter."""


NESTED = either(200, 400, codes="BAD_USER_INPUT TOO_COMPLEX GRAPHQL_PARSE_FAILED")


def nested(depth: int) -> str:
    """A document of a depth."""
    return '{ run(runId: "a")' + "{ parent" * (depth - 2) + "{ id }" + "}" * (depth - 1)


def fanned(times: int, one: str, leaf: str = "__typename") -> str:
    """Fragments of which each leads to the next one more than once."""
    fragments = " ".join("fragment F%d on Query { %s }" % (n, one.replace("F?", f"F{n + 1}")) for n in range(times))
    return "{ ...F0 } %s fragment F%d on Query { %s }" % (fragments, times, leaf)


def ring(length: int, *, spreads: int = 1) -> str:
    """Fragments that lead to each other, and at last to the first."""
    one = "fragment F%d on Query { __typename %s }"
    return "{ ...F0 } " + " ".join(one % (n, f"...F{(n + 1) % length} " * spreads) for n in range(length))


def all_to_all(count: int) -> str:
    """Fragments of which each leads to all others."""
    others = [" ".join(f"...F{m}" for m in range(count) if m != n) for n in range(count)]
    return "{ ...F0 } " + " ".join("fragment F%d on Query { %s }" % pair for pair in enumerate(others))


def deep() -> Iterator[Attack]:
    """What is nested deeply."""
    yield asked("fields, 16 deep", nested(16), TOO_MUCH)
    yield asked("fields, 190 deep", nested(190), TOO_MUCH)
    yield asked("fields, 400 deep", nested(400), NOT_PARSED)
    yield asked("fields, 30,000 deep", "{a" * 30_000, NOT_PARSED)
    yield asked("braces alone", "{" * 90_000, NOT_PARSED)
    yield asked("inline fragments, 190 deep", "{" + "...{" * 190 + "__typename" + "}" * 191, ANSWERED)
    yield asked("lists in an argument, 300 deep", "{nodes(ids:" + "[" * 300 + "]" * 300 + "){id}}", REFUSED)
    yield asked("lists in an argument, 900 deep", "{nodes(ids:" + "[" * 900 + "]" * 900 + "){id}}", REFUSED)
    filters = "{runs(filterBy:" + "{not:" * 180 + "{}" + "}" * 180 + "){totalCount}}"
    yield asked("objects in an argument, 180 deep", filters, NESTED)
    filters = "{runs(filterBy:" + "{or:[" * 180 + "{}" + "]}" * 180 + "){totalCount}}"
    yield asked("alternatives in an argument, 180 deep", filters, NESTED)
    yield asked(
        "a type of a variable, 400 deep", "query($a:" + "[" * 400 + "Int" + "]" * 400 + "){__typename}", REFUSED
    )


def wide() -> Iterator[Attack]:
    """Much beside each other: aliases, fields, operations."""
    yield asked("3,000 aliases that fail", "{%s}" % " ".join(f"a{n}:b" for n in range(3_000)), NOT_PARSED)
    yield asked("600 aliases that fail", "{%s}" % " ".join(f"a{n}:b" for n in range(600)), TOO_MUCH)
    aliases = " ".join(f"a{n}:totalCount" for n in range(31))
    yield asked("31 aliases", "{runs{%s}}" % aliases, TOO_MUCH)
    counts = " ".join(f"a{n}:runs{{totalCount}}" for n in range(20))
    yield asked("20 counts under aliases", "{%s}" % counts, ANSWERED, sql=True)
    yield asked("1,900 fields at the root", "{%s}" % ("__typename " * 1_900), TOO_MUCH)
    yield asked("1,900 times the same field", "{limits{%s}}" % ("maxDepth " * 1_900), TOO_MUCH)
    yield asked("300 operations", " ".join(f"query O{n}{{__typename}}" for n in range(300)), TOO_MUCH)
    yield asked("two operations of a name", "query A{__typename} query A{__typename}", NOT_VALID)
    yield asked("90,000 letters in a name", "{%s}" % ("a" * 90_000), NOT_VALID)
    yield asked("90,000 letters in an alias", "{%s:__typename}" % ("a" * 90_000), ANSWERED)
    yield asked("a text of 90,000 letters", '{run(runId:"%s"){id}}' % ("a" * 90_000), ANSWERED, sql=True)
    yield asked("a block of 30,000 lines", '{run(runId:"""%s"""){id}}' % (" \n" * 30_000), ANSWERED)
    yield asked("more bytes than may be", "{__typename}" + " " * 100_000, NOT_PARSED)
    yield asked("90,000 commas", "{__typename}" + "," * 90_000, ANSWERED)
    yield asked("30,000 comments", "#\n" * 30_000 + "{__typename}", NOT_PARSED)
    yield asked("one long comment", "{__typename}#" + "a" * 90_000, ANSWERED)
    yield asked("45,000 marks that end no text", "{__typename}" + '\\"' * 45_000, NOT_PARSED)
    yield asked("45,000 marks in a comment", "{__typename}#" + '\\"' * 45_000, ANSWERED)
    yield asked("40,000 tokens", "{%s}" % ("a " * 40_000), NOT_PARSED)
    yield asked("definitions of types", "type A{b:Int} " * 200, right(400, codes="GRAPHQL_VALIDATION_FAILED"))
    yield asked("500 names that are nearly right", "{limits{%s}}" % ("maxDepht " * 500), REFUSED)


def repeated() -> Iterator[Attack]:
    """Fragments, of every kind that grows without end."""
    for name, one in {
        "spread twice": "...F? ...F?",
        "spread ten times": "...F? " * 10,
        "in inline fragments": "...{...F?} ...{...F?}",
        "in typed inline fragments": "... on Query{...F?} ...F?",
        "left out": "...F? @skip(if:true) ...F? @include(if:false)",
    }.items():
        yield asked(f"60 fragments, each {name}", fanned(60, one), TOO_MUCH)
    below = "fragment F{0} on Run {{ a:parent{{...F{1}}} b:parent{{...F{1}}} }} "
    fragments = "".join(below.format(n, n + 1) for n in range(12)) + "fragment F12 on Run { id }"
    yield asked("12 fragments, each under two aliases", '{run(runId:"a"){...F0}}' + fragments, TOO_MUCH)
    yield asked("60 fragments, each spread twice, of nothing", fanned(60, "...F? ...F?", "...Missing"), NOT_VALID)
    aliased = "a:runs{...F?} b:runs{...F?}"
    yield asked("60 fragments of the wrong type", fanned(60, aliased), TOO_MUCH)
    yield asked("a fragment in itself", ring(1), NOT_VALID)
    yield asked("a ring of 100 fragments", ring(100), REFUSED)
    yield asked("a ring of 60 fragments, each spread twice", ring(60, spreads=2), REFUSED)
    yield asked(
        "a ring that says nothing else", "{...A}fragment A on Query{...B}fragment B on Query{...A ...A}", NOT_VALID
    )
    yield asked("30 fragments, each in all others", all_to_all(30), REFUSED)
    chain = " ".join("fragment F%d on Query{...F%d}" % (n, n + 1) for n in range(240))
    yield asked("a chain of 240 fragments", "{...F0}" + chain, REFUSED)
    unused = " ".join(f"fragment F{n} on Query{{__typename}}" for n in range(240))
    yield asked("240 fragments that nobody uses", "{__typename}" + unused, NOT_VALID)
    yield asked("240 fragments of a name", "{...F}" + "fragment F on Query{__typename}" * 240, NOT_VALID)
    yield asked("400 fragments that are missing", "{%s}" % " ".join(f"...F{n}" for n in range(400)), REFUSED)


def overlapping() -> Iterator[Attack]:
    """Fields of the same name in the answer, which all have to be compared."""
    yield asked(
        "600 times the same list", "{runs{%s}}" % ("nodes{id}" * 450), either(200, 400, codes="TOO_COMPLEX"), sql=True
    )
    differing = "".join("metric(key:%s)" % f'"{n}"' for n in range(300))
    yield asked("300 fields with arguments that differ", '{run(runId:"a"){%s}}' % differing, REFUSED)
    renamed = " ".join(f"a:{name}" for name in ("runId", "name") * 15)
    yield asked("30 fields of one alias", '{run(runId:"a"){%s}}' % renamed, REFUSED)
    below = "parent{" * 10 + "%s" + "}" * 10
    fields = "".join(below % f'metric(key:"{n}")' for n in range(80))
    yield asked("80 conflicts, 10 deep", '{run(runId:"a"){%s}}' % fields, REFUSED)
    pairs = "".join('fragment F%d on Run{metric(key:"%d")}' % (n, n) for n in range(130))
    spreads = "".join(f"...F{n} " for n in range(130))
    yield asked("130 fragments with a conflict each", '{run(runId:"a"){%s}}%s' % (spreads, pairs), REFUSED)
    levels = "".join(
        "fragment F%d on Run{parent{...F%d ...G%d}} fragment G%d on Run{parent{...G%d ...F%d}}"
        % (n, n + 1, n + 1, n, n + 1, n + 1)
        for n in range(11)
    )
    levels += 'fragment F11 on Run{metric(key:"a")} fragment G11 on Run{metric(key:"b")}'
    yield asked("pairs of fragments, 11 deep", '{run(runId:"a"){...F0 ...G0}}' + levels, REFUSED)


def directed() -> Iterator[Attack]:
    """Directives."""
    yield asked("900 directives that there are not", "{__typename%s}" % ("@a" * 900), TOO_MUCH)
    yield asked("50 directives that there are not", "{__typename%s}" % ("@a" * 50), NOT_VALID)
    yield asked("200 times the same directive", "{__typename%s}" % ("@skip(if:true)" * 200), TOO_MUCH)
    yield asked("10 times the same directive", "{__typename%s}" % ("@skip(if:false)" * 10), NOT_VALID)
    yield asked("directives on a variable", "query($a:Int%s){__typename}" % ("@a" * 60), TOO_MUCH)
    yield asked("directives on an operation", "query %s{__typename}" % ("@skip(if:true)" * 9), NOT_VALID)
    yield asked("a directive with a long list", "{__typename@skip(if:[%s])}" % ("1 " * 1_000), TOO_MUCH)
    yield asked("a directive elsewhere", "{__typename@deprecated@specifiedBy(url:7)}", NOT_VALID)
    yield asked("@defer", "{...@defer{runs{nodes{id}}}}", NOT_VALID)
    yield asked("@stream", "{runs{nodes@stream(initialCount:0){id}}}", NOT_VALID)


def circular() -> Iterator[Attack]:
    """Questions about the schema, in which everything leads to everything."""
    yield asked(
        "types of fields of types", "{__schema{types" + "{fields{type" * 7 + "{name}" + "}}" * 7 + "}}", REFUSED
    )
    yield asked(
        "types of fields, 4 times", "{__schema{types" + "{fields{type" * 4 + "{name}" + "}}" * 4 + "}}", REFUSED
    )
    ways = "{interfaces{possibleTypes" * 5 + "{name}" + "}}" * 5
    yield asked("interfaces of what has them", "{__schema{types%s}}" % ways, REFUSED)
    inputs = "{inputFields{type{ofType" * 4 + "{name}" + "}}}" * 4
    yield asked("inputs of inputs", "{__schema{types%s}}" % inputs, REFUSED)
    one = "__schema{types{fields{args{type{name kind ofType{name}}}}}}"
    whole = " ".join(f"a{n}:{one}" for n in range(20))
    yield asked("the schema, 20 times", "{%s}" % whole, either(200, 400, codes="TOO_COMPLEX"))
    types = " ".join(f't{n}:__type(name:"Query"){{fields{{args{{type{{name}}}}}}}}' for n in range(20))
    yield asked("a type, 20 times", "{%s}" % types, ANSWERED)
    yield asked("a type that there is not", '{__type(name:"%s"){name}}' % ("A" * 50_000), ANSWERED)


def numbered() -> Iterator[Attack]:
    """Numbers that are none to work with."""
    for digits in (4_301, 90_000):
        number = "9" * digits
        yield asked(f"a whole number of {digits:,} digits", "{runs(first:%s){totalCount}}" % number, NOT_VALID)
        yield asked(f"an ID of {digits:,} digits", "{node(id:%s){id}}" % number, ANSWERED)
        default = "query($n:Int!=%s){runs(first:$n){totalCount}}" % number
        yield asked(f"a default of {digits:,} digits", default, NOT_VALID)
    condition = '{runs(filterBy:{metrics:[{key:"a",gt:%s}]}){totalCount}}'
    for number in ("1e400", "-1e400", "9" * 1_000, "0." + "1" * 90_000):
        name = number if len(number) < 10 else f"of {len(number):,} characters"
        yield asked(
            f"the fraction {name}",
            condition % number,
            either(200, 400, codes="GRAPHQL_VALIDATION_FAILED BAD_USER_INPUT"),
            sql=True,
        )
    for number in (0, -1, 101, 2**31 - 1, -(2**31)):
        yield asked(
            f"a page of {number}",
            "{runs(first:%d){nodes{id}}}" % number,
            either(200, 400, codes="BAD_USER_INPUT TOO_COMPLEX"),
        )
    for number in (2**31, 2**63, -(2**63)):
        yield asked(f"a page of {number}", "{runs(first:%d){nodes{id}}}" % number, NOT_VALID)


def written() -> Iterator[Attack]:
    """Letters of all kinds."""
    yield asked("NUL in a document", "{run\0s{totalCount}}", NOT_PARSED)
    yield asked("NUL in a text", '{experiment(name:"a\\u0000"){id}}', WRONG_FIELD, sql=True)
    yield asked("half a character in a text", '{run(runId:"\\uD800"){id}}', NOT_PARSED)
    yield asked("a character that there is not", '{run(runId:"\\u{110000}"){id}}', NOT_PARSED)
    yield asked("half a character, escaped twice", '{run(runId:"\\u{D800}"){id}}', NOT_PARSED)
    yield asked("a mark of byte order", "\ufeff{__typename}", ANSWERED)
    yield asked("letters that look like others", "{r\u057dns{totalCount}}", NOT_PARSED)
    yield asked("letters of full width", "{\uff52uns{totalCount}}", NOT_PARSED)
    yield asked("a name from right to left", '{experiment(name:"\u202egnp.exe\u2066"){id}}', ANSWERED, sql=True)
    yield asked("30,000 marks on a letter", '{experiment(name:"e%s"){id}}' % ("\u0301" * 30_000), ANSWERED, sql=True)
    yield asked("characters of four bytes", '{experiment(name:"%s"){id}}' % ("\U0001f6eb" * 20_000), ANSWERED, sql=True)
    yield asked("breaks of lines that are none", "{__typename\u2028\u2029}", NOT_PARSED)


def dear() -> Iterator[Attack]:
    """What asks for more objects than may be."""
    pages = "experiments(first:100){nodes{runs(first:100){nodes{modelVersions(first:100){nodes{id}}}}}}"
    yield asked("pages within pages", "{%s}" % pages, TOO_MUCH)
    histories = '{runs(first:100){nodes{metricHistory(key:"m",first:10000){nodes{value}}}}}'
    yield asked("histories of a page of runs", histories, either(200, 400, codes="TOO_COMPLEX BAD_USER_INPUT"))
    graphs = "{runs(first:100){nodes{lineage(depth:10,maxNodes:1000){nodes{id}}}}}"
    yield asked("lineages of a page of runs", graphs, right(400, codes="TOO_COMPLEX"))
    yield asked(
        "a lineage without end",
        "{runs(first:1){nodes{lineage(depth:2147483647,maxNodes:2147483647){nodes{id}}}}}",
        either(200, 400, codes="TOO_COMPLEX BAD_USER_INPUT"),
    )
    at = '{registryAt(at:"2030-01-01T00:00:00Z",first:10000){stages{stage version{run{id}}}aliases{alias}}}'
    yield asked("the registry at a moment, whole", at, right(400, codes="TOO_COMPLEX GRAPHQL_VALIDATION_FAILED"))
    yield asked(
        "a moment that there is not",
        '{registryAt(at:"999999-99-99T99:99:99Z"){stages{stage}}}',
        either(200, 400, codes="BAD_USER_INPUT GRAPHQL_VALIDATION_FAILED"),
    )
    yield asked("101 IDs", "{nodes(ids:[%s]){id}}" % ('"a" ' * 101), TOO_MUCH)
    yield asked(
        "20 subscriptions in one",
        "subscription{%s}" % " ".join(f"a{n}:registryEvents{{id}}" for n in range(20)),
        NOT_VALID,
    )


def all_of_them() -> Iterator[Attack]:
    """All of these kinds."""
    for kind in (deep, wide, repeated, overlapping, directed, circular, numbered, written, dear):
        yield from kind()
