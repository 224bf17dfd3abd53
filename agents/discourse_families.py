"""Kinds of judgement about how something is said, argued or laid out, and about a trade's own matters."""

from agents.families import Family, listed, names

CHECKWORTHINESS = Family(
    name="check-worthiness of claims",
    meanings={
        "checkworthy": names("check worthy, checkworthy, worth checking, cfs, claim, check, cw, factual claim, "
                             "check worthy factual statement, important"),
        "unworthy": names("not check worthy, not worth checking, nfs, ufs, no claim, non claim, skip, ncw, opinion, "
                          "non factual statement, unimportant factual statement, unimportant"),
    },
    cues=names("check worthy, check worthiness, checkworthiness, checkworthy, worth checking, claim detection, "
               "fact checkers, fact check, fact checking, claims, claimbuster, checkthat"),
    queries=("claimbuster", "checkworthy", "claim", "checkthat", "check worthy", "fact check"),
    datasets=listed("claimbuster, clef checkthat, claim detection, checkthat"),
    opposite={"checkworthy": "unworthy"},
)  # fmt: skip
RHETORIC = Family(
    name="rhetorical roles in scientific abstracts",
    meanings={
        "background": names("background, introduction, context, b"),
        "objective": names("objective, objectives, aim, aims, purpose, goal, o"),
        "methods": names("methods, method, methodology, design, m"),
        "results": names("results, result, findings, finding, outcome, r"),
        "conclusions": names("conclusions, conclusion, discussion, implications, c"),
    },
    cues=names("abstracts, rhetorical, rct, pubmed 20k, pubmed 200k, pubmed20k, sentence role, argumentative zoning, "
               "section of a paper, csabstruct"),
    queries=("pubmed rct", "rct", "abstract", "rhetorical", "section classification", "pubmed"),
    datasets=listed("pubmed 20k rct, pubmed rct, pubmed rct20k, csabstruct, nicta piboso"),
)  # fmt: skip
ARGUMENT = Family(
    name="argument mining",
    meanings={
        "argument": names("argument, argumentative, premise, claim, evidence"),
        "none": names("no argument, non argument, non argumentative, none"),
    },
    cues=names(
        "argument mining, argumentative, argumentation, arguments, premise, persuasive essays, argument quality"
    ),
    queries=("argument", "argument mining", "argumentative", "claim premise"),
    datasets=listed("ukp sentential argument, ibm argument quality, persuasive essays, args me"),
    opposite={"argument": "none"},
)
DIALOGUE_ACT = Family(
    name="dialogue act classification",
    meanings={
        "question": names("question, yes no question, wh question, query, ask"),
        "statement": names("statement, inform, statement opinion, statement non opinion, answer"),
        "greeting": names("greeting, hello, goodbye, conventional opening, conventional closing, thanking"),
        "request": names("request, directive, command, instruct"),
        "agreement": names("agreement, agree, accept, acknowledge, backchannel, commissive"),
    },
    cues=names(
        "dialogue act, dialogue acts, dialog act, dialog acts, speech act, speech acts, turns of a conversation"
    ),
    queries=("dialogue act", "dialog act", "speech act", "daily dialog", "switchboard"),
    datasets=listed("swda, silicone, mrda, daily dialog, midas"),
)
POLITENESS = Family(
    name="politeness detection",
    meanings={
        "polite": names("polite, respectful, courteous, civil, kind"),
        "impolite": names("impolite, rude, disrespectful, uncivil, unkind"),
    },
    cues=names("politeness, polite, impolite, rude, rudeness, courtesy, civility, höflich, poli, cortesía"),
    queries=("politeness", "polite", "rude", "civility"),
    datasets=listed("stanford politeness, tydip, wikipedia politeness"),
    opposite={"polite": "impolite", "impolite": "polite"},
)
READABILITY = Family(
    name="readability and language level",
    meanings={
        "easy": names("easy, simple, elementary, a1, a2, beginner, ele, basic, plain"),
        "medium": names("medium, intermediate, int, b1, b2"),
        "hard": names("hard, complex, difficult, advanced, adv, c1, c2"),
    },
    cues=names("readability, reading level, language level, cefr, difficulty, text complexity, complexity, simple "
               "language, grade level, leichte sprache"),
    queries=("readability", "cefr", "difficulty", "text complexity", "reading level"),
    datasets=listed("onestopenglish, cefr sp, clear corpus, weebit, newsela"),
)  # fmt: skip
HUMOUR = Family(
    name="humour detection",
    meanings={
        "funny": names("funny, humor, humour, humorous, joke, comic"),
        "serious": names("not funny, not humor, serious, no humor, no joke, not a joke"),
    },
    cues=names("humor, humour, humorous, funny, joke, jokes, comedy, witty, humoristique, witz"),
    queries=("humor", "joke", "funny", "humour"),
    datasets=listed("colbert, hahackathon, short jokes, 200k short texts for humor detection"),
    opposite={"funny": "serious"},
)
PROPAGANDA = Family(
    name="propaganda and persuasion techniques",
    meanings={
        "propaganda": names("propaganda, propagandistic, manipulative, persuasion, manipulation"),
        "none": names("no propaganda, non propaganda, not propaganda, neutral, none"),
    },
    cues=names("propaganda, propagandistic, persuasion, manipulation, manipulative, loaded language"),
    queries=("propaganda", "persuasion", "manipulation"),
    datasets=listed("ptc propaganda, semeval propaganda, qprop"),
    opposite={"propaganda": "none"},
)
MONETARY = Family(
    name="tone of central banks",
    meanings={
        "hawkish": names("hawkish, tightening, hawk"),
        "dovish": names("dovish, easing, dove"),
        "neutral": names("neutral, irrelevant"),
    },
    cues=names("hawkish, dovish, hawk, dove, central bank, central banks, monetary, fomc, fed"),
    queries=("fomc", "hawkish", "central bank", "monetary"),
    datasets=listed("fomc communication, fomc hawkish dovish, central bank communication"),
)
ESG = Family(
    name="sustainability topics",
    meanings={
        "environmental": names("environmental, environment, e, climate"),
        "social": names("social, s"),
        "governance": names("governance, g"),
        "none": names("none, neutral, non esg, not esg, other"),
    },
    cues=names("esg, sustainability, climate, environmental, governance, net zero, greenwashing"),
    queries=("esg", "climate", "environmental", "sustainability", "climatebert"),
    datasets=listed("climate detection, climate sentiment, environmental claims, esg dataset"),
)

SEXISM = Family(
    name="sexism and misogyny detection",
    meanings={
        "sexist": names("sexist, sexism, misogyny, misogynistic, misogynous, misogynist, machista, sexista, sexiste"),
        "harmless": names("not sexist, non sexist, not sexism, not misogyny, non misogynous, fine, none, normal, ok, "
                          "neutral, no sexism"),
    },
    cues=names("sexism, sexist, misogyny, misogynistic, misogynist, sexismo, machismo, sexismus, sexisme"),
    queries=("sexism", "misogyny", "sexist", "edos"),
    datasets=listed("edos, exist, call me sexist, ami misogyny, sexism"),
    opposite={"sexist": "harmless"},
)  # fmt: skip
ADULT = Family(
    name="adult content detection",
    meanings={
        "adult": names("nsfw, adult, sexual, explicit, erotic, erotica, porn, not safe for work, unsafe"),
        "safe": names("safe, sfw, safe for work, clean, ok, normal, non sexual, neutral"),
    },
    cues=names("nsfw, sfw, safe for work, adult content, sexual content, explicit, erotica, erotic, porn"),
    queries=("nsfw", "adult", "sexual", "erotica", "explicit content", "sfw"),
    datasets=listed("nsfw safe dataset, nsfw text, adult content"),
    opposite={"adult": "safe"},
)

DISCOURSE_FAMILIES = (
    CHECKWORTHINESS, RHETORIC, ARGUMENT, DIALOGUE_ACT, POLITENESS, READABILITY, HUMOUR, PROPAGANDA, MONETARY, ESG,
    SEXISM, ADULT,
)  # fmt: skip
