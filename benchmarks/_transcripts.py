"""Messages as agents write them, for benchmarks: prose with a list and a little code, and ones that are mostly code."""

from __future__ import annotations

_PROSE = """The mean of `x` in part {n} is **{n}.5**, which is *more* than the last one; see
[the table](https://example.org/{n}). Every value was checked twice, and those that differ are listed below in the
order in which they were found.

- first, the `index` was sorted by date
- then **duplicates** were dropped, by name and by day

```python
frame = pd.read_csv("part_{n}.csv")
for name, group in frame.groupby("kind"):
    print(name, group["x"].mean())  # one line a group
```

If that is what you expected, the next step is to compare it with the year before. Part {n} has {n} rows that were
never filled in; I left them out, and said so in the caption of the figure."""

_CODE = """Run this:

```python
import pandas as pd

def load(part: int = {n}) -> pd.DataFrame:
    frame = pd.read_csv(f"part_{{part}}.csv", parse_dates=["date"])
    frame = frame[frame["x"] > 0].sort_values("date")
    if frame.empty:
        raise ValueError(f"part {{part}} has no rows: is the file <old>?")
    return frame.assign(year=frame["date"].dt.year, share=frame["x"] / frame["x"].sum())

totals = {{}}
for part in range({n}, {n} + 3):
    frame = load(part)
    totals[part] = frame.groupby("year")["share"].sum()
    print(f"{{part}}: {{len(frame)}} rows, {{totals[part].max():.2%}} at most")
```
"""


def ordinary_message(number: int) -> str:
    """Prose with a list, a link and four lines of code; no two are the same."""
    return _PROSE.format(n=number)


def code_message(number: int) -> str:
    """A function and what calls it, and two words."""
    return _CODE.format(n=number)
