"""What the model and the person say in 00_quickstart: written by hand, for `scripts/record_notebook.py`."""

REPLIES = [
    """\
I will average the measurements year by year, and then compare the decades.

```python
yearly = co2.groupby(co2["date"].dt.year)["co2"].mean()
yearly.diff().tail()
```
""",
    """\
There is no column `date`. Let me look at the data before I go on.

```python
print("columns:", co2.columns.tolist())
print("rows:", len(co2), "of which without a value:", co2["co2"].isna().sum())
print("from", co2["week"].min().date(), "to", co2["week"].max().date())
print("weeks measured in the first years:", co2.dropna().groupby(co2["week"].dt.year).size().head(3).to_dict())
```
""",
    """\
The dates are in `week`, and 59 weeks have no value, which a yearly mean passes over. Measuring began in March 1958, so \
that year is not comparable and I leave it out.

```python
import matplotlib.pyplot as plt

yearly = co2.groupby(co2["week"].dt.year)["co2"].mean().loc[1959:]
rise = yearly.diff().dropna()
per_decade = rise.groupby(rise.index // 10 * 10).mean()

for decade, ppm in per_decade.items():
    print(f"{decade}s: {ppm:.2f} ppm a year")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.plot(co2["week"], co2["co2"], lw=0.6, color="tab:gray", label="weekly")
left.plot(co2.groupby(co2["week"].dt.year)["week"].mean().loc[1959:], yearly, color="tab:red", label="yearly mean")
left.set(title="CO₂ at Mauna Loa", ylabel="ppm")
left.legend(frameon=False)
right.bar([f"{decade}s" for decade in per_decade.index], per_decade, color="tab:red")
right.set(title="Mean rise per year", ylabel="ppm a year")
plt.show()
```
""",
    """\
**Yes, the rise is getting faster.** The yearly mean went from 315.9 ppm in 1959 to 370.9 ppm in 2001. On average it \
rose by

| decade | ppm a year |
|---|---|
| 1960s | 0.87 |
| 1970s | 1.22 |
| 1980s | 1.61 |
| 1990s | 1.54 |

so CO₂ rose nearly twice as fast in the 1980s and 1990s as in the 1960s. Between those last two decades there is no \
further increase, and the 2000s have only two years here, too few to compare. `yearly`, `rise` and `per_decade` are in \
your notebook.

TERMINATE
""",
    """\
I take the long-term trend away (a centred mean over 52 weeks) and average what is left by month.

```python
import calendar

weekly = co2.set_index("week")["co2"].interpolate(limit=4)
season = weekly - weekly.rolling(52, center=True).mean()
by_month = season.groupby(season.index.month).mean()

highest, lowest = by_month.idxmax(), by_month.idxmin()
print(f"highest: {calendar.month_name[highest]}, {by_month[highest]:+.1f} ppm")
print(f"lowest:  {calendar.month_name[lowest]}, {by_month[lowest]:+.1f} ppm")
print(f"swing:   {by_month.max() - by_month.min():.1f} ppm")
```
""",
    """\
CO₂ is highest in **May** (+2.9 ppm against the trend) and lowest in **October** (−3.2 ppm): a swing of 6.1 ppm within \
the year, several times the rise of a whole year. Plants of the northern hemisphere take CO₂ up in summer.

TERMINATE
""",
]

ANSWERS = ["run"] * 4
