"""Which requests are answered: those of the explorer's own page, on this machine."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


class SameOriginOnly:
    """Refuses with 403 what a browser says was asked for by another site, and adds headers that protect the page.

    A page of any site can make a browser send requests to this machine. The browser names that site in `Origin`, or
    says with `Sec-Fetch-Site` that it is another one. A request without either is not of a page: a person has opened
    the address, or a program asks.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        app = self._app if _is_own(Headers(scope=scope)) else _REFUSAL
        await app(scope, receive, send_protected)


_REFUSAL = PlainTextResponse(
    "The explorer answers its own page alone. Open its address by hand, not from another page.\n", status_code=403
)


def _is_own(headers: Headers) -> bool:
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    return origin in (None, f"http://{headers.get('host')}") and site in ("same-origin", "none")
