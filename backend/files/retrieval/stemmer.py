"""Porter's stemmer for English (1980), which leaves words of other alphabets as they are."""

import re

_VOWEL = r"(?:[aeiou]|(?<=[^aeiou])y)"
_HAS_VOWEL = re.compile(_VOWEL)
# A consonant, a vowel and a consonant that is not w, x or y, at the end: `hop`, but not `snow`.
_SHORT_END = re.compile(rf"[^aeiou]{_VOWEL}[^aeiouwxy]$")
_DOUBLE_END = re.compile(r"([^aeioulsz])\1$")
_RUNS = re.compile(rf"{_VOWEL}+[^aeiouy]|{_VOWEL}+y(?=[aeiou])")
_STEP_2 = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize",
    "bli": "ble", "alli": "al", "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize",
    "ation": "ate", "ator": "ate", "alism": "al", "iveness": "ive", "fulness": "ful",
    "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble", "logi": "log",
}  # fmt: skip
_STEP_3 = {
    "icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": "",
}  # fmt: skip
_STEP_4 = (
    "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous",
    "ive", "ize", "ion", "al", "er", "ic", "ou",
)  # fmt: skip


def stem(word: str) -> str:
    """Return the stem of a word in lower case."""
    if len(word) < 3 or not (word.isascii() and word.isalpha()):
        return word
    word = _without_plural(word)
    word = _without_past(word)
    if word.endswith("y") and _HAS_VOWEL.search(word[:-1]):
        word = word[:-1] + "i"
    word = _with_suffix_replaced(_with_suffix_replaced(word, _STEP_2), _STEP_3)
    return _without_final_e(_without_suffix(word))


def _measure(word: str) -> int:
    """Count the vowels that consonants follow, in Porter's words m in [C](VC)^m[V]."""
    return len(_RUNS.findall(word))


def _without_plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _without_past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) else word
    for suffix in ("ed", "ing"):
        rest = word.removesuffix(suffix)
        if rest != word and _HAS_VOWEL.search(rest):
            return _repaired(rest)
    return word


def _repaired(word: str) -> str:
    """Return what `ed` or `ing` was taken from as its stem: `hop` of `hopp`, `file` of `fil`."""
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if _DOUBLE_END.search(word):
        return word[:-1]
    return word + "e" if _measure(word) == 1 and _SHORT_END.search(word) else word


def _with_suffix_replaced(word: str, endings: dict[str, str]) -> str:
    for suffix, ending in endings.items():
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            return rest + ending if _measure(rest) else word
    return word


def _without_suffix(word: str) -> str:
    for suffix in _STEP_4:
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            is_removed = _measure(rest) > 1 and (suffix != "ion" or rest.endswith(("s", "t")))
            return rest if is_removed else word
    return word


def _without_final_e(word: str) -> str:
    if word.endswith("e"):
        rest = word[:-1]
        measure = _measure(rest)
        if measure > 1 or (measure == 1 and not _SHORT_END.search(rest)):
            word = rest
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word
