"""How the `tokenizers` library cuts text into words, characters or subwords, and what it learns their numbers by."""

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

PADDING, UNKNOWN = "[PAD]", "[UNK]"  # numbers 0 and 1
WORD_END = "</w>"


def untrained(level: str, lowercase: bool, chinese: bool) -> Tokenizer:
    """`chinese` makes each Chinese character a word."""
    empty = {PADDING: 0, UNKNOWN: 1}
    if level == "subword":
        tokenizer = Tokenizer(
            models.BPE(vocab=empty, merges=[], unk_token=UNKNOWN, end_of_word_suffix=WORD_END, fuse_unk=True)
        )
    else:
        tokenizer = Tokenizer(models.WordLevel(vocab=empty, unk_token=UNKNOWN))
    tokenizer.encode_special_tokens = True  # a text that spells "[PAD]" is text
    folded = normalizers.BertNormalizer(handle_chinese_chars=chinese and level != "character", lowercase=lowercase)
    if level == "character":
        spaces = normalizers.Replace(Regex(r"\s+"), " ")
        composed = normalizers.NFC()  # folding takes a Korean syllable apart
        tokenizer.normalizer = normalizers.Sequence([folded, composed, spaces, normalizers.Strip()])
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    else:
        tokenizer.normalizer = folded
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def trainer(level: str, max_words: int, min_count: int) -> trainers.Trainer:
    special = [PADDING, UNKNOWN]
    if level == "subword":
        return trainers.BpeTrainer(
            vocab_size=max_words,
            min_frequency=min_count,
            special_tokens=special,
            limit_alphabet=max(1, max_words // 2 - 1),  # each letter counts twice: within a word and at its end
            end_of_word_suffix=WORD_END,
            show_progress=False,
        )
    return trainers.WordLevelTrainer(
        vocab_size=max_words, min_frequency=min_count, special_tokens=special, show_progress=False
    )


def cutter(chinese: bool) -> Tokenizer:
    """Whose normalizer and pre_tokenizer cut a text into its words, with case and accents as they were."""
    tokenizer = untrained("word", lowercase=False, chinese=chinese)
    tokenizer.normalizer = normalizers.Sequence([tokenizer.normalizer, normalizers.NFC()])
    return tokenizer
