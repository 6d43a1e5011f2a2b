"""`mmfuse predict`."""

from pathlib import Path

from mmfuse.commands.asking import asked_run, asking_parser
from mmfuse.commands.parser import without_collection
from mmfuse.errors import ConfigError

ABOUT = "what a trained run says of new rows, which need no labels"
EXAMPLES = """examples:
  mmfuse predict outputs/latest new.csv -o said.csv                    the mean over the run's seeds
  mmfuse predict outputs/latest new.jsonl -o said.parquet --seed 0 --embeddings
  mmfuse predict outputs/latest test -o said.csv                       the run's own test rows (or val, train)
  mmfuse predict outputs/latest new.csv -o said.csv dataset.modalities.text.column=comment

DATA is a table (.csv, .tsv, .jsonl, .json, .parquet) with the columns that the run's config names; of a run on
something else, named as its modalities are. Paths in it are relative to it, or to dataset.media_root=DIR. A column that
is not there is predicted without, and a row that has nothing gets null."""


def run(typed: list[str]) -> int:
    parser = asking_parser("predict", ABOUT, EXAMPLES)
    parser.add_argument("run", metavar="RUN", type=Path, help="a finished run's folder, such as outputs/latest")
    parser.add_argument("data", metavar="DATA", help="a table; or test, val, train: the run's own rows")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of the data or the machine: batch_size=64")
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, required=True, help=".csv, .jsonl or .parquet")
    parser.add_argument("--embeddings", action="store_true", help="the vectors of modalities and their fusion, too")
    parser.add_argument("--prepared", metavar="FILE.npz", type=Path, help="the rows as an exported model takes them")
    options = parser.parse_intermixed_args(typed)
    from mmfuse.record.formats import check_place
    from mmfuse.run.finished import refuse_unless_there

    check_place(options.output, "-o")
    if options.output.resolve() == Path(options.data).resolve():
        raise ConfigError(f"-o {options.output}: this would write over the rows themselves")
    if options.prepared is not None:
        refuse_place(options.prepared, options.data)
    refuse_unless_there(options.data)
    finished, hears = asked_run(options)
    with without_collection():
        from mmfuse import progress
        from mmfuse.run import predict as predictions
    listener = progress.listener(options.quiet, options.json)
    media = next((o.partition("=")[2] for o in options.overrides if o.startswith("dataset.media_root=")), None)
    done = predictions.predict(finished, options.data, options.output, hears, options.embeddings, media, listener)
    if options.prepared is not None:
        predictions.prepared(finished, options.data, options.prepared, media, listener)
    listener.predicted(done["rows"], done["file"], done["models"])
    return 0


def refuse_place(file: Path, data: str) -> None:
    from mmfuse.run.finished import OWN

    if file.suffix != ".npz":
        raise ConfigError(f"--prepared {file}: numpy's arrays by name are written as .npz")
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"--prepared {file}: there is no folder {file.parent}")
    if data in OWN and not Path(data).exists():
        raise ConfigError(f"--prepared {file}: rows of a table are prepared, not the run's own ({data})")
