"""Figures of a run, with matplotlib: one style, fixed colors, PNG and SVG.

The functions are in :mod:`forerun.plots.figures`. Pages import only colors and names from this
package, without matplotlib.
"""
