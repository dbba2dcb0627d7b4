"""The administrators' HTTP interface of one server, with its certificate pinned."""

import hashlib
import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlencode, urlsplit

PAGE = 500
TIMEOUT = 3


class ApiError(OSError):
    """An answer that is not a success, or none. An OSError, so that waiting goes on."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class Api:
    def __init__(self, url: str, fingerprint: str, token: str) -> None:
        self.address = urlsplit(url)
        self.fingerprint = fingerprint.removeprefix("sha256:").replace(":", "").lower()
        self.token = token
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE  # self-signed: known by its fingerprint, below

    def get(self, path: str, **query: object) -> Any:
        return self.call("GET", f"{path}?{urlencode(query)}" if query else path)[0]

    def post(self, path: str, body: object) -> Any:
        return self.call("POST", path, body)[0]

    def change(self, path: str, **fields: object) -> None:
        """Reads a resource and writes it back with other fields, as a careful client does."""
        body, headers = self.call("GET", path)
        self.call("PUT", path, body | fields, {"If-Match": headers["etag"]})

    def pages(self, path: str, **query: object) -> list[dict[str, Any]]:
        """All items of a list."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, object] = {}
        while True:
            page = self.get(path, limit=PAGE, **query, **cursor)
            found += page["items"]
            if not page.get("next"):
                return found
            cursor = {"cursor": page["next"]}

    def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[Any, dict[str, str]]:
        connection = http.client.HTTPSConnection(
            self.address.hostname or "", self.address.port, timeout=TIMEOUT, context=self.tls
        )
        sent = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", **(headers or {})}
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = json.dumps(body)
        try:
            connection.connect()
            self._is_the_server(connection)
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read().decode()
        except http.client.HTTPException as error:
            raise ApiError(0, repr(error)) from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise ApiError(answer.status, text)
        return (json.loads(text) if text else None), {name.lower(): value for name, value in answer.getheaders()}

    def _is_the_server(self, connection: http.client.HTTPSConnection) -> None:
        certificate = connection.sock.getpeercert(binary_form=True)  # type: ignore[union-attr]
        shown = hashlib.sha256(certificate or b"").hexdigest()
        if shown != self.fingerprint:
            raise RuntimeError(f"{self.address.netloc} shows {shown}, set-up told {self.fingerprint}")
