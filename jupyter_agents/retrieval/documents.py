"""Files as text that can be cut: what is in them, and how a reader finds a place in them again."""

from __future__ import annotations

import glob
import json
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

from jupyter_agents.code_blocks import fenced
from jupyter_agents.effects import Step
from jupyter_agents.errors import ConfigurationError

Kind = Literal["markdown", "rst", "python", "table", "text"]

MAX_FILE = 20_000_000
"""Bytes of one file that is read."""

_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("md", "markdown", "qmd", "ipynb", "html", "htm"), "markdown"),
    "rst": "rst",
    "py": "python",
    **dict.fromkeys(("csv", "tsv"), "table"),
}
_TEXT = "txt text log json jsonl yaml yml toml ini cfg xml tex bib r jl c h cc cpp hpp java js jsx ts tsx go rs rb sh sql css pdf"
SUFFIXES = frozenset({*_KINDS, *_TEXT.split()})
"""Names of the files that are taken from a folder end like this. A file that is named itself may have any name."""

_PASSED_OVER = frozenset({"node_modules", "__pycache__"})
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


@dataclass(frozen=True, slots=True)
class Document:
    """A text with a name. `kind` says where it may be cut.

    A reader counts its `unit`s (`cell`, `page`), which begin in the lines `starts`; an empty unit means that nothing in
    it can be counted. `head` is said again with each chunk: the first line of a table.
    """

    source: str
    text: str
    kind: Kind = "text"
    unit: str = "line"
    starts: tuple[int, ...] = ()
    head: str = ""

    def place(self, first: int, last: int) -> str:
        """Where the lines from `first` to `last` (from 1) are, in words.

        >>> Document("a.txt", "one two").place(3, 9)
        'lines 3–9'
        """
        if not self.unit:
            return ""
        if self.starts:
            first, last = (max(bisect_right(self.starts, line), 1) for line in (first, last))
        return f"{self.unit} {first}" if first == last else f"{self.unit}s {first}–{last}"


# -- Which files -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Loaded:
    """Documents, and in a sentence each what could not be read and was left out."""

    documents: tuple[Document, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadDocuments(Step[Loaded]):
    """The documents that `paths` name: files, folders (with all in them), patterns such as `docs/**/*.md`.

    A `Document` among them is taken as it is. What cannot be read is an error where it is named itself, and a problem
    where it lies in a folder. A path that gives no file is an error, and so it is where none can be read. With
    `recursive` false the folders in a folder are left out.
    """

    paths: tuple[Any, ...]
    recursive: bool = True

    def perform(self) -> Loaded:
        """See `Step`."""
        documents: dict[str, Document] = {}
        problems: list[str] = []
        for path, is_named in _files(self.paths, self.recursive):
            if isinstance(path, Document):
                documents[path.source] = path
                continue
            try:
                documents.setdefault(str(path), read_document(path))
            except ConfigurationError as error:
                if is_named:
                    raise
                problems.append(str(error))
        if problems and not documents:
            raise ConfigurationError(
                f"Cannot read documents from {', '.join(repr(str(one)) for one in self.paths)}: "
                f"not one of {len(problems)} files can be read. {problems[0]}"
            )
        return Loaded(tuple(documents.values()), tuple(problems))

    async def a_perform(self) -> Loaded:
        """See `Step`."""
        import asyncio

        return await asyncio.to_thread(self.perform)


def _files(paths: Iterable[Any], recursive: bool) -> Iterator[tuple[Any, bool]]:
    """Each file, and whether it was named itself."""
    for given in paths:
        if isinstance(given, Document):
            yield given, True
            continue
        name = os.path.expanduser(_checked(given))
        if os.path.isdir(name):
            yield from ((path, False) for path in _of_folder(name, recursive))
        elif os.path.isfile(name):
            yield Path(name), True
        else:
            yield from ((path, False) for path in _matching(name, recursive))


def _checked(given: Any) -> str:
    if not isinstance(given, (str, os.PathLike)):
        raise ConfigurationError(
            f"Cannot read documents from {given!r}: it is neither a path nor a Document. Give paths of files or folders."
        )
    name = os.fspath(given)
    if _URL.match(name):
        raise ConfigurationError(
            f"Cannot read documents from {name!r}: nothing is fetched from the web here. Download it and give the file."
        )
    return str(name)


def _matching(pattern: str, recursive: bool) -> list[Path]:
    """The files that a pattern matches, those in folders that it matches included."""
    found = sorted(map(Path, glob.glob(pattern, recursive=True))) if glob.has_magic(pattern) else []
    files = [path for path in found if path.is_file() and _is_taken(path)]
    if files:
        return files
    inside = [path for folder in found for path in _in_folder(folder, recursive)]
    if not inside:
        what = "nothing that can be read matches it" if glob.has_magic(pattern) else "there is no such file or folder"
        raise ConfigurationError(
            f"Cannot read documents from {pattern!r}: {what}. Paths are relative to {os.getcwd()!r}."
        )
    return inside


def _of_folder(name: str, recursive: bool) -> list[Path]:
    found = _in_folder(Path(name), recursive)
    if not found:
        what = "the folder" if recursive else "the folder itself (recursive is False)"
        raise ConfigurationError(
            f"Cannot read documents from {name!r}: {what} holds nothing that is read. Files whose names end in .md, .rst, .txt, "
            ".py, .ipynb, .html, .csv, .json or .pdf are, and those of other text; name any other file itself."
        )
    return found


def _in_folder(folder: Path, recursive: bool) -> list[Path]:
    """The files in a folder that are worth reading, in order; hidden ones and what tools keep are not."""
    found: list[Path] = []
    for parent, folders, files in os.walk(folder):
        kept = sorted(one for one in folders if not one.startswith(".") and one not in _PASSED_OVER)
        folders[:] = kept if recursive else []
        found += [path for path in (Path(parent, name) for name in sorted(files)) if _is_taken(path)]
    return found


def _is_taken(path: Path) -> bool:
    return not path.name.startswith(".") and _suffix(path) in SUFFIXES


def _suffix(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")


# -- What is in them ---------------------------------------------------------------------------------------------


def read_document(path: Path) -> Document:
    """The document that a file is. Raises `ConfigurationError` where it cannot be read."""
    suffix = _suffix(path)
    if suffix == "pdf":
        return _from_pdf(path)
    text = _text_of(path)
    try:
        return _READERS.get(suffix, _as_it_is)(path, text)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigurationError(
            f"Cannot read {str(path)!r}: it is no valid .{suffix} file ({error}). Mend it, or leave it out."
        ) from error


def _text_of(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise ConfigurationError(
                f"Cannot read {str(path)!r}: it has {size:,} bytes, and at most {MAX_FILE:,} are read. Split it."
            )
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read {str(path)!r}: {error.strerror or error}. Check that you may read it."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"Cannot read {str(path)!r}: it is no text in UTF-8. Convert it, or leave it out."
        ) from error
    if "\0" in text:
        raise ConfigurationError(f"Cannot read {str(path)!r}: it is no text. Convert it to text, or leave it out.")
    return text


def _as_it_is(path: Path, text: str) -> Document:
    return Document(str(path), text, _KINDS.get(_suffix(path), "text"))


def _from_table(path: Path, text: str) -> Document:
    return Document(str(path), text, "table", head=text.partition("\n")[0].rstrip("\r"))


def _from_json(path: Path, text: str) -> Document:
    """JSON on one line is set out over several: there is nowhere to cut it otherwise."""
    if text.count("\n") > 1:
        return Document(str(path), text)
    return Document(str(path), json.dumps(json.loads(text), indent=1, ensure_ascii=False), unit="")


def _from_notebook(path: Path, text: str) -> Document:
    """The cells of a notebook, code as code blocks. Outputs are left out: running the cells gives them."""
    notebook = json.loads(text)
    language = notebook.get("metadata", {}).get("kernelspec", {}).get("language") or "python"
    lines: list[str] = []
    starts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"]).rstrip("\n")
        starts.append(len(lines) + 1)
        text = fenced(source, language) if cell["cell_type"] == "code" else source
        lines += [*text.split("\n"), ""]
    return Document(str(path), "\n".join(lines), "markdown", "cell", tuple(starts))


def _from_html(path: Path, text: str) -> Document:
    reader = _Page()
    reader.feed(text)
    reader.close()
    return Document(str(path), reader.text, "markdown", unit="")


def _from_pdf(path: Path) -> Document:
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError as error:
        raise ConfigurationError(
            f"Cannot read {str(path)!r}: PDF files need pypdf. Install it with %pip install pypdf, or leave them out."
        ) from error
    try:
        pages = [page.extract_text() for page in PdfReader(path).pages]
    except (PyPdfError, OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"Cannot read {str(path)!r}: pypdf says {error}. Mend it, or leave it out.") from error
    lines: list[str] = []
    starts = []
    for page in pages:
        starts.append(len(lines) + 1)
        lines += [*page.split("\n"), ""]
    return Document(str(path), "\n".join(lines), "text", "page", tuple(starts))


_READERS: Mapping[str, Callable[[Path, str], Document]] = {
    "ipynb": _from_notebook,
    "html": _from_html,
    "htm": _from_html,
    "csv": _from_table,
    "tsv": _from_table,
    "json": _from_json,
}


class _Page(HTMLParser):
    """The text of a web page, with its headings and its code as Markdown has them."""

    _HIDDEN = frozenset({"script", "style", "template", "noscript", "svg", "nav"})
    _LINES = frozenset({"p", "div", "section", "article", "table", "ul", "ol", "dl", "blockquote", "header", "footer"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._hidden = 0
        self._code: list[str] | None = None

    @property
    def text(self) -> str:
        """All of it."""
        return re.sub(r"\n(?:[ ]*\n){2,}", "\n\n", "".join(self._pieces)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See `HTMLParser`."""
        self._hidden += tag in self._HIDDEN
        if tag == "pre":
            self._code = []
        elif tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self._add(f"\n\n{'#' * int(tag[1])} ")
        elif tag in ("br", "tr"):
            self._add("\n")
        elif tag == "li":
            self._add("\n- ")
        elif tag in self._LINES:
            self._add("\n\n")

    def handle_endtag(self, tag: str) -> None:
        """See `HTMLParser`."""
        if tag in self._HIDDEN:
            self._hidden = max(self._hidden - 1, 0)
        elif tag == "pre" and self._code is not None:
            code, self._code = "".join(self._code).strip("\n"), None
            self._add(f"\n\n{fenced(code)}\n\n")
        elif tag in ("td", "th"):
            self._add(" ")
        elif tag in self._LINES or tag in ("h1", "h2", "h3", "h4", "h5", "h6", "title"):
            self._add("\n\n")

    def handle_data(self, data: str) -> None:
        """See `HTMLParser`."""
        if self._code is not None:
            self._code.append(data)
        else:
            self._add(re.sub(r"\s+", " ", data))

    def _add(self, text: str) -> None:
        if not self._hidden:
            self._pieces.append(text)
