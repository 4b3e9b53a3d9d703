"""A time-stamping authority on this machine: certificates of its own, stamps by `openssl ts`, the real wire format."""

import subprocess
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = 86_400
_SETTINGS = """\
[tsa]
default_tsa = one
[one]
serial = serial
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256, sha512
signer_digest = sha256
ess_cert_id_alg = sha256
"""


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass
class Authority:
    """Signs stamps with a certificate that its own root has signed."""

    folder: Path
    ends_in_days: float = 30
    root: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.root = self.folder / "root.pem"
        root_key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        root = self._certificate("root", "root", root_key, root_key, 60).add_extension(constraints, critical=True)
        self.root.write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM))
        own = self._certificate("authority", "root", own_key, root_key, self.ends_in_days)
        own = own.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        (self.folder / "own.pem").write_bytes(own.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM))
        written = own_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.folder / "own.key").write_bytes(written)
        (self.folder / "tsa.cnf").write_text(_SETTINGS, encoding="utf-8")

    def _certificate(
        self, name: str, by: str, key: ec.EllipticCurvePrivateKey, by_key: ec.EllipticCurvePrivateKey, days: float
    ) -> x509.CertificateBuilder:
        begin, end = (datetime.fromtimestamp(time.time() + each * _DAY, UTC) for each in (-10, days))
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(by))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key.public_key()), critical=False)
        )

    def stamp(self, question: bytes) -> bytes:
        """Answer a question as an authority does."""
        (self.folder / "question").write_bytes(question)
        words = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "question", "-out", "answer"]
        words += ["-signer", "own.pem", "-inkey", "own.key"]
        ended = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=30)
        assert ended.returncode == 0, ended.stderr
        return (self.folder / "answer").read_bytes()
