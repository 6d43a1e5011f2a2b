"""What becomes of each word before it is counted: nothing, where it is a stop word, or its stem, or its lemma.

Stop words by stopwords-iso (https://github.com/stopwords-iso), whose lists are long: the English one has "good" and
"not" among its 1,298. Stems by Snowball (Porter, 2001, http://snowball.tartarus.org/texts/introduction.html), lemmas
by Simplemma's dictionaries (Barbaresi, https://doi.org/10.5281/zenodo.4673264). Each reads only its own package.
"""

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any

from mmfuse.errors import offer


class Forms:
    def __init__(self, stop_words: Sequence[str] | None = None, stem: str | None = None, lemmatise: str | None = None):
        """`stop_words` are the codes of languages, such as ["en"]; `stem` is one of Snowball's, `lemmatise` a code."""
        if stem is not None and lemmatise is not None:
            raise ValueError(f"stem={stem} and lemmatise={lemmatise} are two ways to one end: choose one of them")
        self.stop_words = stop_list(stop_words) if stop_words else frozenset()
        self.change = stemmer(stem) if stem else lemmatiser(lemmatise) if lemmatise else None
        self.known: dict[str, str] = {}  # by word, so that each is looked up once

    def __bool__(self) -> bool:
        return bool(self.stop_words) or self.change is not None

    def kept(self, words: Iterable[str]) -> list[str]:
        """The forms of those that are no stop words."""
        return [self.form(word) for word in words if word.lower() not in self.stop_words]

    def form(self, word: str) -> str:
        if self.change is None:
            return word
        if word not in self.known:
            self.known[word] = self.change(word)
        return self.known[word]


def stop_list(languages: Sequence[str]) -> frozenset[str]:
    lists = library("stopwordsiso", "stop_words")
    for language in languages:
        among(language, lists.langs(), f"stop_words={list(languages)}: there is no list for '{language}'")
    return frozenset(word.lower() for word in lists.stopwords(list(languages)))


def stemmer(language: str) -> Callable[[str], str]:
    snowball = library("snowballstemmer", "stem")
    among(language, snowball.algorithms(), f"stem={language}: there is no such stemmer")
    stem = snowball.stemmer(language).stemWord
    return lambda word: stem(word.lower())  # capitals are none of its rules


def lemmatiser(language: str) -> Callable[[str], str]:
    languages = library("simplemma.strategies.dictionaries.dictionary_factory", "lemmatise").SUPPORTED_LANGUAGES
    among(language, languages, f"lemmatise={language}: there is no such dictionary")
    lemmatize = library("simplemma", "lemmatise").lemmatize
    return lambda word: lemmatize(word, language)


def among(name: str, names: Iterable[str], said: str) -> None:
    names = sorted(names)
    if name not in names:
        raise ValueError(f"{said}\n  {offer(name, names, 'there are')}")


def library(name: str, key: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ValueError(f"{key} needs a library: pip install 'mmfuse[text]'") from error
