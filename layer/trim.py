"""Cuts down what each new execution environment reads of boto3 and botocore, for `sam build`.

    python layer/trim.py <folder of the layer> <service>…

What is left is read as before: the models of the services without their documentation, uncompressed; of the
endpoints those of the services; and of the certificates that TLS trusts the roots of AWS's endpoints. A
client is made in half the time, and a TLS context in a tenth. boto3 imports s3transfer for a default of S3,
which no function uses: an empty class in its place saves a twentieth of a cold start.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

_NO_S3_TRANSFERS = '''"""Stands in for s3transfer, of which boto3 imports a class for S3."""


class TransferConfig:
    pass
'''

# See https://www.amazontrust.com/repository
_ROOTS = (
    "Amazon Root CA 1",
    "Amazon Root CA 2",
    "Amazon Root CA 3",
    "Amazon Root CA 4",
    "Starfield Services Root Certificate Authority - G2",
)


def main() -> None:
    """Trim a layer's botocore."""
    layer, services = Path(sys.argv[1]), set(sys.argv[2:])
    data = layer / "botocore/data"
    for folder in data.iterdir():
        if folder.is_dir() and folder.name not in services:
            shutil.rmtree(folder)
    for model in data.rglob("*.json.gz"):
        content = json.loads(gzip.decompress(model.read_bytes()))
        _write(model.with_suffix(""), _without_documentation(content))
        model.unlink()
    for other in ("examples-*", "waiters-*"):
        for file in data.rglob(other):
            file.unlink()
    endpoints = json.loads((data / "endpoints.json").read_text("utf-8"))
    for partition in endpoints["partitions"]:
        partition["services"] = {
            name: service for name, service in partition["services"].items() if name in services
        }
    _write(data / "endpoints.json", endpoints)
    shutil.rmtree(layer / "s3transfer")
    (layer / "s3transfer").mkdir()
    (layer / "s3transfer/__init__.py").write_text("", "utf-8")
    (layer / "s3transfer/manager.py").write_text(_NO_S3_TRANSFERS, "utf-8")
    bundle = layer / "botocore/cacert.pem"
    bundle.write_text("\n".join(_certificate(bundle.read_text("utf-8"), root) for root in _ROOTS), "utf-8")


def _certificate(bundle: str, label: str) -> str:
    """Find a certificate in a bundle whose certificates have labels."""
    found = re.search(rf'^# Label: "{label}"\n(?:#.*\n)*(-----BEGIN.*?-----END[^\n]*\n)', bundle, re.M | re.S)
    if found is None:
        raise SystemExit(f"botocore's bundle lacks {label!r}; see https://www.amazontrust.com/repository")
    return f"# {label}\n{found[1]}"


def _without_documentation(content: Any) -> Any:
    if isinstance(content, dict):
        return {
            name: _without_documentation(value)
            for name, value in content.items()
            if not (name == "documentation" and isinstance(value, str))
        }
    if isinstance(content, list):
        return [_without_documentation(value) for value in content]
    return content


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")), "utf-8")


if __name__ == "__main__":
    main()
