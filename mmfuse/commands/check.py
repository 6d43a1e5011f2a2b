"""`mmfuse check`."""

from mmfuse.commands.parser import without_collection
from mmfuse.commands.running import as_yaml, composed, running_parser
from mmfuse.errors import DataError

ABOUT = "compose, validate, audit the data, push one batch through; train nothing"


def run(typed: list[str]) -> int:
    options, config = composed(running_parser("check", ABOUT), typed)
    if options.dry_run:
        print(as_yaml(config), end="")
        return 0
    with without_collection():
        from mmfuse import progress
        from mmfuse.run.check import check as check_config

    findings = check_config(config, progress.listener(options.quiet, options.json))
    return DataError.exit_code if any(finding.grade == "error" for finding in findings) else 0
