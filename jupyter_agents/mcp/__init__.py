"""Tools that MCP servers offer, as tools of agents: over a process's pipes, or over streamable HTTP."""

from jupyter_agents.mcp.results import MCPResult, MCPToolError
from jupyter_agents.mcp.server import MCPServer, tools_of

__all__ = ["MCPServer", "tools_of", "MCPResult", "MCPToolError"]
