"""What a request costs, in USD: by the settings, else by the price library's bundled table. Nothing is sent."""

from genai_prices import Usage, calc_price

from agents.target import LLMTarget

Price = tuple[float, float]
"""USD for a million tokens read, and for a million written."""
BATCH_SHARE = 0.5
"""What a request in a batch costs of the stated price."""


def price_request(
    target: LLMTarget, tokens_in: int | None, tokens_out: int | None, stated: Price | None, *, batch: bool = False
) -> float | None:
    """Return the price of one request in USD; None where tokens are not counted or no price is known.

    `stated` goes before the library. The library is asked by the endpoint's address: what one provider takes says
    nothing of another's price, and a server of one's own is in no list. With `batch` it is the price in a batch: what
    the library says of it, which may be the full price, and half the stated one.
    """
    if tokens_in is None or tokens_out is None:
        return None
    if stated is not None:
        return (tokens_in * stated[0] + tokens_out * stated[1]) * (BATCH_SHARE if batch else 1.0) / 1e6
    try:
        found = calc_price(
            Usage(input_tokens=tokens_in, output_tokens=tokens_out),
            target.model,
            provider_api_url=target.endpoint,
            price_context={"processing": "batch"} if batch else None,
        )
    except LookupError:
        return None
    if found.model_price.input_mtok is None or found.model_price.output_mtok is None:
        return None
    return float(found.total_price)
