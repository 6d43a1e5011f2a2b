"""The words the rest of the code is written in.

Shapes: B examples, T steps, D features, M modalities, K outputs of a task, N rows of a data set. A vector is a sequence
of one step, an image a film of one frame; a missing modality is a mask that is False throughout.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils.data import Dataset as Fetched

from mmfuse.shown import shown


class Signal(NamedTuple):
    """One modality of a batch.

    `mask` is True where a step is real. A padded step is False, and so is every step of an example that lacks the
    modality, so padding and absence are one thing to whoever reads a signal.
    """

    data: Tensor  # (B, T, D) once encoded; (B, T, ...) as its encoder reads it
    mask: Bool[Tensor, "B T"]

    @property
    def present(self) -> Bool[Tensor, " B"]:
        return self.mask.squeeze(1) if self.mask.shape[1] == 1 else self.mask.any(dim=1)

    def pooled(self) -> Float[Tensor, "B D"]:
        """The mean of the real steps, and zeros where there are none."""
        if self.mask.shape[1] == 1:  # a vector
            return shown(self.data.squeeze(1), self.mask)
        total = shown(self.data, self.mask.unsqueeze(-1)).sum(dim=1)
        return total / self.mask.sum(dim=1, keepdim=True).clamp(min=1)

    @classmethod
    def vector(cls, data: Float[Tensor, "B D"], present: Bool[Tensor, " B"]) -> "Signal":
        return cls(data.unsqueeze(1), present.unsqueeze(1))


class Ragged(NamedTuple):
    """One modality of many rows, laid end to end without padding, so that a batch is one gather."""

    data: Tensor  # (S, ...): the steps of every row, row after row
    lengths: Int[Tensor, " N"]  # the steps of each row; 0 where the row lacks the modality
    mask: Bool[Tensor, " S"] | None = None  # False where a step between others is missing; None: none is

    @property
    def present(self) -> Bool[Tensor, " N"]:
        """The rows that have at least one real step."""
        if self.mask is None:
            return self.lengths > 0
        rows = torch.arange(len(self.lengths)).repeat_interleave(self.lengths)  # (S,)
        return torch.zeros(len(self.lengths), dtype=torch.long).index_add(0, rows, self.mask.long()) > 0


Signals = dict[str, Signal]  # by modality, always in the data set's order
Predictions = dict[str, Float[Tensor, "B *T K"]]  # by task; with steps where a task labels steps
Losses = dict[str, Float[Tensor, ""]]  # by name, such as "task/digit" or "align/contrastive/audio-text"


class Batch(NamedTuple):
    signals: Signals
    targets: dict[str, Tensor]  # by task: (B,), (B, C) or (B, T), with -1 or NaN where an example has no label
    rows: Int[Tensor, " B"]  # which rows of the data set these are


Weights = dict[str, Float[Tensor, "B M"]]  # by task, or by "" for all: how much each modality of a row is heard
Lesson = Callable[["Task", Tensor, Int[Tensor, " B"]], Losses]  # of a task, its targets, and which rows these are


class Fused(NamedTuple):
    """What a fusion makes of its signals, and what it says besides."""

    signal: Signal
    losses: Losses = {}  # by name, such as "balance"; they are there to be made smaller
    weights: Float[Tensor, "B M"] | None = None  # modalities in their order: 0 where one is absent, and 1 in sum
    lesson: Lesson | None = None  # losses of decisions that are told what is right; "task" is in place of the task's


class Read(NamedTuple):
    """What a model reads off encoded signals."""

    predictions: Predictions
    losses: Losses = {}  # its fusion's own
    weights: Weights = {}
    besides: Mapping[str, Predictions] = {}  # by name: answers that are learned, too, but are not the last word
    lessons: Mapping[str, Lesson] = {}  # by task


class Outputs(NamedTuple):
    predictions: Predictions
    encoded: Signals  # what the encoders made of each modality
    predict: Callable[[Signals], Predictions]  # what would be predicted from other signals, such as fewer of these
    losses: Losses = {}  # that the fusion has besides the tasks'
    weights: Weights = {}
    besides: Mapping[str, Predictions] = {}
    lessons: Mapping[str, Lesson] = {}
    completion: Losses = {}  # that what completes absent modalities has


class Phase(NamedTuple):
    """Who sits still, which losses count, and which modalities the predictions are made from."""

    frozen: tuple[str, ...] = ()  # names of parts: a modality for its encoder, "fusion", "heads"
    losses: tuple[str, ...] = ("*",)  # patterns
    modalities: tuple[str, ...] = ("*",)  # patterns
    rates: Mapping[str, float] = {}  # by part: what its learning rate is multiplied by; 1 where none is given


class Schedule(ABC):
    """Who learns when: a function of epoch and step that keeps no state, so that it reads as a table."""

    views: Mapping[str, tuple[str, ...]] = {}  # by name: modalities that are validated and tested by themselves, too
    watched: str | None = None  # the view whose score tells the best epoch; None: all modalities together
    tested: str | None = None  # the view that is tested; None: all modalities together
    settles: int = 0  # the first epoch that may be the best: those before prepare it
    by_part: bool = True  # whether its rates may differ from part to part; if not, one call steps through all of them

    @abstractmethod
    def __call__(self, epoch: int, step: int) -> Phase: ...


class Step(NamedTuple):
    """What a balancer makes one loss of."""

    losses: Losses
    outputs: Outputs
    batch: Batch
    tasks: Mapping[str, "Task"]
    parts: Mapping[str, Sequence[nn.Parameter]]  # by name, a modality for its encoder: what learns at this step
    epoch: int


class Units(NamedTuple):
    """What a task is scored by, U of them: examples, or the labelled steps of examples."""

    prediction: Float[Tensor, "U K"]
    target: Tensor  # (U,) or (U, C)
    place: Int[Tensor, " U"]  # which example of the batch each is of


class Task(ABC):
    """What a head is asked for: how long its output is, how wrong it is, and how good it is."""

    size: int  # K
    of: str | None = None  # the modality whose steps have labels; None: examples have
    between: tuple[str, ...] = ()  # the two modalities whose codes are compared; empty: a head predicts
    monitor: ClassVar[str]  # the score that tells the best epoch
    headline: ClassVar[tuple[str, ...]]  # the scores to print

    def fitted(self, target: np.ndarray) -> "Task":
        """The task as the training rows' targets (N,) would have it: their mean, say. Most have nothing to learn."""
        return self

    def units(self, prediction: Float[Tensor, "B *T K"], target: Tensor) -> Units:
        """What is scored, one after another."""
        return Units(prediction, target, torch.arange(len(prediction)))

    @abstractmethod
    def loss(self, prediction: Float[Tensor, "B *T K"], target: Tensor) -> Float[Tensor, ""]:
        """The mean over what has a label; 0 where nothing has."""

    @abstractmethod
    def answer(self, prediction: Float[Tensor, "U K"]) -> np.ndarray:
        """What is made of a prediction to score and record it: (U, K) probabilities or codes, or (U,) values."""

    @abstractmethod
    def score(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        """Figures by name, over what has a label; NaN where nothing has."""

    def skill(self, figures: Mapping[str, Any], target: np.ndarray) -> float:
        """One figure that other tasks' can be averaged with: 1 is perfect, and more is better."""
        return float(figures[self.monitor])

    @abstractmethod
    def resampled(self, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
        """The same figures where unit n is taken counts[r, n] times: (R, U) -> (R,) each. NaN where undefined."""

    def figure(self, name: str, answer: np.ndarray, target: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """One of these figures, (R,), which may be had without the others; `KeyError` where there is none."""
        return self.resampled(answer, target, counts)[name]

    @abstractmethod
    def recorded(self, answer: np.ndarray, target: np.ndarray) -> dict[str, Any]:
        """Columns by name, U values each, as predictions.parquet is to have them."""


class BatchStream(Fetched[Batch], ABC):
    """Training batches that come one after another and cannot be asked for by number."""

    @abstractmethod
    def set_epoch(self, epoch: int) -> None:
        """To be called before each epoch."""

    @abstractmethod
    def steps(self, workers: int) -> int | None:
        """Batches of the first epoch; None where only reading tells."""

    @abstractmethod
    def state_dict(self) -> dict[str, int]:
        """Where in its epoch the process that reads is."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, int]) -> None:
        """The next iteration goes on from there."""


class Stream(ABC):
    """Training rows that are not held, read anew each epoch."""

    rows: int | None  # None where only reading tells

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What the manifest says of them."""

    @abstractmethod
    def batches(
        self,
        preparations: Mapping[str, "Preparation"],
        batch_size: int,
        seed: int,
        forgiving: bool,
        rank: int = 0,
        ranks: int = 1,
    ) -> BatchStream:
        """What this rank trains on. Broken values are an error, unless it is `forgiving`: then they are missing."""


@dataclass(frozen=True)
class Examples:
    """The rows of a data set as they lie in its files, before any preparation."""

    raw: Mapping[str, Sequence[Any]]  # by modality: N strings, arrays or paths; None where a row lacks it
    columns: Mapping[str, str]  # by modality: what its source calls it, for messages
    targets: Mapping[str, np.ndarray]  # by task; tasks/labels.py says which forms there are
    tasks: Mapping[str, Task]
    ids: Sequence[str]  # (N,)
    split: np.ndarray | None = None  # (N,) of "train", "val", "test" or "", where the data set says
    groups: np.ndarray | None = None  # (N,) rows of one group stay on one side of a split
    extras: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # by column: N cells that nothing is learned from
    stream: Stream | None = None  # what is trained on instead of the rows in "train", which only fit the preparations

    def __len__(self) -> int:
        return len(self.ids)


class Dataset(ABC):
    """Where rows come from. It yields raw columns and knows nothing of encoders."""

    @abstractmethod
    def load(self, split: str | None = None, group: str | None = None) -> Examples:
        """`split` and `group` name columns, where the data set has any."""


class Unreadable(NamedTuple):
    row: int  # counted from 0 within what was to be read
    value: str
    reason: str
    absent: bool = False  # a file that is not there, rather than one that is broken


class UnreadableError(Exception):
    """Raw values that a preparation cannot read: all of them, so that they can be counted."""

    def __init__(self, failures: Sequence[Unreadable]):
        super().__init__(f"{len(failures)} values, the first {failures[0]}")
        self.failures = failures


class Preparation(ABC):
    """From raw values to what an encoder reads. What it learns, it learns from the training rows only."""

    size: int  # what its encoder is built with: vocabulary size, channels, sampling rate, feature width

    @abstractmethod
    def fit(self, raw: Sequence[Any]) -> None:
        """Learns from the training rows' values, None among them where a row lacks the modality."""

    @abstractmethod
    def __call__(self, raw: Sequence[Any]) -> Ragged:
        """Many rows at once. Raises `UnreadableError` where some cannot be read."""

    def parts(self) -> dict[str, Any]:
        """What else its encoder is built with, by the names of its arguments: word vectors, what columns there are."""
        return {}

    def said(self) -> str:
        """What whoever trains on it should know of what was learned: how many words have vectors, say."""
        return ""

    def zero(self) -> Tensor:
        """What a step of nothing but zeros is prepared to, for those who fill what is missing with zeros."""
        return torch.zeros(())

    def opened(self, value: Any) -> Any:
        """A raw value as it is read here, at the size, rate and width that it will have: prepared, it is the same.

        A picture is (H, W, C) bytes, a film (T, H, W, C), a sound (samples,) and its rate, features are (T, D).
        """
        return value

    def spread(self) -> Any:
        """The features' standard deviations over the training rows, (D,) or by column; None where it knows of none."""
        return None

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What was learned, as plain JSON."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None: ...


class Encoder(nn.Module, ABC):
    dim: int  # D of what it returns

    @abstractmethod
    def forward(self, signal: Signal) -> Signal: ...


class Fusion(nn.Module, ABC):
    """Many signals in, one out: of features, of predictions, or of tasks, by where a model puts it."""

    dim: int  # D of what it returns
    decides: ClassVar[bool] = False  # whether it takes each modality's logits of classes, one of which is right
    replaces: ClassVar[bool] = False  # whether its lesson has a loss that stands in place of the task's
    remembers: ClassVar[bool] = False  # whether its lesson keeps what each row of the data set cost
    by_step: ClassVar[bool] = False  # whether it returns a step for each that the modalities have side by side

    @abstractmethod
    def forward(self, signals: Signals) -> Signal: ...

    def fuse(self, signals: Signals) -> Fused:
        """The same, with losses of its own and the weights of modalities, of methods that have any."""
        return Fused(self(signals))

    def at_epoch(self, epoch: int) -> None:
        """Called before each epoch, counted from 0, of methods whose losses change with time."""


class Completion(nn.Module):
    """What stands for absent modalities between encoders and fusion. Unless a method says otherwise, nothing does."""

    names: tuple[str, ...] = ()  # of its losses

    def __init__(self, dims: Mapping[str, int]):
        super().__init__()
        self.dims = dict(dims)  # by modality: D of what it returns

    def forward(self, signals: Signals) -> Signals:
        """Encoded signals, absent ones completed by what those that are present tell."""
        return signals

    def losses(self, signals: Signals) -> Losses:
        return {}


class Parts(nn.ModuleDict):
    """Modules by names that a user chose, "type" and "train" among them, which torch keeps for its own attributes."""

    def add_module(self, name: str, module: nn.Module | None) -> None:
        self._modules[name] = module  # type: ignore[assignment]  # as torch itself does

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # torch's own looks among the modules first, also for "training"

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(key)


class Model(nn.Module, ABC):
    besides: ClassVar[tuple[str, ...]] = ()  # names of the answers that it has besides its predictions

    def __init__(self, encoders: Mapping[str, Encoder], completion: Callable[..., Completion] = Completion):
        super().__init__()
        self.encoders = Parts(encoders)
        self.completion = completion(dims={m: encoder.dim for m, encoder in encoders.items()})

    def parts(self) -> dict[str, list[nn.Module]]:
        """What learns: by modality what reads it alone, then "fusion" and "heads"."""
        rest = {name: [part] for name, part in self.named_children() if name != "encoders"}
        return {m: [encoder] for m, encoder in self.encoders.items()} | rest

    def encode(self, signals: Signals) -> Signals:
        return {m: encoder(signals[m]) for m, encoder in self.encoders.items()}

    @abstractmethod
    def read(self, encoded: Signals) -> Read:
        """What is absent is completed first."""

    def predict(self, encoded: Signals) -> Predictions:
        return self.read(encoded).predictions

    def outputs(self, heard: Signals, encoded: Signals) -> Outputs:
        """What is read off the signals that are heard, some of which may be hidden that were encoded."""
        read = self.read(heard)
        about = (read.losses, read.weights, read.besides, read.lessons)
        return Outputs(read.predictions, encoded, self.predict, *about, self.completion.losses(encoded))

    def forward(self, signals: Signals) -> Outputs:
        encoded = self.encode(signals)
        return self.outputs(encoded, encoded)


class Objective(nn.Module, ABC):
    """Losses besides those that the tasks have on the predictions."""

    joins: ClassVar[bool] = False  # whether a loss is of the rows of all ranks, and the same on each

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """What its losses are called, such as "align/contrastive/audio-text"."""

    @abstractmethod
    def forward(self, outputs: Outputs, batch: Batch) -> Losses: ...

    def advice(self, batch_size: int) -> str:
        """What to know before it is trained with such batches; "" where there is nothing to say."""
        return ""

    def shared(self, encoded: Signals) -> dict[str, Float[Tensor, "B D"]] | None:
        """Each modality's code in the space that it makes them share; None where it makes none."""
        return None

    def at_epoch(self, epoch: int) -> None:
        """Called before each epoch, counted from 0."""


class Balancer(nn.Module, ABC):
    """How several losses become one step.

    What comes out is one number whose gradient is the step to take; its value need not mean anything. So all of the
    trainer's features hold for all balancers: one that works on gradients returns sum of p g(p), with g(p) constant.
    """

    surgery: ClassVar[bool] = False  # whether it takes gradients apart, which neither scaled nor sharded ones can be
    lr: float | None = None  # of what it learns itself; None: the optimizer's

    @abstractmethod
    def forward(self, step: Step) -> Float[Tensor, ""]: ...

    def end_epoch(self, epoch: int, train: Mapping[str, float], val: Mapping[str, float]) -> None:
        """Hears the mean of each loss over the epoch, by name."""
