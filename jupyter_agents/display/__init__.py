"""The transcript on the page and in the terminal: listeners, and what they draw.

`bundle` turns events into MIME bundles, `markdown` keeps foreign text harmless, `notebook` publishes into a cell and
`text` writes to a terminal. Nothing is imported here, because a chat in a script needs only one of them.
"""
