"""audiogen configs: the configurations that ship, by name."""

from __future__ import annotations

import click

from audiogen.cli.command import Command, report, show
from audiogen.cli.options import CONFIG_NAME
from audiogen.config.shipped import find_config, shipped_configs, summary


@click.command("configs", cls=Command)
@click.argument("name", required=False, type=CONFIG_NAME)
def configs(name: str | None) -> None:
    """List the configurations that `train`, `compare` and `continue --config` take by NAME, or print that one.

    With NAME, every key is written out, as YAML: what the file says over the defaults.
    """
    if name is None:
        found = {each: summary(path) for each, path in shipped_configs().items()}
        width = max(map(len, found)) + 2
        for each, text in found.items():
            show(f"{each:<{width}}{text}")
        report({"configs": [{"name": each, "summary": text} for each, text in found.items()]})
        return
    path = find_config(name)

    from audiogen.experiment import dump_yaml, read_experiment, to_tree

    experiment = read_experiment(path)
    show(dump_yaml(experiment).rstrip())
    report({"name": name, "path": path, "experiment": to_tree(experiment)})
