"""`report.html`: results -> one page that works from a file, without a network.

What lives here: values and words of a page (no I/O), charts as Vega-Lite specifications (plain dicts), one template,
and the chart library, which is fetched from an installed package when a page is made and never kept in this tree.
What does not: drawing of our own, statistics (they are `core`'s), and anything that a run needs to succeed.
"""
