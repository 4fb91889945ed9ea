"""A page in the browser, and the profile that it shares its cookies with."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

from .browser import PATIENCE_S, DevTools

FRONT_END = (Path(__file__).parent / "front_end.js").read_text(encoding="utf-8")
PATH = "/front-end"
"""The address of a front end, in every origin: the browser is given it in place of what the server would say."""


class Profile:
    """Pages that share cookies; nothing of another test's is in it."""

    def __init__(self, tools: DevTools, context: str) -> None:
        self._tools = tools
        self._context = context

    @classmethod
    async def fresh(cls, tools: DevTools) -> "Profile":
        return cls(tools, (await tools.ask("Target.createBrowserContext", disposeOnDetach=True))["browserContextId"])

    async def page(self) -> "Page":
        """A new, empty page."""
        made = await self._tools.ask("Target.createTarget", url="about:blank", browserContextId=self._context)
        attached = await self._tools.ask("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        page = Page(self._tools, attached["sessionId"])
        await page.prepare()
        return page

    async def front_end(self, origin: str, script: str = "", query: str = "") -> "Page":
        """A page that came with this script from this origin, as through a proxy that serves both it and the server."""
        page = await self.page()
        await page.serve(script)
        await page.go(f"{origin}{PATH}{query}")
        return page

    async def cookies(self) -> list[dict[str, Any]]:
        """All that are kept, HttpOnly ones too."""
        found = await self._tools.ask("Storage.getCookies", browserContextId=self._context)
        cookies: list[dict[str, Any]] = found["cookies"]
        return cookies


class Page:
    """Use `Profile.page`."""

    def __init__(self, tools: DevTools, session: str) -> None:
        self._tools = tools
        self._session = session
        self._html = ""
        self._loaded = asyncio.Event()
        self._answers: set[asyncio.Task[dict[str, Any]]] = set()

    async def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        return await self._tools.ask(method, self._session, **params)

    async def prepare(self) -> None:
        """From here on it is known when the page has loaded."""
        self._tools.listen(self._session, self._heard)
        await self._ask("Page.enable")

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Fetch.requestPaused":
            body = base64.b64encode(self._html.encode()).decode()
            headers = [{"name": "Content-Type", "value": "text/html; charset=utf-8"}]
            answer = self._ask(
                "Fetch.fulfillRequest", requestId=params["requestId"], responseCode=200, responseHeaders=headers,
                body=body,
            )  # fmt: skip
            task = asyncio.get_running_loop().create_task(answer)
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def serve(self, script: str) -> None:
        """`PATH`, in whichever origin, is a page with front_end.js and this script. All else comes from the network."""
        self._html = f"<!doctype html><title>a front end</title><script>\n{FRONT_END}\n{script}\n</script>"
        await self._ask("Fetch.enable", patterns=[{"urlPattern": f"*{PATH}*", "resourceType": "Document"}])

    async def go(self, url: str) -> None:
        """Opens this address, and waits until all of it is there."""
        self._loaded.clear()
        gone = await self._ask("Page.navigate", url=url)
        assert "errorText" not in gone, f"{url}: {gone['errorText']}"
        await asyncio.wait_for(self._loaded.wait(), PATIENCE_S)

    async def reload(self) -> None:
        """As the person before it does, whatever is under way."""
        self._loaded.clear()
        await self._ask("Page.reload")
        await asyncio.wait_for(self._loaded.wait(), PATIENCE_S)

    async def leave(self, function: str, *arguments: Any) -> str:
        """Calls a function that leads the page elsewhere; the text of what is there."""
        self._loaded.clear()
        await self.run(function, *arguments)
        await asyncio.wait_for(self._loaded.wait(), PATIENCE_S)
        return str(await self.run("() => document.body.innerText"))

    async def run(self, function: str, *arguments: Any) -> Any:
        """Calls a JavaScript function in the page; what it gives, or what its promise comes to, as JSON can say it.
        Raises AssertionError where it throws.
        """
        call = f"({function})({', '.join(json.dumps(a) for a in arguments)})"
        answer = await self._ask("Runtime.evaluate", expression=call, awaitPromise=True, returnByValue=True)
        if fault := answer.get("exceptionDetails"):
            raise AssertionError(fault.get("exception", {}).get("description") or fault["text"])
        return answer["result"].get("value")
