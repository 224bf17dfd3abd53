import pytest

from agents.sentence import read_labels

SENTENCES = [
    ("label these tweets as positive, neutral or negative", ("positive", "neutral", "negative")),
    ("Label each review sentence as positive or negative", ("positive", "negative")),
    ("Is each tweet offensive or not?", ("offensive", "not offensive")),
    ("Is each tweet offensive or not offensive?", ("offensive", "not offensive")),
    ("Classify the reviews as positive/negative", ("positive", "negative")),
    ("positive/negative sentiment of each review", ("positive", "negative")),
    ("Sort news headlines into world, sports, business and sci/tech", ("world", "sports", "business", "sci/tech")),
    ("Sort the tickets into three categories: billing, technical and other.", ("billing", "technical", "other")),
    ("Decide whether each comment is toxic.", ("toxic", "not toxic")),
    ("Say whether the comment is toxic or not", ("toxic", "not toxic")),
    ("Say whether or not the comment is toxic", ("toxic", "not toxic")),
    ("Tag each message as 'spam' or 'ham'", ("spam", "ham")),
    ("Does each message contain hate speech or not?", ("hate speech", "not hate speech")),
    ("Detect hate speech in these posts", ("hate speech", "not hate speech")),
    ("Find abusive comments", ("abusive", "not abusive")),
    (
        "Classify each tweet as hate speech, offensive language or neither",
        ("hate speech", "offensive language", "neither"),
    ),
    ("Label the sentiment (positive, neutral, negative) of these tweets", ("positive", "neutral", "negative")),
    ("Is this review positive or negative?", ("positive", "negative")),
    ("Is the customer happy, sad or angry?", ("happy", "sad", "angry")),
    ("Distinguish between subjective and objective sentences", ("subjective", "objective")),
    ("toxic or non-toxic?", ("toxic", "non-toxic")),
    ("spam vs ham", ("spam", "ham")),
    ("Label each tweet as bullish or bearish for the company", ("bullish", "bearish")),
    (
        "Which emotion does each text express: joy, sadness, anger, fear, love or surprise?",
        ("joy", "sadness", "anger", "fear", "love", "surprise"),
    ),
    ("Classify each headline as clickbait or not", ("clickbait", "not clickbait")),
    ("Is the sentence a question or a statement?", ("question", "statement")),
    ('Mark every tweet "sarcastic" or "not sarcastic".', ("sarcastic", "not sarcastic")),
    ("Rate the stance of each comment as pro, con or neutral towards the policy.", ("pro", "con", "neutral")),
    ("Tell me whether each review is 'helpful'", ("helpful", "not helpful")),
    ("Label each post as Positive, Negative, or Neutral.", ("Positive", "Negative", "Neutral")),
    ("Classify as A: urgent, B: not urgent", ()),
    ("Classify each ticket as urgent or not urgent", ("urgent", "not urgent")),
    (
        "Classify reviews as either very positive, positive, neutral, negative or very negative",
        ("very positive", "positive", "neutral", "negative", "very negative"),
    ),
    ("Label each sentence as favourable or unfavourable to the drug", ("favourable", "unfavourable")),
    ("labels: yes, no, maybe", ("yes", "no", "maybe")),
    ("Analyse the sentiment of these reviews", ()),
    ("Label these tweets", ()),
    ("Do something useful", ()),
    ("Say whether each review recommends the product", ()),
    ("Is each comment in German toxic or not?", ("toxic", "not toxic")),
    ("Label the tone of each email as formal or informal", ("formal", "informal")),
    ("Classify each sentence as entailment, neutral, contradiction", ("entailment", "neutral", "contradiction")),
    ("Is the tweet about sports or not?", ("sports", "not sports")),
    ("Are these reviews positive?", ()),
    ("Please annotate every comment with one of toxic, insult, threat, none", ("toxic", "insult", "threat", "none")),
    ("Label these as a positive review or a negative review", ("positive", "negative")),
    ("Flag tweets that are racist or sexist", ("racist", "sexist")),
    ("I want to know if a text is ironic", ("ironic", "not ironic")),
    ("Label texts such as tweets and posts by mood", ()),
    ("classify movie reviews, as positive or negative", ("positive", "negative")),
]


@pytest.mark.parametrize(("sentence", "labels"), SENTENCES)
def test_labels_are_read_from_the_sentence_and_never_guessed(sentence: str, labels: tuple[str, ...]) -> None:
    assert read_labels(sentence) == labels
