"""The chain of reply functions that an agent asks what to say, and the hooks before and after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jupyter_agents.agents import hooks, reply_functions
from jupyter_agents.agents.built_in_replies import REPLY_CORES, BuiltInReplies
from jupyter_agents.agents.faces import call_hook, call_of, core_of, faces, is_overridden
from jupyter_agents.agents.history import Talk
from jupyter_agents.errors import ConfigurationError, InvalidMessageError
from jupyter_agents.messages import Message
from jupyter_agents.replies import Reply, ReplyFunction, matches
from jupyter_agents.run import ThisTask

_chosen: ContextVar[list[Reply]] = ContextVar("jupyter_agents_chosen")
"""Where the replies go that the chain chooses while an override of `generate_reply` runs."""
_passed_over: ContextVar[tuple[Any, Sequence[Any]]] = ContextVar("jupyter_agents_passed_over", default=(None, ()))


@contextmanager
def passing_over(agent: Any, functions: Sequence[Any]) -> Iterator[None]:
    """Have an agent not ask some of its reply functions, whatever it overrides."""
    token = _passed_over.set((agent, functions))
    try:
        yield
    finally:
        _passed_over.reset(token)


class ReplyChain(BuiltInReplies):
    """The part of an agent that finds its reply."""

    capabilities: list[hooks.Capability]
    _reply_functions: list[ReplyFunction]
    _last_message_hooks: list[Callable[..., Any]]
    _all_messages_hooks: list[Callable[..., Any]]
    _sending_hooks: list[Callable[..., Any]]

    def register_auto_reply(
        self,
        trigger: Any,
        reply_func: Callable[..., Any],
        position: int = 0,
        config: Any = None,
        reset_config: Callable[[Any], None] | None = None,
        *,
        ignore_async_in_sync_chat: bool = False,
        remove_other_reply_funcs: bool = False,
    ) -> None:
        """Add a reply function `(recipient, messages, sender, config) -> (final, reply)`, plain or async.

        It is asked when the sender matches `trigger`: a class, an agent, a name, a function of the sender, a list of
        these (with `None` for no sender). The one registered last is asked first; `position` 1 is right after the
        first. `final=True` with no reply ends the chat. A dictionary, list or set as `config` is copied, and brought
        back by `reset`; other objects are reset by `reset_config(config)` only.

        Both faces of the API await async functions; with `ignore_async_in_sync_chat` the synchronous one asks the next
        function instead. With `remove_other_reply_funcs` all others are taken out, the built-in ones too.
        """
        entry = ReplyFunction(trigger, _callable(reply_func), config, reset_config, ignore_async_in_sync_chat)
        if isinstance(position, bool) or not isinstance(position, int):
            raise ConfigurationError(f"Cannot register a reply function at position={position!r}: give a whole number.")
        if remove_other_reply_funcs:
            self._reply_functions.clear()
        self._reply_functions.insert(position, entry)

    register_reply = register_auto_reply

    def replace_reply_func(self, old_reply_func: Callable[..., Any], new_reply_func: Callable[..., Any]) -> None:
        """Ask another function wherever this one is registered, with the same trigger and configuration.

        Either face of a method is meant by the other; so nothing happens where one is to be replaced that is gone, since
        the other may have been replaced before. Raises `ConfigurationError` for any other function that is not registered.
        """
        _callable(new_reply_func)
        entries = self._reply_functions
        places = [at for at, entry in enumerate(entries) if _is_same(entry.function, old_reply_func)]
        if not places and core_of(old_reply_func) is None:
            name = getattr(old_reply_func, "__name__", repr(old_reply_func))
            raise ConfigurationError(
                f"Cannot replace the reply function {name!r} of {self.name!r}: it is not registered. Register the new one "
                "with register_reply."
            )
        for at in places:
            entries[at] = entries[at].calling(new_reply_func)

    @property
    def hook_lists(self) -> dict[str, list[Callable[..., Any]]]:
        """The registered hooks, by the names for which `register_hook` takes them."""
        found = self._last_message_hooks, self._all_messages_hooks, self._sending_hooks
        return dict(zip((hooks.LAST, hooks.ALL, hooks.SENDING), found, strict=True))

    def register_hook(self, hookable_method: str, hook: Callable[..., Any]) -> None:
        """Add a function, plain or async, that changes what the agent hears or says; hooks run in the order in which they are added.

        `process_all_messages_before_reply` is given the list of messages, and then `process_last_received_message` the
        content of the last one (if it is no call and no tool's result); what they return is what the reply functions are
        shown, the model among them. `process_message_before_send` is given `sender`, `message`, `recipient` and `silent`
        by name; what it returns is sent. What is in the log already stays as it is.
        """
        hooks.register(self, hookable_method, hook)

    async def reply_to(self, sender: Any) -> Reply:
        """What the agent says to the last message of a sender; an override of `generate_reply` is obeyed."""
        return await hooks.before_sending(self, await self._reply_to(sender), sender)

    async def _reply_to(self, sender: Any) -> Reply:
        if not is_overridden(self, "generate_reply"):
            return await self.choose_reply(None, sender)
        chosen: list[Reply] = []
        token = _chosen.set(chosen)
        try:
            given = await call_hook(self, "generate_reply", sender=sender)
        finally:
            _chosen.reset(token)
        if chosen and chosen[-1].to_classic() == given:
            return chosen[-1]  # the override passes on what the chain chose, which knows why and from whom
        return Reply.from_classic(True, given)

    async def choose_reply(self, talk: Talk | None, sender: Any, exclude: Iterable[Any] = ()) -> Reply:
        """Ask the reply functions one after another; the first final reply, or the default one."""
        if talk is None:
            talk = self._memory.talk_with(sender)
        talk = await hooks.heard(self, talk, sender)
        whose, passed_over = _passed_over.get()
        excluded = [*exclude, *(passed_over if whose is self else ())]
        for entry in list(self._reply_functions):
            if any(_is_same(entry.function, one) for one in excluded) or not matches(entry.trigger, sender):
                continue
            if entry.is_for_async_only and entry.is_async and await ThisTask() is None:
                continue
            reply = await self._ask(entry, talk, sender)
            if reply.final:
                return reply
        notice = reply_functions.cut_off_notice(talk) if self.default_auto_reply == "" else None
        if notice is not None:
            return Reply(True, Message(notice), is_repair=True)
        return Reply.from_classic(True, self.default_auto_reply)

    async def _ask(self, entry: ReplyFunction, talk: Talk, sender: Any) -> Reply:
        built_in = REPLY_CORES.get(core_of(entry.function)) if entry.is_unbound else None
        if built_in is not None and entry.config is None:
            if not talk.messages:
                raise InvalidMessageError(
                    f"Cannot generate a reply: {self.name!r} has no message to answer. Send it one, or pass messages=[…]."
                )
            return await built_in(self, talk, sender)
        args, kwargs = entry.arguments(self, talk.to_dicts(), sender)
        answer = await call_of("the reply function", self, entry.function, *args, **kwargs)
        if isinstance(answer, Reply):
            return answer
        try:
            final, reply = answer
        except (TypeError, ValueError):
            name = getattr(entry.function, "__name__", repr(entry.function))
            raise ConfigurationError(
                f"Cannot use the answer of reply function {name!r}: it gave {answer!r}. Return a pair (final, reply)."
            ) from None
        return Reply.from_classic(bool(final), reply)

    async def _generate_reply(
        self,
        messages: Sequence[Mapping[str, Any]] | None = None,
        sender: Any = None,
        exclude: Sequence[Any] | None = None,
    ) -> str | dict[str, Any] | None:
        """The reply to `messages`, or to what `sender` said last; `None` when the agent would end the chat.

        Reply functions in `exclude` are not asked, so that a reply function can ask the others.
        """
        if messages is None and sender is None:
            raise InvalidMessageError("Cannot generate a reply: neither messages nor a sender is given. Give one.")
        talk = Talk.from_dicts(messages) if messages is not None else None
        reply = await self.choose_reply(talk, sender, exclude or ())
        _chosen.get([]).append(reply)
        return reply.to_classic()

    generate_reply, a_generate_reply = faces(_generate_reply)


def _callable(function: Any) -> Any:
    """A reply function, which must be one."""
    if not callable(function):
        raise ConfigurationError(
            f"Cannot register the reply function {function!r}: it cannot be called. Give a function of "
            "(recipient, messages, sender, config)."
        )
    return function


def _is_same(function: Any, other: Any) -> bool:
    """Whether two reply functions are the same one; the two faces of a method are."""
    return bool(function == other) or (core_of(function) is not None and core_of(function) is core_of(other))
