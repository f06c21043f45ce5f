"""Objects as configurations of plain values, and back, by a registry of known names.

The format is Keras 3's: `{"module", "class_name", "config", "registered_name"}`, with the public
names of Keras ("keras.layers", "Dense"), so that either library reads what the other wrote as far
as both have the class. Reading a configuration looks names up in the public names of dlnative, in
what was registered, and in `custom_objects`; nothing is imported and no code is run that is not
one of those.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar, copy_context
from typing import Any, TypeAlias, TypeVar

import numpy as np

from ..graph.tensor import Tracing
from ..naming import unknown
from ..variables import Variable

PLAIN = (str, int, float, bool)

# Modules of a configuration -> the module of dlnative that has the public names.
MODULES = {
    "keras": "models",
    "keras.models": "models",
    "keras.src.models.functional": "models",
    "keras.src.models.sequential": "models",
    "keras.layers": "layers",
    "keras.activations": "activations",
    "keras.callbacks": "callbacks",
    "keras.constraints": "constraints",
    "keras.initializers": "initializers",
    "keras.losses": "losses",
    "keras.src.losses.losses": "losses",
    "keras.metrics": "metrics",
    "keras.optimizers": "optimizers",
    "keras.optimizers.schedules": "optimizers.schedules",
    "keras.regularizers": "regularizers",
    "dlnative.layers": "layers",
    "dlnative.optimizers.schedules": "optimizers.schedules",
}

FUNCTIONS = ("activations", "losses", "metrics")  # modules whose functions may be named, too

# What `losses.get` and its like take: a name, a configuration, a class, an object or a function.
Identifier: TypeAlias = str | dict[str, Any] | Callable[..., Any] | None
Target = TypeVar("Target", bound=Callable[..., Any])  # a class or a function

_registered: dict[str, Any] = {}  # "package>name" -> class or function
_registered_names: dict[Any, str] = {}  # class or function -> "package>name"
_scopes: list[dict[str, Any]] = []  # dicts of custom_object_scope, innermost last
_whole: ContextVar[WholeModel | None] = ContextVar("whole_model", default=None)


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[Target], Target]:
    """Class and function decorator: makes it known to `deserialize_keras_object`.

    Args:
        package: Says whose class it is; the registered name is "package>name".
        name: The name of the class or function by default.

    Raises:
        ValueError: A class without `get_config`.

    Example:
        >>> import dlnative
        >>> @dlnative.utils.register_keras_serializable("readme")
        ... def double(x):
        ...     return x + x
        >>> dlnative.activations.serialize(double)["registered_name"]
        'readme>double'
    """

    def decorate(target: Target) -> Target:
        if isinstance(target, type) and not hasattr(target, "get_config"):
            raise ValueError(
                f"register_keras_serializable: class {target.__name__} has no get_config method"
            )
        registered = f"{package}>{name or target.__name__}"
        _registered[registered] = target
        _registered_names[target] = registered
        return target

    return decorate


class CustomObjectScope:
    """A `with` block in which configurations may refer to more classes and functions.

    Args:
        custom_objects: Dict from the name in the configuration to the class or function.
    """

    def __init__(self, custom_objects: Mapping[str, Any] | None) -> None:
        self.custom_objects = dict(custom_objects or {})

    def __enter__(self) -> CustomObjectScope:
        _scopes.append(self.custom_objects)
        return self

    def __exit__(self, *exception: object) -> None:
        _scopes.remove(self.custom_objects)


custom_object_scope = CustomObjectScope


class WholeModel:
    """One model that is written, or read, as a whole.

    A layer that is met twice, as one that two models share, has one `shared_object_id` in both
    places and is made once; and models are not compiled before their weights are there.

    Args:
        is_of_keras: Whether Keras has written what is read. It notes a `training` of calls of
            layers that nobody has given, and that counts for nothing in `fit` and `predict`.

    Attributes:
        compile_configs: [(model, what it is to be compiled with)] of what was read.
    """

    def __init__(self, is_of_keras: bool = False) -> None:
        self.is_of_keras = is_of_keras
        self.compile_configs: list[tuple[Any, dict[str, Any]]] = []
        self._numbers: dict[int, tuple[Any, int]] = {}  # id of an object -> it and its number
        self._objects: dict[int, Any] = {}  # shared_object_id -> object

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function that writes or reads the model.

        It has a context of its own, so nothing is left over wherever it is interrupted.
        """
        context = copy_context()
        context.run(_whole.set, self)
        return context.run(function, *arguments)

    def number(self, value: Any, record: dict[str, Any]) -> None:
        """Numbers the record of a layer with weights; it may be copied before there is another."""
        if getattr(type(value), "is_layer", False) and value.variables:
            found = self._numbers.setdefault(id(value), (value, len(self._numbers)))
            record["shared_object_id"] = found[1]

    def without_single_numbers(self, record: Any) -> Any:
        """A record, and all in it, without the numbers of layers that it has once only."""
        counts: Counter[int] = Counter()

        def count(part: Any) -> None:
            if isinstance(part, dict):
                counts.update([part["shared_object_id"]] if "shared_object_id" in part else [])
            for each in _parts(part):
                count(each)

        def remove(part: Any) -> None:
            if isinstance(part, dict) and counts[part.get("shared_object_id", -1)] == 1:
                del part["shared_object_id"]
            for each in _parts(part):
                remove(each)

        count(record)
        remove(record)
        return record

    def note_object(self, record: dict[str, Any], value: Any) -> None:
        """Notes what was made of a record."""
        if "shared_object_id" in record:
            self._objects[record["shared_object_id"]] = value

    def object_of(self, record: dict[str, Any]) -> Any:
        """What was made of a record of the same object, or None."""
        return self._objects.get(record.get("shared_object_id", -1))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()


def is_reading_keras() -> bool:
    """Whether a model is being read that Keras has written, see `WholeModel`."""
    whole = _whole.get()
    return whole is not None and whole.is_of_keras


def get_custom_objects() -> dict[str, Any]:
    """The dict of what was registered, by registered name; it may be changed."""
    return _registered


def get_registered_name(obj: Any) -> str:
    """The registered name of a class or function, else its own name."""
    try:
        return _registered_names.get(obj, obj.__name__)
    except TypeError:  # not hashable
        return obj.__name__


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, Any] | None = None,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """The class or function that was registered or given under `name`, or None."""
    for known in (*reversed(_scopes), _registered, custom_objects or {}, module_objects or {}):
        if name in known:
            return known[name]
    return None


def serialize_keras_object(obj: Any) -> Any:
    """The configuration of an object, made of dicts, lists, strings and numbers.

    Args:
        obj: A plain value, an array, a shape, a nested structure of them, a named function, or
            an object with `get_config`.

    Raises:
        ValueError: A lambda, which has no name to be found by.
        TypeError: An object without `get_config`.
    """
    if obj is None or isinstance(obj, PLAIN):
        return obj
    if isinstance(obj, (list, tuple)):
        return type(obj)(serialize_keras_object(v) for v in obj)
    if isinstance(obj, dict):
        return {key: serialize_keras_object(v) for key, v in obj.items()}
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        config = {"value": obj.tolist(), "dtype": obj.dtype.name}
        return {"class_name": "__numpy__", "config": config}
    if isinstance(obj, Variable) or not (hasattr(obj, "get_config") or callable(obj)):
        raise TypeError(f"Cannot serialise {obj!r}: {type(obj).__name__} has no get_config method")
    if not hasattr(obj, "get_config"):
        return _serialize_function(obj)
    return record_of(obj)


def record_of(value: Any, parts: Sequence[str] = ("build_config", "compile_config")) -> Any:
    """The configuration of an object with `get_config`.

    Args:
        value: The object.
        parts: What else goes into it where the object has it, `get_build_config` and so on.
    """
    with Tracing(None):  # numbers of the step are numbers
        config = value.get_config()
    if not isinstance(config, dict):
        raise TypeError(f"{value!r}: get_config must return a dict, it returned {config!r}")
    record = _record(type(value), serialize_keras_object(config))
    for key in parts:
        part = getattr(value, f"get_{key}", lambda: None)()
        if part is not None:
            record[key] = serialize_keras_object(part)
    whole = _whole.get()
    if whole is not None:
        whole.number(value, record)
    return record


def _record(cls: type, config: Any) -> dict[str, Any]:
    module = cls.__module__
    registered = _registered_names.get(cls)
    if registered is None and module.startswith("dlnative."):
        module = getattr(cls, "_public_module", "keras." + module.split(".")[1])
    elif registered is None:
        registered = cls.__name__
    return {
        "module": module,
        "class_name": cls.__name__,
        "config": config,
        "registered_name": registered,
    }


def _serialize_function(function: Any) -> dict[str, Any]:
    name = getattr(function, "__name__", None)
    if name is None or name == "<lambda>":
        raise ValueError(
            f"Cannot serialise {function!r}: it has no name to be found by. Use a named function, "
            "decorated with dlnative.utils.register_keras_serializable()."
        )
    registered = get_registered_name(function)
    module, kind = function.__module__, registered
    if module.startswith("dlnative.") and registered == name:
        module, kind = "builtins", "function"
    return {
        "module": module,
        "class_name": "function",
        "config": registered,
        "registered_name": kind,
    }


def deserialize_keras_object(
    config: Any,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """The object of a configuration that `serialize_keras_object` made.

    Args:
        config: The configuration.
        custom_objects: Dict from names to classes and functions that are not registered.
        safe_mode: Accepted as in Keras. Code in configurations is never run, also where it is
            False.
        module_objects: Dict of the names that a plain string may stand for.

    Raises:
        ValueError: A name that is not known; the nearest are offered. Or a lambda.
        TypeError: Something that is no configuration.

    Differs from Keras: code in configurations is refused with `safe_mode=False`, too.
    """
    if custom_objects:
        with CustomObjectScope(custom_objects):
            return deserialize_keras_object(config, module_objects=module_objects)
    if module_objects is not None and isinstance(config, str):
        config = {"class_name": config, "config": {}, "module": None}
    if config is None or isinstance(config, PLAIN):
        return config
    if isinstance(config, (list, tuple)):
        return type(config)(deserialize_keras_object(c) for c in config)
    if not isinstance(config, dict):
        raise TypeError(f"Expected a configuration, received {config!r} of {type(config).__name__}")
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(value) for key, value in config.items()}
    return _deserialize_record(config, module_objects)


def resolve(identifier: Identifier, kind: str, known: dict[str, Any], expected: str) -> Any:
    """The object that a user's argument means: what `losses.get` and its like return.

    Args:
        identifier: A name, a configuration, a class, which is called without arguments, any other
            callable, which is meant itself, or None, which stays None.
        kind: What is asked for, such as "loss", for the messages.
        known: Dict from the names of the kind to classes and functions.
        expected: What may be given, for the message.

    Raises:
        ValueError: A name that is not known; the nearest are offered.
        TypeError: None of these.
    """
    given = identifier
    if isinstance(given, str):
        identifier = get_registered_object(given, module_objects=known)
        if identifier is None:
            raise unknown(kind, given, known)
    elif isinstance(given, dict):
        identifier = deserialize_keras_object(given, module_objects=known)
    if isinstance(identifier, type):
        return identifier()
    if identifier is None or callable(identifier):
        return identifier
    raise TypeError(
        f"{kind}: expected {expected}, received {given!r} of type {type(given).__name__}"
    )


def _deserialize_record(record: dict[str, Any], module_objects: Mapping[str, Any] | None) -> Any:
    name, config = record["class_name"], record["config"]
    if name in ("__numpy__", "__tensor__"):
        dtype = np.dtype(config["dtype"])
        if dtype.kind not in "biuf":
            raise ValueError(f"Expected an array of numbers in the configuration, not {dtype}")
        return np.array(config["value"], dtype=dtype)
    if name == "__lambda__":
        raise ValueError(
            "The configuration carries the code of a lambda, which is never run. Save the model "
            "with a named function, decorated with register_keras_serializable()."
        )
    if name == "DTypePolicy":
        return config["name"]
    target = _find(record, module_objects)
    if not isinstance(target, type):
        return target
    if not hasattr(target, "from_config"):
        raise ValueError(f"Cannot make a {name} of a configuration: it has no from_config")
    whole = _whole.get()
    shared = None if whole is None else whole.object_of(record)
    if shared is not None:
        return shared
    instance = target.from_config(config)
    if record.get("build_config") and not getattr(instance, "built", True):
        instance.build_from_config(record["build_config"])
    if whole is not None:
        whole.note_object(record, instance)
    if record.get("compile_config") and hasattr(instance, "compile_from_config"):
        if whole is None:
            instance.compile_from_config(record["compile_config"])
        else:
            whole.compile_configs.append((instance, record["compile_config"]))
    return instance


def _find(record: dict[str, Any], module_objects: Mapping[str, Any] | None) -> Any:
    """The class or function that a record names."""
    name = record["class_name"]
    if name == "function":
        name = record["config"]
    if not isinstance(name, str):
        raise TypeError(f"Expected a name, received {name!r} in the configuration {record!r}")
    for key in (record.get("registered_name"), name):
        target = get_registered_object(key, module_objects=module_objects) if key else None
        if target is not None:
            return target
    module = record.get("module")
    if module in MODULES:
        names = _public(MODULES[module])
    elif module == "builtins":
        names = {}
        for part in FUNCTIONS:
            names.update(_public(part))
    else:
        names = {} if module else dict(module_objects or {})
    if name in names:
        return names[name]
    if names:
        raise unknown(f"name in {module or 'the configuration'}", name, names)
    raise ValueError(
        f"Cannot find {module + '.' if module else ''}{name}. Decorate the class or function with "
        "dlnative.utils.register_keras_serializable(), or pass it in custom_objects."
    )


def _public(part: str) -> dict[str, Any]:
    """What a configuration may name in a module of dlnative: classes, and functions of some."""
    module = importlib.import_module(f"dlnative.{part}")
    known = {name: getattr(module, name) for name in module.__all__}
    functions = part in FUNCTIONS
    return {n: v for n, v in known.items() if isinstance(v, type) or (functions and callable(v))}
