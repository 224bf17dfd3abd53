"""Whether labels that are also languages' names ask for a text's language, or for something else called so: openings,
kitchens, wines, schools of painting.
"""

import re
from collections.abc import Collection, Sequence

from agents.families import names
from agents.languages import NAMES
from agents.small_words import FEWEST, SMALL_WORDS

_MOSTLY = 0.8
"""Of the labels, the share that must be languages where the sentence does not say that it asks for these."""
_THE_REST = names("other, others, none, unknown, mixed, unclear, neither, other language, not a language, undefined")
"""Labels for texts in none of the languages."""
_TEXTS = names(
    "text, texts, tweet, tweets, post, posts, comment, comments, review, reviews, email, emails, mail, mails, "
    "document, documents, article, articles, headline, headlines, paragraph, paragraphs, chat, chats, snippet, "
    "snippets, utterance, utterances, title, titles, caption, captions, subtitle, subtitles, transcript, transcripts, "
    "page, pages, question, questions, string, strings, passage, passages, query, queries, news"
)
"""Words for texts of whatever content: they name nothing to judge."""
_LANGUAGE = re.compile(
    r"(?<!offensive )(?<!programming )\b(?:languages?|lang ?id|idiomas?|sprachen?|langues?|lingu[ae]|taal|talen)\b"
)
_OF_TEXTS = re.compile(rf"\b(?:{'|'.join(NAMES)}) languages?\b")
"""The language of the texts, as in "English-language recipes"."""


def asks_for_language(labels: Sequence[str], languages: Collection[str], sentence: str) -> bool:
    """Return whether a task is to tell the texts' language, from its normalised labels, those of them that are
    languages' names or codes, and its normalised sentence.

    It is where the sentence speaks of language, or where nearly all labels are languages and the sentence names nothing
    else to judge.
    """
    if not languages:
        return False
    if _LANGUAGE.search(_OF_TEXTS.sub(" ", sentence)):
        return True
    offered = [label for label in labels if label not in _THE_REST]
    own = {word for label in labels for word in label.split()} | NAMES.keys()
    other = {word for word in sentence.split() if len(word) >= FEWEST} - own - SMALL_WORDS - _TEXTS
    return len(languages) >= _MOSTLY * len(offered) and not other
