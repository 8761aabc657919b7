"""What a model call costs, in US dollars: by the user's own prices, else by those that the package genai-prices brings."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from jupyter_agents.messages import Usage

Prices = Mapping[str, tuple[float, float]] | Callable[[str, Usage], float | None]
"""By the name of a model what 1,000 tokens of a request and of a reply cost; or a function of the name and the usage,
which gives `None` where it does not know."""


_ON_THIS_MACHINE = re.compile(r"(localhost|127\.[\d.]+|\[::1\])(:|$)")


def price_of(
    model: str | None, usage: Usage | None, *, prices: Prices | None = None, endpoint_host: str | None = None
) -> float | None:
    """US dollars of one call of a model, or `None` where its price or its tokens are not known.

    Prices of genai-prices (the extra `prices`) are those in the installed package; nothing is downloaded.

    Args:
        model: the name under which the server knows it.
        usage: the tokens of one call. Some prices rise with the length of a prompt, so a sum of calls may cost less.
        prices: the user's own, asked first; they have no price for cached tokens, which cost as the others do.
        endpoint_host: the host that answered. One that sells nothing, as a server on this machine, has no known price,
            whatever the model is called. Without it the name alone decides.

    >>> price_of("mine", Usage(1000, 500), prices={"mine": (0.001, 0.002)})
    0.002
    """
    if not model or usage is None:
        return None
    own = None if prices is None else own_price(prices, model, usage)
    return _published_price(model, usage, endpoint_host) if own is None else own


def own_price(prices: Prices, model: str, usage: Usage) -> float | None:
    """The price of a call by the user's own prices alone."""
    if callable(prices):
        return prices(model, usage)
    price, counts = prices.get(model), (usage.prompt_tokens, usage.completion_tokens)
    if price is None or None in counts:
        return None
    return sum(one * (count or 0) for one, count in zip(price, counts, strict=True)) / 1000


def _published_price(model: str, usage: Usage, host: str | None) -> float | None:
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if prompt is None or completion is None or (host and _ON_THIS_MACHINE.match(host)):
        return None
    try:
        from genai_prices import Usage as Counts
        from genai_prices import calc_price
    except ImportError:
        return None
    cached = min(usage.cached_tokens or 0, prompt)  # some servers count what is cached beside the prompt
    counts = Counts(input_tokens=prompt, cache_read_tokens=cached, output_tokens=completion)
    url = f"https://{host}/" if host else None
    try:
        found = calc_price(counts, model, provider_api_url=url)
    except LookupError:
        return None
    return None if url and not _is_of(url, found.provider.api_pattern) else float(found.total_price)


def _is_of(url: str, pattern: str) -> bool:
    """Whether a whole host fits: the patterns are of beginnings, which `api.openai.com.evil.org` has, too."""
    begins = re.match(pattern, url)
    rest = "" if begins is None else url[begins.end() :].partition("/")[0]
    return begins is not None and (rest[:1] in ("", ":") or (begins[0].endswith(".") and rest.isalpha()))


def dollars(amount: float) -> str:
    """An amount of US dollars, for a person: cents, or as much of a cent as there is.

    >>> dollars(1.5), dollars(0.01234), dollars(0.0000042), dollars(0)
    ('$1.50', '$0.0123', '$0.0000042', '$0.00')
    """
    if amount == 0 or abs(amount) >= 0.1:
        return f"${amount:,.2f}"
    digits = 2 - math.floor(math.log10(abs(amount)))
    text = f"{amount:.{digits}f}".rstrip("0")
    return f"${text}" if len(text) > 3 else f"${amount:.2f}"
