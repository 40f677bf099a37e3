"""The stack that `template.yaml` describes, read by SAM CLI's own providers."""

from __future__ import annotations

import contextlib
import io
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samcli.lib.providers.api_provider import ApiProvider
from samcli.lib.providers.provider import Api
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

from tools.local.backends.environment import ACCOUNT, REGION
from tools.local.errors import LocalStackError
from tools.local.parameters import check_parameters


@dataclass(frozen=True)
class Template:
    """The template's parts that the local stack uses."""

    path: Path
    resources: Mapping[str, Any]
    """Every resource by logical id, its intrinsic functions resolved."""
    functions: SamFunctionProvider
    api: Api
    """The routes, with their functions and authorizers."""
    parameters: Mapping[str, str]
    """The values of all its parameters."""

    @property
    def root(self) -> Path:
        """The folder that the template's paths are relative to."""
        return self.path.parent

    @property
    def gateway_responses(self) -> Mapping[str, Any]:
        """Responses of API Gateway's own, by response type."""
        return dict(self._api_properties.get("GatewayResponses", {}))

    @property
    def authorizers(self) -> Mapping[str, Any]:
        """The API's authorizers by name, as the template declares them."""
        return dict(self._api_properties.get("Auth", {}).get("Authorizers", {}))

    @property
    def minimum_compression_size(self) -> int | None:
        """Bytes from which on API Gateway compresses bodies; None if it never does."""
        return self._api_properties.get("MinimumCompressionSize")

    @property
    def _api_properties(self) -> Mapping[str, Any]:
        for resource in self.resources.values():
            if resource["Type"] == "AWS::Serverless::Api":
                return dict(resource.get("Properties", {}))
        return {}


def load_template(path: Path, parameters: Mapping[str, str]) -> Template:
    """Read the template.

    Args:
        path: The template file.
        parameters: Values for the template's parameters; the others have their defaults.

    Raises:
        LocalStackError: the template is missing or broken, or a parameter is not one it takes.
    """
    os.environ["SAM_CLI_TELEMETRY"] = "0"
    path = path.resolve()
    if not path.is_file():
        raise LocalStackError(f"{path} does not exist. Run this in the project's folder, or give --template.")
    # At each start, SAM CLI warns on standard error that authorizers may behave differently on AWS.
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            stacks, _ = SamLocalStackProvider.get_stacks(
                str(path), parameter_overrides={"AWS::StackId": _stack_id(), **parameters}
            )
            functions = SamFunctionProvider(stacks, ignore_code_extraction_warnings=True)
            api = ApiProvider(stacks, cwd=str(path.parent)).api
        except Exception as error:  # SAM CLI raises a dozen kinds of errors, also KeyError and AttributeError
            reason = " ".join(str(error).split()) or type(error).__name__
            raise LocalStackError(f"{path} is broken: {reason}. Run 'make validate' to see more.") from error
    stack = stacks[0]
    if not stack.template_dict:
        raise LocalStackError(f"{path} is broken: it is empty. Run 'git checkout {path.name}' to restore it.")
    declared = stack.template_dict.get("Parameters", {})
    check_parameters(declared, parameters)
    if not api.routes:
        raise LocalStackError(f"{path} has no API with routes, so there is nothing to serve.")
    values = {name: str(each["Default"]) for name, each in declared.items() if "Default" in each}
    return Template(path, stack.resources, functions, api, values | dict(parameters))


def _stack_id() -> str:
    """Make up an id, another one each time, so that local stacks that use one Redis share nothing."""
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/local/{uuid.uuid4()}"
