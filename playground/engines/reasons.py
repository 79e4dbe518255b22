"""Lists the words by which servers say why an answer ended."""

from __future__ import annotations

_STOP = """
    stop eos eos_token end_turn end_of_turn stop_sequence stop_token stop_str stop_word complete completed end done
    finish finished success normal natural endoftext end_of_text stopped_eos stopped_word
"""
_LENGTH = """
    length max_tokens max_length max_new_tokens model_length max_output_tokens max_completion_tokens token_limit
    context_length model_context_window_exceeded length_limit stopped_limit limit
"""
_TOOL_CALLS = "tool_calls tool_call tool_use function_call function_calls tool"
_CONTENT_FILTER = """
    content_filter content_filtered safety moderation sensitive recitation blocklist prohibited_content spii guardrail
    guardrails refusal blocked
"""
_NONE = "null none nil undefined unspecified finish_reason_unspecified"

REASONS = {
    word: name
    for name, words in (
        ("stop", _STOP),
        ("length", _LENGTH),
        ("tool_calls", _TOOL_CALLS),
        ("content_filter", _CONTENT_FILTER),
        ("", _NONE),
    )
    for word in words.split()
}
"""Words for an answer that came to its end, with the name that is used here; "" for those that say it has not. Any
other word tells of a failure."""

FINE = frozenset(REASONS.values())


def named(word: object) -> str:
    """The reason by the name that is used here, "" for none; a word that is not known stays as it is."""
    text = word.strip() if isinstance(word, str) else ""
    return REASONS.get(text.lower(), text)
