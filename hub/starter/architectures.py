"""Makes the untrained models: the shared encoder with low-rank adapters, and small models from random weights."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from hub.starter.recipes import MAX_TOKENS, Recipe

Untrained = tuple[PreTrainedModel, PreTrainedTokenizerFast]

LORA_RANK = 8
LORA_SCALE = 2.0
ADAPTED_LAYERS = [2, 3, 4, 5]  # the upper four of six: the lower two need no backward pass
VOCABULARY = 7000
_WIDTH, _LAYERS, _HEADS = 96, 2, 4
_BERT_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
_ROBERTA_TOKENS = {
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "cls_token": "<s>",
    "sep_token": "</s>",
}


def label_settings(recipe: Recipe) -> dict[str, Any]:
    """Return the class names as a model configuration takes them."""
    names = list(recipe.labels.values())
    return {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}


def adapt_encoder(recipe: Recipe, encoder: Path, weights: Path) -> tuple[PeftModel, PreTrainedTokenizerFast]:
    """Return the encoder with rank-8 adapters on query and value of its upper layers, and its tokenizer.

    The pooler and the classifier are trained whole. `encoder` holds config.json and the tokenizer files.
    """
    config = BertConfig.from_pretrained(encoder, **label_settings(recipe))
    model = BertForSequenceClassification(config)
    state = load_file(weights)
    state.pop("embeddings.position_ids")
    model.bert.load_state_dict(state)
    lora = LoraConfig(
        r=LORA_RANK,
        lora_alpha=int(LORA_SCALE * LORA_RANK),
        lora_dropout=0.05,
        target_modules=["query", "value"],
        layers_to_transform=ADAPTED_LAYERS,
        layers_pattern="layer",
        modules_to_save=["pooler", "classifier"],
    )
    return get_peft_model(model, lora), AutoTokenizer.from_pretrained(encoder)


def make_small_distilbert(recipe: Recipe, texts: Sequence[str]) -> Untrained:
    """Return a 2-layer DistilBERT with random weights and a subword tokenizer of its own.

    The subwords are learnt by BPE: the library's WordPiece trainer gives another vocabulary at each run.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=_BERT_TOKENS["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=list(_BERT_TOKENS.values()), show_progress=False),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    config = DistilBertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        max_position_embeddings=MAX_TOKENS,
        dim=_WIDTH,
        hidden_dim=4 * _WIDTH,
        n_layers=_LAYERS,
        n_heads=_HEADS,
        seq_classif_dropout=0.1,
        **label_settings(recipe),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_TOKENS,
        **_BERT_TOKENS,
        model_input_names=["input_ids", "attention_mask"],
    )
    return DistilBertForSequenceClassification(config), fast


def make_small_roberta(recipe: Recipe, texts: Sequence[str]) -> Untrained:
    """Return a 2-layer RoBERTa with random weights and a byte-level BPE tokenizer trained on the texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        max_position_embeddings=MAX_TOKENS + 2,
        hidden_size=_WIDTH,
        intermediate_size=4 * _WIDTH,
        num_hidden_layers=_LAYERS,
        num_attention_heads=_HEADS,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        **label_settings(recipe),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_TOKENS,
        **_ROBERTA_TOKENS,
        model_input_names=["input_ids", "attention_mask"],
    )
    return RobertaForSequenceClassification(config), fast


FROM_SCRATCH: dict[str, Callable[[Recipe, Sequence[str]], Untrained]] = {
    "distilbert": make_small_distilbert,
    "roberta": make_small_roberta,
}
