"""A server that speaks MCP by hand, and badly: `python odd_mcp_server.py WAY [FILE]`.

It appends a line to FILE whenever it is started.
"""

import json
import os
import sys
import time
from pathlib import Path

HANDSHAKE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "odd", "version": "1"},
}
DISCOVERY = {
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {}},
    "resultType": "complete",
    "ttlMs": 0,
    "cacheScope": "private",
}
BROKEN_SCHEMA = {"type": "object", "properties": {"a": {"type": "whatever"}}}
way = sys.argv[1]
started = Path(sys.argv[2]) if len(sys.argv) > 2 else None


def answer(request, **outcome):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **outcome}) + "\n")
    sys.stdout.flush()


def stray(line):
    sys.stdout.buffer.write(line)
    sys.stdout.flush()


def hello(request):
    if way == "new protocol":
        answer(request, error={"code": -32022, "message": "unsupported", "data": {"supported": ["2026-07-28"]}})
    elif way == "refuses":
        answer(request, error={"code": -32600, "message": f"no entry with {os.environ.get('SERVER_KEY')}"})
    elif way == "nonsense":
        answer(request, result={"protocolVersion": 12})
    else:
        answer(request, result=HANDSHAKE)


def tools(request):
    cursor = (request.get("params") or {}).get("cursor")
    if way == "no tools":
        answer(request, error={"code": -32601, "message": "unknown method"})
    elif way == "silent about tools":
        return
    elif way == "pages" and cursor is None:
        tool = {"name": "first", "inputSchema": {"type": "object"}}
        answer(request, result={"tools": [tool], "nextCursor": "2"})
    else:
        tool = {"name": "odd", "inputSchema": BROKEN_SCHEMA if way == "broken schema" else {"type": "object"}}
        more = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if way == "new protocol" else {}
        answer(request, result={"tools": [tool], **more})


def call(request):
    if way == "wrong answer":
        answer(request, result={"content": "not a list"})
    elif way == "wants input":
        answer(request, error={"code": -32602, "message": "fill in a form first"})
    elif way == "fails":
        words = {"type": "text", "text": f"no city for {os.environ.get('SERVER_KEY')}"}
        answer(request, result={"content": [words], "isError": True})
    elif way == "never answers":
        sys.stdin.read()
    elif way == "crashes":
        crash()
    else:
        more = {"resultType": "complete"} if way == "new protocol" else {}
        answer(request, result={"content": [{"type": "text", "text": f"from {os.getpid()}"}], **more})
    if way == "leaves":
        sys.exit(0)


def crash():
    key = os.environ.get("SERVER_KEY", "")
    sys.stderr.write("".join(f"line {number}\n" for number in range(30)) + f"the key was {key}\nout of order\n")
    sys.stderr.flush()
    os._exit(3)


def main() -> None:
    """Speak until there is nothing more to read."""
    if started:
        with started.open("a") as file:
            file.write("started\n")
    if way == "exits" or (way == "starts once" and len(started.read_text().splitlines()) > 1):
        sys.exit("Error: no configuration at /etc/odd, key " + os.environ.get("SERVER_KEY", "none"))
    if way == "only strays":
        stray(b"Welcome to the odd server!\n")
    if way in ("silent", "only strays"):
        sys.stdin.read()
    for line in sys.stdin:
        message = json.loads(line)
        if way == "strays":
            stray(b"Loading \xff\xfe ...\n{half a mess\n[]\n")
        match message.get("method"):
            case "initialize":
                hello(message)
            case "server/discover":
                answer(message, result=DISCOVERY)
            case "tools/list":
                tools(message)
            case "tools/call":
                call(message)
    if way == "will not go":
        time.sleep(60)


if __name__ == "__main__":
    main()
