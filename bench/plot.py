# SPDX-License-Identifier: BSD-3-Clause
"""Bar charts of results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def bars(
    path: Path, groups: Sequence[str], panels: Mapping[str, Mapping[str, Sequence[float]]]
) -> None:
    """Write a PNG: a panel for each title, in it a bar for each series in each group."""
    figure = Figure(figsize=(6 * len(panels), 4), layout="constrained")
    for index, (title, series) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), index)
        width = 0.8 / len(series)
        for place, (name, values) in enumerate(series.items()):
            left = [group + place * width for group in range(len(groups))]
            axes.bar(left, values, width, label=name)
        axes.set_xticks([group + width * (len(series) - 1) / 2 for group in range(len(groups))])
        axes.set_xticklabels(groups)
        axes.set_title(title)
        axes.grid(axis="y", alpha=0.3)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.savefig(path)
