"""What is true of servers that mean well and do it in their own way: over real sockets, as a person would meet them."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from playground.answer import AnswerState, Failed
from playground.engines import open_engine, reading
from playground.engines.client import ChatClient, OpenAIEngine, Timeouts
from playground.engines.offers import offered
from playground.errors import EngineError, RefusedError, StreamError, UnreachableError
from playground.settings import Settings
from playground.types import Answer, Comparison, Message, ModelSpec, Noticed, Sampling, Sent
from playground.votes import rows
from tests.badserver import DONE, STOP, BadServer, Script, event, sse, text
from tests.engines.asking import ANSWER, ASK, SECRET, asked, events, failure, last, said, status
from tests.engines.pieces import kept
from tests.patience import LIMIT_S


def answered(*scripts: Script, model: str = "tiny", sampling: Sampling = Sampling(), **about: object) -> Answer:  # noqa: B008 - frozen
    """What a person sees at the end."""
    with BadServer(*scripts) as server:
        engine = OpenAIEngine(ModelSpec("far", "Far", "openai", model, server.url, **about))  # type: ignore[arg-type]
        state = AnswerState(Answer("far"))
        try:
            for each in engine.stream(ASK, sampling):
                state.apply(each)
        except EngineError as error:
            state.apply(Failed(str(error)))
        engine.close()
    return state.snapshot()


def sends(*parts: bytes) -> Script:
    return [sse(), *(("send", part) for part in parts)]


# --- the end of an answer --------------------------------------------------------------------------------------------


def test_text_after_a_finish_reason_is_waited_for_also_longer_than_the_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "GRACE_S", 0.4)
    parts = [("send", event(text("So. ", finish_reason="stop")))]
    parts += [step for n in range(4) for step in (("wait", 0.2), ("send", event(text(f"w{n} "))))]
    answer = answered([sse(), *parts, ("send", event(text("END", finish_reason="stop")) + DONE)])
    assert (answer.status, answer.text) == ("done", "So. w0 w1 w2 w3 END")


def test_an_answer_that_goes_on_after_its_reason_and_is_cut_is_no_answer() -> None:
    answer = answered(sends(event(text("So. ", finish_reason="stop")), event(text("Half "))))
    assert (answer.status, answer.text) == ("failed", "So. Half ")
    assert "without a finish reason" in answer.error


def test_a_server_that_never_hangs_up_after_its_reason_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "GRACE_S", 0.1)
    with asked([*sends(event(text("Hi")) + STOP), ("hang",)]) as (server, client):
        assert said(events(client)) == "Hi"
        assert server.requests[0].gone.wait(LIMIT_S)


FAILING = [
    sends(event(text("Half an ans")), event(text("", finish_reason="error")), DONE),
    sends(event(text("Half an ans")), event(text("", finish_reason="abort"))),
    sends(event({"choices": [{"delta": {"content": "Half an ans"}, "error": {"message": "out of luck"}}]}), DONE),
    sends(event(text("Half an ans")), b'event: error\ndata: {"message": "model crashed"}\n\n'),
    sends(event({"choices": [{"delta": {"tool_calls": [{"id": "x"}]}, "finish_reason": "tool_calls"}]})),
    sends(STOP, DONE),
]


@pytest.mark.parametrize("script", FAILING)
def test_a_vote_on_an_answer_that_failed_or_has_nothing_to_show_does_not_count(script: Script) -> None:
    answer = answered(script)
    fine = answered(ANSWER)
    assert answer.status == "failed"
    assert answer.error.startswith("Far ")
    assert answer.error.endswith(".")
    assert answer.text in ("", "Half an ans")
    assert rows.not_counted_reason(Comparison("b", "in_turn", "left", answer, fine)) == "left failed"
    assert rows.not_counted_reason(Comparison("b", "in_turn", "left", fine, fine)) == ""


def test_what_is_wrong_is_said_with_the_next_step() -> None:
    assert re.sub(r" at 127\S+\d", "", answered(FAILING[1]).error) == (
        'Far ended its answer with "abort" as the reason, so it failed or is not whole. Ask again, or look in its log.'
    )
    assert 'failed in mid-answer: "out of luck"' in answered(FAILING[2]).error
    assert answered(FAILING[4]).error == (
        "Far answered with the call of a tool and no text, which cannot be compared here. Ask again, or choose another "
        "model."
    )
    thought = event({"choices": [{"delta": {"reasoning": "Hm"}, "finish_reason": "length"}]})
    assert answered(sends(thought)).error == (
        "Far used up its tokens thinking without an answer. Raise max tokens and ask again."
    )
    assert answered(sends(thought)).reasoning == "Hm"


def test_a_refusal_is_an_answer_with_a_notice() -> None:
    answer = answered(sends(event({"choices": [{"delta": {"refusal": "I can't."}}]}), STOP, DONE))
    assert (answer.status, answer.text, answer.notice) == (
        "done",
        "I can't.",
        "Its server marks this answer as a refusal",
    )


# --- thinking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["Qwen/Qwen3-8B", "tiny"])
def test_what_a_model_that_was_asked_to_think_does_not_mark_is_its_answer(model: str) -> None:
    script = sends(event(text("Pa")), event(text("ris.")), STOP, DONE)
    answer = answered(script, model=model, sampling=Sampling(thinking=True), thinking=True)
    assert (answer.status, answer.text, answer.reasoning) == ("done", "Paris.", "")
    assert answer.timing.ttfa_s == answer.timing.ttft_s


def test_a_thought_of_a_family_whose_template_opens_it_stays_one_where_it_is_cut_off() -> None:
    script = sends(event(text("Hm, let me")), event(text(None, finish_reason="length")))
    answer = answered(script, model="Qwen/Qwen3-8B", sampling=Sampling(thinking=True), thinking=True)
    assert (answer.status, answer.text, answer.reasoning) == ("failed", "", "Hm, let me")
    assert "Raise max tokens" in answer.error


def test_a_server_that_refuses_the_switch_for_thinking_gets_none_and_its_text_is_the_answer() -> None:
    refuses = status(400, b'{"error": {"message": "Unrecognized request argument supplied: chat_template_kwargs"}}')
    script = sends(event(text("Pa")), event(text("ris.", finish_reason="length")))
    answer = answered(refuses, script, model="Qwen/Qwen3-8B", sampling=Sampling(thinking=True), thinking=True)
    assert (answer.status, answer.text, answer.reasoning) == ("done", "Paris.", "")
    assert answer.notice == "Its server does not take the switch for thinking, and was asked without"


def test_an_answer_begins_after_the_mark_that_ends_the_thought() -> None:
    late = [("send", event(text("2 plus 2.\n"))), ("wait", 0.2), ("send", event(text("</think>"))), ("wait", 0.2)]
    answer = answered([sse(), *late, ("send", event(text("\n\nFour.")) + STOP + DONE)])
    assert (answer.reasoning, answer.text) == ("2 plus 2.", "Four.")
    assert answer.timing.ttft_s is not None
    assert answer.timing.ttfa_s is not None
    assert answer.timing.ttfa_s >= answer.timing.ttft_s + 0.35


def test_the_family_is_known_by_the_name_of_the_model() -> None:
    script = sends(event(text("analysisUser asks.")), event(text("assistantfinalParis.")), STOP)
    assert answered(script, model="openai/gpt-oss-20b").text == "Paris."
    assert answered(script, model="mine", family="gpt-oss").text == "Paris."
    assert answered(script, model="tiny").text == "analysisUser asks.assistantfinalParis."


# --- errors before the answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'[{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID"}}]', "API key not valid."),
        (b'{"errors": [{"message": "model not loaded", "code": 7}], "success": false}', "model not loaded"),
        (b'{"error_code": 336003, "error_msg": "too many words"}', "too many words"),
        (
            b'{"error": {"message": "Provider returned error", "metadata": {"raw": "{\\"detail\\":\\"n is 9\\"}"}}}',
            "Provider returned error: n is 9",
        ),
        (b'{"error": {"message": "Provider returned error", "metadata": {"raw": "n is 9"}}}', "error: n is 9"),
        (b'{"object": "error", "message": "prompt too long", "type": "BadRequestError"}', "prompt too long"),
        (b'{"detail": [{"type": "missing", "loc": ["body", "x"], "msg": "Field required"}]}', "body.x: Field required"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"error": {"message": {"text": "deep down"}}}', "deep down"),
        (b'{"message": "no such route"}', "no such route"),
        (b'data: {"error": {"message": "in an event"}}\n\n', "in an event"),
        (b'"just a text"', "just a text"),
        (b"plain words\nand more", "plain words"),
        (b'{"error": {"type": "overloaded_error"}}', "overloaded_error"),
        (b'{"error": {"message": "one\\n\\ntwo"}}', "one two"),
    ],
)
@pytest.mark.parametrize("code", [400, 500])
def test_the_words_of_an_error_reach_the_person_wherever_they_stand(body: bytes, words: str, code: int) -> None:
    assert f'{words}"' in str(failure(status(code, body)))


@pytest.mark.parametrize(
    "body", [b'error: {"code":400,"message":"too much context"}\n\n', b'{"error": "too much context"}\n']
)
def test_an_error_line_in_a_stream_is_told(body: bytes) -> None:
    assert "too much context" in str(failure(sends(body, DONE)))


def test_words_in_the_place_of_a_stream_are_quoted() -> None:
    assert '"The model is loading' in str(failure(sends(b"The model is loading, please wait\n")))


# --- wishes of a server ----------------------------------------------------------------------------------------------

NO_MAX_TOKENS = (
    b'{"error": {"message": "Unsupported parameter: \'max_tokens\' is not supported with this model. Use '
    b'\'max_completion_tokens\' instead.", "type": "invalid_request_error", "param": "max_tokens", '
    b'"code": "unsupported_parameter"}}'
)
NO_TEMPERATURE = (
    b'{"error": {"message": "Unsupported value: \'temperature\' does not support 0.2 with this model. Only the default '
    b'(1) value is supported.", "param": "temperature", "code": "unsupported_value"}}'
)


def test_max_tokens_goes_by_another_name_where_the_server_wants_it_so() -> None:
    wish = Sampling(max_tokens=50)
    with asked(status(400, NO_MAX_TOKENS), ANSWER) as (server, client):
        first, second = events(client, wish), events(client, wish)
    sent = [request.json for request in server.requests]
    assert [(each.get("max_tokens"), each.get("max_completion_tokens")) for each in sent] == [
        *((50, None), (None, 50), (None, 50))  # remembered
    ]
    for found in (first, second):
        assert [each.notice for each in found if isinstance(each, Noticed)] == [
            "Its server wants max_completion_tokens in place of max_tokens, and was asked so"
        ]
    assert [type(each) for each in first[:3]] == [Sent, Sent, Noticed]


def test_a_temperature_that_is_refused_is_left_out_remembered_and_said() -> None:
    wish = Sampling(temperature=0.2, max_tokens=50)
    with asked(status(400, NO_MAX_TOKENS), status(400, NO_TEMPERATURE), ANSWER) as (server, client):
        found = events(client, wish)
        assert [type(each) for each in events(client)][:2] != [Sent, Noticed]  # nothing to say where none was wished
    third = server.requests[2].json
    assert not {"temperature", "max_tokens"} & third.keys()
    assert third["max_completion_tokens"] == 50
    assert next(each.notice for each in found if isinstance(each, Noticed)) == (
        "Its server does not take temperature, and was asked without"
    )


@pytest.mark.parametrize(
    "words",
    [
        b"temperature must be between 0 and 2",
        b"Invalid value for temperature: 9 is greater than the maximum of 2",
        b"max_tokens is too large: 99999. This model supports at most 16384 completion tokens",
    ],
)
def test_a_value_out_of_range_is_for_the_person_to_change(words: bytes) -> None:
    with asked(status(400, b'{"error": {"message": "%s"}}' % words)) as (server, client):
        with pytest.raises(RefusedError, match=words.decode()[:20]):
            events(client, Sampling(temperature=9.0, max_tokens=99999))
        assert len(server.requests) == 1


def test_a_name_that_holds_the_name_of_a_field_is_no_complaint_about_it() -> None:
    body = b'{"error": {"message": "Unknown model seed-oss-36b or top_p2"}}'
    with asked(status(400, body)) as (server, client):
        with pytest.raises(RefusedError, match="seed-oss"):
            events(client, Sampling(seed=1, top_p=0.5))
        assert len(server.requests) == 1


def test_a_server_that_refuses_one_field_after_the_other_is_asked_until_none_is_left() -> None:
    refusals = [status(400, f'{{"error": "unknown field: {name}"}}'.encode()) for name in ("seed", "top_p", "top_k")]
    with asked(*refusals, ANSWER) as (server, client):
        assert said(events(client, Sampling(seed=1, top_p=0.5, top_k=9))) == "Hi"
    assert len(server.requests) == 4


# --- addresses -------------------------------------------------------------------------------------------------------


def test_the_query_of_an_address_is_asked_with() -> None:
    with BadServer(ANSWER) as server:
        client = ChatClient(
            f"{server.url}/openai/deployments/gpt/chat/completions?api-version=2024-06-01", api_key=SECRET
        )
        assert said(events(client)) == "Hi"
        client.close()
    assert server.requests[0].line == "POST /openai/deployments/gpt/chat/completions?api-version=2024-06-01 HTTP/1.1"
    assert server.requests[0].headers["api-key"] == SECRET


def test_every_address_of_this_machine_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with BadServer(ANSWER) as server:
        engine = OpenAIEngine(ModelSpec("far", "Far", "openai", "tiny", f"http://0.0.0.0:{server.port}"))
        assert engine.local
        assert said(list(engine.stream(ASK, Sampling()))) == "Hi"
        engine.close()
    assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class SecureServer:
    """Answers one request after the other by TLS, with that authority's certificate."""

    def __init__(self, authority: trustme.CA) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(self._context)
        self._server = BadServer(ANSWER)
        self._server._socket = self._context.wrap_socket(self._server._socket, server_side=True)
        self._server._listen = self._listen  # type: ignore[method-assign]
        self.port = self._server.port

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._server._socket.accept()
            except ssl.SSLError:  # who asked does not trust the certificate, or only wakes this up
                if self._server._over.is_set():
                    return
                continue
            except OSError:
                return
            if self._server._over.is_set():
                client.close()
                return
            self._server._serve(client)

    def __enter__(self) -> SecureServer:
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()


def test_an_authority_of_ones_own_is_trusted_where_the_environment_names_it(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    with SecureServer(authority) as server:
        address = f"https://127.0.0.1:{server.port}"
        client = ChatClient(address, name="Tiny")
        with pytest.raises(UnreachableError, match=r"cannot be trusted.*SSL_CERT_FILE"):
            events(client)
        client.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        client = ChatClient(address, name="Tiny")
        assert said(events(client)) == "Hi"
        client.close()


def test_certificates_that_cannot_be_read_are_said_and_trouble_no_plain_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    for file in (tmp_path / "missing.pem", tmp_path / "no.pem"):
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        client = ChatClient("https://127.0.0.1:9", name="Tiny")
        with pytest.raises(UnreachableError, match=r"SSL_CERT_FILE or SSL_CERT_DIR names cannot be read.*correct it"):
            events(client)
        with asked(ANSWER) as (_, plain):
            assert said(events(plain)) == "Hi"


def test_https_to_a_plain_server_and_http_to_a_secure_one_are_told_apart(authority: trustme.CA) -> None:
    with BadServer(status(400, b"no")) as server:
        client = ChatClient(f"https://127.0.0.1:{server.port}", name="Tiny", timeouts=Timeouts(1.0, 5.0))
        with pytest.raises(UnreachableError, match=rf"127\.0\.0\.1:{server.port}.*does not speak https.*http://"):
            events(client)
    with _Talker(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        client = ChatClient(f"https://127.0.0.1:{port}", name="Tiny")
        with pytest.raises(UnreachableError, match="does not speak https"):
            events(client)
    with _Talker(b"\x15\x03\x01\x00\x02\x02\x16") as port:  # the alert of TLS
        client = ChatClient(f"http://127.0.0.1:{port}", name="Tiny")
        with pytest.raises(UnreachableError, match="begin it with https://"):
            events(client)


class _Talker:
    """Says these bytes to whoever connects, and hangs up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._socket = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        threading.Thread(target=self._run, daemon=True).start()
        return int(self._socket.getsockname()[1])

    def _run(self) -> None:
        client, _ = self._socket.accept()
        with client:
            client.recv(65536)
            client.sendall(self._data)

    def __exit__(self, *_: object) -> None:
        self._socket.close()


# --- keys ------------------------------------------------------------------------------------------------------------


def test_the_end_of_a_line_is_no_part_of_a_key_on_any_road() -> None:
    models = status(200, b'{"data": [{"id": "tiny"}]}', **{"Content-Type": "application/json"})
    for end in ("\n", "\r\n", " ", "\t"):
        with BadServer(ANSWER, ANSWER, models) as server:
            spec = ModelSpec("far", "Far", "openai", "tiny", server.url, api_key_env="BASELINE_KEY")
            settings = Settings(environ={"BASELINE_KEY": SECRET + end})
            for engine in (open_engine(spec, settings), OpenAIEngine(spec, f" {SECRET}{end}")):
                assert said(list(engine.stream(ASK, Sampling()))) == "Hi"
                engine.close()
            assert offered(spec, f"{server.url}/v1/chat/completions", SECRET + end) == ("tiny",)
        assert [request.headers["authorization"] for request in server.requests] == [f"Bearer {SECRET}"] * 3
    blank = OpenAIEngine(spec, " \n")
    with pytest.raises(RefusedError, match="BASELINE_KEY is not set"):
        list(blank.stream(ASK, Sampling()))


@pytest.mark.parametrize(
    "script",
    [
        status(401, b'{"error": {"message": "Incorrect API key provided: sk-abcDEF123456. You can find it"}}'),
        status(500, b"auth failed for Bearer abcDEF123456"),
        status(302, b"", Location="https://h/login?token=abcDEF123456"),
        sends(event({"error": {"message": "bad token hf_abcDEF123456"}})),
        sends(event(text("", finish_reason="sk-abcDEF123456"))),
        sends(b"sk-abcDEF123456 is no key\n"),
        sends(event(b"{sk-abcDEF123456")),
    ],
)
def test_what_is_shaped_like_a_key_is_in_no_sentence(script: Script) -> None:
    assert "abcDEF123456" not in str(failure(script))


@pytest.mark.parametrize("field", ["content", "reasoning_content", "refusal"])
def test_a_key_of_ours_is_in_no_text_that_a_server_sends_back(field: str) -> None:
    back = f"You sent Bearer {SECRET}, thanks."
    parts = [event({"choices": [{"delta": {field: part}}]}) for part in (back[:20], back[20:31], back[31:])]
    with asked(sends(*parts, event(text("!")), STOP), api_key=SECRET) as (_, client):
        found = "".join(kept(events(client)))
    assert SECRET[4:] not in found
    assert "[key]" in found


def test_a_key_in_an_address_is_in_no_sentence() -> None:
    client = ChatClient("http://me:pass1234@127.0.0.1:9/v1?api-key=abcDEF123456")
    with pytest.raises(UnreachableError) as caught:
        events(client)
    assert "pass1234" not in str(caught.value)
    assert "abcDEF123456" not in str(caught.value)


def test_names_of_models_that_a_server_offers_hold_no_key() -> None:
    body = f'{{"data": [{{"id": "tiny-{SECRET}"}}]}}'.encode()
    with BadServer(status(200, body)) as server:
        spec = ModelSpec("far", "Far", "openai", "", server.url)
        assert SECRET not in str(offered(spec, f"{server.url}/v1/chat/completions", SECRET))


# --- bytes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [b'{\n "choices": [\n  {"message": {"content": "Hi"}, "finish_reason": "stop"}\n ]\n}\n']
)
def test_a_whole_answer_on_several_lines_is_read(body: bytes) -> None:
    with asked(status(200, body)) as (_, client):
        assert said(events(client)) == "Hi"


def test_lines_of_json_without_a_frame_are_read_as_they_come() -> None:
    lines = [json.dumps(each).encode() + b"\n" for each in (text("H"), text("i"), text(None, finish_reason="stop"))]
    with asked([sse(), ("send", lines[0]), ("wait", 0.1), ("send", lines[1] + lines[2])]) as (_, client):
        found = events(client)
    assert said(found) == "Hi"
    assert last(found).reason == "stop"


def test_text_that_was_held_back_is_kept_where_the_connection_breaks() -> None:
    answer = answered([*sends(event(text("if a <"))), ("wait", 0.1), ("reset",)])
    assert (answer.status, answer.text) == ("failed", "if a <")


def test_messages_of_many_kinds_leave_nobody_without_a_sentence() -> None:
    with (
        asked(sends(b": ping\n\n", b"\n\n\n", b"id: 1\n\n")) as (_, client),
        pytest.raises(StreamError, match="finish reason"),
    ):
        events(client, messages=[Message("user", "x")])
