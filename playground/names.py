"""Finds where a model says who it is: its name or its maker's, said of the speaker.

A name alone gives nothing away ("Qwen is a family of models"); what a sentence says of its speaker does ("I am Qwen",
"made by Alibaba", "Google trained me"). So each name is looked up with what stands around it in its sentence. Both
error rates on a list of texts are in docs/votes.md.
"""

from __future__ import annotations

import itertools
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from playground.types import ModelSpec

_TITLE_WORDS = """
    model models language instruct instruction chat base assistant demo test local server hosted face mini tiny small
    medium large big nano micro pro plus max ultra turbo flash lite fast quick slow vision text image images code coder
    math preview latest experimental thinking reasoning without with and the for from port knows bit next new old left
    right first second my own broken hidden
"""
_COMMON = frozenset(_TITLE_WORDS.split())
"""Words of titles that many models share, or that any answer has."""
_MEASURE = re.compile(
    r"a?\d[\d.]*[bkmt]?|i?q\d\w*|b?f\d+|fp\d+|int\d+|bnb\d+|mxfp\d+|awq|gptq|gguf|vl|it|v\d+", re.IGNORECASE
)
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_LONGEST_SENTENCE = 200
"""Letters on each side of a name that are looked at."""

_MOST = 500
"""Names in an answer that are looked at: whoever has not introduced itself by then writes about the model."""

# --- names ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def names(spec: ModelSpec) -> frozenset[str]:
    """The names of this model and of its maker: the words of its title, family and repository that are not everybody's,
    and the aliases of its family."""
    found = {alias for aliases in _aliases(spec) for alias in aliases}
    for text in _sources(spec):
        for word in _words(text):
            stem = re.match(r"[^\d.]*", word)
            found |= {word, stem[0]} if stem and _tells(stem[0]) else {word}
    if re.search(r"\w-\w", spec.family):  # "gpt-oss"
        found.add(spec.family)
    found |= {spec.maker} if spec.maker else set()
    return frozenset(map(str.casefold, found))


def _aliases(spec: ModelSpec) -> Iterator[list[str]]:
    starts = tuple(text.casefold() for text in (spec.family, spec.title, spec.repository.rpartition("/")[2]) if text)
    for family in _families():
        if any(start.startswith(tuple(family["of"])) for start in starts):
            yield family["names"]
            yield family["makers"]


@lru_cache(maxsize=1)
def _families() -> list[dict[str, list[str]]]:
    text = (Path(__file__).parent / "aliases.toml").read_text(encoding="utf-8")
    return [*tomllib.loads(text)["family"]]


def _sources(spec: ModelSpec) -> Iterator[str]:
    yield spec.title.split(" · ")[0]
    yield spec.family
    yield spec.repository or (spec.source if _HUB_ID.fullmatch(spec.source) else "")


def _words(text: str) -> list[str]:
    found = (word.strip(".") for word in re.split(r"[^\w.]|_", text))
    return [word for word in found if _tells(word) and not _MEASURE.fullmatch(word)]


def _tells(word: str) -> bool:
    return len(word) > 2 and word.lower() not in _COMMON


# --- what is said of the speaker --------------------------------------------------------------------------------------

_MADE = (
    "made|created|trained|developed|built|designed|released|programmed|engineered|produced|taught|fine-tuned|"
    "pre-trained|pretrained|provided|maintained"
)
_SPEAKER = re.compile(
    rf"""(?:^|(?<=[\s,;:.!?*_"'(¡¿—–-]))(?:
    I\ am|I'm|Im|I\ was|I've\ been|I\ have\ been|I\ go\ by|I,|I\ come\ from|I\ belong\ to|
    my\ name\ is|my\ name's|(?:you\ can|they|people|you\ may|just|please)?\s?call\ me|
    you(?:\ are|'re)\ (?:talking|speaking|chatting)\ (?:to|with)|
    my\ (?:creators?|makers?|developers?|company|owner)|(?:{_MADE})\ me\ (?:is|was|are)|(?:{_MADE})\ by|
    ich\ bin|ich\ hei(?:ß|ss)e|ich\ wurde|mein\ name\ ist|
    je\ suis|je\ m'appelle|mon\ nom\ est|j'ai\ été|
    soy|me\ llamo|mi\ nombre\ es|fui|he\ sido|
    sono|mi\ chiamo|il\ mio\ nome\ è|sou|me\ chamo|meu\ nome\ é|
    я|меня\ зовут|мо[её]\ имя|меня\ (?:создал|разработал|обучил|натренировал)[аи]?|
    jestem|nazywam\ się|ben|benim\ adım
    )(?![^\W_])|我是|我叫|我的名字是|我的名字叫|我名叫|我由|(?:^|(?<=[,。!]))作为|(?:私|僕|わたし)の名前は|(?:私|僕|わたし)は|
    저는|제\ 이름은|나는|أنا|اسمي""",
    re.IGNORECASE | re.VERBOSE,
)
"""With what a speaker begins to speak of itself; "made by" only in a sentence of the speaker's (`_of_speaker`)."""
_AS = re.compile(r"(?:^|[,;:(—–])\s*(?:as|als|en tant que|como|come)(?=\s)", re.IGNORECASE)
_LABEL = re.compile(r"(?:here|speaking|at your service)\b", re.IGNORECASE)
_MADE_ME = re.compile(rf"(?:'s)?\W*(?:\w+\W+){{0,2}}?(?:{_MADE}) me\b", re.IGNORECASE)
_NEVER = re.compile(r"\b(?:whether|if|that|like|not|never|n't|says?|said|wrote|who|as)\W*$", re.IGNORECASE)
"""Ends of what stands before "I am": the sentence then tells of something else, or asks."""
_BETWEEN = frozenset(
    f"""
    a an the also just really actually called named known as is was been am are be model models ai a.i language large
    assistant chatbot bot artificial intelligence system llm open source weight weights open-source open-weight
    open-weights multimodal vision text small compact lightweight helpful friendly virtual digital conversational
    advanced neural network powerful state-of-the-art new latest next generation from by of at in on based version
    powered part member family series one and that which who your you here product team teams researchers research
    scientists engineers people folks company lab labs group division start-up startup located years late early
    {_MADE.replace("|", " ")} originally currently proudly
    ein eine einer ki sprachmodell großes grosses große modell assistent von der dem die das und wurde entwickelt
    trainiert erstellt namens vom auf basis bin als firma
    un une le la les de du des par modèle langage langue grand assistant intelligence artificielle développé développée
    créé créée entraîné entraînée conçu conçue et ai été qui l' d' société entreprise ia
    una el los por modelo lenguaje gran asistente inteligencia desarrollado desarrollada creado creada entrenado
    entrenada y fui empresa llamado llamada
    uno il lo da di modello linguaggio grande assistente sviluppato creato addestrato e chiamato azienda
    um uma o os pelo pela do linguagem grande desenvolvido criado treinado treinada
    большая большая языковая модель ассистент созданная созданный обученная обученный разработанная разработанный
    компанией компания команда от это искусственный интеллект виртуальный помощник по имени
    model językowy stworzony stworzona przez wytrenowany
    """.split()
)
"""Words that may stand between "I am" and a name: any other makes it another sentence ("I am glad that Google ...")."""
_KIND = re.compile(r"(?:^|\W)an?\W*$", re.IGNORECASE)
_IS_MODEL = re.compile(
    r"[\d.]*(?:'s)?[\s-]*(?:\w+[\s-]+){0,2}?(?:models?|ai|llm|assistant|chatbot|bot|product|based)\b", re.IGNORECASE
)
"""What follows where "I am a ..." names a model: "a llama" alone is an animal."""
_CJK_GAP = re.compile(r"[^不没無非ない아니]{0,24}\Z")
_WORD = re.compile(r"[^\W\d_]+(?:[.'-][^\W\d_]+)*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CODE = re.compile(r"^\s*(```|~~~).*?^\s*\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"[\"“„«]\W*\w+\W+\w+\W+\w[^\"”“»\n]{0,2000}[\"”“»]|「[^」\n]{6,2000}」")
"""What somebody else says, not a name in quotation marks: three words or more."""
_ENDS = re.compile(r"[.!?](?=\s|$)|[。!?\n;]")


def told(text: str, spec: ModelSpec, prompt: str = "") -> str:
    """The name by which this model speaks of itself or its maker in the text, as it stands there; "" for none.

    A name that the prompt has tells nothing.
    """
    asked = _plain(prompt)
    wanted = tuple(name for name in sorted(names(spec)) if name not in asked.casefold())
    if not wanted:
        return ""
    read = _plain(_CODE.sub(" ", text))
    read = _QUOTED.sub(" … ", read)
    for found in itertools.islice(_pattern(wanted).finditer(read), _MOST):
        before, after = _sentence(read, found.start(), found.end())
        if _of_speaker(before, after, whole=read[: found.start()]):
            return found[0]
    return ""


def _plain(text: str) -> str:
    """The text in compatibility form, without signs that nobody sees, and with one kind of apostrophe."""
    text = unicodedata.normalize("NFKC", text)
    text = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
    return text.replace("\u2019", "'").replace("\u02bc", "'")


def _sentence(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands in the sentence of that place before it and behind it."""
    before, after = text[max(0, start - _LONGEST_SENTENCE) : start], text[end : end + _LONGEST_SENTENCE]
    cuts = [cut.end() for cut in _ENDS.finditer(before)]
    stop = _ENDS.search(after)
    return before[cuts[-1] if cuts else 0 :].lstrip(" *_#>-\"'("), after[: stop.start()] if stop else after


def _of_speaker(before: str, after: str, whole: str) -> bool:
    """A name between these two parts of a sentence is said of who speaks."""
    for phrase in _SPEAKER.finditer(before):
        earlier, gap = before[: phrase.start()], before[phrase.end() :]
        made_by = phrase[0].casefold().endswith(" by")
        if made_by and not (_speaks_of_itself(earlier) or (not earlier.strip() and _speaks_of_itself(after))):
            continue
        if not _NEVER.search(earlier) and _only_links(gap) and (not _KIND.search(gap) or _IS_MODEL.match(after)):
            return True
    for phrase in _AS.finditer(before):
        gap = before[phrase.end() :]
        if _only_links(gap) and (gap.strip() or re.match(r"[\d.]*\W*(?:,|I\b)", after)):
            return True
    follows = after.lstrip("0123456789. -*_\"'")
    if re.fullmatch(r"(?:this is|hello|hi|hey|well)?\W*", before, re.IGNORECASE) and _LABEL.match(follows):
        return True
    if not whole.strip(" *_#>-\"'") and re.match(r"(?:says|said)\b", follows):  # a label before the answer
        return True
    return bool(_MADE_ME.match(after))


def _speaks_of_itself(text: str) -> bool:
    return bool(re.search(r"\b(?:I|I'm|I've|me|my|myself)\b", text)) and not re.search(r"\b(?:not|never)\b|n't", text)


def _only_links(gap: str) -> bool:
    """Nothing stands there but words that link a speaker with a name."""
    if _CJK.search(gap):
        return bool(_CJK_GAP.match(gap))
    return all(word.casefold() in _BETWEEN or word.casefold().endswith("'s") for word in _WORD.findall(gap))


@lru_cache(maxsize=256)
def _pattern(wanted: tuple[str, ...]) -> re.Pattern[str]:
    """Any of these names. Latin ones stand by themselves, and a number may follow ("Qwen3"); in other scripts endings
    and particles follow."""
    latin = [name for name in wanted if name.isascii()]
    others = [name for name in wanted if not name.isascii()]
    parts = [rf"(?<![A-Za-z0-9])(?:{_any(latin)})(?![A-Za-z])"] if latin else []
    parts += [rf"(?<![а-яё])(?:{_any(others)})"] if others else []
    return re.compile("|".join(parts), re.IGNORECASE)


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word).replace(r"\ ", "[ -]?") for word in sorted(words, key=lambda w: (-len(w), w)))
