"""Retrieval below the agents: reading files, cutting them, finding passages again."""

import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_agents.code_blocks import fenced
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.retrieval.chunks import Chunk, Cutting, cut, estimate_tokens
from jupyter_agents.retrieval.documents import Document, ReadDocuments
from jupyter_agents.retrieval.embeddings import EmbeddingIndex
from jupyter_agents.retrieval.index import BM25Index, Hit, words_of
from jupyter_agents.retrieval.stores import hits_of, index_of
from tests.drivers import both_drivers, sync_driver

LIBRARY = Path(__file__).parent / "data" / "library"


def read(*paths, **options):
    return ReadDocuments(tuple(paths), **options).perform()


def only(*paths):
    [document] = read(*paths).documents
    return document


def labels(chunks):
    return [(chunk.heading, chunk.place) for chunk in chunks]


# -- Reading -----------------------------------------------------------------------------------------------------


def test_folder_is_read_with_what_is_in_it_when_it_is_named():
    loaded = read(LIBRARY)

    names = [Path(document.source).name for document in loaded.documents]
    assert names == [
        "handbook.md",
        "night.ipynb",
        "plain.txt",
        "settings.json",
        "visitors.html",
        "pipeline.rst",
        "reduction.py",
        "targets.csv",
    ]
    assert loaded.problems == ()


def test_inner_folders_are_left_out_when_reading_is_not_recursive():
    assert len(read(LIBRARY, recursive=False).documents) == 5


def test_pattern_gives_the_files_that_it_matches():
    loaded = read(f"{LIBRARY}/**/*.rst", LIBRARY / "plain.txt", f"{LIBRARY}/**/*.rst")

    assert [Path(document.source).name for document in loaded.documents] == ["pipeline.rst", "plain.txt"]


@both_drivers
def test_documents_are_the_same_under_both_drivers(driver):
    async def documents():
        return await ReadDocuments((LIBRARY,))

    assert driver(documents) == read(LIBRARY)


def test_notebook_is_its_cells_without_outputs():
    document = only(LIBRARY / "night.ipynb")

    assert "```python\nseeing = [3.1, 2.8, 1.9]\nmin(seeing)\n```" in document.text
    assert "SECRET OUTPUT" not in document.text
    assert document.place(1, 4) == "cell 1"
    assert document.place(5, document.text.count("\n")) == "cells 2–3"


def test_page_is_its_text_with_headings_and_code():
    text = only(LIBRARY / "visitors.html").text

    assert "## Tickets & prices\n\nAdults pay 6 francs, children under twelve pay nothing." in text
    assert "- Bring a torch with a red filter\n- Dogs stay outside" in text
    assert "```text\nbook --night friday\n```" in text
    assert not re.search("alert|color|Home|<", text)


def test_json_is_set_out_when_it_is_one_line(tmp_path):
    (tmp_path / "long.json").write_text('{\n "a": 1,\n "b": 2\n}\n')

    assert '\n  "park_azimuth": 180,\n' in only(LIBRARY / "settings.json").text
    assert only(tmp_path / "long.json").place(2, 2) == "line 2"


def test_pages_are_counted_when_a_pdf_is_read(tmp_path):
    (tmp_path / "two.pdf").write_bytes(pdf("The first page is about owls.", "The second page is about bats."))

    chunks = cut(only(tmp_path / "two.pdf"), Cutting(10))

    assert [(chunk.text, chunk.place) for chunk in chunks] == [
        ("The first page is about owls.", "page 1"),
        ("The second page is about bats.", "page 2"),
    ]


def test_pdf_is_a_problem_that_says_what_to_install_when_pypdf_is_missing(tmp_path, monkeypatch):
    (tmp_path / "two.pdf").write_bytes(pdf("owls"))
    (tmp_path / "one.txt").write_text("bats")
    monkeypatch.setitem(sys.modules, "pypdf", None)

    loaded = read(tmp_path)

    assert [document.text for document in loaded.documents] == ["bats"]
    assert [re.search(r"%pip install pypdf", problem)[0] for problem in loaded.problems] == ["%pip install pypdf"]
    with pytest.raises(ConfigurationError, match="PDF files need pypdf"):
        read(tmp_path / "two.pdf")


BAD_FILES = {
    "latin.txt": ("Käse".encode("latin-1"), "no text in UTF-8"),
    "zero.txt": (b"a\0b", "it is no text"),
    "broken.ipynb": (b"{", r"no valid \.ipynb file"),
    "list.ipynb": (b"[]", r"no valid \.ipynb file"),
    "broken.json": (b"{oops", r"no valid \.json file"),
    "broken.pdf": (b"%PDF-1.4 oops", "pypdf says"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_file_that_cannot_be_read_is_an_error_when_it_is_named_and_a_problem_in_a_folder(tmp_path, name):
    content, said = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    (tmp_path / "z.txt").write_text("good")

    loaded = read(tmp_path)

    assert [document.text for document in loaded.documents] == ["good"]
    assert len(loaded.problems) == 1
    assert re.search(said, loaded.problems[0])
    with pytest.raises(ConfigurationError, match=said):
        read(tmp_path / name)


def test_large_files_are_not_read(tmp_path, monkeypatch):
    (tmp_path / "large.txt").write_text("a" * 100)
    monkeypatch.setattr("jupyter_agents.retrieval.documents.MAX_FILE", 99)

    with pytest.raises(ConfigurationError, match="it has 100 bytes, and at most 99 are read. Split it"):
        read(tmp_path / "large.txt")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("https://example.org/a.md", "nothing is fetched from the web here. Download it"),
        ("no/such/file.md", "there is no such file or folder"),
        ("tests/*.nothing", "nothing that can be read matches it"),
        (7, "it is neither a path nor a Document"),
    ],
)
def test_path_is_refused_when_nothing_is_there(path, said):
    with pytest.raises(ConfigurationError, match=said):
        read(path)


def test_hidden_files_and_what_tools_keep_are_passed_over(tmp_path):
    for name in (".git/a.txt", ".hidden.txt", "node_modules/b.txt", "c.txt", "photo.png", ".ipynb_checkpoints/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    assert [document.text for document in read(tmp_path).documents] == ["c.txt"]


# -- Cutting -----------------------------------------------------------------------------------------------------


def test_each_section_is_a_chunk_with_the_headings_above_it():
    chunks = cut(only(LIBRARY / "handbook.md"))

    assert labels(chunks) == [
        ("Observatory handbook", "lines 1–3"),
        ("Observatory handbook > Opening the dome", "lines 5–10"),
        ("Observatory handbook > Opening the dome > When the motor fails", "lines 12–14"),
        ("Observatory handbook > Cooling the camera", "lines 16–28"),
        ("Observatory handbook > Closing", "lines 30–32"),
    ]


def test_sections_of_a_reference_are_found_by_their_underlines():
    assert labels(cut(only(LIBRARY / "guides/pipeline.rst"))) == [
        ("Pipeline", "lines 1–5"),
        ("Pipeline > Dark frames", "lines 7–10"),
        ("Pipeline > Flat fields", "lines 12–15"),
        ("Pipeline > Flat fields > Twilight flats", "lines 17–20"),
    ]


def test_definitions_are_the_sections_of_a_module():
    assert labels(cut(only(LIBRARY / "guides/reduction.py"))) == [
        ("", "lines 1–6"),
        ("subtract_dark", "lines 9–11"),
        ("FrameStack", "lines 14–15"),
        ("FrameStack.__init__", "lines 17–18"),
        ("FrameStack.signal_to_noise", "lines 20–23"),
    ]


def test_first_row_is_said_again_when_a_table_is_cut():
    chunks = cut(only(LIBRARY / "guides/targets.csv"), Cutting(25))

    assert [chunk.text.splitlines()[0] for chunk in chunks] == ["name,kind,constellation,magnitude,best month"] * 4
    assert [chunk.text.splitlines()[1][:3] for chunk in chunks] == ["M31", "M42", "M57", "M13"]
    assert [chunk.place for chunk in chunks] == ["line 2", "line 3", "line 4", "line 5"]


def test_each_line_is_a_chunk_in_the_mode_one_line():
    chunks = cut(Document("a.txt", "one\n\ntwo\nthree\n"), Cutting(mode="one_line"))

    assert [(chunk.text, chunk.place) for chunk in chunks] == [
        ("one", "line 1"),
        ("two", "line 3"),
        ("three", "line 4"),
    ]


def test_code_block_stays_whole_when_it_fits():
    chunks = cut(only(LIBRARY / "handbook.md"), Cutting(70, 10))

    [code] = [chunk.text for chunk in chunks if "```" in chunk.text]
    assert code.startswith("```python\ndef cool_camera")
    assert code.endswith("camera.wait_until_stable()\n```")


def test_pieces_are_code_blocks_themselves_when_a_code_block_is_too_long():
    lines = [f"value_{number} = {number}" for number in range(60)]
    chunks = cut(Document("a.md", fenced("\n".join(lines), "python"), "markdown"), Cutting(60))

    assert len(chunks) > 3
    assert all(chunk.text.startswith("```python\n") and chunk.text.endswith("\n```") for chunk in chunks)
    assert [line for chunk in chunks for line in chunk.text.splitlines()[1:-1]] == lines
    assert chunks[1].place.startswith(f"lines {1 + chunks[0].text.count(chr(10))}")


def test_end_of_a_chunk_is_said_again_when_a_section_goes_on():
    sentences = [f"This is sentence number {number}." for number in range(20)]
    text = "# Long\n\n" + "\n\n".join(" ".join(sentences[at : at + 2]) for at in range(0, 20, 2))

    overlapping = cut(Document("a.md", text, "markdown"), Cutting(40, overlap=10))
    apart = cut(Document("a.md", text, "markdown"), Cutting(40, overlap=0))

    assert [chunk.text.split(".")[0] for chunk in apart[1:3]] == [sentences[4][:-1], sentences[8][:-1]]
    assert len(overlapping) > 2
    for before, later in pairwise(overlapping):
        assert before.text.endswith(later.text.splitlines()[0])


def test_paragraphs_are_cut_to_fill_chunks_when_they_need_not_be_whole():
    text = "\n\n".join("\n".join(f"{name} line {number} of it" for number in range(6)) for name in ("one", "two"))

    whole = cut(Document("a.txt", text), Cutting(45, 0))
    filled = cut(Document("a.txt", text), Cutting(45, 0, at_blank_lines=False))

    assert [chunk.text.splitlines()[0] for chunk in whole] == ["one line 0 of it", "two line 0 of it"]
    assert "one line 5 of it" in filled[0].text
    assert "two line 1 of it" in filled[0].text


def test_headings_in_code_are_no_headings():
    chunks = cut(Document("a.md", "# Real\n\n```sh\n# comment\nls\n```\n", "markdown"))

    assert labels(chunks) == [("Real", "lines 1–6")]


@pytest.mark.parametrize("text", ["", "\n \n\t\n", "\r\n"])
def test_nothing_gives_no_chunks(text):
    assert cut(Document("a.md", text, "markdown")) == []


pieces = st.lists(
    st.sampled_from(
        ["# Head", "## Sub", "", "", "Some words stand here. And more of them.", "```python", "```", "x = 1", "- item"]
        + [
            "a" * 50,
            "one two three four five six seven eight nine ten eleven twelve",
            "Title",
            "=====",
            "a,b,c",
            "日本語の文章です。",
        ]
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(pieces, st.sampled_from(["markdown", "rst", "python", "table", "text"]), st.integers(12, 60), st.booleans())
def test_no_word_is_lost_and_no_chunk_too_long_whatever_is_cut(lines, kind, size, at_blank_lines):
    document = Document("a", "\n".join(lines), kind, head=lines[0] if kind == "table" and lines else "")

    chunks = cut(document, Cutting(size, size // 10, at_blank_lines=at_blank_lines))

    assert all(estimate_tokens(chunk.text) <= size for chunk in chunks)
    said = re.sub(r"\s", "", "".join(chunk.text for chunk in chunks))
    for line in lines:
        for word in line.split() if set(line) != {"`"} and not line.startswith("```") else []:
            assert word[:40] in said


# -- Finding -----------------------------------------------------------------------------------------------------

QUESTIONS = {
    "Which key does the dome motor need?": "Opening the dome",
    "What do I do when the motor fails?": "When the motor fails",
    "How strong may the wind be to open the dome?": "Opening the dome",
    "camera sensor cracks, cool in steps": "Cooling the camera",
    "How many dark frames are taken?": "Dark frames",
    "when are twilight flats better": "Twilight flats",
    "signal to noise of a stack": "FrameStack.signal_to_noise",
    "subtract dark current": "subtract_dark",
    "price of tickets for children": "Tickets & prices",
    "Are dogs allowed?": "Tickets & prices",
    "supernova candidate": "A night in March",
}


def library(index, cutting=None):
    async def filled():
        await index.add([chunk for document in read(LIBRARY).documents for chunk in cut(document, cutting)])
        return index

    return sync_driver(filled)


def found_by(index, question, n=3, driver=sync_driver, **options):
    return driver(lambda: index.query(question, n, **options))


@pytest.mark.parametrize("size", [60, 400])
@pytest.mark.parametrize("question", QUESTIONS)
def test_right_chunk_is_among_the_first_three_when_the_question_has_its_words(question, size):
    hits = found_by(library(BM25Index(), Cutting(size, size // 10)), question)

    assert any(hit.chunk.heading.endswith(QUESTIONS[question]) for hit in hits), [hit.chunk.label for hit in hits]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_nothing_is_found_when_no_word_is_in_the_documents():
    index = library(BM25Index())

    assert found_by(index, "zebra") == found_by(index, "") == found_by(index, "what is the") == []


def test_nothing_is_found_in_an_empty_index():
    assert found_by(BM25Index(), "dome") == []


def test_chunks_are_found_when_they_were_added_after_a_question():
    index = library(BM25Index())
    found_by(index, "zebra")

    sync_driver(lambda: index.add([Chunk("A zebra crosses the road.")]))

    assert [hit.chunk.text for hit in found_by(index, "zebras")] == ["A zebra crosses the road."]


def test_only_chunks_that_hold_a_text_are_found_when_it_is_asked_for():
    hits = found_by(library(BM25Index()), "dome motor telescope", n=20, search_string="forty km") + found_by(
        library(BM25Index()), "dome motor telescope", n=20, search_string="logbook"
    )

    assert [hit.chunk.heading for hit in hits] == ["Observatory handbook > Closing"]


def test_words_in_other_scripts_and_names_in_code_are_found_by_their_parts():
    assert words_of("東京都へ") == ["東京", "京都", "都へ"]
    assert words_of("FrameStack.signal_to_noise's") == [
        "framestack",
        "frame",
        "stack",
        "signal_to_noise",
        "signal",
        "noise",
    ]
    assert words_of("Cities, boxes, classes; this status isn't his") == [
        "city",
        "boxe",
        "classe",
        "status",
        "isn't",
        "his",
    ]


def test_error_says_what_to_install_when_bm25_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm25s", None)

    with pytest.raises(ConfigurationError, match=r"bm25s is not installed.*jupyter-agents\[retrieve\]"):
        found_by(library(BM25Index()), "dome")


# -- By vectors --------------------------------------------------------------------------------------------------

SUBJECTS = ("dome", "camera", "price")


def embed(texts):
    return [[text.lower().count(subject) for subject in SUBJECTS] for text in texts]


async def embed_async(texts):
    return embed(texts)


@both_drivers
@pytest.mark.parametrize("function", [embed, embed_async])
def test_nearest_vectors_are_found_when_there_is_an_embedding_function(driver, function):
    index = EmbeddingIndex(function)
    chunks = [Chunk("dome dome"), Chunk("dome camera"), Chunk("price"), Chunk("nothing")]

    driver(lambda: index.add(chunks))
    hits = found_by(index, "dome", n=2, driver=driver)

    assert [(hit.chunk.text, round(hit.score, 3)) for hit in hits] == [("dome dome", 1.0), ("dome camera", 0.707)]


def test_function_is_given_texts_in_batches_when_there_are_many():
    sizes = []

    def counting(texts):
        sizes.append(len(texts))
        return embed(texts)

    index = EmbeddingIndex(counting)
    sync_driver(lambda: index.add([Chunk(f"dome {number}") for number in range(300)]))

    assert sizes == [128, 128, 44]
    assert len(found_by(index, "dome", n=500)) == 300


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda texts: [[1.0]], r"shape \(1, 1\) for 2 texts"),
        (lambda texts: [[float("nan")]] * 2, "finite numbers"),
        (lambda texts: [[1.0], [1.0, 2.0]], "Return one list of numbers for each text"),
        (lambda texts: "vectors", "could not convert"),
        (lambda texts: [[], []], r"shape \(2, 0\)"),
        (lambda texts: None, "'<lambda>' gave"),
    ],
)
def test_vectors_are_refused_when_they_are_none(given, said):
    with pytest.raises(ConfigurationError, match=said):
        sync_driver(lambda: EmbeddingIndex(given).add([Chunk("a"), Chunk("b")]))


def test_vectors_are_refused_when_two_models_made_them():
    lengths = iter([2, 3])
    index = EmbeddingIndex(lambda texts: [[1.0] * next(lengths)])
    sync_driver(lambda: index.add([Chunk("a")]))

    with pytest.raises(ConfigurationError, match="some of 2 numbers and some of 3"):
        found_by(index, "b")


# -- Stores of others --------------------------------------------------------------------------------------------

A, B = Chunk("about domes", "a.md", "Domes", "line 1"), Chunk("about cameras", "b.md", "", "line 2")


class OwnStore:
    """Keeps what it is given, and finds it in the opposite order."""

    def __init__(self):
        self.chunks = []

    def add(self, chunks):
        self.chunks += chunks

    async def query(self, question, n):
        return [(chunk, 1.0) for chunk in reversed(self.chunks)][:n]


class Collection:
    """A collection as Chroma's, with its keyword arguments and its lists of lists."""

    def __init__(self):
        self.entries = {}
        self.asked = None

    def upsert(self, *, ids, documents, metadatas, embeddings=None):
        for key, *entry in zip(ids, documents, metadatas, strict=True):
            self.entries[key] = entry
        self.embeddings = embeddings

    def query(self, query_texts=None, query_embeddings=None, n_results=10, where_document=None):
        self.asked = {"texts": query_texts, "embeddings": query_embeddings, "where": where_document}
        kept = [*self.entries.items()][:n_results]
        return {
            "ids": [[key for key, _ in kept]],
            "documents": [[entry[0] for _, entry in kept]],
            "metadatas": [[entry[1] for _, entry in kept]],
            "distances": [[float(number) for number, _ in enumerate(kept)]],
        }


class LangChainDocument:
    def __init__(self, page_content, metadata):
        self.page_content, self.metadata = page_content, metadata


class LangChainStore:
    """A vector store as LangChain's."""

    def __init__(self):
        self.documents = []

    def add_texts(self, texts, metadatas=None, ids=None):
        self.documents += [LangChainDocument(*pair) for pair in zip(texts, metadatas, strict=True)]

    def similarity_search_with_score(self, query, k=4):
        return [(document, 0.5) for document in self.documents[:k]]


@both_drivers
@pytest.mark.parametrize(("store", "order"), [(OwnStore, [B, A]), (Collection, [A, B]), (LangChainStore, [A, B])])
def test_chunks_come_back_as_they_were_when_a_store_keeps_them(driver, store, order):
    index = index_of(store())

    driver(lambda: index.add([A, B]))

    assert [hit.chunk for hit in found_by(index, "domes", n=5, driver=driver)] == order
    assert len(found_by(index, "domes", n=1, driver=driver)) == 1


@pytest.mark.parametrize("store", [OwnStore, LangChainStore])
def test_store_gives_only_chunks_that_hold_a_text_when_it_is_asked_for(store):
    index = index_of(store())
    sync_driver(lambda: index.add([A, B]))

    assert [hit.chunk for hit in found_by(index, "domes", n=1, search_string="domes")] == [A]


def test_collection_is_asked_by_text_when_it_makes_its_own_vectors():
    collection = Collection()
    sync_driver(lambda: index_of(collection).add([A, A]))

    found_by(index_of(collection), "domes", search_string="dom")

    assert len(collection.entries) == 1
    assert collection.asked == {"texts": ["domes"], "embeddings": None, "where": {"$contains": "dom"}}


def test_collection_is_given_vectors_when_there_is_an_embedding_function():
    collection = Collection()
    index = index_of(collection, embed)
    sync_driver(lambda: index.add([Chunk("dome camera")]))

    found_by(index, "price")

    assert [[round(number, 3) for number in row] for row in collection.embeddings] == [[0.707, 0.707, 0.0]]
    assert collection.asked["embeddings"] == [[0.0, 0.0, 1.0]]


@pytest.mark.parametrize("store", [object(), [], {"query": 1}, "chroma"])
def test_store_is_refused_when_it_is_none(store):
    with pytest.raises(ConfigurationError, match="it is no vector store"):
        index_of(store)


@pytest.mark.parametrize(
    "found",
    [
        [Hit(A), A, "text", (A, 0.5), ("text", 0.1)],
        {"ids": [["1", "2"]], "documents": [["about domes", "text"]]},
        {"documents": [["a"]], "metadatas": None, "distances": None},
        [],
        {"documents": [[]]},
        {"documents": []},
    ],
)
def test_hits_are_understood_in_the_usual_forms(found):
    hits = hits_of(found)

    assert all(isinstance(hit, Hit) and isinstance(hit.chunk.text, str) for hit in hits)
    documents = found.get("documents") if isinstance(found, dict) else [found]
    assert len(hits) == sum(map(len, documents))


@pytest.mark.parametrize("found", [None, 7, "text", [7], {"texts": []}])
def test_hits_are_refused_when_they_are_none(found):
    with pytest.raises(ConfigurationError, match="Cannot use what was retrieved"):
        hits_of(found)


def pdf(*pages):
    """A small PDF with a line of text on each page."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    fonts = "<< /Font << /F1 3 0 R >> >>"
    for number, text in enumerate(pages):
        stream = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents {5 + 2 * number} 0 R /Resources {fonts} >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode("ascii")
