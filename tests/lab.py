"""A notebook's page as the kernel sees it: the outputs of a cell, and the widgets that were made."""

from collections import OrderedDict

from jupyter_agents.display import front_end, slots
from jupyter_agents.display.slots import WIDGET_MIME
from jupyter_agents.events import Entry, Notice
from tests.fakes import FakeClock


class FakeWidget:
    """A widget whose messages are kept, and whose page says what a test has it say."""

    def __init__(self, hear, closed, number=1):
        self.model_id = f"model-{number}"
        self.hear, self.closed, self.sent, self.is_closed = hear, closed, [], False
        self.comm = object()

    def send(self, message):
        self.sent.append(message)

    def close(self):
        self.is_closed = True


class Lab:
    """The page of a cell, with its outputs in order and the widgets that were made.

    It takes outputs as a front end does: an update replaces the one with the same display id.
    """

    def __init__(self, *, is_followed=True):
        self.request = {"header": {"msg_id": "first", "session": "s"}, "content": {"allow_stdin": is_followed}}
        self.outputs, self.widgets, self.clock = [], [], FakeClock()
        self.updates = 0
        self.published = []

    def install(self, patch, *, has_widgets=True, **variables):
        """Be the page of the kernel, whose user has these variables."""
        patch.setattr("IPython.display.publish_display_data", self.take)
        patch.setattr("jupyter_agents.widgets.live.make_widget", self.make_widget)
        patch.setattr(front_end, "parent", lambda: self.request)
        patch.setattr(front_end, "has_widgets", lambda: has_widgets)
        patch.setattr(front_end, "user_namespace", lambda: variables)
        patch.setattr(slots, "_cells", OrderedDict())
        return self

    def take(self, data, metadata=None, *, transient=None, update=False):
        display_id = (transient or {}).get("display_id")
        self.published.append((display_id, data, update))
        if update:
            [at] = [at for at, (known, _) in enumerate(self.outputs) if known == display_id]
            self.outputs[at] = (display_id, data)
            self.updates += 1
        else:
            self.outputs.append((display_id, data))

    def make_widget(self, hear, closed):
        self.widgets.append(FakeWidget(hear, closed, len(self.widgets) + 1))
        return self.widgets[-1]

    @property
    def widget(self):
        [widget] = self.widgets
        return widget

    def texts(self):
        return [("live: " if WIDGET_MIME in data else "") + data["text/plain"] for _, data in self.outputs]

    def draw(self, view="v"):
        """Draw the widget; what it shows."""
        self.widget.hear({"t": "hello", "page": "p"})
        self.widget.hear({"t": "sync", "page": "p", "views": 1, "first": None, "earlier": False})
        return self.widget.sent[-1]["state"]


def tell(listener, *events):
    """Let a listener hear events as entries of a log, and notices as they are."""
    for event in events:
        listener(event if isinstance(event, Notice) else Entry(0, event))
