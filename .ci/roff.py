"""Markdown to roff: what our documents use of the one, in what each reader of man pages knows of the other.

The documents are written for a page that is as wide as a browser. On a terminal of 80 columns a table stays
one (by tbl) only where its rows fit; a wider one becomes a list: the first cell as the term, the second as
its text, and the others with their column's title. A link becomes its text, and where it leads is named: a
section of the same page, another page, or a file of the documentation; one that only says "below" or "More"
becomes that name.

What cannot be said in roff is an error that names it, never left out in silence: `UnknownMarkdownError`.

Rejected: pandoc (a hundred megabytes for three pages), mistune and docutils (a parser comes with rich
already, and its tokens are all that is needed).
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

LINE_COLUMNS = 80
INDENT_COLUMNS = 7
"""What man(7) leaves free at the left; a table begins there."""
GAP_COLUMNS = 3
NESTING_COLUMNS = 2

SPECIAL = {
    "\\": r"\(rs",
    "-": r"\-",
    "'": r"\(aq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
    '"': r"\(dq",
}
"""What roff would print as something else, so that nobody could paste it (groff_char(7))."""

PROSE = {character: SPECIAL[character] for character in "\\`^~'"}
"""In prose a hyphen is a hyphen, and quotes are quotes."""

Locate = Callable[[str], str]
"""From a link's target to the words for it; empty where the text says enough."""

NOTHING = "\N{EN DASH}"
"""A cell that says that there is nothing to say."""

_POINTERS = {"below": "see", "above": "see", "More": "See"}
"""A link's whole text, where the text is only a way to point; and what takes its place."""
_CODE_TAGS = {"<code>": r"\fB", "</code>": r"\fR", "<br>": " "}
_PARSER = MarkdownIt("commonmark").enable("table")


class UnknownMarkdownError(Exception):
    """A document uses what this converter does not have."""


def escaped(text: str, table: dict[str, str] = SPECIAL) -> str:
    """Return a text that roff prints as it is; beyond ASCII by number, whatever the reader's encoding."""
    return "".join(
        table.get(character, character) if character.isascii() else f"\\[u{ord(character):04X}]"
        for character in text
    )


def bold(text: str) -> str:
    """Return what is typed as it stands, and so is never hyphenated."""
    return rf"\fB\%{escaped(text)}\fR"


def line(text: str) -> str:
    """Return a line of text that no dot or quote at its beginning turns into a request."""
    return rf"\&{text}" if text.startswith((".", "'")) else text


def tagged(term: str, text: str) -> str:
    """Return one row of a list: a term, and what it means; both in roff."""
    return f".TP\n{line(term)}\n{text}"


def heading(macro: str, title: str) -> str:
    """Return a heading (.SH or .SS) of a title in roff; its spaces belong to one argument."""
    return f'.{macro} "{title}"'


def example(text: str) -> str:
    """Return lines that are shown as they were typed."""
    shown = "\n".join(line(escaped(each)) for each in text.rstrip("\n").split("\n"))
    return f".PP\n.RS {NESTING_COLUMNS}\n.EX\n{shown}\n.EE\n.RE"


def plain(tokens: Sequence[Token]) -> str:
    """Return the inline tokens' text without any markup."""
    return "".join(token.content for token in tokens if token.type in ("text", "code_inline", "text_special"))


def slug(title: str) -> str:
    """Return the anchor by which a link names a heading, as forges make it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


class Document:
    """One Markdown document, to be taken out in roff whole or by sections."""

    def __init__(self, text: str, locate: Locate) -> None:
        self._tokens = _PARSER.parse(text)
        self._locate = locate

    def headings(self) -> Iterator[tuple[int, str]]:
        """Yield the level and the title of each heading, in order."""
        for before, token in itertools.pairwise(self._tokens):
            if before.type == "heading_open":
                yield int(before.tag[1:]), plain(token.children or [])

    def body(self, title: str) -> str:
        """Return what stands below a heading up to the next one."""
        return _Writer(self._locate).blocks(self._under(title))

    def whole(self) -> str:
        """Return everything below the document's title; its second level becomes sections."""
        return _Writer(self._locate).blocks(self._tokens)

    def around_table(self, title: str) -> tuple[str, list[list[str]], str]:
        """Return what is below a heading: before its first table, its rows (the titles first), behind it."""
        tokens = self._under(title)
        kinds = [token.type for token in tokens]
        if "table_open" not in kinds:
            raise UnknownMarkdownError(f"no table below {title!r}")
        begin, end = kinds.index("table_open"), kinds.index("table_close")
        writer = _Writer(self._locate)
        rows = [[writer.inline(cell) for cell in row] for row in _cells(tokens[begin:end])]
        return writer.blocks(tokens[:begin]), rows, writer.blocks(tokens[end + 1 :])

    def _under(self, title: str) -> list[Token]:
        numbers = [number for number, token in enumerate(self._tokens) if token.type == "heading_open"]
        ends = [*numbers[1:], len(self._tokens)]
        for begin, end in zip(numbers, ends, strict=True):
            if plain(self._tokens[begin + 1].children or []) == title:
                return self._tokens[begin + 3 : end]
        raise UnknownMarkdownError(f"no heading {title!r}")


class _Writer:
    """Turns blocks into lines of roff."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate

    def blocks(self, tokens: Sequence[Token]) -> str:
        """Return the blocks of a document, or of a part of it."""
        written: list[str] = []
        stream = iter(tokens)
        for token in stream:
            if token.type == "heading_open":
                written += self._heading(token, _until(stream, "heading_close"))
            elif token.type == "paragraph_open":
                written += self._paragraph(_until(stream, "paragraph_close")[0])
            elif token.type in ("bullet_list_open", "ordered_list_open"):
                ends = token.type.replace("open", "close")
                written += self._list(_until(stream, ends), ordered=token.type.startswith("ordered"))
            elif token.type == "fence":
                written.append(example(token.content))
            elif token.type == "table_open":
                written += self._table(_cells(_until(stream, "table_close")))
            else:
                raise UnknownMarkdownError(f"no roff for {token.type}, at line {(token.map or [0])[0] + 1}")
        return "\n".join(written)

    def inline(self, token: Token) -> str:
        """Return the text of one paragraph, heading or cell."""
        return "".join(self._spans(token.children or []))

    def _spans(self, tokens: Sequence[Token]) -> Iterator[str]:
        stream = iter(tokens)
        for token in stream:
            match token.type:
                case "text" | "text_special":
                    yield escaped(token.content, PROSE)
                case "code_inline":
                    yield bold(token.content)
                case "strong_open":
                    yield r"\fB"
                case "em_open":
                    yield r"\fI"
                case "strong_close" | "em_close":
                    yield r"\fR"
                case "softbreak" | "hardbreak":
                    yield " "
                case "link_open":
                    yield self._link(str(token.attrs["href"]), _until(stream, "link_close"))
                case "html_inline" if token.content in _CODE_TAGS:
                    yield _CODE_TAGS[token.content]
                case _:
                    raise UnknownMarkdownError(f"no roff for {token.type}: {token.content}")

    def _link(self, target: str, text: list[Token]) -> str:
        said, shown, where = plain(text), "".join(self._spans(text)), self._locate(target)
        if said in _POINTERS:
            return f"{_POINTERS[said]} {where}"
        return shown if not where or escaped(said) in where else f"{shown} (see {where})"

    def _paragraph(self, inline: Token) -> list[str]:
        if inline.content.startswith("|"):
            raise UnknownMarkdownError(f"a row that belongs to no table: {inline.content}")
        return [".PP", line(self.inline(inline))]

    def _heading(self, token: Token, inline: list[Token]) -> list[str]:
        title = self.inline(inline[0])
        match token.tag:
            case "h1":
                return []
            case "h2":
                return [heading("SH", title if "\\f" in title else title.upper())]
            case _:
                return [heading("SS", title)]

    def _list(self, tokens: list[Token], *, ordered: bool) -> list[str]:
        written: list[str] = []
        stream = iter(tokens)
        for number, _ in enumerate(stream, start=1):
            item = self.blocks(_until(stream, "list_item_close")).split("\n")
            mark = f"{number}." if ordered else r"\(bu"
            # The first paragraph stands beside the mark, what else there is below it.
            written += [f".IP {mark} {3 if ordered else 2}", *item[1:2]]
            if item[2:]:
                written += [".RS", *item[2:], ".RE"]
        return written

    def _table(self, rows: list[list[Token]]) -> list[str]:
        widths = [max(len(plain(row[n].children or [])) for row in rows) for n in range(len(rows[0]))]
        needed = sum(widths) + GAP_COLUMNS * (len(widths) - 1) + INDENT_COLUMNS
        cells = [[self.inline(cell) for cell in row] for row in rows]
        return _tbl(cells) if needed <= LINE_COLUMNS else _as_list(cells)


def _tbl(rows: list[list[str]]) -> list[str]:
    """Return a table whose rows fit on a line."""
    titles, below = rows[0], rows[1:]
    aligned = " ".join(["l"] * len(titles))
    if not any(titles):
        return [".PP", ".TS", f"{aligned}.", *("\t".join(row) for row in below), ".TE"]
    bold_titles = " ".join(["lB"] * len(titles))
    return [
        ".PP",
        ".TS",
        bold_titles,
        f"{aligned}.",
        "\t".join(titles),
        *("\t".join(row) for row in below),
        ".TE",
    ]


def _as_list(rows: list[list[str]]) -> list[str]:
    """Return a table that is too wide as a list; one of three columns or more tells the others' titles."""
    titles, *below = rows
    written = []
    for term, *cells in below:
        first, rest = cells[0], zip(titles[2:], cells[1:], strict=True)
        said = [
            rf"\fI{title}\fR: {cell}" if title else cell for title, cell in rest if cell not in ("", NOTHING)
        ]
        written.append(tagged(term or r"\&", line("\n.br\n".join([first, *said]) if first else said[0])))
    return written


def _cells(tokens: list[Token]) -> list[list[Token]]:
    rows: list[list[Token]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(token)
    return rows


def _until(stream: Iterator[Token], end: str) -> list[Token]:
    """Take what stands before the end of the block that was just opened; blocks of its kind may be inside."""
    taken: list[Token] = []
    depth = 1
    for token in stream:
        depth += (token.type == end.replace("close", "open")) - (token.type == end)
        if not depth:
            break
        taken.append(token)
    return taken
