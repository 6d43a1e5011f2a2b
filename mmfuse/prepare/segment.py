"""Chinese text cut into words by jieba (https://github.com/fxsjy/jieba). Only runs of Chinese characters are cut."""

import re
import warnings
from functools import cache
from typing import Any

CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]+")


def segmented(text: str) -> str:
    """The text with spaces around each Chinese word. Other scripts, which jieba would cut by letters, stay."""
    return CHINESE.sub(lambda run: f" {' '.join(jieba().cut(run[0]))} ", text)


@cache
def jieba() -> Any:
    """jieba's cutter. Its own start logs to stderr, and reads a cache that anybody may have left in the temp folder."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its regular expressions, and of pkg_resources
            from jieba import Tokenizer
    except ModuleNotFoundError as error:
        raise ValueError("segment=jieba needs a library: pip install 'mmfuse[zh]'") from error
    cutter = Tokenizer()
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return cutter
