"""The exercises of notebook 03: patches, tokens, attention, and gradients of queries and keys."""

from __future__ import annotations

from functools import partial

from dlvc.lessons.exercises import vits_judges as judge
from dlvc.lessons.exercises.exercise import Exercise

vit_exercise = partial(Exercise, notebook="03_vits")

EXERCISES = (
    vit_exercise(
        name="larger_patches",
        title="Larger patches",
        difficulty="easy",
        minutes=4,
        task="""\
Our ViT gets patches of 8 x 8 pixels instead of 4 x 4. How many tokens has an image of 32 x 32 pixels, how many weights
has one head for it, and how many parameters has the model more than before ($D = 128$)?""",
        solution="""\
larger_patches = {
    "tokens": (32 // 8) ** 2,
    "weights of a head": 16 * 16,
    "parameters more": 3 * 8 * 8 * 128 - 3 * 4 * 4 * 128,
}""",
        hints=(
            "How many patches fit side by side? And which layer of the model knows how large a patch is?",
            "A head has a weight for each pair of tokens. Of the parameters only the patch embedding's change.",
            "The embedding has 3 p p weights (p: side of a patch) for each of 128 outputs, and 128 biases either way.",
        ),
        judge=judge.larger_patches,
        after="""\
Blocks do not know how many tokens there are, and fixed positions are no parameters. `VisionTransformer(patch_size=8)`
agrees.""",
    ),
    vit_exercise(
        name="token_order",
        title="Invariant?",
        difficulty="medium",
        minutes=5,
        task="""\
"Attention does not care about the order of its tokens," says a colleague. Shuffle the tokens (or the patches) that go
in. Is what comes out the `"same"`, the same but `"shuffled"` alike, or something `"different"`?""",
        solution="""\
token_order = {
    "attention": "shuffled",
    "attention, then the mean over tokens": "same",
    "positions added after shuffling, then attention and mean": "different",
}""",
        hints=(
            'Two lines printed under "Attention from scratch" answer the first two.',
            "A token keeps its output wherever it stands. What does a mean do to an order?",
            "A patch that stands elsewhere gets another position code, so it is another token.",
        ),
        judge=judge.token_order,
        after="""\
The words for it: attention is equivariant to the order of its tokens, the mean makes it invariant, and positions
break it on purpose.""",
    ),
    vit_exercise(
        name="batch_trap",
        title="The trap at test time",
        difficulty="medium",
        minutes=6,
        task="""\
A model attends over the batch instead of over the tokens, as the report's did. It classifies a single image. How large
is the attention weight that a token gives to itself? And on what does the test accuracy depend, besides the model and
the test images: on `"nothing"`, on the `"batch size"`, on the `"order"` of the images, or on `"both"`?""",
        solution="""\
batch_trap = {
    "weight for a single image": 1.0,
    "test accuracy depends on": "both",
}""",
        hints=(
            "Over how many entries does the softmax go, if there is one image in the batch?",
            "The softmax of a single number does not depend on the number.",
            "Which images share a batch decides what each of them attends to. Two settings of a loader decide that.",
        ),
        judge=judge.batch_trap,
        after="""\
With one image each token takes its own value, and no information flows between patches. With more, nobody can
reproduce the accuracy from the model alone.""",
    ),
    vit_exercise(
        name="qkv_gradients",
        title="Idle queries",
        difficulty="hard",
        minutes=15,
        task="""\
Do queries and keys of the later plain blocks get a gradient? Write the measurement: compute the cross-entropy loss of
the model on these images, go back once, and return for each block the norm of the gradient of
`block.attention.query_key_value.weight`, first of its upper two thirds of rows (queries and keys), then of the rest
(values).""",
        shapes="a list with a pair of numbers for each of model.blocks: (queries and keys, values)",
        solution="""\
def qkv_gradients(model, images, labels):
    model.requires_grad_(True).zero_grad()
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    pairs = []
    for block in model.blocks:
        gradient = block.attention.query_key_value.weight.grad  # (3 * D, D)
        border = 2 * len(gradient) // 3
        pairs.append((gradient[:border].norm().item(), gradient[border:].norm().item()))
    return pairs""",
        hints=(
            "After `loss.backward()` each weight has its gradient in `.grad`. What was in it before?",
            "`model.requires_grad_(True).zero_grad()`, then the loss, then `.backward()`, then a loop over the blocks.",
            "The weight has 3 D rows: `gradient[: 2 * len(gradient) // 3].norm().item()` is the first of a pair.",
        ),
        judge=judge.qkv_gradients,
        after="""\
Now call it with `plain_model` and with `model`, on `many` and `data.test.labels[:32]`. Do gradients vanish on their
way back? No: the values of block 1, farthest from the loss, get about as large a gradient as those of block 6. What
vanishes in the plain model is the gradient of queries and keys, from block 3 on, nearer to the loss, down to rounding
error. That is the collapse of the tokens. In the residual model all six blocks get gradients of similar size.""",
    ),
    vit_exercise(
        name="patchify",
        title="Patches, all at once",
        difficulty="medium",
        minutes=12,
        task="""\
Cut a batch of images into patches without a loop over patches. Patches come row by row, and each is written as one
list: all of its red numbers row by row, then green, then blue, as under "Patches become tokens".""",
        shapes="(B, C, H, W) -> (B, N, C * size * size), N = (H / size) * (W / size)",
        solution="""\
def patchify(images, size):
    batch, channels, height, width = images.shape
    cut = images.reshape(batch, channels, height // size, size, width // size, size)
    cut = cut.permute(0, 2, 4, 1, 3, 5)  # (B, rows, columns, C, size, size)
    return cut.reshape(batch, -1, channels * size * size)""",
        hints=(
            "Split the axis of rows into two: which patch, and which row in it. The same for the columns.",
            "`images.reshape(B, C, H // size, size, W // size, size)`. In which order must the six axes be?",
            "`.permute(0, 2, 4, 1, 3, 5)` gives (B, patch row, patch column, C, size, size); join the last three.",
        ),
        judge=judge.patchify,
        after="The library's `PatchEmbedding` does the same in its first three lines.",
    ),
    vit_exercise(
        name="attend",
        title="Attention, alone",
        difficulty="medium",
        minutes=8,
        task="""\
Write attention for one head, from the formula. There may be more keys than queries.""",
        shapes="query (M, d), key (N, d), value (N, d) -> (M, d)",
        solution="""\
def attend(query, key, value):
    scores = query @ key.T / query.shape[-1] ** 0.5  # (M, N)
    return scores.softmax(dim=-1) @ value""",
        hints=(
            "Three steps: scores, weights, weighted mean. What is the shape of each?",
            "The scores are (M, N): a row for each query. The weights of one query must add up to 1.",
            "`query @ key.T`, divided by the root of d; then `.softmax(dim=-1)`; then `@ value`.",
        ),
        judge=judge.attend,
        after="torch's `scaled_dot_product_attention` gives the same numbers without keeping the weights.",
    ),
    vit_exercise(
        name="faulty_line",
        title="Find the fault",
        difficulty="hard",
        minutes=8,
        task="""\
This is meant to be attention with $H$ heads of $d = D / H$ numbers for tokens (B, N, D). No line stops with an error,
and the shapes are right. Which line has the fault?

```python
q, k, v = query_key_value(tokens).chunk(3, dim=-1)           # line 1: (B, N, D) each
q, k, v = (each.reshape(B, H, N, d) for each in (q, k, v))   # line 2: (B, H, N, d) each
weights = (q @ k.transpose(-2, -1) / d**0.5).softmax(-1)     # line 3: (B, H, N, N)
mixed = (weights @ v).transpose(1, 2).flatten(2)             # line 4: (B, N, D)
```""",
        starter="faulty_line = ...  # 1, 2, 3 or 4",
        solution="faulty_line = 2",
        hints=(
            "For each line, ask which numbers of which token stand where afterwards.",
            "A reshape keeps the order of the numbers. Which axis must the D numbers of a token be split along?",
            "D becomes (H, d), so N must stand before H until a transpose moves it.",
        ),
        judge=judge.faulty_line,
        after="""\
`reshape(B, H, N, d)` gives head 1 the first N / H tokens instead of the first d numbers of all tokens. It has to be
`reshape(B, N, H, d).transpose(1, 2)`.""",
    ),
)
