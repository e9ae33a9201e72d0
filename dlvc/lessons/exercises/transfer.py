"""The exercises of notebook 04: heads, features computed once, loading that loads nothing, freezing, residuals."""

from __future__ import annotations

from functools import partial

from dlvc.lessons.exercises import transfer_judges as judge
from dlvc.lessons.exercises.exercise import Exercise

transfer_exercise = partial(Exercise, notebook="04_resnet18_transfer")

EXERCISES = (
    transfer_exercise(
        name="new_head",
        title="Numbers",
        difficulty="easy",
        minutes=4,
        task="""\
Your target task has 37 breeds of cats and dogs. How many parameters has the new head on the 512 features? You freeze
the backbone: how many numbers does the optimizer change? And how many rows has `layer4` for pictures of 96 pixels?""",
        solution="""\
new_head = {
    "parameters of the head": 512 * 37 + 37,
    "changed by the optimizer": 512 * 37 + 37,
    "rows of layer4": 96 // 2**5,
}""",
        hints=(
            "A head is one linear layer: W z + c.",
            "W has a row of 512 numbers for each breed, c one number for each.",
            "Stem and stages halve the side five times. A frozen backbone changes nothing else.",
        ),
        judge=judge.new_head,
        after="18,981 of 11 million parameters: that is why a few pictures can be enough.",
    ),
    transfer_exercise(
        name="linear_probe",
        title="Compute the features once",
        difficulty="medium",
        minutes=15,
        task="""\
A frozen backbone gives the same features for a picture in every epoch, as long as nothing is augmented. So compute them
once, and train a linear layer on the table of features: a **linear probe**. Write the training; 100 epochs of all rows
at once are enough. Return the predicted class of each new row.""",
        shapes="(N, D), (N,) with classes from 0 to 9, (M, D) -> (M,) classes",
        solution="""\
def linear_probe(features, labels, new_features):
    head = torch.nn.Linear(features.shape[1], 10)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-2)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(head(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return head(new_features).argmax(dim=1)""",
        hints=(
            "It is the training loop that you know, only that the model is one `torch.nn.Linear`.",
            "Loss, `zero_grad()`, `backward()`, `step()`, a hundred times, with all rows in each step.",
            "AdamW with a learning rate of 0.01 is fine. The class with the largest score: `.argmax(dim=1)`.",
        ),
        judge=judge.linear_probe,
        after="""\
For real features call `model.eval()`, then `model.backbone(model.normalize(images))` without gradients, once for each
part. An epoch of the probe takes thousandths of a second. It cannot augment: another crop has other features.""",
    ),
    transfer_exercise(
        name="tensors_loaded",
        title="Find the fault",
        difficulty="medium",
        minutes=5,
        task="""\
A colleague loads the weights of a trained model of this workbook like this. There is no error. The file has 120
tensors, the model 122. How many of them does line 3 load?

```python
weights = {"backbone." + name: value for name, value in read_weights(start_file).items()}  # line 1
model = import_torchvision().models.resnet18(num_classes=10)                               # line 2
answer = model.load_state_dict(weights, strict=False)                                      # line 3
```""",
        starter="tensors_loaded = ...  # a whole number",
        solution="tensors_loaded = 0",
        hints=(
            "Write down the first name in the dictionary, and the first name in torchvision's model.",
            "What does `strict=False` do with a name that fits nowhere?",
            "The names of the dictionary begin with `backbone.`; not one name of torchvision's model does.",
        ),
        judge=judge.tensors_loaded,
        after="""\
The proof is in `answer`, which nobody looked at: `answer.missing_keys` names every weight of the model, and
`answer.unexpected_keys` all 120 names of the dictionary. Better: `strict=True` (the default), the head taken out of
the dictionary by hand, and a comparison with the file.""",
    ),
    transfer_exercise(
        name="larger_gap",
        title="Augmentation on few pictures",
        difficulty="easy",
        minutes=4,
        task="""\
You train `resnet18` (with augmentation) and `resnet18-plain` (without) from `start_file` on the same few pictures for
ten epochs. Which one has the larger gap between training and validation accuracy? Decide now; the open question at the
end trains both.""",
        starter='larger_gap = ...  # "resnet18" or "resnet18-plain"',
        solution='larger_gap = "resnet18-plain"',
        hints=(
            "How often does each of the two see exactly the same picture?",
            "Which of the two can learn its pictures by heart?",
            "Learning by heart lifts the training accuracy and leaves the validation accuracy where it is.",
        ),
        judge=judge.larger_gap,
        after="""\
Without augmentation the network soon knows each picture by heart, and validation does not follow. With it, each
epoch shows the pictures in another way, so training is harder and the gap is smaller. Whether the validation accuracy
is better as well takes more pictures and more runs to tell.""",
    ),
    transfer_exercise(
        name="not_loaded",
        title="What did not come from the file?",
        difficulty="medium",
        minutes=8,
        task="""\
Write the proof that the colleague needed. Of two dictionaries of tensors, the file's and the model's
(`model.state_dict()`, after loading), return the names of the model's tensors that do not equal the file's, in the
order of the model. A name that the file does not have counts, too.""",
        shapes="two dictionaries: name -> tensor. A list of names.",
        solution="""\
def not_loaded(in_file, in_model):
    return [
        name
        for name, value in in_model.items()
        if name not in in_file or not torch.equal(in_file[name], value)
    ]""",
        hints=(
            "Go through the names of the model, not of the file.",
            "`torch.equal(a, b)` is True only if two tensors have the same shape and the same numbers.",
            "Keep a name if it is `not in in_file`, or if `torch.equal` of the two says False.",
        ),
        judge=judge.not_loaded,
        after="In a transfer the list should hold exactly the two tensors of the new head.",
    ),
    transfer_exercise(
        name="freeze",
        title="Freeze completely",
        difficulty="medium",
        minutes=8,
        task="""\
Write the function that prepares a model for training its head alone. `model.backbone` has convolutions and batch
normalisation, `model.head` has dropout and a linear layer. Afterwards training must change nothing in the backbone,
statistics included, and the head must train as usual. Return the model.""",
        shapes="the same model, ready for training its head",
        solution="""\
def freeze(model):
    model.train()
    model.backbone.requires_grad_(False)
    model.backbone.eval()
    return model""",
        hints=(
            'Two things move in a backbone, and "Freeze completely" above shows the second one.',
            "Gradients are switched off with `requires_grad_(False)`, running statistics with `eval()`.",
            "Put the whole model in training mode first, then the backbone alone in evaluation mode.",
        ),
        judge=judge.freeze,
        after="""\
The next `model.train()` undoes half of it: the library's `ResNet18(frozen=True)` therefore overrides `train`.""",
    ),
    transfer_exercise(
        name="gradient_factors",
        title="What the plus sign does",
        difficulty="medium",
        minutes=6,
        task="""\
Ten layers $x \\leftarrow f(x)$ stand in a row, on single numbers, and each $f$ has the derivative 0.1. By which factor
does the derivative of the last output with respect to the input of the first layer differ from 1? And by which, if each
layer is a residual one, $x \\leftarrow x + f(x)$?""",
        solution="""\
gradient_factors = {
    "plain": 0.1**10,
    "residual": 1.1**10,
}""",
        hints=(
            "The chain rule: the derivatives of layers in a row are multiplied.",
            "The derivative of x + f(x) is 1 plus that of f.",
            "Ten equal factors make a power: of 0.1 here, of 1 + 0.1 there.",
        ),
        judge=judge.gradient_factors,
        after="""\
One ten-billionth against 2.6: with the plus sign the signal gets through, however little each layer does.""",
    ),
)
