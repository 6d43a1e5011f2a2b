"""Typos on the command line, told before Hydra is even loaded."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmfuse.config import schema
from mmfuse.config.arguments import Argument
from mmfuse.config.catalog import Catalog
from mmfuse.config.fields import within
from mmfuse.errors import ConfigError, offer

OTHERS = ("trainer", "optimizer")  # built by other libraries, which take more arguments than their files name


def precheck(
    arguments: Sequence[Argument],
    catalog: Catalog,
    choices: Mapping[str, str],
    encoders: Mapping[str, Argument],
    objectives: Argument | None,
) -> None:
    """Refuses keys and simple values, as far as they can be known without composing."""
    targets = {a.key.removesuffix("._target_"): a.value for a in arguments if a.key.endswith("._target_")}
    known = schema.build(catalog, choices, targets)
    own = {key.split(".")[1] for key in targets if within(key, "encoder")}  # modalities with encoders of another make
    modalities = known.fields["dataset.modalities"].default or {}
    declared = any("dataset.modalities" in schema.parents(a.key) for a in arguments)
    for modality, about in modalities.items():
        if "kind" in about and modality not in own and not declared:
            chosen = encoders.get(modality)
            name = chosen.value if chosen else None
            known = located(schema.with_encoder, chosen, known, catalog, modality, about["kind"], name)
    named = {a.key.split(".")[1]: a for a in arguments if within(a.key, "objectives")}
    for name, argument in {
        **named,
        **dict.fromkeys((objectives.names() or []) if objectives else [], objectives),
    }.items():
        known = located(schema.with_objective, argument, known, catalog, name, targets.get(f"objectives.{name}"))
    for argument in arguments:
        if argument is objectives:
            continue
        if argument.sign != "~" and not argument.value:
            raise ConfigError(
                f"'{argument.key}=' names no value{argument.place}\n  to say none at all: {argument.key}=null"
            )
        if argument.value == "null" and argument.key in choices:
            raise ConfigError(f"an experiment needs a {argument.key}{argument.place}\n  see: mmfuse list")
        if argument.sign == "~" or "@" in argument.key or "/" in argument.key or argument.key in choices:
            continue
        if within(argument.key, "encoder"):
            modality = argument.key.split(".")[1]
            chosen_here = argument in encoders.values() and modality in modalities
            if declared or chosen_here or modality in own:
                continue
            if modality not in modalities:
                said = f"'{argument.key}': the data set has no modality '{modality}'{argument.place}"
                raise ConfigError(f"{said}\n  {offer(modality, modalities, 'it has')}")
        if argument.sign == "+" and argument.key.split(".")[0] in OTHERS:
            continue
        simple, value = argument.simple()
        located(schema.check, argument, known, argument.key, value, simple)


def located(do: Any, argument: Argument | None, *arguments: Any) -> Any:
    """Calls, and adds to an error's first line where the argument stands."""
    try:
        return do(*arguments)
    except ConfigError as error:
        first, *rest = str(error).split("\n")
        raise ConfigError("\n".join([first + (argument.place if argument else ""), *rest])) from None
