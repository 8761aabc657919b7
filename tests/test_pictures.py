"""Images of a message: where they stand in its bundle, and what is said of those that are not shown."""

import pytest

from jupyter_agents.display.bundle import Transcript, joined_bundle, message_bundle
from jupyter_agents.display.pictures import MAX_SHOWN, pictures_of, urls_in
from jupyter_agents.events import Entry, MessageSent
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.messages import Message, ToolCall, ToolResponse

DOT = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def image(url):
    return {"type": "image_url", "image_url": {"url": url}}


def answered(*responses):
    """What tools gave: the text and the URLs of images of each."""
    found = [ToolResponse(f"c{n}", text, tuple(map(image, urls))) for n, (text, *urls) in enumerate(responses)]
    return Message("\n\n".join(one.content for one in found), role="tool", tool_responses=tuple(found))


def bundle(message, origin="tool"):
    return message_bundle(MessageSent(0, "user", "assistant", message, origin), 0)


def test_image_of_a_tool_stands_in_the_html_once_and_in_words_elsewhere():
    data = bundle(answered(("A dot.", DOT))).data

    assert urls_in(data["text/html"]) == [DOT]
    assert str(data).count(DOT) == 1
    words = "Image 1 of tool (image/png 1x1)"
    assert data[MESSAGE_MIME]["images"] == [{"words": words, "result": 0, "shown": True}]
    assert words in data["text/markdown"].replace("\\", "")
    assert f"[{words}]" in data["text/plain"]


def test_image_stands_under_the_result_that_it_belongs_to():
    transcript = Transcript()
    calls = tuple(ToolCall(name, "{}", f"c{n}") for n, name in enumerate(("plot", "count")))
    asked = MessageSent(0, "assistant", "user", Message(None, tool_calls=calls), "model")
    told = MessageSent(0, "user", "assistant", answered(("A dot.", DOT), ("3",)), "tool")

    transcript.bundle(Entry(0, asked))
    html = transcript.bundle(Entry(1, told)).data["text/html"]

    assert html.index("plot returned") < html.index("Image 1 of plot") < html.index("count returned")


@pytest.mark.parametrize(
    "url", ["https://example.com/a.png", "data:image/svg+xml;base64,PHN2Zz4=", "data:text/html,x", "'"]
)
def test_only_images_that_are_in_the_message_are_shown(url):
    data = bundle(answered(("A dot.", url))).data

    assert "<img" not in data["text/html"]
    assert "Image 1 of tool, not loaded" in data["text/html"]
    assert ("example.com" in data["text/plain"]) == url.startswith("https")


def test_images_beyond_the_bound_are_told_in_words():
    half = "data:image/png;base64," + "A" * (MAX_SHOWN // 2)

    pictures = pictures_of(answered(("Two.", half, half, DOT)), ["plot"])

    assert [bool(one.url) for one in pictures] == [True, False, True]
    assert pictures[1].words.endswith(f"too large to be shown: {len(half):,} characters")


def test_image_of_a_person_stands_below_the_words():
    said = Message(({"type": "text", "text": "Look: "}, image(DOT)))

    html = bundle(said, "human").data["text/html"]

    assert html.index("Look") < html.index("Image 1 (image/png 1x1)")


def test_words_that_look_like_an_image_are_only_text():
    written = f"<img src='{DOT}' alt='x'> ![y]({DOT})"

    html = bundle(Message(written), "model").data["text/html"]

    assert urls_in(html) == []
    assert "images" not in bundle(Message(written), "model").data[MESSAGE_MIME]


def test_joined_messages_have_their_images_beside_the_words():
    one = bundle(answered(("Two.", DOT, "https://example.com/a.png")))

    [_, item] = joined_bundle([bundle(Message("Hello"), "model"), one]).data[MESSAGE_MIME]["items"]

    assert [image.get("url") for image in item["images"]] == [DOT, None]
