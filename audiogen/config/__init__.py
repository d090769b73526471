"""Configuration: YAML files and overrides <-> dataclasses of options, and the registries of variants."""
