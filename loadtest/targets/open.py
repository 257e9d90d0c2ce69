"""The one door to targets: from a reference to an open `Target`, and a check of the reference that opens nothing.

This module imports no target: a program that only checks references stays free of gevent and boto3.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_origin, get_type_hints

from loadtest.core.traffic.plan import TargetRef
from loadtest.errors import SpecError, TargetError
from loadtest.python import search_working_folder
from loadtest.targets.base import Payload, Target
from loadtest.targets.reference import GROUP, OBJECT, check_target_ref

__all__ = ["check_target_ref", "open_target"]


def open_target(ref: TargetRef, *, peak_users: int) -> Target:
    """The target that `ref` names, open. peak_users: how many users will use it at once, 1 or more.

    `sagemaker:NAME`, `http://...`, `boto3:NAME`, `null:`, `package.module:Name`, or `NAME:REST` with NAME of the
    entry-point group `loadtest.targets`. A class, or a function annotated to return one, is called with the options as
    keyword arguments, one of an entry point with REST before them; any other object is the target itself.

    Call it in the process that will invoke it, after gevent's patch. Raises SpecError as `check_target_ref` does, and
    TargetError if the target can't be imported, made, or is none; a `mock:` reference is one to an endpoint that
    somebody else has to start first.
    """
    check_target_ref(ref)
    scheme, rest = ref.scheme, ref.rest
    options = {name: value for name, value in ref.options.items() if value is not None}
    if ref.is_mock:
        raise TargetError(f"{ref.ref}: the mock endpoint has not been started; open the address that it serves")
    if scheme == "null":
        return _null()
    if scheme == "sagemaker":
        return _sagemaker(rest, options)
    if scheme == "boto3":
        return _boto(rest, options, peak_users)
    if scheme in ("http", "https"):
        return _http(ref.ref, options)
    found = _entry_point(scheme)
    if found is not None:
        made = _make(ref.ref, _load(ref.ref, found.load), (rest,), options)
    else:
        made = _make(ref.ref, _load(ref.ref, lambda: _maker(ref.ref)), (), options)
    return _checked(ref.ref, made)


def _null() -> Target:
    from loadtest.targets.null import NullTarget

    return NullTarget()


def _sagemaker(endpoint_name: str, options: Mapping[str, Any]) -> Target:
    from loadtest.targets.http.sagemaker import SageMakerTarget

    return SageMakerTarget(endpoint_name, options)


def _http(url: str, options: Mapping[str, Any]) -> Target:
    from loadtest.targets.http.http import HttpTarget

    return HttpTarget(url, options)


def _boto(endpoint_name: str, options: Mapping[str, Any], peak_users: int) -> Target:
    from loadtest.targets.boto import BotoTarget

    return BotoTarget(endpoint_name, options, peak_users=peak_users)


def _entry_point(name: str) -> EntryPoint | None:
    return next(iter(entry_points(group=GROUP, name=name)), None)


def _object(ref: str) -> object:
    if not OBJECT.fullmatch(ref):
        raise TargetError(f"{ref}: there is no such entry point of {GROUP} in this process")
    module, _, path = ref.partition(":")
    search_working_folder()
    found: object = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return found


def _load(ref: str, load: Callable[[], Any]) -> object:
    try:
        return load()
    except TargetError:
        raise
    except Exception as problem:  # whatever a foreign module does when it is imported
        raise TargetError(f"{ref}: cannot be imported: {type(problem).__name__}: {problem}") from problem


def _make(ref: str, found: object, arguments: tuple[str, ...], options: Mapping[str, Any]) -> object:
    """The object that `found`, a class or factory, makes; or `found` itself if it is an instance."""
    if not callable(found) or (hasattr(found, "invoke") and not isinstance(found, type)):
        return found
    try:
        inspect.signature(found).bind(*arguments, **options)
    except TypeError as problem:
        given = ", ".join([*map(repr, arguments), *(f"{name}=..." for name in options)])
        raise TargetError(f"{ref}: cannot be called as ({given}): {problem}") from None
    except ValueError:
        pass  # some built-in callables have no signature to read
    try:
        return found(*arguments, **options)
    except (SpecError, TargetError):
        raise
    except Exception as problem:
        raise TargetError(f"{ref}: cannot be made: {type(problem).__name__}: {problem}") from problem


def _maker(ref: str) -> object:
    """What `ref` names, if it is a target or makes one, which is known before it is called.

    A name may mean anything that can be called (`os:system`). A class has what a target has; a function says by its
    annotation that it returns one.
    """
    found = made = _object(ref)
    if not isinstance(found, type) and not hasattr(found, "invoke"):
        try:
            made = get_type_hints(found).get("return")
        except (TypeError, NameError, AttributeError):
            made = None
    if not callable(getattr(get_origin(made) or made, "invoke", None)):
        rule = "a class needs invoke() and close(), a function an annotation that it returns such a class"
        raise TargetError(f"{ref}: is no target, so it was not called: {rule}")
    return found


def _checked(ref: str, made: object) -> Target:
    kind = type(made).__name__
    missing = [f"{name}()" for name in ("invoke", "close") if not callable(getattr(made, name, None))]
    if missing:
        raise TargetError(f"{ref}: {kind} is no target: it has no {' and no '.join(missing)}")
    if not isinstance(made, Target):
        raise TargetError(f"{ref}: {kind} is no target")
    if inspect.iscoroutinefunction(made.invoke):
        raise TargetError(
            f"{ref}: {kind}.invoke must be a plain function, not async: gevent makes its waiting cooperative"
        )
    try:
        inspect.signature(made.invoke).bind(Payload(b""))
    except TypeError as problem:
        raise TargetError(f"{ref}: {kind}.invoke must take one payload: {problem}") from None
    except ValueError:
        pass
    return made
