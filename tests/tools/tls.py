"""An authority of this machine alone, a server that has its certificate, and a browser that trusts it."""

import datetime
import os
import ssl
import subprocess
import time
from ipaddress import ip_address
from pathlib import Path
from shutil import which

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LONG = datetime.timedelta(days=20)
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of the tests")])


def needs_certutil() -> None:
    """Skip where a browser cannot be told whom to trust, unless that is what must not be."""
    if which("certutil") is None:
        missing = "there is no certutil on this machine: `apt-get install libnss3-tools`"
        pytest.fail(missing) if os.environ.get("INTERLOCK_CI") == "1" else pytest.skip(missing)


def a_certificate(folder: Path) -> ssl.SSLContext:
    """Issue a certificate for 127.0.0.1 and `localhost`, and leave its authority in the folder, as `authority.pem`."""
    now = datetime.datetime.fromtimestamp(time.time(), datetime.UTC)  # the browser looks at the clock of the machine
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    blank = x509.CertificateBuilder().issuer_name(_NAME).not_valid_before(now - _LONG).not_valid_after(now + _LONG)
    authority = (
        blank.subject_name(_NAME)
        .public_key(authority_key.public_key())
        .serial_number(1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    leaf = (
        blank.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .public_key(key.public_key())
        .serial_number(2)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    (folder / "authority.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


def trust(home: Path, authority: Path) -> None:
    """Have a browser with this home trust an authority."""
    kept = home / ".pki" / "nssdb"
    kept.mkdir(parents=True)
    for words in (["-N", "--empty-password"], ["-A", "-n", "tests", "-t", "C,,", "-i", str(authority)]):
        subprocess.run(
            ["certutil", *words, "-d", f"sql:{kept}"],
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=20,
        )
