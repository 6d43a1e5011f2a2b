"""How training went, seed by seed."""

from mmfuse.report import plot
from mmfuse.report.blocks import Beside, Chart, Section
from mmfuse.report.headline import short
from mmfuse.report.kinds import headline
from mmfuse.report.record import Record

MOST = 300  # points of a line


def learning(record: Record) -> Section:
    histories = {r.name: r.history() for r in record.replicas}
    if not any(histories.values()):
        return Section("learning", "Learning curves", absent="no epoch was recorded: there is no history.csv")
    found = [losses(histories)]
    for task, table in record.tasks.items():
        figure = headline(table)[0]
        key = f"val/{task}/{figure}"
        rows = [
            {"run": name, "epoch": int(row["epoch"]) + 1, "value": row[key]}
            for name, history in histories.items()
            for row in thinned(history)
            if key in row
        ]
        if rows:
            of = f", {task}" if len(record.tasks) > 1 else ""
            drawn = plot.lines(rows, ("epoch", "epoch"), ("value", short(figure)), "run", list(histories))
            title = f"Validation {short(figure)}{of}, by seed"
            found.append(Chart(f"learning-{task}", title, drawn, f"{short(figure)} of {len(histories)} runs by epoch"))
    return Section("learning", "Learning curves", [Beside(found)])


def losses(histories: dict[str, list[dict[str, float]]]) -> Chart:
    rows = [
        {"run": name, "epoch": int(row["epoch"]) + 1, "loss": row[key], "of": of}
        for name, history in histories.items()
        for row in thinned(history)
        for key, of in (("train/loss", "training"), ("val/loss", "validation"))
        if key in row
    ]
    of = ["training", "validation"]
    import altair as alt

    chart = (
        alt.Chart(plot.data(rows))
        .mark_line(point=alt.OverlayMarkDef(size=22))
        .encode(
            x=plot.across("epoch", "epoch"),
            y=plot.up("loss", "loss"),
            color=plot.coloured("of", of),
            detail=alt.Detail(field="run", type="nominal"),
            tooltip=plot.told("run", "of", epoch="epoch", loss="loss"),
        )
    )
    return Chart("learning-loss", "Loss, a line a seed", plot.spec(chart), "training and validation loss by epoch")


def thinned(history: list[dict[str, float]]) -> list[dict[str, float]]:
    step = -(-len(history) // MOST) or 1
    return [row for k, row in enumerate(history) if k % step == 0 or k == len(history) - 1]
