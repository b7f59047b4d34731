"""The public face: what it names exists, is documented, and costs next to nothing until used."""

import inspect
import subprocess
import sys

import pytest

import workbench


@pytest.mark.parametrize("name", [name for name in workbench.__all__ if name != "__version__"])
def test_every_public_name_exists_and_is_documented(name):
    value = getattr(workbench, name)
    assert inspect.getdoc(value), f"workbench.{name} has no docstring"


@pytest.mark.parametrize("name", [name for name in workbench.__all__ if inspect.isfunction(getattr(workbench, name))])
def test_public_functions_take_options_by_keyword(name):
    parameters = list(inspect.signature(getattr(workbench, name)).parameters.values())
    optional = [p for p in parameters if p.default is not p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    assert not optional, f"workbench.{name} takes {', '.join(p.name for p in optional)} by position"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Kil'"):
        _ = workbench.Kil  # type: ignore[attr-defined]


def test_importing_the_package_imports_nothing_heavy():
    heavy = "pandas matplotlib pyarrow numpy papermill nbclient testcontainers redis pymongo aiohttp psutil rich typer"
    code = f"import sys, workbench; print([m for m in {heavy.split()!r} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
