"""Image classifiers to learn from: data, nine models and two baselines, training, measurements, figures and widgets.

README.md has the map: nine folders, each with a face that exports what others use, in the order in which data flow.
Importing `dlvc` itself imports none of them, so it costs nothing.
"""

__version__ = "0.1.0"
