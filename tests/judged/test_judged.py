"""dlnative.ops and dlnative.random against real Keras, name by name: see cases.py."""

from __future__ import annotations

import inspect

import answers
import pytest
from cases import FOLDER, all_cases
from document import PATH, document, is_there
from judge import Missing, findings
from names import ARGUMENTS_DIFFER, NAMESPACES, find, functions, short

import dlnative

pytestmark = pytest.mark.timeout(900)  # the first test waits for Keras

CASES = {}
for _cases in all_cases().values():
    for _case in _cases:
        CASES.setdefault(short(_case.op), []).append(_case)


@pytest.fixture(scope="session")
def keras_answers(request):
    """The answers of Keras to the cases of all tests that were chosen."""
    if not answers.installed():
        pytest.skip("needs Keras and JAX: pip install 'dlnative[test-peers]'")
    chosen = {item.callspec.params.get("op") for item in request.session.items if _has_op(item)}
    return answers.ask(case for op in chosen for case in CASES.get(op, ()))


def _has_op(item):
    return hasattr(item, "callspec") and item.path.parent == FOLDER


@pytest.mark.parametrize("op", sorted(CASES))
@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_op_answers_as_keras_does(keras_answers, engine, op):
    wrong, missing = [], []
    for case in CASES[op]:
        try:
            wrong += findings(case, keras_answers[case.key], engine)
        except Missing as reason:
            missing.append(str(reason))
    assert not wrong, f"{len(wrong)} findings in {len(CASES[op])} cases:\n" + "\n".join(wrong[:20])
    if missing:
        pytest.skip(f"{len(missing)} of {len(CASES[op])} cases: {missing[0]}")


@pytest.mark.parametrize("name", functions())
def test_arguments_are_those_of_keras(keras_answers, name):
    if not is_there(name):
        pytest.skip("not there: see test_every_name_is_there")
    if name not in keras_answers[answers.SIGNATURES]:
        pytest.skip("newer than the Keras that is installed")
    function = find(dlnative, name)
    ours = [
        (p.name, None if p.default is p.empty else repr(p.default))
        for p in inspect.signature(function).parameters.values()
    ]
    theirs = keras_answers[answers.SIGNATURES][name]
    if short(name) in ARGUMENTS_DIFFER:
        assert ours != theirs, "it does not differ: take it out of ARGUMENTS_DIFFER"
    else:
        assert ours == theirs


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_namespaces_hold_the_functions_of_ops(namespace):
    for name in functions():
        own = name.rpartition(".")[2]
        if name.startswith(f"{namespace}.") and short(name) == own and is_there(name):
            assert find(dlnative, name) is getattr(dlnative.ops, own)


def test_every_name_is_there():
    missing = {short(name): None for name in functions() if not is_there(name)}
    # `custom_gradient` takes a function: tests/test_user_code.py has its cases.
    # Trainings judge callbacks, and files saving: tests/test_*_against_keras.py.
    judged = {*CASES, "custom_gradient"}
    calls = [name for name in functions() if not name.startswith(("callbacks.", "saving."))]
    unjudged = {short(name): None for name in calls if short(name) not in judged}
    assert not missing, f"{len(missing)} names without an implementation: {', '.join(missing)}"
    assert not unjudged, f"{len(unjudged)} names without a case: {', '.join(unjudged)}"


def test_the_document_is_up_to_date():
    assert PATH.read_text() == document(), "write it anew: python tests/judged"
