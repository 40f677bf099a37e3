"""Lists what a layer is made of, as an SBOM (https://cyclonedx.org/docs/1.6/json), for `sam build`.

    python layer/sbom.py <folder of the layer>

It goes to standard output, and says nothing of when it was made: the same layer has the same list.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution, distributions
from typing import Any


def main() -> None:
    """List the distributions in a folder."""
    (folder,) = sys.argv[1:]
    components = sorted(map(_component, distributions(path=[folder])), key=lambda each: str(each["purl"]))
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}
    json.dump(document, sys.stdout, indent=1)


def _component(distribution: Distribution) -> dict[str, Any]:
    metadata = distribution.metadata
    name = metadata["Name"].lower().replace("_", "-").replace(".", "-")
    component: dict[str, Any] = {
        "type": "library",
        "name": name,
        "version": distribution.version,
        "purl": f"pkg:pypi/{name}@{distribution.version}",
    }
    if license_ := metadata["License-Expression"]:
        component["licenses"] = [{"expression": license_}]
    return component


if __name__ == "__main__":
    main()
