"""The exercises of notebook 02: sizes and counts, filters by hand, batch normalisation, fair comparisons."""

from __future__ import annotations

from functools import partial

from dlvc.lessons.exercises import cnns_judges as judge
from dlvc.lessons.exercises.exercise import Exercise

cnn_exercise = partial(Exercise, notebook="02_cnns")

FORGOTTEN_AFTER = """\
Without normalisation the loss starts many times too high: the logits are huge, and the network is sure of wrong
answers. Batch normalisation divides each channel by its own standard deviation, so a factor of 255 falls out in the
first block. In the report's experiment it therefore also repaired a fault of the inputs: its gain mixes two effects."""

EXERCISES = (
    cnn_exercise(
        name="stem_shape",
        title="The shape after the first layer",
        difficulty="easy",
        minutes=3,
        task="""\
ResNet18 begins with a convolution of 64 filters of 7x7 with stride 2 and padding 3. What shape does it make of a batch
(64, 3, 32, 32)?""",
        starter="stem_shape = ...  # a tuple: (images, channels, rows, columns)",
        solution="stem_shape = (64, 64, (32 + 2 * 3 - 7) // 2 + 1, (32 + 2 * 3 - 7) // 2 + 1)",
        hints=(
            "The number of images does not change. Which number of the layer is the new number of channels?",
            "The side is floor((side + 2 padding - filter) / stride) + 1.",
            "(32 + 6 - 7) / 2 is 15.5. Round it down before you add 1.",
        ),
        judge=judge.stem_shape,
        after="Stride 2 halves the side, so whatever follows has a quarter of the places to look at.",
    ),
    cnn_exercise(
        name="single_value",
        title="A batch of one value",
        difficulty="easy",
        minutes=4,
        task="""\
What does `batch_norm(before[:1, :, :1, :1])` do in training mode, where each channel has a single number? Does it
return this number `"unchanged"`, return the `"shift"` $\\beta_c$ without a word, or stop with an `"error"`? Decide
first, then run it.""",
        starter='single_value = ...  # "unchanged", "shift" or "error"',
        solution='single_value = "error"',
        hints=(
            "What are the mean and the variance of a single number?",
            "By the formula the result would be the same for every image. Would you want to hear of it?",
            "Run the line in a new cell, after `batch_norm.train()`, and read its last line.",
        ),
        judge=judge.single_value,
        after="""\
`ValueError: Expected more than 1 value per channel when training`. By the formula everything would become the shift,
whatever the image. In evaluation mode it works, as the running statistics are used.""",
    ),
    cnn_exercise(
        name="forgotten_255",
        title="The forgotten 255",
        difficulty="medium",
        minutes=8,
        task="""\
The report's code fed pixels from 0 to 255 to networks made for 0 to 1 (notebook 01). Compare the loss before training
of `models[key].train()(255 * images)` for the three networks. Which one hardly notices?""",
        starter='forgotten_255 = ...  # "simple-cnn", "deep-cnn" or "deep-cnn-bn"',
        solution="""\
# cross_entropy(models[key].train()(255 * images), labels) is near ln 10 for one key only.
forgotten_255 = "deep-cnn-bn\"""",
        hints=(
            "Which layer makes its output independent of the scale of its input?",
            "Print `cross_entropy(models[key].train()(255 * images), labels).item()` for each key.",
            "A network that does not notice starts near ln 10 = 2.30.",
        ),
        judge=judge.forgotten_255,
        after=FORGOTTEN_AFTER,
    ),
    cnn_exercise(
        name="combined_filter",
        title="One filter out of two",
        difficulty="hard",
        minutes=15,
        task="""\
Two 3x3 convolutions follow each other, on one channel, without bias and with nothing between them. Write the function
that returns the single 5x5 filter that does the same: `conv2d(conv2d(x, first), second)` equals
`conv2d(x, combined_filter(first, second))` for every image x.""",
        shapes="two filters (1, 1, 3, 3) -> one filter (1, 1, 5, 5)",
        solution="""\
def combined_filter(first, second):
    pixel = torch.zeros(1, 1, 9, 9)
    pixel[0, 0, 4, 4] = 1
    response = torch.conv2d(torch.conv2d(pixel, first), second)  # (1, 1, 5, 5)
    return response.flip(2, 3)""",
        hints=(
            "Which image shows you the weights of a filter, one after the other?",
            "Give the two an image with a single bright pixel in its middle, and look at the 5x5 output.",
            "The output is the combined filter upside down and mirrored: `.flip(2, 3)` turns it back.",
        ),
        judge=judge.combined_filter,
        after="""\
With `torch.relu` between the two, no such filter exists: a filter answers to the sum of two images with the sum of
its answers, and a ReLU does not. Try it on `grey - grey.mean()`.""",
    ),
    cnn_exercise(
        name="only_depth",
        title="Was it the depth?",
        difficulty="medium",
        minutes=6,
        task="""\
The deep CNN has one convolution more than the simple one. What else changes between them, and what stays the `"same"`?
The table under "The three networks" and the counts below it help.""",
        starter="""\
only_depth = {
    "filters in the first layer": ...,  # "changes" or "same"
    "padding": ...,
    "number of parameters": ...,
    "fully connected layers": ...,
    "training images and settings": ...,
}""",
        solution="""\
only_depth = {
    "filters in the first layer": "changes",
    "padding": "changes",
    "number of parameters": "changes",
    "fully connected layers": "changes",
    "training images and settings": "same",
}""",
        hints=(
            "Read the two rows of the table word by word.",
            "Only one of the five stays the same.",
            "What is not part of the model is the same for both.",
        ),
        judge=judge.only_depth,
        after="""\
So "simple against deep" cannot tell depth from width. A fairer comparison keeps a block's width and the number of
parameters, for example 1, 2 or 3 blocks of 16 filters with the hidden layer sized so that the totals agree, each with
several seeds.""",
    ),
    cnn_exercise(
        name="stem_parameters",
        title="Counting the first layer",
        difficulty="easy",
        minutes=3,
        task="The layer of exercise 1 (64 filters of 7x7 on colour images) has no bias. How many parameters has it?",
        starter="stem_parameters = ...",
        solution="stem_parameters = 7 * 7 * 3 * 64",
        hints=(
            "How many weights has one filter? It looks at all channels of the image.",
            "One filter has 7 x 7 weights for each of the three colours.",
            "Multiply the weights of one filter by the number of filters. Nothing is added, as there is no bias.",
        ),
        judge=judge.stem_parameters,
        after="The side of the image does not enter: that is what sharing weights means.",
    ),
    cnn_exercise(
        name="convolve",
        title="A convolution by hand",
        difficulty="medium",
        minutes=12,
        task="""\
Write the convolution of one channel without torch's: slide the filter over the image, without padding and with stride
1, and add up the products.""",
        shapes="image (H, W), filter (k, k) -> (H - k + 1, W - k + 1)",
        solution="""\
def convolve(image, filter):
    k = len(filter)
    rows, columns = image.shape[0] - k + 1, image.shape[1] - k + 1
    output = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            output[i, j] = (image[i : i + k, j : j + k] * filter).sum()
    return output""",
        hints=(
            "First write the line for the upper left output alone.",
            "Output (i, j) comes from the window `image[i : i + k, j : j + k]`.",
            "Two loops, over the H - k + 1 rows and the W - k + 1 columns; inside, `(window * filter).sum()`.",
        ),
        judge=judge.convolve,
        after="""\
Deep learning does not turn the filter round, as mathematics does in its convolution; strictly, this is a
cross-correlation. As filters are learned, it makes no difference.""",
    ),
    cnn_exercise(
        name="normalise_batch",
        title="Batch normalisation by hand",
        difficulty="medium",
        minutes=10,
        task="""\
Write what batch normalisation computes in training mode, with a scale $\\gamma_c$ and a shift $\\beta_c$ for each
channel, and $\\epsilon$ = 0.00001. The variance is the mean squared distance from the mean.""",
        shapes="x (B, C, H, W), scale (C,), shift (C,) -> (B, C, H, W)",
        solution="""\
def normalise_batch(x, scale, shift):
    mean = x.mean(dim=(0, 2, 3), keepdim=True)  # (1, C, 1, 1)
    variance = x.var(dim=(0, 2, 3), keepdim=True, correction=0)
    y = (x - mean) / torch.sqrt(variance + 1e-5)
    return scale[:, None, None] * y + shift[:, None, None]""",
        hints=(
            "Over which of the four axes does the mean go, if each channel gets one number?",
            "`x.mean(dim=(0, 2, 3), keepdim=True)` is (1, C, 1, 1), and fits to x. `var` needs `correction=0`.",
            "`scale[:, None, None]` has the shape (C, 1, 1), so torch uses one number for each channel.",
        ),
        judge=judge.normalise_batch,
        after="""\
Over other axes the same formula has other names: over (2, 3) it is instance norm, over (1, 2, 3) layer norm.""",
    ),
)
