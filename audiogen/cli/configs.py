"""`audiogen configs`: list the shipped configurations, or print one."""

from __future__ import annotations

import click

from audiogen.cli.command import Command, print_output, set_json_result
from audiogen.cli.options import CONFIG_NAME
from audiogen.config.shipped import find_config, shipped_configs, summary


@click.command(
    "configs",
    cls=Command,
    examples=("audiogen configs", "audiogen configs mel", "audiogen configs mel/lstm-flow > my.yaml"),
)
@click.argument("name", required=False, type=CONFIG_NAME)
def configs(name: str | None) -> None:
    """List the configurations that `train`, `compare` and `continue --config` accept, or print the one called NAME.

    NAME may also be a family, mel, midi or vocoder, whose configurations are then listed.
    A configuration is printed as complete YAML: every key, with the defaults that its file does not set.
    """
    family = "" if name is None else name.removesuffix("/") + "/"
    listed = {each: path for each, path in shipped_configs().items() if each.startswith(family)}
    if listed:
        summaries = {each: summary(path) for each, path in listed.items()}
        width = max(map(len, summaries)) + 2
        for each, text in summaries.items():
            print_output(f"{each:<{width}}{text}")
        set_json_result({"configs": [{"name": each, "summary": text} for each, text in summaries.items()]})
        return
    path = find_config(str(name))

    from audiogen.experiment import dump_yaml, read_experiment, to_tree

    experiment = read_experiment(path)
    print_output(dump_yaml(experiment).rstrip())
    set_json_result({"name": name, "path": path, "experiment": to_tree(experiment)})
