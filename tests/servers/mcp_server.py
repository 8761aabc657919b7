"""An MCP server for the tests: `python mcp_server.py [stdio | http PORT]`."""

import base64
import os
import sys

import anyio
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d4944415478da63fcffff3f030005fe02fea72d1d5b0000000049454e44ae426082"
    )
).decode()
NUMBER = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
PLACE = {
    "type": "object",
    "$defs": {"Place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
    "properties": {"place": {"$ref": "#/$defs/Place"}},
    "required": ["place"],
}
NOTHING = {"type": "object"}
TOOLS = [
    types.Tool(name="add", description="Add two whole numbers.", input_schema=NUMBER),
    types.Tool(name="weather.forPlace", description="The weather of a place.", input_schema=PLACE),
    types.Tool(name="getProcess_id", input_schema=NOTHING),
    types.Tool(name="picture", description="Text, an image, a link, a file and a sound.", input_schema=NOTHING),
    types.Tool(name="numbers", description="Structured content only.", input_schema=NOTHING),
    types.Tool(name="fail", description="Say that it failed.", input_schema=NOTHING),
    types.Tool(name="much", description="Two million characters.", input_schema=NOTHING),
    types.Tool(name="crash", description="End the process.", input_schema=NOTHING),
    types.Tool(name="sleep", description="Sleep until cancelled.", input_schema=NOTHING),
    types.Tool(name="cancelled", description="How many calls were cancelled.", input_schema=NOTHING),
    types.Tool(name="grow", description="Offer one more tool.", input_schema=NOTHING),
    types.Tool(name="secret", description="An error with the key in it.", input_schema=NOTHING),
]
cancelled = 0


def text(words):
    return types.CallToolResult(content=[types.TextContent(type="text", text=str(words))])


def picture():
    file = types.TextResourceContents(uri="file:///notes.txt", mime_type="text/plain", text="from a file")
    tiff = types.BlobResourceContents(uri="file:///scan.tiff", mime_type="image/tiff", blob=PIXEL)
    return types.CallToolResult(
        content=[
            types.TextContent(type="text", text="a pixel"),
            types.ImageContent(type="image", data=PIXEL, mime_type="image/png"),
            types.ResourceLink(type="resource_link", name="more", uri="https://example.org/more"),
            types.EmbeddedResource(type="resource", resource=file),
            types.EmbeddedResource(type="resource", resource=tiff),
            types.AudioContent(type="audio", data=PIXEL, mime_type="audio/wav"),
        ]
    )


async def sleep():
    global cancelled
    try:
        await anyio.sleep(60)
    except anyio.get_cancelled_exc_class():
        cancelled += 1
        raise


async def list_tools(context, params):
    return types.ListToolsResult(tools=TOOLS)


async def call_tool(context, params):
    given = params.arguments or {}
    match params.name:
        case "add":
            return text(given["a"] + given["b"])
        case "weather.forPlace":
            return text(f"Rain in {given['place']['city']}.")
        case "getProcess_id":
            return text(os.getpid())
        case "picture":
            return picture()
        case "numbers":
            return types.CallToolResult(content=[], structured_content={"numbers": [1, 2]})
        case "fail":
            return types.CallToolResult(content=[types.TextContent(type="text", text="no such city")], is_error=True)
        case "much":
            return text("start" + "x" * 2_000_000 + "end")
        case "crash":
            os._exit(3)
        case "sleep":
            await sleep()
        case "cancelled":
            return text(cancelled)
        case "grow":
            TOOLS.append(types.Tool(name="grown", description="It has grown.", input_schema=NOTHING))
            await context.session.send_tool_list_changed()
            return text("grown")
        case "grown":
            return text("used")
        case "secret":
            raise ValueError(f"bad key {os.environ.get('SERVER_KEY')}")
    raise ValueError(f"no tool {params.name}")


server = Server("everything", on_list_tools=list_tools, on_call_tool=call_tool)


async def over_stdio():
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def over_http(port):
    import uvicorn

    uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    if sys.argv[1:2] == ["http"]:
        over_http(int(sys.argv[2]))
    else:
        anyio.run(over_stdio)
