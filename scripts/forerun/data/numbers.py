"""Numbers as written in files: decimal marks and thousands separators, column by column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forerun.data.problems import Problems, show

Floats = npt.NDArray[np.float64]

MARKS = {".": "point", ",": "comma"}
OTHER = {".": ",", ",": "."}
SETTINGS = {"point": ".", "comma": ","}
"""Values of the key ``decimal`` -> the mark."""
MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", "<na>", "nat", "-nan"})
#: Blanks and apostrophes between groups of three digits can only be thousands separators.
_GROUPED = re.compile("[+-]?\\d{1,3}([ \u00a0\u202f'\u2019]\\d{3})+([.,]\\d*)?")
_BETWEEN = re.compile("[ \u00a0\u202f'\u2019]")


def _single(mark: str) -> str:
    """A number with one mark and no other: 1.5, .5, 5. and 1.5e3."""
    return rf"^[+-]?(\d*\{mark}\d+|\d+\{mark})([eE][+-]?\d+)?$"


def _doubtful(mark: str) -> str:
    """One to three digits, a mark and three digits: 1.012 and 1012 are both possible."""
    return rf"^[+-]?[1-9]\d{{0,2}}\{mark}\d{{3}}$"


def _decided(mark: str, other: str) -> str:
    """A number in which `other` groups thousands, so that `mark` can only be the decimal mark."""
    return rf"^[+-]?[1-9]\d{{0,2}}((\{other}\d{{3}})+\{mark}\d*|(\{other}\d{{3}}){{2,}})$"


@dataclass(frozen=True)
class Evidence:
    """What the different texts of one column tell about how its numbers are written.

    Attributes
    ----------
    certain : frozenset of str
        Marks that at least one text needs as its decimal mark.
    doubtful : mapping
        Mark -> a string such as ``1.012`` in which it may be a decimal mark or group thousands.
    grouped : frozenset of str
        Doubtful marks that group thousands if any does: beside ``987`` no writer of decimals
        leaves the zero of ``1.020``, and no whole number of four digits lacks the mark.
    """

    certain: frozenset[str]
    doubtful: Mapping[str, str]
    grouped: frozenset[str] = frozenset()

    @classmethod
    def of(cls, texts: Iterable[str] | pa.Array) -> Evidence:
        """Look at the different texts of a column."""
        words = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
        words = pc.utf8_trim_whitespace(words)
        certain, doubtful, grouped = set(), {}, set()
        plain = words.filter(pc.match_substring_regex(words, r"^[+-]?[1-9]\d*$"))
        long = pc.any(pc.match_substring_regex(plain, r"\d{4}")).as_py()
        for mark, other in OTHER.items():
            unclear = pc.match_substring_regex(words, _doubtful(mark))
            single = pc.match_substring_regex(words, _single(mark))
            clear = pc.and_(single, pc.invert(unclear))
            clear = pc.or_(clear, pc.match_substring_regex(words, _decided(mark, other)))
            if pc.any(clear).as_py():
                certain.add(mark)
            if pc.any(unclear).as_py():
                examples = words.filter(unclear)
                doubtful[mark] = examples[0].as_py()
                if len(plain) and not long and pc.any(pc.ends_with(examples, "0")).as_py():
                    grouped.add(mark)
        return cls(frozenset(certain), doubtful, frozenset(grouped))

    def alone(self) -> str | None:
        """Return the decimal mark if this column by itself leaves no doubt."""
        clear = len(self.certain) == 1 and not self.doubtful.keys() - self.certain
        return next(iter(self.certain)) if clear else None


@dataclass(frozen=True)
class Writing:
    """How the numbers of one column are written: ``Writing(",")`` for 1.012,5."""

    decimal: str

    @property
    def pattern(self) -> str:
        """What such numbers look like, as a regular expression."""
        group, mark = re.escape(OTHER[self.decimal]), re.escape(self.decimal)
        whole = rf"\d+|\d{{1,3}}({group}\d{{3}})+"
        return rf"[+-]?({whole})?({mark}\d*)?([eE][+-]?\d+)?"

    def plain(self, text: str) -> str | None:
        """Return a number as Python reads it; None if it is not written this way."""
        if not re.fullmatch(self.pattern, text):
            return None
        return text.replace(OTHER[self.decimal], "").replace(self.decimal, ".")


def many_numbers(texts: list[str], writing: Writing | None) -> Floats | None:
    """Return many texts as numbers at once; None where one of them is something else."""
    words = pc.utf8_trim_whitespace(pa.array(texts, pa.string()))
    missing = pc.is_in(pc.utf8_lower(words), pa.array(sorted(MISSING_WORDS)))
    words = pc.if_else(missing, pa.scalar(None, pa.string()), words)
    if writing is not None:
        if not pc.all(pc.match_substring_regex(words, f"^{writing.pattern}$")).as_py():
            return None
        words = pc.replace_substring(words, OTHER[writing.decimal], "")
        words = pc.replace_substring(words, writing.decimal, ".")
    try:
        numbers: Floats = pc.cast(words, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None
    return numbers


def surely(cells: set[str]) -> str | None:
    """Return the decimal mark of a few different texts, None where it is open."""
    marked = [cell for cell in cells if "," in cell or "." in cell]
    for mark, other in OTHER.items():
        if marked and not any(other in cell for cell in marked):
            return mark if any(_clear(mark, cell) for cell in marked) else None
    return Evidence.of(cells).alone() if marked else None


def _clear(mark: str, text: str) -> bool:
    return bool(re.match(_single(mark), text)) and not re.match(_doubtful(mark), text)


def without_blanks(text: str) -> str:
    """Return ``1 012,5`` and ``1'012.5`` without what groups their thousands."""
    return _BETWEEN.sub("", text) if _GROUPED.fullmatch(text) else text


def texts_of(column: pd.Series) -> list[str] | None:
    """Return the different texts of a column; None where it holds no text."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        values = np.asarray(dtype.categories, dtype=object)
    elif isinstance(dtype, pd.StringDtype) or dtype.kind == "O":
        try:
            values = np.asarray(pd.unique(column), dtype=object)
        except TypeError:  # lists and dictionaries
            values = np.array([], dtype=object)
    else:
        return None
    found = [without_blanks(value.strip()) for value in values if isinstance(value, str)]
    return found or None


def writings(
    frame: pd.DataFrame,
    columns: Iterable[str],
    decimal: str | None,
    problems: Problems,
    notes: list[str],
    where: str = "",
) -> dict[str, Writing]:
    """Decide how the numbers of a table are written, and say what was decided.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``attrs["decimals"]`` holds the marks of columns that are numbers already and
        ``attrs["prior"]`` the mark that the kind of file lets expect: a point where commas separate
        columns, a comma where semicolons do, None for tabs; a point if there is no such entry.
    columns : iterable of str
        Those that must be numbers.
    decimal : {"point", "comma"}, optional
        The mark that decides where the table itself leaves it open.

    Returns
    -------
    dict
        Column -> how it is written, for columns of text with a mark.
    """
    given = SETTINGS.get(decimal or "")
    before: dict[str, str] = frame.attrs.get("decimals", {})
    prior = frame.attrs.get("prior", ".")
    commas = [name for name in columns if before.get(name) == ","]
    found: dict[str, Evidence] = {}
    for name in dict.fromkeys(columns):
        texts = None if name in before else texts_of(frame[name])
        if texts:
            found[name] = Evidence.of(texts)
    marks = {before[name] for name in columns if name in before}
    marks = marks.union(*(evidence.certain for evidence in found.values()))
    chosen = {}
    for name, evidence in found.items():
        expected = given or (next(iter(marks)) if len(marks) == 1 else None)
        mark, grouped = _choose(evidence, expected, prior if not marks else None, bool(given))
        if mark:
            chosen[name] = Writing(mark)
            if "," in (evidence.certain | evidence.doubtful.keys()) and mark == ",":
                commas.append(name)
            if OTHER[mark] in evidence.doubtful:
                text = evidence.doubtful[OTHER[mark]]
                notes.append(
                    f"column {show(name)}{where}: {MARKS[OTHER[mark]]}s were read as thousands "
                    f"separators, {show(text)} is {text.replace(OTHER[mark], '')}"
                )
        elif evidence.doubtful and not evidence.certain:
            problems.add(_both_readings(name, evidence, where, grouped))
    if commas:
        said = ", ".join(show(name) for name in commas[:5]) + (", ..." if len(commas) > 5 else "")
        notes.append(f"numbers were read with a decimal comma{where} ({said})")
    return chosen


def _choose(
    evidence: Evidence, expected: str | None, prior: str | None, given: bool
) -> tuple[str | None, bool]:
    """Return the decimal mark of a column, None where there is none or where it is open.

    The second value says that numbers look grouped although the rest of the table speaks against.
    """
    if len(evidence.certain) == 1:
        return next(iter(evidence.certain)), False
    if evidence.certain or len(evidence.doubtful) != 1:
        # Both marks: contradictory numbers are reported as such, by the point.
        return (expected if len(evidence.doubtful) > 1 and not evidence.certain else None), False
    mark = next(iter(evidence.doubtful))
    looks_grouped = mark in evidence.grouped
    if given:
        return expected, False
    if expected:
        return (None, True) if expected == mark and looks_grouped else (expected, False)
    if prior == mark:
        return (None, True) if looks_grouped else (mark, False)
    return (OTHER[mark] if looks_grouped else None), False


def _both_readings(name: str, evidence: Evidence, where: str, grouped: bool) -> str:
    """Describe the two numbers that a string may be."""
    mark, text = next(iter(evidence.doubtful.items()))
    whole, fraction = text.replace(mark, ""), text.replace(mark, ".")
    why = ""
    if grouped:
        why = " (beside whole numbers, and zeros at its end were kept)"
    return (
        f"column {show(name)}{where}: {show(text)} may be {whole} ({MARKS[mark]}s group thousands) "
        f"or {fraction} (a decimal {MARKS[mark]}){why}; say which with "
        f"decimal: {MARKS[OTHER[mark]]} or decimal: {MARKS[mark]}"
    )
