"""The door: the names that are public, each importable, and none imported before it is used."""

import subprocess
import sys

import pytest

import sfumato as sf

NAMES = [
    "AuditReport",
    "Certificate",
    "CertificateError",
    "Engine",
    "Federation",
    "Guarantee",
    "Ledger",
    "NoCertificate",
    "Overdraft",
    "Progress",
    "Report",
    "Schema",
    "SfumatoError",
    "Site",
    "Synthesizer",
    "Table",
    "Utility",
    "Verification",
    "audit",
    "evaluate",
    "examples",
    "federated",
    "generate_key",
    "load",
    "parties",
    "report",
    "sketch",
    "verify",
]


def test_these_names_and_no_others_are_public():
    assert sorted(sf.__all__) == NAMES
    assert dir(sf) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_there_and_documented(name):
    assert getattr(sf, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'moon'"):
        _ = sf.moon


@pytest.mark.parametrize("module", ["sfumato", "sfumato.cli.main"])
def test_nothing_heavy_is_imported_before_it_is_used(module):
    heavy = [
        "numpy",
        "pyarrow",
        "jax",
        "scipy",
        "pandas",
        "sklearn",
        "mbi",
        "opendp",
        "dp_accounting",
        "cryptography",
        "pydantic",
        "yaml",
    ]
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
