"""What the numbers of one message are: the names before them, the units behind them, and what neither can be."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .claims import claims
from .frameworks import SHAPES
from .names import tidy
from .preset import Shape
from .vocabulary import COUNTED, POSITIONS, PROSE, SPLITS, UNITS, kind, normal, words

NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.@^])(?<![A-Za-z0-9]-)(?<!@0\.\d:)(?<!@0\.\d\d:)(?P<number>[-+]?(?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
    r"|[-+]?(?:nan|inf(?:inity)?)(?![\w.']))",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"(?:%|(?:ms|us|µs|ns|s|m|h|sec|secs|seconds|min|[KMGTkmgt]i?B|[kKMGT]|B|b|GB|MB|KB|it|px|MiB|GiB|W|C|Hz|[KMG]Hz|x)(?![\w])"
    r"|(?:it|iter|step|sample|samples|img|images|tok|tokens|batch|examples)s?/s|s/|ms/|us/|/s\b|(?!dB\b)[A-Za-z_])"
)
_SIZE = re.compile(r"\s?(?:[kKMGT]i?B|bytes)\b")
_DELIMITER = re.compile(
    r"[,;|\t(){}\[\]<>\"`•]|(?<!\w)'|'(?!\w)|\s-+\s|\s{2,}|->|=>|[-=*#]{2,}|[━-╿█-▏]+|:\s|:$|(?<=\w{4})[.!?]\s|(?<=[^\w])\*\s"
)
_NAME = re.compile(
    r"[^\W\d][\w@./'\-+#^]*(?: [^\W\d(][\w@./'\-+#)]*){0,3}$|#$|[^\W\d][\w@./'\-+]*$|[^\W\d]\w*@0\.\d{1,2}:[\d.]{1,4}$"
)
_CALLED = re.compile(r"[^\W\d][\w@./-]{0,40}\((?:[\w@.+-]{1,20}|\w{1,20}\(\w{1,20}\))\)$")
"""A name with its argument: `D(x)`, `D(G(z))`, `loss(train)`."""
_ASIDE = re.compile(r"\s?\(\s?(%|[A-Za-z][\w/]{0,10})\s?\)$")
"""A unit or a word behind a name: `Accuracy (%): 91.2`."""
_TIMED = frozenset(("time", "elapsed", "speed"))
"""`Time cost=1.2` is a time."""
_GLUED = re.compile(r"(?:/(?:s|sec|it|iter|step|gpu|device|epoch|batch|sample)\b|[^\W\d_]|%)[\w/%]{0,20}(?=\s)")
"""A unit right behind the number before: `5it`, `484.8/s/gpu`."""
_SPLIT_LINE = re.compile(
    r"\W*(test|val|valid|validation|eval|evaluation|dev)(?:\s+(?:set|results?|metrics?|error))?(?:\s\(\w{1,20}\))?"
    r"(?:\s*[:|\]-]\s*(?=\D)|\s\(\d{1,9}/\d{1,9}\)\s)",
    re.IGNORECASE,
)
_SECTION = re.compile(
    r"(?:^|[\s|\[(;,])(train|training|test|val|valid|validation|eval|evaluation|dev)(?:\]|\s?[:|]|\)\s?:)\s{1,4}(?=[A-Za-z])",
    re.IGNORECASE,
)
"""A split that the names behind it belong to: `... | val: loss=0.61 acc=0.78`, `[Valid] Epoch 5 Loss 0.61`."""
_BAR_COUNT = re.compile(r"\|\s*(\d+)/\d+ ")
_OF_SO_MANY = re.compile(r"/\s?(\d+)(?:\s*\(\s*[\d.]+\s*%\)|\s*=\s*([\d.]+)(?![\w.])|(?![\w/.]))")
_CLOSED = re.compile(r"%?\s?['\"]?,?\s?[\])]")
_GOES_ON = re.compile(r"\s(?!(?:at|after|on|in|for|with|and|by|over)\b)[a-z]\w*(?:$|[.!?,]|\s+(?![-+\d.]))")
"""A sentence that goes on behind a number."""
_NEXT = re.compile(r"\s((?:[a-z][\w/-]{0,20} ){1,3})[-+]?\d+\.\d")
"""Another name and its number: `loss_ctc 71.2 history loss 50.2`."""
_LASTS = re.compile(r"(?:ms|us|s|m|h)(?![\w/])|\d{0,9}[mh]s?\d")
"""A time behind a whole number: `Step: 12ms`."""
_WIDE = str.maketrans("：，；（）＝［］", ":,;()=[]")
"""Chinese and Japanese signs, as they stand between names and numbers there."""
_TOLD_OF = re.compile(r"([^\W\d][\w@./-]{0,40}(?: [\w@./-]{1,40})?) (?:on|over|for|of) ")
_GROUP = re.compile(r"(?<![\w.])([^\W\d][\w@./-]{0,40})\s?[:=]\s?\((?=[a-z]{3,10}=$)")
_JOINED = re.compile(r"(?:.{0,60} )?(?:with|and|has|got|the) ")
"""What may stand before a name and its number: `12 timesteps with reward 30.5`."""
_REACHES = re.compile(
    r"(?:\S{1,40} ){0,3}(?:reach|achiev|g[eio]t|giv|gav|yield|obtain|show|attain)(?:es|ed|e|s|ing|ned)? ", re.IGNORECASE
)
"""What a sentence says before a name: `the old one reaches accuracy 0.91`."""
_COMPOUND = re.compile(r"\w[_/]\w")
"""A name in itself, whatever words stand before it: `CV info cv_loss 10.6`."""
_VERBS = frozenset(("is", "was", "will", "be", "packet"))
"""Words that no metric's name has before a colon."""
_FIELDS = {"metric": "metrics", "companion": "companions"}


@dataclass(frozen=True, slots=True)
class Step:
    """A number at `at` is `name`, in this field of a reading; as a percentage of the number at `of`, if not -1."""

    field: str
    name: str
    at: int
    of: int = -1


class Study:
    """Finds out what the numbers of one message are."""

    def __init__(self, text: str, shapes: Sequence[Shape] = SHAPES) -> None:
        self._text = text if text.isascii() else text.translate(_WIDE)
        self._shapes = shapes
        self._found: dict[tuple[str, str], Step] = {}
        self._split = ""  # of a line that is a split's own
        self._carried = ""  # of the last metric before, where the line began with it
        self._rounds = False
        self._shared = ""  # the metric that more splits follow: `LOSS train 0.29 valid 0.42`
        self._group = ""  # the metric whose splits stand in brackets: `accuracy: (train=0.9, test=0.8)`

    def steps(self) -> list[Step]:
        """What was found, positions first."""
        if match := _SPLIT_LINE.match(self._text):
            self._split = match[1].lower() + " "
        if not self._shaped():
            self._named(claims(self._text))
        if "%|" in self._text and ("positions", "step") not in self._found and (bar := _BAR_COUNT.search(self._text)):
            self._add("positions", "step", bar.start(1))
        self._episodes()
        return sorted(self._found.values(), key=lambda step: (step.field != "positions", step.name != "epoch"))

    def _shaped(self) -> bool:
        """Takes what the shapes know. Whether that is all there is."""
        for shape in self._shapes:
            if shape.hint not in self._text or not (match := shape.pattern.search(self._text)):
                continue
            shown = match.groupdict()
            name = " ".join((shown.pop("name", None) or "").split())
            if name and not shape.any_name and not _is_measure(name, of_split=shape.of_split):
                continue
            for group in [group for group, text in shown.items() if text is not None]:
                if group == "value":
                    self._add("metrics", self._under_split(name), match.start(group))
                elif group in SPLITS:
                    self._add("metrics", f"{group}_{name}", match.start(group))
                else:
                    self._add("positions", group.rstrip("s"), match.start(group))
            self._rounds = self._rounds or shape.rounds
            if shape.whole:
                return True
        return False

    def _named(self, text: str) -> None:
        """Takes each number by the name before it."""
        last = 0
        for match in NUMBER.finditer(text):
            gap = text[last : match.start()]
            if last and (glued := _GLUED.match(gap)):
                gap = gap[glued.end() :]
            last = match.end()
            if gap and len(gap) <= 200:
                for section in _SECTION.finditer(gap):
                    self._split = section[1].lower() + " "
                self._pair(gap, match)

    def _episodes(self) -> None:
        """Counts episodes as steps, where the message counts no steps."""
        episode = self._found.pop(("positions", "episode"), None)
        if episode is not None and ("positions", "step") not in self._found:
            self._found = {("positions", "step"): replace(episode, name="step"), **self._found}

    def _add(self, field: str, name: str, at: int, of: int = -1) -> None:
        self._found.setdefault((field, name), Step(field, name[:80], at, of))

    def _pair(self, gap: str, match: re.Match[str]) -> None:
        stripped = gap.rstrip(" \t['\"(")
        opened = gap[len(stripped) :]
        if opened == "" and gap.endswith(" #") and kind(gap[:-2].rpartition(" ")[2]) == "position":  # `Step #100`
            stripped, opened, gap = gap[:-2], " ", gap[:-1].rstrip() + " "
        sep = stripped[-1:] if stripped[-1:] in ("=", ":") else ""
        bracketed = not sep and opened.strip() in ("[", "(")
        if "(" in opened and not sep and not bracketed:
            return
        if not sep and not bracketed and (not gap[-1:].isspace() or opened.strip()):
            return
        if sep and ("[" in opened or "(" in opened) and not _CLOSED.match(self._text, match.end()):
            return  # the first number of several
        name, aside = self._name(stripped, sep, gap)
        if not name or aside.lower() in UNITS:
            return
        what = kind(name)
        if sep == ":" and not _VERBS.isdisjoint(name.lower().split()):
            return
        if " " in name and (what != "metric" or not sep) and name.split(" ", 1)[0].lower() not in _TIMED:
            tail = name.rsplit(" ", 1)[1]
            tail_is = kind(tail)
            if tail_is == "position" or (tail_is == "metric" and what != "metric" and (sep or what == "never")):
                name, what = tail, tail_is
        if what == "never" and sep and (told := _TOLD_OF.match(name)) and kind(told[1]) == "metric":
            name, what = told[1], "metric"  # `Accuracy on all data: 0.3`
        if (group := _GROUP.search(gap)) or ")" in gap:
            self._group = group[1] if group else ""
        if what == "split" and self._group and kind(self._group) == "metric":
            name, what = f"{name}_{self._group}", "metric"
        if what == "split" and self._shared and gap.strip(" ,|;:") == name and not (sep and match["number"].isdigit()):
            name, what = f"{self._shared} {name}", "metric"
        elif what == "metric":
            self._shared = name.rpartition(" ")[0] if name.rpartition(" ")[2].lower() in SPLITS else ""
        if what == "position":
            if self._is_count(match, name):
                self._add("positions", POSITIONS[normal(name)], match.start())
        elif not bracketed and not self._other_number(match, what):
            self._measured(name, what, sep, match)

    @staticmethod
    def _name(stripped: str, sep: str, gap: str) -> tuple[str, str]:
        """The name that ends here, and the unit or word in brackets behind it."""
        body = (stripped[:-1] if sep else stripped).rstrip()
        aside = ""
        if sep:
            body = body.rstrip("'\"")
            if called := _CALLED.search(body):
                return called[0], called[0].rpartition("(")[2].rstrip(")")
            if match := _ASIDE.search(body):
                body, aside = body[: match.start()], match[1]
        part = _DELIMITER.split(body)[-1].strip() if body else ""
        if sep == "=" and " " in part:
            part = _tight(part, gap)
        found = _NAME.search(part)
        name = tidy(found[0].rstrip(".") if found else "", body)
        while sep and " " in name and name.split(" ", 1)[0].lower() in PROSE:
            name = name.split(" ", 1)[1]
        if not sep and " " in name and (joined := _JOINED.match(name)):
            name = name[joined.end() :]
        while not sep and (told := _REACHES.match(name)):
            name = name[told.end() :]
        if not sep and " " in name and _COMPOUND.search(name.rsplit(" ", 1)[1]):
            name = name.rsplit(" ", 1)[1]
        return name, aside

    def _is_count(self, match: re.Match[str], name: str) -> bool:
        """Whether the number counts: epochs may have fractions, what `e` names has none, and no share counts."""
        if normal(name) in ("batch", "rank") and "." in match["number"]:
            return False  # `Batch (t): 0.5` is a time
        if _LASTS.match(self._text, match.end()):
            return False
        digits = match["number"] if len(name) == 1 else match["number"].lstrip("+-").replace(".", "")
        return digits.isdigit() and self._text[match.end() : match.end() + 1] != "%"

    def _other_number(self, match: re.Match[str], what: str) -> bool:
        """Whether what follows the number says that it is a size, a time, a part of a date, ..."""
        after = self._text[match.end() :][:40]
        unit = _UNIT.match(after)
        if (unit and unit[0] != "%") or after.startswith("%|"):  # a bar's share: `Map: 100%|####|`
            return True
        if _SIZE.match(after):
            return True
        if after[:1] in (":", "/") and after[1:2].isdigit() and not (what == "metric" and after[:1] == "/"):
            return True
        if after[:1] == "," and match["number"].lstrip("+-").isdigit():
            return after[1:2].isdigit()  # a decimal comma: `0,5`
        return after[:1] in (".", "-") and after[1:2].isdigit()

    def _measured(self, name: str, what: str, sep: str, match: re.Match[str]) -> None:
        whole = match["number"].lstrip("+-").isdigit()
        after = self._text[match.end() :][:40]
        if not sep:
            plain = whole and not after.lstrip().startswith("%")
            if (
                what not in _FIELDS
                or plain
                or (name == "return" and self._begins(name))
                or not PROSE.isdisjoint(name.lower().split())
                or (_GOES_ON.match(after) and not ((more := _NEXT.match(after)) and kind(more[1].strip()) == "metric"))
            ):
                return
        if what == "never" or (what == "split" and whole and not self._rounds) or len(name.split()) > 4:
            return
        if what == "other" and not self._rounds and (whole or " " in name or len(name) < 2):
            return
        at, of = match.start(), -1
        if what == "metric":
            if whole and not after.lstrip().startswith(("%", "/")) and not COUNTED.isdisjoint(words(name)):
                return
            if ratio := _OF_SO_MANY.match(after):
                at, of = (match.end() + ratio.start(2), -1) if ratio[2] else (at, match.end() + ratio.start(1))
            name = self._of_split(name)
        known = what == "metric" or (self._rounds and (what == "split" or (what == "other" and sep == ":")))
        self._add("metrics" if known else _FIELDS.get(what, "others"), name, at, of)

    def _of_split(self, name: str) -> str:
        """The name with the split that the line said before: `Acc` of `val Loss: 0.25 Acc: 0.91` is `val Acc`."""
        first, _, rest = name.partition(" ")
        if "/" in rest and first.lower() in SPLITS and any(w[:3] == first[:3].lower() for w in words(rest)):
            return rest  # Composer's `Train loss/train/total`
        if rest and first.lower() in SPLITS:
            self._carried = first if not self._carried and self._begins(first) else "?"
        elif self._split:
            return self._under_split(name)
        elif self._carried not in ("", "?") and SPLITS.isdisjoint(words(name)):
            return f"{self._carried} {name}"
        return name

    def _under_split(self, name: str) -> str:
        """The name with the split that the whole line is of, where it says none itself."""
        return self._split + name if SPLITS.isdisjoint(words(name)) else name

    def _begins(self, word: str) -> bool:
        return self._text.lstrip(" \t*>#-=").startswith(word)


def _is_measure(name: str, *, of_split: bool) -> bool:
    """Whether a name where a shape has one is a metric's: a known one, or `of_split` any that begins with a split."""
    what = kind(name)
    return what == "metric" or (of_split and what in ("split", "other") and words(name)[0] in SPLITS)


def _tight(name: str, gap: str) -> str:
    """The name before `=`: one word where nothing stands around the sign, else up to three."""
    first, _, last = name.rpartition(" ")
    return last if not gap[-1:].isspace() and first.lower() not in _TIMED else name
