"""How the answers to the cases of notebook 06 are judged: a case has one fault of fourteen."""

from __future__ import annotations

from dlvc.lessons.exercises import judges
from dlvc.lessons.silent_bugs.cases import CASES

# What each fault would show in a log: the reason why it is not the one that was meant.
WOULD_SHOW = {
    "first file only": "with one file of four read, every training accuracy would be a multiple of 1/750.",
    "unscaled pixels": "with pixels in 0..255 the losses of the first steps would lie far above ln 10 = 2.30.",
    "attention over the batch": "then an image's probability would change with the other images, and only with them.",
    "mean over epochs": "then the table's validation accuracy would be in no line of the log.",
    "best score never updated": "then the last epoch would be kept although an earlier one was better.",
    "last batch's loss": "then each reported training loss would be the very last one of its epoch's steps.",
    "no weights loaded": "then the model would have 1,000 outputs, and its first loss would be near ln 1000 = 6.9.",
    "four patches": "then the attention map would be 2 x 2.",
    "softmax twice": "then the loss would stay near 2.30 while the accuracy rises.",
    "decaying learning rate": "then the column of learning rates would change.",
    "shuffled labels": "then nothing would be learned: accuracy 10 %, loss 2.30, in every epoch.",
    "eval() forgotten": "then an image would be answered differently each time, by a model in training mode.",
    "augmented validation": "then an image would be answered differently each time, by a model in evaluation mode.",
    "chosen on the test set": "then the test images would be evaluated after every epoch.",
}
# Where in the log of a case its fault is seen.
LOOK = {
    "A": "Look at the level of both curves, from the first epoch to the last.",
    "B": "Compare the reported training loss with the losses of the steps.",
    "C": "Look at the losses of the first four steps.",
    "D": "Look at the answers, and at the mode in which they were given.",
    "E": "Look for the table's validation accuracy among the epochs.",
    "F": "Look at the validation loss and the validation accuracy of the same epoch.",
    "G": "Multiply the training accuracies by 3,000.",
    "H": "Compare the three probabilities in each line of the answers.",
    "I": "Compare the kept epoch with the column of validation accuracies.",
    "J": "Look at the first loss and at the number of parameters.",
    "K": "Look at the answers, and at the mode in which they were given.",
    "L": "Read the log column by column: one of them should be constant.",
    "M": "Look at the size of the attention map.",
    "N": "Look at how often the test images were evaluated.",
}
JUDGES = {
    f"case_{letter.lower()}": judges.choice(
        fault,
        **{
            other: f"{shows} {LOOK[letter]}"
            for other, shows in WOULD_SHOW.items()
            if other != fault
        },
    )
    for letter, fault in CASES.items()
}
