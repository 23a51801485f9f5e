"""Messages reach real receivers through each kind of channel, and failures are told without secrets."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import socket
import threading
from email.message import EmailMessage
from typing import Any

import pytest
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.slack import NotifySlack
from apprise.plugins.workflows import NotifyWorkflows
from pytest_httpserver import HTTPServer
from werkzeug import Response

from reconciler.desired.notifications import Channel, ChannelKind, Topic
from reconciler.notices.notice import Notice, Phase
from reconciler.notices.sending import NotSent
from reconciler.notices.sending import send as send_to
from reconciler.notices.words import Words, put_into_words
from tests.notices.conftest import Postbox

EVIL = "<!channel> <https://evil.example|click> [click](https://evil.example) <at>boss</at> *b* &amp; <b>x</b>"
NOTICE = Notice(Topic.DEGRADED, Phase.BEGAN, "prod", "app", "2.0.0", ("PROD-01",), message=EVIL)
TOKENS = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


def channel(kind: ChannelKind) -> Channel:
    return Channel("ops", kind, "ops", 60.0, 20)


def send(channel: Channel, recipient: str, words: Words) -> None:
    send_to(channel, recipient, words, os.environ["ADDRESS"])


def words(kind: ChannelKind) -> Words:
    return put_into_words([NOTICE], kind, "c0ffee")


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return part.get_content()


def mail_address(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("ADDRESS", f"mailto://127.0.0.1:{port}?from=fleet@example.com&to=ops@example.com")


def test_a_mail_has_title_text_and_name(monkeypatch: pytest.MonkeyPatch, postbox: Postbox) -> None:
    mail_address(monkeypatch, postbox.port)
    send(channel(ChannelKind.MAIL), "", words(ChannelKind.MAIL))
    ((to, mail),) = postbox.mails
    assert to == ["ops@example.com"]
    assert mail["subject"] == "Reconciler: PROD-01 of prod degraded: app 2.0.0"
    assert mail["from"].addresses[0].addr_spec == "fleet@example.com"
    assert EVIL in text_of(mail)
    assert "Message c0ffee" in text_of(mail)
    assert mail.get_body(("html",)) is None, "in HTML the words of others would have to be escaped"


def test_a_mail_to_somebody_goes_to_nobody_else(monkeypatch: pytest.MonkeyPatch, postbox: Postbox) -> None:
    monkeypatch.setenv(
        "ADDRESS",
        f"mailto://127.0.0.1:{postbox.port}?from=fleet@example.com&to=ops@example.com&cc=c@example.com&bcc=d@example.com",
    )
    send(channel(ChannelKind.MAIL), "riley@example.com", words(ChannelKind.MAIL))
    ((to, _),) = postbox.mails
    assert to == ["riley@example.com"]


def test_a_title_cannot_add_headers(monkeypatch: pytest.MonkeyPatch, postbox: Postbox) -> None:
    mail_address(monkeypatch, postbox.port)
    notice = Notice(Topic.DEGRADED, Phase.BEGAN, "prod", "app", "1", ("X\r\nBcc: all@example.com",))
    send(channel(ChannelKind.MAIL), "", put_into_words([notice], ChannelKind.MAIL, "c0ffee"))
    ((to, mail),) = postbox.mails
    assert to == ["ops@example.com"]
    assert mail["bcc"] is None


def test_a_refused_mail_is_not_sent(monkeypatch: pytest.MonkeyPatch, postbox: Postbox) -> None:
    mail_address(monkeypatch, postbox.port)
    postbox.refuse = "451 try again later"
    with pytest.raises(NotSent):
        send(channel(ChannelKind.MAIL), "", words(ChannelKind.MAIL))
    assert postbox.mails == []


def posted(server: HTTPServer) -> Any:
    ((request, _),) = server.log
    return json.loads(request.get_data())


def test_a_webhook_gets_json(monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("")
    monkeypatch.setenv("ADDRESS", httpserver.url_for("/hook"))
    send(channel(ChannelKind.WEBHOOK), "", words(ChannelKind.WEBHOOK))
    body = posted(httpserver)
    assert body["title"] == "Reconciler: PROD-01 of prod degraded: app 2.0.0"
    assert EVIL in body["message"]


def test_slack_gets_no_links_and_no_mentions_of_others(
    monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(f"/services/{TOKENS}", method="POST").respond_with_data("ok")
    monkeypatch.setattr(NotifySlack, "webhook_url", httpserver.url_for("/services"))
    monkeypatch.setenv("ADDRESS", f"https://hooks.slack.com/services/{TOKENS}")
    send(channel(ChannelKind.SLACK), "", words(ChannelKind.SLACK))
    text = json.dumps(posted(httpserver))
    assert "degraded: app 2.0.0" in text
    assert "&lt;!channel&gt;" in text
    assert "<!channel>" not in text
    assert "<https://evil" not in text


def test_teams_gets_no_links_and_no_mentions_of_others(
    monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer
) -> None:
    sent: list[Any] = []
    made = NotifyWorkflows.gen_payload

    def keep(self: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(made(self, *args, **kwargs))
        return sent[-1]

    monkeypatch.setattr(NotifyWorkflows, "gen_payload", keep)
    monkeypatch.setenv("ADDRESS", f"workflows://127.0.0.1:{httpserver.port}/WORKFLOW/SIGNATURE")
    with pytest.raises(NotSent):  # Teams is spoken to by TLS alone, and this server has none
        send(channel(ChannelKind.TEAMS), "", words(ChannelKind.TEAMS))
    card = sent[0]["attachments"][0]["content"]
    assert card["msteams"] == {"width": "full"}, "nobody is mentioned"
    title, body = (part["text"] for part in card["body"] if part["type"] == "TextBlock")
    assert title == "Reconciler: PROD-01 of prod degraded: app 2.0.0"
    assert "[click](https://evil.example)" not in body
    assert "<" not in body


@pytest.mark.parametrize("kind", list(ChannelKind))
def test_an_address_of_another_kind_is_refused_and_not_repeated(
    kind: ChannelKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADDRESS", "tgram://hunter2hunter2/secret")
    with pytest.raises(NotSent) as refused:
        send(channel(kind), "", words(kind))
    assert "hunter2" not in str(refused.value)


def test_a_failure_is_told_without_the_secrets_of_the_address(
    monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer
) -> None:
    logged = logging.handlers.BufferingHandler(1000)
    monkeypatch.setattr(logging.root, "handlers", [logged])
    httpserver.expect_request("/hooks/aVerySecretToken", method="POST").respond_with_data("no", status=503)
    address = httpserver.url_for("/hooks/aVerySecretToken").replace("http://", "http://robot:hunter2hunter2@")
    monkeypatch.setenv("ADDRESS", address)
    with pytest.raises(NotSent, match="503") as failed:
        send(channel(ChannelKind.WEBHOOK), "", words(ChannelKind.WEBHOOK))
    for secret in ("hunter2hunter2", "aVerySecretToken"):
        assert secret not in str(failed.value)
    assert not [record for record in logged.buffer if record.name == "apprise"]


def test_an_address_that_a_failure_is_told_with_is_hidden(
    monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer
) -> None:
    address = httpserver.url_for("/hooks/aVerySecret%20Token?key=anotherSecret").replace(
        "://", "://robot:hunter2h@"
    )
    monkeypatch.setenv("ADDRESS", address)

    def fail(*_args: Any, **_kwargs: Any) -> bool:
        said = f"cannot post to {address} with hunter2h, /hooks/aVerySecret Token, anotherSecret"
        logging.getLogger("apprise").warning(said)
        return False

    monkeypatch.setattr(NotifyJSON, "send", fail)
    with pytest.raises(NotSent, match="cannot post to") as failed:
        send(channel(ChannelKind.WEBHOOK), "", words(ChannelKind.WEBHOOK))
    for secret in ("hunter2h", "aVerySecret", "anotherSecret"):
        assert secret not in str(failed.value)


def test_nobody_at_home_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    monkeypatch.setenv("ADDRESS", f"http://127.0.0.1:{port}/hook")
    with pytest.raises(NotSent):
        send(channel(ChannelKind.WEBHOOK), "", words(ChannelKind.WEBHOOK))


def test_what_another_thread_says_does_not_get_into_an_error(
    monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer
) -> None:
    def answer(_request: Any) -> Any:
        loud = threading.Thread(target=lambda: logging.getLogger("apprise").warning("another channel's secret"))
        loud.start()
        loud.join()
        return Response("no", 500)

    httpserver.expect_request("/hook", method="POST").respond_with_handler(answer)
    monkeypatch.setenv("ADDRESS", httpserver.url_for("/hook"))
    with pytest.raises(NotSent) as failed:
        send(channel(ChannelKind.WEBHOOK), "", words(ChannelKind.WEBHOOK))
    assert "another channel" not in str(failed.value)
