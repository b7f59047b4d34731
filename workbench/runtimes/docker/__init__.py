"""The docker runtime: services as containers, through testcontainers."""

from workbench.runtimes.docker.container import Container

__all__ = ["Container"]
