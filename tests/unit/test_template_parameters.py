"""Parameters are checked as CloudFormation would check them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tools.local.errors import LocalStackError
from tools.local.parameters import check_parameters
from tools.local.template import load_template


def check(value: str, **parameter: Any) -> None:
    check_parameters({"P": parameter}, {"P": value})


def refusal(value: str, **parameter: Any) -> str:
    with pytest.raises(LocalStackError) as raised:
        check(value, **parameter)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "1e3", "+2", ".5"])
def test_numbers_are_accepted(value: str) -> None:
    check(value, Type="Number")


@pytest.mark.parametrize("value", ["abc", "", "1 ", "nan", "inf", "1_000", "0x10", "1,5"])
def test_a_parameter_that_is_no_number_is_refused(value: str) -> None:
    assert refusal(value, Type="Number") == f"P cannot be {value!r}. Give a number."


def test_a_number_has_bounds() -> None:
    bounds = {"Type": "Number", "MinValue": 60, "MaxValue": 86400}
    check("60", **bounds)
    check("86400", **bounds)
    assert "at least 60" in refusal("59.9", **bounds)
    assert "at most 86400" in refusal("86401", **bounds)


def test_text_has_a_length() -> None:
    check("ab", Type="String", MinLength=2, MaxLength=2)
    assert "at least 2 characters" in refusal("a", Type="String", MinLength="2")
    assert "at most 2 characters" in refusal("abc", Type="String", MaxLength=2)


def test_a_pattern_must_match_the_whole_value() -> None:
    check("abc", Type="String", AllowedPattern="[a-z]+")
    assert "matches [a-z]+" in refusal("abc1", Type="String", AllowedPattern="[a-z]+")
    assert "matches [a-z]+" in refusal("abc\n", Type="String", AllowedPattern="[a-z]+")


def test_a_pattern_of_java_is_left_to_cloudformation() -> None:
    check("anything", Type="String", AllowedPattern=r"\p{Alpha}+")


def test_a_constraint_is_reported_in_the_templates_words() -> None:
    words = "It is an address."
    assert refusal("x", Type="String", AllowedPattern=".+@.+", ConstraintDescription=words).endswith(words)


def test_allowed_values_may_be_written_as_numbers_and_booleans() -> None:
    check("14", Type="Number", AllowedValues=[1, 14])
    check("true", Type="String", AllowedValues=[True, False])
    assert "Give one of 1, 14." in refusal("2", Type="Number", AllowedValues=[1, 14])


def test_each_item_of_a_list_is_checked() -> None:
    check("a, b", Type="CommaDelimitedList", AllowedValues=["a", "b"])
    assert "Give one of a, b." in refusal("a,c", Type="CommaDelimitedList", AllowedValues=["a", "b"])
    assert "Give a number." in refusal("1,x", Type="List<Number>")


def test_defaults_are_checked_too() -> None:
    with pytest.raises(LocalStackError, match="The default of P cannot be 'x'"):
        check_parameters({"P": {"Type": "Number", "Default": "x"}}, {})


def test_a_parameter_without_default_needs_a_value() -> None:
    with pytest.raises(LocalStackError, match="--parameter P="):
        check_parameters({"P": {"Type": "String"}}, {})


def test_a_secret_is_not_shown() -> None:
    assert "hunter2" not in refusal("hunter2", Type="String", MinLength=20, NoEcho=True)


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(LocalStackError, match="no parameter Nope"):
        check_parameters({}, {"Nope": "1"})


@given(st.text(), st.sampled_from(["String", "Number", "CommaDelimitedList", "List<Number>"]))
def test_any_value_is_accepted_or_refused_in_words(value: str, kind: str) -> None:
    with contextlib.suppress(LocalStackError):
        check(value, Type=kind, MinValue=1, MaxLength=3, AllowedPattern="[a-z]*")


def test_each_local_stack_has_its_own_id() -> None:
    ids = []
    for _ in range(2):
        functions = list(load_template(ROOT / "template.yaml", {}).functions.get_all())
        (stack,) = {function.environment["Variables"]["STACK_ID"] for function in functions}
        ids.append(stack)
    assert ids[0] != ids[1]


@pytest.mark.parametrize(("name", "value"), [("TokenLifetime", "abc"), ("TokenLifetime", "5")])
def test_the_projects_own_parameters_are_checked(name: str, value: str) -> None:
    with pytest.raises(LocalStackError, match=f"{name} cannot be '{value}'"):
        load_template(ROOT / "template.yaml", {name: value})
