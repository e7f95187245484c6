"""Reports of results: tables, plots, one HTML page."""

from lift.evaluation.report.page import write_report
from lift.evaluation.report.tables import summary_table

__all__ = ["summary_table", "write_report"]
