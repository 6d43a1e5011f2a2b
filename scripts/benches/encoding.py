"""A frozen MiniLM over texts of mixed lengths, against loops written by hand. CPU time, one thread.

What else the machine does matters less then, and waiting for the disk is not counted. bf16 is 1.6 to 1.7 times as fast
as fp32: the linear layers are 2.0 to 2.3 times, but torch's attention on a CPU is slower in bf16 than in fp32.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch

from benches.mixed_texts import MINILM, mixed_texts
from benches.row import Row
from benches.timing import Again, in_turns
from mmfuse.cache.encode import encode, halved
from mmfuse.data.reader import Reader
from mmfuse.encoders.hf_text import HFText
from mmfuse.listener import Listener
from mmfuse.prepare.subwords import Subwords
from mmfuse.run.encoded import encoded
from mmfuse.types import Examples

CPU = torch.device("cpu")


def rows(n: int = 400) -> Iterator[Row]:
    texts = mixed_texts(n)
    encoder, prepare_ = HFText(Subwords(MINILM).size, MINILM).eval(), Subwords(MINILM)
    ragged = prepare_(texts)
    tokens = [row.tolist() for row in ragged.data.split(ragged.lengths.tolist())]
    longest, steps = max(map(len, tokens)), 1024
    few = tokens[:32]  # each takes as long as the longest
    yield Row("texts: mean length", float(ragged.lengths.float().mean()), None, None, f"subwords, of up to {longest}")

    def again(do: Callable[..., Any], *arguments: Any) -> Again:
        return Again(lambda: iter([do(*arguments)]))

    took: dict[str, float] = {}
    for precision, half in (("fp32", False), ("bf16", True)):
        runs = {
            f"{precision}, pass": again(encode, encoder, ragged, CPU, half),
            f"{precision}, pass by hand": again(by_hand, encoder.network, tokens, steps, half),
            f"{precision}, all": again(all_of_it, texts, prepare_, encoder, precision),
            f"{precision}, all by hand": again(
                lambda h: by_hand(encoder.network, tokenized(prepare_, texts), steps, h), half
            ),
            f"{precision}, padded": again(padded_to, encoder.network, few, longest, half),
        }
        took |= in_turns(runs, repeats=3)
        for what, about in (("pass", "the pass"), ("all", "tokenizing, pass, cache")):
            ours, rival = (len(texts) / took[f"{precision}, {what}{by}"] for by in ("", " by hand"))
            yield Row(f"{precision}, {about}, against by hand", ours, rival, (">=", 0.95), "rows/s")
        rival = len(few) / took[f"{precision}, padded"]
        ours = len(texts) / took[f"{precision}, pass"]
        yield Row(f"{precision}, the pass, against padding to the longest", ours, rival, (">=", 2.5), "rows/s")
    ours, rival = (len(texts) / took[f"{precision}, pass"] for precision in ("bf16", "fp32"))
    goal = (">=", 2.0) if halved(CPU, "auto") else None
    yield Row("bf16 against fp32", ours, rival, goal, "rows/s")
    said = [encode(encoder, ragged, CPU, half).data for half in (False, True)]
    cosine = torch.nn.functional.cosine_similarity(*said).min()
    yield Row("  cosine of the two, the least", float(cosine), None, (">=", 0.9999), "")


def tokenized(prepare_: Subwords, texts: list[str]) -> list[list[int]]:
    return prepare_.tokenizer(texts, truncation=True, max_length=128)["input_ids"]


def by_hand(network: Any, tokens: list[list[int]], steps: int, half: bool) -> torch.Tensor:
    """What one would write: the longest first, in batches of so many steps, mean over the subwords."""
    order = sorted(range(len(tokens)), key=lambda row: -len(tokens[row]))
    vectors = torch.empty(len(tokens), network.config.hidden_size)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        while order:
            rows = order[: max(1, steps // len(tokens[order[0]]))]
            order = order[len(rows) :]
            vectors[rows] = means(network, [tokens[row] for row in rows], len(tokens[rows[0]]))
    return vectors


def padded_to(network: Any, tokens: list[list[int]], longest: int, half: bool) -> torch.Tensor:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        return torch.cat([means(network, tokens[k : k + 32], longest) for k in range(0, len(tokens), 32)])


def means(network: Any, tokens: list[list[int]], longest: int) -> torch.Tensor:
    words = torch.tensor([row + [0] * (longest - len(row)) for row in tokens])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in tokens])
    said = network(input_ids=words, attention_mask=mask).last_hidden_state.float()
    return (said * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)


def all_of_it(texts: list[str], prepare_: Subwords, encoder: HFText, precision: str) -> torch.Tensor:
    """As `train` does it, into an empty cache."""
    examples = Examples({"text": texts}, {"text": "text"}, {}, {}, [str(k) for k in range(len(texts))])
    cfg = {
        "encoder": {"text": {"name": "hf", "model": MINILM}},
        "trainer": {"accelerator": "cpu"},
        "encoding": {"precision": precision},
        "cache": False,  # a folder of its own, otherwise the same
    }
    return encoded(cfg, "text", Reader("text", examples, False), prepare_, encoder, Listener())[0].data
