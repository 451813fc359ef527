"""Plain English with American spelling, by a list of banned words.

All code, comments, messages and documentation are searched; :data:`ALLOWED` lists exceptions.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from running import PROJECT

SEARCHED = (
    "scripts",
    "workflow",
    "profiles",
    "config",
    "docs",
    "tests",
    "benchmarks",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "data/README.md",
    "Makefile",
    "environment.sh",
)
SUFFIXES = {"", ".py", ".smk", ".md", ".rst", ".yaml", ".sh", ".html", ".js", ".css", ".jinja"}
#: Banned pattern -> replacement.
BANNED = {
    r"(work-?)?pieces?": "fit, task, part",
    r"cubes?": "window arrays, windows x steps",
    r"told|said": "reported, recorded, a name for the value",
    r"says? of|what (there is|is there)|there is to (say|see)": "messages, content",
    r"claims?": "lease, reserve",
    r"obey(s|ed)?|strangers?('s)?": "used, untrusted source",
    r"passed over|left alone": "ignored, not changed",
    r"mend(s|ed|ing)?": "fix",
    r"what is done": "completed work",
    r"(it|what|that) stands": "is",
    r"of (its|his|their) own": "a separate",
    r"taken? up again": "resumed, retried",
    r"go(es|ing)? on": "continue, resume",
    r"a text(?! (file|stream))": "a string",
    r"begun": "started",
    r"anew": "again",
    r"(laid|lay) over": "merged (later files win), overlaid",
    r"somebody|nobody": "another user, another process",
    r"(be it|whatever way)": "even, in any way",
    r"what came": "actual values",
    r"tells? (whether|what|how|which|per)": "return whether, print",
    r"(asked for|wish(ed|es)?)": "requested",
    r"none where": "None if",
    r"of old|had enough|taken over from": "older, closed, migrated from",
    r"(?<!there )(is|are|was|were) no (?!longer)\w+": "is not a",
    r"(all the same|by now|for ever|nevertheless)": "anyway, already",
    r"(values?|runs?|seals?|files?|errors?) of before": "previous, earlier",
    r"really came|(lies|lay) (on|in|inside|outside|above|below|between)": "is, actual values",
    r"stands (in|beside|on|there)": "is in",
    r"per cent": "percent",
    r"\w*colou?r(?<!color)s?": "color",
    r"grey(s|ed)?": "gray",
    r"behaviours?": "behavior",
    r"licen[c]e[sd]?": "license",
    r"neighbours?|neighbouring": "neighbor",
    r"favou?r(?<!favor)(s|ed|ite)?": "favor",
    r"honou?r(?<!honor)(s|ed)?": "honor",
    r"(optim|normal|initial|summar|recogn|standard|minim|maxim|organ)is(e[sdr]?|ing|ation)": (
        "-ize"
    ),
    r"catalogues?": "catalog",
    r"cent(red|re|res)": "centered, center",
    r"labelled|labelling|cancelled|cancelling|modelled|modelling|travelled": "one l",
}
#: (path, pattern) -> reason for the exception.
ALLOWED = {
    ("scripts/forerun/plots/index.py", r'"colours"'): "a key of plots/index.json, which users read",
    ("config/examples/flights.yaml", r"\bcancelled\b"): "a column of the shipped data",
    ("data/README.md", r"`cancelled`"): "a column of the shipped data",
    ("scripts/forerun/config/training_losses.py", r"num_pieces"): "an argument of a distribution",
    (
        "tests/forerun/config/test_training_losses.py",
        r"num_pieces",
    ): "an argument of a distribution",
    ("tests/forerun/plots/test_palette.py", r'"colours"'): "a key of plots/index.json",
    ("tests/test_slurm.py", r'"CANCELLED"'): "a state of Slurm",
    ("tests/test_browser.py", r"aria-labelledby"): "an attribute of HTML",
}
NOT_SEARCHED = {"tests/test_language.py"}


def lines() -> Iterator[tuple[str, int, str]]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *SEARCHED],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = PROJECT / name
        if path.is_file() and path.suffix in SUFFIXES and name not in NOT_SEARCHED:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                yield name, number, line


def whole(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.])(?:{pattern})(?!\w)", re.IGNORECASE)


ANY, EACH = whole("|".join(BANNED)), {word: whole(word) for word in BANNED}


def words(line: str) -> list[str]:
    """Return the banned words in a line, parts of identifiers included."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", line)
    if not ANY.search(spaced):
        return []
    return [word for word, pattern in EACH.items() if pattern.search(spaced)]


def test_words_and_parts_of_identifiers_are_found() -> None:
    assert len(words("fits that are going on")) == 1
    assert len(words("def band_colour(piece: Piece)")) == 2
    assert len(words("a piece of work of its own; it was never begun")) == 3
    assert words("One task in a separate process, of which one goes onto a GPU") == []


def test_plain_english_with_american_spelling() -> None:
    found = []
    for name, number, line in lines():
        for allowed, pattern in ALLOWED:
            line = re.sub(pattern, "", line) if name == allowed else line
        found += [f"{name}:{number}: {word}; write: {BANNED[word]}" for word in words(line)]
    assert found == []


@pytest.mark.parametrize(("name", "pattern"), ALLOWED)
def test_every_exception_is_needed(name: str, pattern: str) -> None:
    assert re.search(pattern, (PROJECT / name).read_text(encoding="utf-8"))
