"""A notebook's parameters: read from the cell tagged ``parameters``, checked before anything starts.

The cell holds lines like ``clients: int = 8  # concurrent clients``. Types that can be checked: ``int``, ``float``,
``str``, ``bool``, ``None``, ``list``, ``dict``, ``list[X]``, ``dict[str, X]``, ``Optional[X]``, ``X | Y``, ``Literal``.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.errors import ParameterError, nearest
from workbench.redact import MASK, is_secret_name

TAG = "parameters"
_SIMPLE: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of the parameters cell: ``name: type = default  # help``."""

    name: str
    type: str
    default: Any
    help: str = ""

    def check(self, value: Any) -> Any:
        """The value as the notebook gets it (an int where a float is expected becomes one).

        Raises `ParameterError` if it does not fit the type.
        """
        fits, converted = _fit(ast.parse(self.type, mode="eval").body, value)
        if not fits:
            about = f" ({self.help})" if self.help else ""
            got, default = (MASK, MASK) if is_secret_name(self.name) else (repr(value), repr(self.default))
            raise ParameterError(f"{self.name} expects {self.type}, got {got}{about}; its default is {default}.")
        return converted

    def parse(self, text: str) -> Any:
        """The value that a text on the command line stands for: YAML, checked; where a ``str`` fits, the text as it is.

        Raises `ParameterError` if it does not fit the type.
        """
        import yaml

        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        if not isinstance(value, str):
            fits, converted = _fit(ast.parse(self.type, mode="eval").body, value)
            if fits:
                return converted
        fits, converted = _fit(ast.parse(self.type, mode="eval").body, text)
        return converted if fits else self.check(value)


@dataclass(frozen=True, slots=True)
class Given:
    """Values from one place: a profile, a file, or the command line (``-p``, whose texts are still unparsed)."""

    where: str
    values: Mapping[str, Any]
    texts: bool = False

    def without(self, names: Collection[str]) -> Given:
        """The same but for these names."""
        return replace(self, values={name: value for name, value in self.values.items() if name not in names})


def declared(notebook: Mapping[str, Any], *, name: str) -> tuple[Parameter, ...]:
    """The parameters of a notebook, given as the parsed JSON of its file.

    Raises `ParameterError` if no cell is tagged ``parameters`` or a line of it cannot be checked.
    """
    cells = [c for c in notebook.get("cells", ()) if TAG in c.get("metadata", {}).get("tags", ())]
    if not cells:
        raise ParameterError(
            f"The notebook {name} has no cell tagged '{TAG}', so nothing can be passed to it. Give the tag to the code "
            "cell that holds its defaults, a line each: clients: int = 8  # concurrent clients"
        )
    source = "".join(cells[0]["source"])
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ParameterError(
            f"The parameters cell of {name} is not Python: {error.msg} in line {error.lineno}."
        ) from error
    comments = _comments(source)
    return tuple(
        parameter
        for statement in statements
        if (parameter := _parameter(statement, comments.get(statement.end_lineno or 0, ""), name=name))
    )


def read_profile(path: Path) -> dict[str, Any]:
    """The flat ``name: value`` lines of a YAML file.

    Raises `ParameterError` if it cannot be read, is not YAML, or is not flat names with values.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ParameterError(f"The parameters file {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(f"The parameters file {path} is not YAML: {why_no_yaml(error)}.") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ParameterError(f"The parameters file {path} does not hold lines of the form 'name: value'.")
    return values


def why_no_yaml(error: Exception) -> str:
    """What is wrong and where, but not the line itself, in which a secret may stand."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return getattr(error, "reason", None) or type(error).__name__
    return f"{problem} in line {mark.line + 1}, column {mark.column + 1}"


def resolve(
    notebooks: Mapping[str, Sequence[Parameter]], given: Iterable[Given], *, known: Iterable[str] = ()
) -> dict[str, dict[str, Any]]:
    """What each notebook gets: the values meant for it, checked; later places win over earlier ones.

    A name on the command line must belong to one of the ``notebooks``; a name in a file may also be one of ``known``
    (the names of the project's other notebooks). Raises `ParameterError` naming the nearest valid name.
    """
    chosen: dict[str, dict[str, Any]] = {name: {} for name in notebooks}
    own = {parameter.name for parameters in notebooks.values() for parameter in parameters}
    for place in given:
        valid = own if place.texts else own | set(known)
        for name, value in place.values.items():
            if name not in valid:
                raise ParameterError(_unknown(name, own=own, valid=valid, where=place.where, notebooks=notebooks))
            for notebook, parameters in notebooks.items():
                for parameter in parameters:
                    if parameter.name == name:
                        try:
                            checked = parameter.parse(value) if place.texts else parameter.check(value)
                        except ParameterError as error:
                            raise ParameterError(f"{place.where}, {notebook}: {error}") from None
                        chosen[notebook][name] = checked
    return chosen


def _unknown(name: str, *, own: set[str], valid: set[str], where: str, notebooks: Iterable[str]) -> str:
    which = " and ".join(notebooks)
    there = ", ".join(sorted(own)) or "none"
    return f"{where}: {which} has no parameter '{name}'{nearest(name, valid)} There is: {there}."


def _parameter(statement: ast.stmt, comment: str, *, name: str) -> Parameter | None:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None:
        target, value, annotation = statement.target.id, statement.value, statement.annotation
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            annotation = _parsed(annotation.value, name=name)
    elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        target, value, annotation = statement.targets[0].id, statement.value, None
    else:
        return None
    try:
        default = ast.literal_eval(value)
    except (ValueError, TypeError):
        raise ParameterError(f"The default of {target} in {name} is no plain value: {ast.unparse(value)}.") from None
    if annotation is None:
        annotation = ast.parse("None" if default is None else type(default).__name__, mode="eval").body
    try:
        _fit(annotation, default)
    except ParameterError as error:
        raise ParameterError(f"{target} in {name}: {error}") from None
    return Parameter(target, ast.unparse(annotation), default, comment)


def _parsed(annotation: str, *, name: str) -> ast.expr:
    try:
        return ast.parse(annotation, mode="eval").body
    except SyntaxError:
        raise ParameterError(f"A type in the parameters cell of {name} cannot be read: {annotation!r}.") from None


def _comments(source: str) -> dict[int, str]:
    """Line number → the comment at its end."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ").rstrip() for token in tokens if token.type == tokenize.COMMENT}


def _fit(annotation: ast.expr, value: Any) -> tuple[bool, Any]:
    """Does the value fit the annotation, and what does it become?"""
    match annotation:
        case ast.Constant(value=None):
            return value is None, value
        case ast.Name(id="Any"):
            return True, value
        case ast.Name(id="float"):
            return _float(value)
        case ast.Name(id="int"):
            return isinstance(value, int) and not isinstance(value, bool), value
        case ast.Name(id=simple) if simple in _SIMPLE:
            return isinstance(value, _SIMPLE[simple]), value
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _either([left, right], value)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return _either([ast.Constant(None), inner], value)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            literal = ast.literal_eval(inner)
            options = literal if isinstance(literal, tuple) else (literal,)
            return any(value == option and type(value) is type(option) for option in options), value
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            items = [_fit(inner, item) for item in value] if isinstance(value, list) else [(False, None)]
            return all(fits for fits, _ in items), [item for _, item in items]
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[_, inner])):
            pairs = {k: _fit(inner, v) for k, v in value.items()} if isinstance(value, dict) else {"": (False, None)}
            return all(fits for fits, _ in pairs.values()), {key: item for key, (_, item) in pairs.items()}
    raise ParameterError(
        f"the type {ast.unparse(annotation)} cannot be checked; use int, float, str, bool, list, Optional or Literal."
    )


def _float(value: Any) -> tuple[bool, Any]:
    if isinstance(value, str):  # YAML reads 1e3 as a text
        try:
            return True, float(value)
        except ValueError:
            return False, value
    fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    return fits, float(value) if fits else value


def _either(annotations: Sequence[ast.expr], value: Any) -> tuple[bool, Any]:
    for annotation in annotations:
        fits, converted = _fit(annotation, value)
        if fits:
            return True, converted
    return False, value
