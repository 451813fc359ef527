"""Numbers as strings: decimal marks and thousands separators, detected for each column."""

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
"""Values of the key ``decimal`` -> decimal mark."""
MISSING_WORDS = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", "<na>", "nat", "-nan"})
#: Blanks and apostrophes between groups of three digits can only be thousands separators.
_GROUPED = re.compile("[+-]?\\d{1,3}([ \u00a0\u202f'\u2019]\\d{3})+([.,]\\d*)?")
_BETWEEN = re.compile("[ \u00a0\u202f'\u2019]")


def _single(mark: str) -> str:
    """Return a pattern for numbers with one mark: 1.5, .5, 5. and 1.5e3."""
    return rf"^[+-]?(\d*\{mark}\d+|\d+\{mark})([eE][+-]?\d+)?$"


def _doubtful(mark: str) -> str:
    """Return a pattern for one to three digits, a mark and three digits: 1.012 or 1012."""
    return rf"^[+-]?[1-9]\d{{0,2}}\{mark}\d{{3}}$"


def _decided(mark: str, other: str) -> str:
    """Return a pattern for numbers in which `other` clearly groups thousands."""
    return rf"^[+-]?[1-9]\d{{0,2}}((\{other}\d{{3}})+\{mark}\d*|(\{other}\d{{3}}){{2,}})$"


@dataclass(frozen=True)
class Evidence:
    """Evidence for the number format of a column, from its distinct strings.

    Attributes
    ----------
    certain : frozenset of str
        Marks that are the decimal mark of at least one string.
    doubtful : mapping
        Mark -> a string such as ``1.012`` in which it may be a decimal mark or group thousands.
    grouped : frozenset of str
        Doubtful marks that look like thousands separators: strings such as ``1.020`` keep a
        trailing zero next to ``987``, and no integer of four digits lacks the mark.
    """

    certain: frozenset[str]
    doubtful: Mapping[str, str]
    grouped: frozenset[str] = frozenset()

    @classmethod
    def of(cls, texts: Iterable[str] | pa.Array) -> Evidence:
        """Collect the evidence from the distinct strings of a column."""
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
        """Return the decimal mark if this column alone is unambiguous."""
        clear = len(self.certain) == 1 and not self.doubtful.keys() - self.certain
        return next(iter(self.certain)) if clear else None


@dataclass(frozen=True)
class Writing:
    """Number format of a column: ``Writing(",")`` for 1.012,5."""

    decimal: str

    @property
    def pattern(self) -> str:
        """Regular expression that matches numbers of this format."""
        group, mark = re.escape(OTHER[self.decimal]), re.escape(self.decimal)
        whole = rf"\d+|\d{{1,3}}({group}\d{{3}})+"
        return rf"[+-]?({whole})?({mark}\d*)?([eE][+-]?\d+)?"

    def plain(self, text: str) -> str | None:
        """Return a number in Python's notation; None if it does not match the format."""
        if not re.fullmatch(self.pattern, text):
            return None
        return text.replace(OTHER[self.decimal], "").replace(self.decimal, ".")


def many_numbers(texts: list[str], writing: Writing | None) -> Floats | None:
    """Convert strings to numbers at once; None if any string is not a number."""
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
    """Return the decimal mark of a few distinct strings; None if it is ambiguous."""
    marked = [cell for cell in cells if "," in cell or "." in cell]
    for mark, other in OTHER.items():
        if marked and not any(other in cell for cell in marked):
            return mark if any(_clear(mark, cell) for cell in marked) else None
    return Evidence.of(cells).alone() if marked else None


def _clear(mark: str, text: str) -> bool:
    return bool(re.match(_single(mark), text)) and not re.match(_doubtful(mark), text)


def without_blanks(text: str) -> str:
    """Return numbers such as ``1 012,5`` and ``1'012.5`` without thousands separators."""
    return _BETWEEN.sub("", text) if _GROUPED.fullmatch(text) else text


def texts_of(column: pd.Series) -> list[str] | None:
    """Return the distinct strings of a column; None if it has none."""
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
    where: str = "",
) -> dict[str, Writing]:
    """Determine the number format of the columns of a table.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``attrs["decimals"]`` has the marks of columns that are already numeric, and
        ``attrs["prior"]`` the likely mark of the file: a point if commas separate columns, a comma
        if semicolons do, None for tabs; a point by default.
    columns : iterable of str
        Columns that must be numeric.
    decimal : {"point", "comma"}, optional
        Decimal mark to use if the table is ambiguous.

    Returns
    -------
    dict
        Column -> number format, for columns of strings with a mark.
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
                problems.note(
                    f"column {show(name)}{where}: {MARKS[OTHER[mark]]}s were read as thousands "
                    f"separators, {show(text)} is {text.replace(OTHER[mark], '')}"
                )
        elif evidence.doubtful and not evidence.certain:
            problems.add(_both_readings(name, evidence, where, grouped))
    if commas:
        names = ", ".join(show(name) for name in commas[:5]) + (", ..." if len(commas) > 5 else "")
        problems.note(f"numbers were read with a decimal comma{where} ({names})")
    return chosen


def _choose(
    evidence: Evidence, expected: str | None, prior: str | None, given: bool
) -> tuple[str | None, bool]:
    """Return the decimal mark of a column; None if there is none or it is ambiguous.

    The second value is True if numbers look grouped, contrary to the rest of the table.
    """
    if len(evidence.certain) == 1:
        return next(iter(evidence.certain)), False
    if evidence.certain or len(evidence.doubtful) != 1:
        # Contradictory numbers are reported later; with both marks doubtful the table decides.
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
    """Describe the two interpretations of an ambiguous number."""
    mark, text = next(iter(evidence.doubtful.items()))
    whole, fraction = text.replace(mark, ""), text.replace(mark, ".")
    why = ""
    if grouped:
        why = " (among whole numbers, and zeros at its end were kept)"
    return (
        f"column {show(name)}{where}: {show(text)} may be {whole} ({MARKS[mark]}s group thousands) "
        f"or {fraction} (a decimal {MARKS[mark]}){why}; set "
        f"decimal: {MARKS[OTHER[mark]]} or decimal: {MARKS[mark]}"
    )
