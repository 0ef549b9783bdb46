"""E-mail over encrypted connections, to a server whose certificate is made for the test."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from marketdata_pipelines.domain.notices import Notice, NoticeKind
from marketdata_pipelines.errors import DeliveryFailed, DeliveryRefused
from marketdata_pipelines.notify.mail import MailChannel
from marketdata_pipelines.notify.specs import MailSecurity, MailSpec
from marketdata_pipelines_tests.notify.receivers import smtp_server

NOTICE = Notice("1", NoticeKind.FAILURE, "shares", "shares__day failed", ("line",), 1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for 127.0.0.1 and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate; install openssl")
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return folder / "certificate.pem"


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


def log_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object) -> AuthResult:
    assert isinstance(given, LoginPassword)
    return AuthResult(success=(given.login, given.password) == (b"me", b"secret"), handled=False)


def channel(port: int, security: MailSecurity, password: str = "secret") -> MailChannel:
    spec = MailSpec(
        "mail", "127.0.0.1", port, security, "a@example.org", ("ops@example.org",), "MAIL_USER", "MAIL_PASSWORD"
    )
    return MailChannel(spec, {"MAIL_USER": "me", "MAIL_PASSWORD": password})


def test_starttls_with_a_log_in(server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with smtp_server(tls_context=server_tls, require_starttls=True, authenticator=log_in, auth_required=True) as inbox:
        channel(inbox.port, MailSecurity.STARTTLS).send(NOTICE)

    assert [str(mail["Subject"]) for mail in inbox.mails] == ["shares__day failed"]


def test_a_wrong_password_is_a_refusal_that_does_not_tell_it(
    server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with (
        smtp_server(tls_context=server_tls, authenticator=log_in, auth_required=True) as inbox,
        pytest.raises(DeliveryRefused, match="answered 535") as caught,
    ):
        channel(inbox.port, MailSecurity.STARTTLS, "wrong-password").send(NOTICE)

    assert "wrong-password" not in str(caught.value)


def test_a_certificate_nobody_vouches_for_is_not_trusted(server_tls: ssl.SSLContext) -> None:
    with (
        smtp_server(tls_context=server_tls, authenticator=log_in) as inbox,
        pytest.raises(DeliveryFailed, match="certificate verify failed"),
    ):
        channel(inbox.port, MailSecurity.STARTTLS).send(NOTICE)

    assert inbox.mails == []
