"""Image classifiers to learn from: data, nine models, training, measurements, figures and widgets.

Where to look (each file imports only from the groups above its own):

- settings and results: `config` (what can be set, and its range), `records` (what a run leaves behind; `record_content`
  checks one that is read), `metrics` (numbers out of a confusion matrix)
- everywhere: `checks` (a wrong argument is answered in words), `notices` (lines for people, wherever they read)
- the machine: `files` (whole or absent), `memory` (when it is short), `device`
- data: `data` (`load_data`: CIFAR-10, or Sketch-10 drawn from a seed), `augment` (changes to a batch)
- models: `models.cnn`, `models.vit`, `models.resnet`, `models.majority`
- work: `training` (the loop), `evaluation` (scores), `resume` (where a training is), `checkpoint` (tensors on disk),
  `attention` and `attention_statistics` (maps out of a transformer, and their numbers), `explanation` (is a map an
  explanation?), `diagnosis` (`preflight` before a training; what happens inside layers), `statistics` (intervals,
  paired tests, power), `plots` (one function, one figure)
- experiments: `experiments` (`EXPERIMENTS`, the only list of models there is), `model_options` (what of a model can be
  chosen), `running` (`run_experiment`), `unfinished` (which run is the same run), `run_files` (the runs in a folder)
- widgets: `widgets` (`AttentionViewer`, `TrainingPanel`, five explorers, a form for guesses), each with a picture
- lessons: `exercises` (each with its check, hints and solution; blank and solved notebooks are made from them),
  `predictions` (a learner's guesses), `silent_bugs` and `traces` (faults that train without an error, and their logs)
- the workbook: `figures` (every committed figure), `map_tests`, `recordings` and `studies` (what the notebooks measure
  only once, stored), `notebooks` (run the notebooks and keep what they print)
- the command line: `python -m dlvc`

Importing `dlvc` itself imports none of these, so it costs nothing.
"""

__version__ = "0.1.0"
