"""Languages by the names and codes that people, cards and repositories call them by."""

import functools
from collections.abc import Collection, Iterable

from langcodes import standardize_tag, tag_is_valid
from langcodes.tag_parser import LanguageTagError

from records.candidate import Candidate

NAMES = {
    "english": "en", "german": "de", "deutsch": "de", "french": "fr", "francais": "fr", "français": "fr",
    "spanish": "es", "espanol": "es", "español": "es", "italian": "it", "italiano": "it", "portuguese": "pt",
    "portugues": "pt", "português": "pt", "brazilian": "pt", "dutch": "nl", "nederlands": "nl", "polish": "pl",
    "polski": "pl", "russian": "ru", "ukrainian": "uk", "turkish": "tr", "türkçe": "tr", "turkce": "tr", "arabic": "ar",
    "hindi": "hi", "bengali": "bn", "bangla": "bn", "urdu": "ur", "tamil": "ta", "telugu": "te", "marathi": "mr",
    "chinese": "zh", "mandarin": "zh", "japanese": "ja", "korean": "ko", "swedish": "sv", "danish": "da",
    "norwegian": "no", "finnish": "fi", "czech": "cs", "slovak": "sk", "slovenian": "sl", "croatian": "hr",
    "serbian": "sr", "bulgarian": "bg", "greek": "el", "hebrew": "he", "indonesian": "id", "bahasa": "id",
    "malay": "ms", "vietnamese": "vi", "thai": "th", "persian": "fa", "farsi": "fa", "romanian": "ro",
    "hungarian": "hu", "catalan": "ca", "basque": "eu", "estonian": "et", "latvian": "lv", "lithuanian": "lt",
    "swahili": "sw", "hausa": "ha", "yoruba": "yo", "amharic": "am", "kazakh": "kk", "azerbaijani": "az",
    "filipino": "tl", "tagalog": "tl", "afrikaans": "af", "icelandic": "is", "irish": "ga", "welsh": "cy",
}  # fmt: skip
"""A language's name in English, and in itself where texts and repositories use that, in lower case → ISO 639 code."""

_OTHER_CODES = {
    "nb": "no", "nn": "no", "fil": "tl", "jp": "ja", "cn": "zh", "kr": "ko", "mul": "multilingual",
    "multi": "multilingual",
}  # fmt: skip
"""Codes that the standard has none for, or that are one language to a reader of texts → the one that stands for it."""
CODES = frozenset(NAMES.values())
_MANY = frozenset({"multilingual", "multi", "mul"})
_ENCODERS = {
    "camembert": "fr", "flaubert": "fr", "gbert": "de", "gelectra": "de", "beto": "es", "bertin": "es",
    "robertuito": "es", "roberta bne": "es", "rubert": "ru", "ruroberta": "ru", "arabert": "ar", "camelbert": "ar",
    "marbert": "ar", "berturk": "tr", "bertimbau": "pt", "bertje": "nl", "robbert": "nl", "herbert": "pl",
    "umberto": "it", "alberto": "it", "indobert": "id", "phobert": "vi", "parsbert": "fa", "kobert": "ko",
    "klue": "ko", "kcelectra": "ko", "wangchanberta": "th", "greekbert": "el", "alephbert": "he", "czert": "cs",
    "robeczech": "cs", "banglabert": "bn", "finbert turku": "fi", "bert base german": "de", "bert base chinese": "zh",
    "bert base japanese": "ja", "bert base italian": "it", "bert base spanish": "es", "bert base portuguese": "pt",
}  # fmt: skip
"""Words of a base model's name that say which one language it reads → that language."""
_MANY_ENCODERS = ("xlm", "mbert", "multilingual", "mdeberta", "mmbert", "labse", "rembert", "infoxlm")


def name_of(code: str) -> str:
    """Return a language's English name in lower case, else its code."""
    return next((name for name, known in NAMES.items() if known == primary_code(code)), code)


def primary_code(language: str) -> str:
    """Return the ISO 639 code of a code or a name, without its region: pt-BR, Portuguese → pt.

    The language that is mostly meant by a macrolanguage's code counts as that: Mandarin (cmn) as zh, Standard Arabic
    (arb) as ar. Others of it, such as Cantonese (yue), are languages of their own.
    """
    plain = language.strip().casefold().replace("_", "-")
    plain = NAMES.get(plain, plain.partition("-")[0])
    if plain not in CODES | _OTHER_CODES.keys():
        plain = _standardise(plain).partition("-")[0]
    return _OTHER_CODES.get(plain, plain)


@functools.cache
def _standardise(code: str) -> str:
    """Return a code as Unicode's CLDR prefers it, a macrolanguage's for its main language; what is no code stays."""
    try:
        return standardize_tag(code, macro=True)
    except LanguageTagError:
        return code


def read_language(said: str) -> str | None:
    """Return the code of a language that a person names by its name or by a code of ISO 639 with what may follow it
    (pt-BR), or `multilingual`; None for one that is not known. Of a macrolanguage's main language it is the
    macrolanguage's code, as `primary_code` says.

    Codes are known by IANA's registry of language subtags, which ISO 639 is part of.
    """
    name = said.strip().casefold()
    if name in NAMES:
        return NAMES[name]
    if name in _MANY:
        return "multilingual"
    return _standardise(said.strip()) if tag_is_valid(said.strip()) else None


def languages_of(candidate: Candidate, besides: Collection[str] = ()) -> frozenset[str]:
    """Return the codes of the languages that a model says it reads: in its card's metadata, else in its tags, else by
    its name and its base's. "multilingual" is among them where it reads many; nothing where nothing tells.

    `besides`: words, in lower case, that stand for something else in a name, such as the task's labels.
    """
    stated = frozenset(map(primary_code, candidate.languages)) or frozenset(
        tag for tag in map(str.casefold, candidate.tags) if tag in CODES | _MANY
    )
    if stated & _MANY:
        return frozenset({*stated - _MANY, "multilingual"})
    return stated or _read_names(candidate, besides)


def _read_names(candidate: Candidate, besides: Collection[str]) -> frozenset[str]:
    said = f" {' '.join(_split(f'{candidate.repo_id} {candidate.base_model} {candidate.model_type}'))} "
    named = frozenset(code for name, code in NAMES.items() if name not in besides and f" {name} " in said)
    if named:
        return named
    one = frozenset(code for name, code in _ENCODERS.items() if f" {name} " in said)
    many = any(f" {word}" in said for word in _MANY_ENCODERS)
    return one or (frozenset({"multilingual"}) if many else frozenset())


def _split(text: str) -> Iterable[str]:
    return "".join(sign if sign.isalnum() else " " for sign in text.casefold()).split()
