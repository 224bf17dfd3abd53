"""Kinds of judgement beside the common ones of `agents.families`."""

from agents.discourse_families import DISCOURSE_FAMILIES
from agents.families import COMMON_FAMILIES, Family, listed, names
from agents.languages import NAMES

STANCE = Family(
    name="stance detection",
    meanings={
        "favor": names("favor, favour, in favor, in favour, for, pro, support, supports, agree, supporting"),
        "against": names("against, anti, con, oppose, opposes, disagree, deny, refute, opposing"),
        "none": names("none, neutral, neither, unrelated, comment, discuss, query, no stance"),
    },
    cues=names("stance, stances, haltung, postura, pro or con, argument stance, prise de position"),
    queries=("stance", "stance detection", "tweet_eval stance"),
    datasets=listed("semeval stance, vast, p stance, ibm debater, x stance, emergent, covid stance, fnc"),
)
FAKE_NEWS = Family(
    name="fake news and misinformation detection",
    meanings={
        "fake": names("fake, false, misinformation, disinformation, fake news, unreliable, hoax, rumor, rumour, "
                      "pants fire, misleading, conspiracy"),
        "real": names("real, true, reliable, genuine, real news, factual, credible, legit, trustworthy, accurate"),
    },
    cues=names("fake news, fake, misinformation, disinformation, hoax, fact check, rumor, rumour, conspiracy, "
               "propaganda, falschnachrichten, noticias falsas, bulo, fausses nouvelles, fausse, desinformación, "
               "notizie false, bufala"),
    queries=("fake news", "fake", "misinformation", "fake news detection", "liar"),
    datasets=listed("liar, fakenewsnet, gonzaloa fake news, isot, covid fake news, welfake, fake and real news"),
    opposite={"fake": "real", "real": "fake"},
)  # fmt: skip
CLICKBAIT = Family(
    name="clickbait detection",
    meanings={
        "clickbait": names("clickbait, click bait, bait"),
        "news": names("news, normal, no clickbait, legitimate, headline"),
    },
    cues=names("clickbait, click bait"),
    queries=("clickbait", "clickbait detection", "clickbait headlines"),
    datasets=listed("webis clickbait, clickbait dataset, clickbait news"),
    opposite={"clickbait": "news"},
)
FORMALITY = Family(
    name="formality classification",
    meanings={
        "formal": names("formal, formell, formel, polite"),
        "informal": names("informal, casual, colloquial, informell, informel, slang"),
    },
    cues=names("formality, formal, informal, register, formalität, formalidad, formalité"),
    queries=("formality", "formal informal", "formality classifier"),
    datasets=listed("gyafc, xformal, pavlick formality, squinky"),
    opposite={"formal": "informal", "informal": "formal"},
)
GENERATED = Family(
    name="detection of machine-written text",
    meanings={
        "machine": names("ai, machine, generated, ai generated, machine generated, chatgpt, gpt, fake, llm, synthetic, "
                         "ai written, bot, ki, ia, maschine, máquina"),
        "human": names("human, real, human written, person, authentic, organic, written, mensch, humain, humano, "
                       "umano"),
    },
    cues=names("ai generated, machine generated, chatgpt, gpt2, llm generated, ai text, ai detector, generated text, "
               "human written, written by ai, ai written, machine written, by a machine, ki generiert, aigc"),
    queries=("chatgpt", "ai detector", "ai text", "openai detector", "detector", "ai generated", "generated text"),
    datasets=listed("hc3, raid, daigt, mage, openai detector, ghostbuster, turingbench, m4 detection"),
    opposite={"machine": "human", "human": "machine"},
)  # fmt: skip
INJECTION = Family(
    name="prompt injection detection",
    meanings={
        "injection": names("injection, prompt injection, jailbreak, malicious, attack, unsafe, injected"),
        "benign": names("benign, safe, legit, legitimate, normal, clean, harmless"),
    },
    cues=names(
        "prompt injection, prompt injections, injection, injections, jailbreak, jailbreaks, jailbreaking, prompt "
        "guard, malicious prompt"
    ),
    queries=("prompt injection", "jailbreak", "prompt guard", "injection"),
    datasets=listed("deepset prompt injections, prompt injections, jailbreak classification, jailbreakbench, gandalf"),
    opposite={"injection": "benign"},
)
LANGUAGE = Family(
    name="language identification",
    meanings={code: frozenset({code, *(name for name, one in NAMES.items() if one == code)})
              for code in dict.fromkeys(NAMES.values())},
    cues=names("language identification, language detection, language detector, which language, lang id, langid, "
               "language id, "
               "language is, what language, in which language, sprache, idioma, langue"),
    queries=("language detection", "language identification", "langid", "language detector"),
    datasets=listed("papluca language identification, language identification, wili, open lid, fleurs lid, nordic "
                    "langid"),
)  # fmt: skip
QUESTION = Family(
    name="question type classification",
    meanings={
        "description": names("description, desc, definition, explanation, explain, reason, why, how"),
        "entity": names("entity, enty, thing, things, object, other, other thing, something else"),
        "abbreviation": names("abbreviation, abbr, acronym"),
        "person": names("human, hum, person, people, who"),
        "place": names("location, loc, place, where"),
        "number": names("numeric, num, number, quantity, number or date, date, count, amount, how many"),
    },
    cues=names("question type, question types, question classification, kind of question, type of question, answer "
               "type, trec, "
               "question category, type of answer"),
    queries=("trec", "question classification", "question type", "answer type", "qtype", "question"),
    datasets=listed("trec, trec 6, cogcomp trec, trec6"),
)  # fmt: skip
URGENCY = Family(
    name="urgency and priority classification",
    meanings={
        "urgent": names("urgent, high, critical, high priority, emergency, important, immediate, asap"),
        "normal": names("normal, low, not urgent, low priority, calm, routine, non urgent"),
        "medium": names("medium, moderate, medium priority"),
    },
    cues=names("urgency, urgent, priority, emergency, dringend, dringlichkeit, urgencia, urgente, priorität, urgence"),
    queries=("urgency", "priority", "urgent", "ticket priority", "disaster"),
    datasets=listed("customer support tickets, disaster tweets, crisismmd, humaid"),
    opposite={"urgent": "normal"},
)
INTENT = Family(
    name="intent classification",
    meanings={},
    cues=names(
        "intent, intents, banking77, clinc, clinc150, chatbot, utterance, utterances, absicht, intención, intention, "
        "massive, customer request"
    ),
    queries=("intent", "intent classification", "banking77", "massive intent", "clinc150", "customer support"),
    datasets=listed("banking77, clinc oos, clinc150, massive, atis, snips, mtop, bitext, hwu64"),
)
ENTAILMENT = Family(
    name="natural language inference",
    meanings={
        "entailment": names("entailment, entails, entail, implied, supports, e"),
        "contradiction": names("contradiction, contradicts, contradictory, refutes, c, not entailment"),
        "neutral": names("neutral, not enough info, unrelated"),
    },
    cues=names("entailment, nli, inference, contradiction, premise, hypothesis, mnli, xnli, snli, anli, fever"),
    queries=("nli", "mnli", "xnli", "snli", "entailment"),
    datasets=listed("mnli, multi nli, snli, xnli, anli, fever, rte, wanli, sick, qnli, nli"),
    pairs=True,
)
PARAPHRASE = Family(
    name="paraphrase detection",
    meanings={
        "same": names("paraphrase, duplicate, equivalent, same, similar, is duplicate"),
        "different": names("not paraphrase, not duplicate, not equivalent, different, distinct"),
    },
    cues=names("paraphrase, paraphrases, duplicate, duplicates, same meaning, mrpc, qqp, paws"),
    queries=("paraphrase", "mrpc", "qqp", "paws", "duplicate"),
    datasets=listed("mrpc, qqp, quora duplicates, paws, paws x, stsb"),
    opposite={"same": "different"},
    pairs=True,
)
ACCEPTABILITY = Family(
    name="grammatical acceptability",
    meanings={
        "acceptable": names("acceptable, grammatical, correct, valid, well formed, right, no error, good"),
        "unacceptable": names("unacceptable, ungrammatical, incorrect, invalid, wrong, error, bad, faulty"),
    },
    cues=names("acceptability, grammatical, grammatically, grammar, cola, grammaticality, well formed"),
    queries=("cola", "acceptability", "grammar", "grammatical", "linguistic acceptability", "gec"),
    datasets=listed("cola, rucola, blimp, itacola"),
    opposite={"acceptable": "unacceptable"},
)
BIAS = Family(
    name="political leaning and media bias",
    meanings={
        "left": names("left, liberal, democrat, progressive, lean left, democratic"),
        "right": names("right, conservative, republican, lean right"),
        "centre": names("center, centre, moderate, neutral, centrist"),
    },
    cues=names(
        "political bias, political leaning, political, partisan, liberal, conservative, ideology, media bias, "
        "hyperpartisan, democrat, republican"
    ),
    queries=("political bias", "political", "politics leaning", "media bias", "partisan"),
    datasets=listed("allsides, babe, hyperpartisan news, mbic, politicalbias"),
)
DISTRESS = Family(
    name="mental health screening",
    meanings={
        "suicidal": names("suicide, suicidal, self harm, suicidal ideation, ideation, at risk, crisis, suizidal"),
        "depressed": names("depression, depressed, depressive, severe, moderate"),
        "fine": names(
            "non suicide, non suicidal, not depressed, not depression, normal, healthy, control, not at risk, "
            "no risk, no concern, safe, supportive"
        ),
    },
    cues=names("suicide, suicidal, depression, depressed, mental health, self harm, psychological, mentalbert"),
    queries=("suicide", "suicidal", "mental health", "depression", "self harm", "crisis"),
    datasets=listed("suicide detection, dreaddit, ed depression, mental health dataset"),
    opposite={"suicidal": "fine", "depressed": "fine"},
)

FAMILIES = (
    *COMMON_FAMILIES, STANCE, FAKE_NEWS, CLICKBAIT, FORMALITY, GENERATED,
    INJECTION, LANGUAGE, QUESTION, URGENCY, INTENT, ENTAILMENT, PARAPHRASE, ACCEPTABILITY, BIAS, DISTRESS,
    *DISCOURSE_FAMILIES,
)  # fmt: skip
"""Where labels and words tell several apart equally well, the first of them is meant."""
