"""Words that tell nothing about what a task judges."""

from agents.families import names

SMALL_WORDS = names(
    "about, annotate, assign, been, being, between, categorise, categorize, check, class, classes, "
    "classification, classifier, classify, column, contain, contains, data, decide, detect, detecting, detection, "
    "determine, different, does, each, either, english, entry, every, express, expresses, false, file, find, "
    "flag, follow, following, from, give, given, group, have, identify, into, item, items, judge, kind, label, "
    "labelling, labels, language, line, list, made, mark, meant, mention, mentions, message, messages, model, "
    "more, much, need, needs, negative, neutral, none, other, others, people, person, piece, please, positive, "
    "predict, rate, rows, says, sentence, sentences, short, should, show, some, someone, sort, speak, speaks, "
    "talk, talks, task, tell, text, texts, than, that, their, them, there, these, they, this, those, true, type, "
    "types, user, users, want, wants, were, what, when, where, whether, which, whose, will, with, word, words, write, "
    "writes, written, your"
)
"""Words of a sentence that say how to label, not what."""
FEWEST = 4
"""Letters that a telling word has at least."""
