"""The results as files: a table and a chart, for the main README to show."""

from . import chart, report


def write(rounds, here):
    _, results = report.read(rounds)
    (here / "results.md").write_text("# fetchpool beside other clients\n\n%s\n" % report.text(rounds))
    (here / "results.svg").write_text(chart.draw([each for each in results if not each.workload.of_memory]))
