"""Kinds of judgement that classifiers are published for: what their labels are called, which words speak of them, and
which data sets such models are taught with. It is common knowledge, written down; a kind that is not here is searched
for and judged by the task's own words.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Family:
    """One kind of task: `meanings` maps each meaning to the names it goes by (normalised), `cues` are words of a
    sentence, a repository's name or a card that speak of it, and `queries` start a Hub search."""

    name: str
    meanings: dict[str, frozenset[str]]
    cues: frozenset[str]
    queries: tuple[str, ...]
    datasets: tuple[str, ...] = ()
    """Public data sets of this kind and of no other, the best known first, as repositories' names write them."""
    wider: dict[str, str] = field(default_factory=dict[str, str])
    """Meaning → the wider meaning of the same family that includes it: hate speech is offensive."""
    opposite: dict[str, str] = field(default_factory=dict[str, str])
    """Meaning → what its negation means, where the family has a class for that."""
    pairs: bool = False
    """Whether such models read two texts."""


def names(text: str) -> frozenset[str]:
    """Return names that were written with commas between them."""
    return frozenset(listed(text))


def listed(text: str) -> tuple[str, ...]:
    """Return names that were written with commas between them, in their order."""
    return tuple(name.strip() for name in text.split(","))


SENTIMENT = Family(
    name="sentiment analysis",
    meanings={
        "positive": names(
            "positive, pos, p, good, favourable, favorable, favor, favour, pro, bullish, bull, positiv, "
            "positive sentiment, positive review, thumbs up, recommended, "
            "optimistic, fresh, for, support, praise, satisfied, happy, positif, positivo, positiva, positief, bon, "
            "bueno, buono, bom, gut, goed, позитивный, положительный, "
            "позитивний, olumlu, pozytywny, pozitivní, pozitív, "
            "pozitiv, myönteinen, tích cực, إيجابي, مثبت, חיובי, θετικό, सकारात्मक, "
            "积极, 正面, ポジティブ, 肯定的, 긍정, 긍정적"
        ),
        "negative": names(
            "negative, neg, n, bad, unfavourable, unfavorable, con, contra, bearish, bear, negativ, "
            "negative sentiment, negative review, thumbs down, not recommended, pessimistic, rotten, "
            "against, anti, oppose, criticism, complaint, dissatisfied, unhappy, negatif, négatif, negativo, negativa, "
            "mauvais, malo, cattivo, ruim, schlecht, slecht, негативный, отрицательный, "
            "negatief, негативний, olumsuz, negatywny, negativní, negatív, kielteinen, tiêu cực, سلبي, منفی, שלילי, "
            "αρνητικό, नकारात्मक, 消极, 负面, ネガティブ, 否定的, 부정, 부정적"
        ),
        "neutral": names(
            "neutral, neu, neut, neutral sentiment, mixed, balanced, ambivalent, none, no sentiment, objective, "
            "neutre, "
            "neutro, neutraal, notr, nötr, tarafsız, netral, neutralny, neutrální, semleges, neutru, neutraali, "
            "нейтральный, нейтральний, trung lập, محايد, خنثی, ניטרלי, ουδέτερο, तटस्थ, 中性, 中立, ニュートラル, 중립"
        ),
    },
    cues=names(
        "sentiment, sentiments, polarity, opinion, opinions, review, reviews, bullish, bearish, recommend, stimmung, "
        "meinung, bewertung, bewertungen, sentimiento, sentimientos, opinión, opiniones, reseña, reseñas, avis, "
        "recensione, recensioni, avaliação, avaliações, duygu, yorum, yorumlar, mening, отзыв, отзывы, тональность, "
        "sentimen, ulasan, opinie, recenzje, recensies, recensioner, nastroj, wydźwięk, "
        "情感, 评论, 感情, レビュー, 감성, 리뷰"
    ),
    queries=("sentiment", "reviews", "sentiment analysis", "polarity"),
    datasets=listed(
        "sst2, imdb, sst 2, sst5, amazon polarity, yelp, rotten tomatoes, financial phrasebank, sentiment140, "
        "amazon reviews, tweet sentiment multilingual, multilingual sentiments, app reviews, semeval sentiment, "
        "twitter financial news sentiment, rusentiment, germeval 2017, allocine, dynasent, stanford sentiment treebank"
    ),
)  # fmt: skip
TOXICITY = Family(
    name="offensive language and toxicity detection",
    meanings={
        "offensive": names(
            "offensive, offensive language, off, toxic, toxicity, toxic comment, toxic language, abusive, abuse, "
            "abusive language, "
            "insult, insulting, insults, obscene, obscenity, threat, threatening, harassment, harassing, bullying, "
            "cyberbullying, profanity, profane, vulgar, severe toxicity, sexual explicit, rude, disrespectful, "
            "harmful, hof, unsafe, uncivil, toxisch, beleidigend, toxique, tóxico, "
            "ofensivo, offensief, токсичный, toksik, toksyczny, tossico"
        ),
        "hate": names(
            "hate, hateful, hate speech, hatespeech, hatred, identity hate, identity attack, racist, sexist, hs, odio, "
            "haine, hass, sexism, misogyny, misogynistic, racism"
        ),
        "harmless": names(
            "harmless, neither, neutral, normal, none, clean, safe, ok, okay, acceptable, civil, benign, respectful, "
            "appropriate, inoffensive, not, friendly, fine, нормальный, нейтральный, "
            "temiz, normalny, нетоксичный, nothate, nontoxic, noffensive"
        ),
    },
    cues=names(
        "toxic, toxicity, offensive, hate, hateful, abusive, abuse, insult, insults, harassment, profanity, "
        "moderation, hatespeech, cyberbullying, racism, racist, obscene, vulgar, "
        "toxisch, beleidigung, beleidigend, hass, hassrede, haine, haineux, injure, odio, ofensivo, tóxico, toxique, "
        "insulto, offensief, haat, nefret, hakaret, ненависть, токсичный, токсичность, ostil"
    ),
    queries=("toxic", "offensive", "hate", "abusive", "hate speech", "moderation", "profanity"),
    datasets=listed(
        "jigsaw, civil comments, hatexplain, olid, jigsaw toxicity, hate speech18, davidson, hatecheck, toxic "
        "comments, "
        "hate speech offensive, germeval 2018, germeval18, hasoc, hateval, dynahate, toxigen, measuring hate speech, "
        "solid, offenseval, ruddit, textdetox, toxi text"
    ),
    wider={"hate": "offensive"},
    opposite={"offensive": "harmless", "hate": "harmless"},
)
EMOTION = Family(
    name="emotion recognition",
    meanings={
        "joy": names("joy, joyful, happy, happiness, cheerful, freude, joie, alegría, gioia, alegria"),
        "sadness": names("sadness, sad, sorrow, unhappy, grief, trauer, tristesse, tristeza, tristezza"),
        "anger": names("anger, angry, furious, rage, annoyance, wut, ärger, colère, enojo, ira, rabbia, raiva"),
        "fear": names("fear, fearful, afraid, scared, anxiety, nervousness, angst, peur, miedo, paura, medo"),
        "surprise": names("surprise, surprised, astonishment, überraschung, sorpresa, surpresa"),
        "disgust": names("disgust, disgusted, ekel, dégoût, asco"),
        "love": names("love, loving, affection, caring, liebe, amour, amor"),
        "optimism": names("optimism, optimistic, hopeful, hope"),
        "calm": names("neutral, no emotion, none, other, others"),
    },
    cues=names(
        "emotion, emotions, emotional, mood, feeling, feelings, emotionen, gefühl, gefühle, emoción, emociones, "
        "émotion, émotions, emozione, emozioni, emoção, emoções, emotie, эмоция, эмоции"
    ),
    queries=("emotion", "emotions", "emotion classification"),
    datasets=listed("go emotions, goemotions, dair ai emotion, emotion dataset, isear, daily dialog, meld, emoevent, "
                    "tec emotion, cedr, feel it, emotions 28"),
)  # fmt: skip
SPAM = Family(
    name="spam detection",
    meanings={
        "spam": names("spam, junk, scam, spammy, unsolicited, smishing, phishing, malicious, fraud"),
        "ham": names("ham, legitimate, legit, genuine, normal, safe, real, benign"),
    },
    cues=names("spam, ham, junk, unsolicited"),
    queries=("spam", "spam detection", "sms spam", "email spam", "smishing"),
    datasets=listed("sms spam, enron spam, enron, sms spam collection, "
                    "telegram spam ham, deysi spam"),
    opposite={"spam": "ham"},
)  # fmt: skip
PHISHING = Family(
    name="phishing and fraud detection",
    meanings={
        "phishing": names("phishing, phish, scam, fraud, fraudulent, smishing, malicious, phishing email, spoof"),
        "legit": names("legit, legitimate, benign, safe, safe email, genuine, ham, not phishing, normal"),
    },
    cues=names("phishing, phish, smishing, scam, scams, fraudulent, fraud"),
    queries=("phishing", "phish", "phishing email", "scam", "fraud"),
    datasets=listed("phishing email, phishing dataset, phishing email dataset, phishing emails"),
    opposite={"phishing": "legit"},
)
RATING = Family(
    name="star rating prediction",
    meanings={
        "1": names("1, 1 star, one, one star, very negative"),
        "2": names("2, 2 stars, two, two stars"),
        "3": names("3, 3 stars, three, three stars"),
        "4": names("4, 4 stars, four, four stars"),
        "5": names("5, 5 stars, five, five stars, very positive"),
    },
    cues=names("star, stars, star rating, star ratings, rating, ratings, how many stars, sterne, étoiles, estrellas, "
               "yelp review full, csat"),
    queries=("stars", "rating", "yelp", "sentiment", "amazon reviews", "reviews"),
    datasets=listed("yelp review full, amazon reviews multi, app reviews, amazon us reviews, yelp full"),
)  # fmt: skip
IRONY = Family(
    name="irony and sarcasm detection",
    meanings={
        "ironic": names("irony, ironic, sarcasm, sarcastic"),
        "sincere": names("sincere, literal, serious, genuine, normal"),
    },
    cues=names("irony, ironic, sarcasm, sarcastic, ironie, sarkasmus, ironía, sarcasmo, ironia, sarcasme, ирония"),
    queries=("irony", "sarcasm", "sarcasm detection", "tweet_eval irony"),
    datasets=listed("news headlines sarcasm, semeval irony, isarcasm, sarcasm on reddit, sarc"),
    opposite={"ironic": "sincere"},
)
SUBJECTIVITY = Family(
    name="subjectivity detection",
    meanings={
        "subjective": names("subjective, subj, opinion, opinionated, biased, subjektiv, subjetivo, subjectif"),
        "objective": names("objective, obj, fact, factual, neutral, unbiased, objektiv, objetivo, objectif"),
    },
    cues=names("subjective, subjectivity, objective, objectivity, factual, opinionated, subjektiv, objektiv, "
               "subjetividad, subjetivo, subjectivité"),
    queries=("subjectivity", "subjective", "subjective objective", "factual opinion"),
    datasets=listed("subj, wnc, checkthat subjectivity, babe, setfit subj"),
    opposite={"subjective": "objective", "objective": "subjective"},
)  # fmt: skip
TOPIC = Family(
    name="topic classification",
    meanings={
        "world": names("world, world news, international, politics, political, politik, politique, política"),
        "sports": names("sports, sport, deportes, esportes"),
        "business": names("business, economy, finance, economics, wirtschaft, économie, economía"),
        "science and technology": names(
            "science and technology, sci tech, science, technology, tech, science technology, wissenschaft, technik"
        ),
        "entertainment": names("entertainment, culture, arts, arts culture, kultur"),
        "health": names("health, medical, medicine, wellness"),
    },
    cues=names(
        "topic, topics, subject, category, categories, news, headline, headlines, theme, thema, themen, nachrichten, "
        "noticias, tema, temas, sujet, actualités, notizie, argomento, notícias, haber, haberler, nieuws, новости"
    ),
    queries=("topic", "news classification", "ag_news", "news", "topic classification", "news category", "bbc news"),
    datasets=listed("ag news, bbc news, 20 newsgroups, newsgroup, yahoo answers, dbpedia, tweet topic, "
                    "huffpost, news category, sib200, 10kgnad, mlsum, massive news, reuters"),
)  # fmt: skip

COMMON_FAMILIES = (SENTIMENT, TOXICITY, EMOTION, PHISHING, SPAM, RATING, IRONY, SUBJECTIVITY, TOPIC)
"""Those whose names are telling enough to be read out of a sentence."""
