"""The cases of notebook 06: one trace each, to be named. They stand beside their traces, not at the notebook's end."""

from __future__ import annotations

from dlvc.lessons.exercises import judges
from dlvc.lessons.exercises.exercise import Exercise

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


def case(letter: str, fault: str, look: str, hints: tuple[str, str, str], after: str) -> Exercise:
    """The exercise of one case. `look` says where in the log its fault is seen."""
    name = f"case_{letter.lower()}"
    others = {option: f"{shows} {look}" for option, shows in WOULD_SHOW.items() if option != fault}
    return Exercise(
        name=name,
        notebook="06_silent_bugs",
        title=f"Case {letter}",
        difficulty="medium",
        minutes=3,
        task="Which of the fourteen faults is it?",
        starter=f"{name} = ...  # a text from the list of suspects",
        solution=f'{name} = "{fault}"',
        hints=hints,
        judge=judges.choice(fault, **others),
        after=after,
    )


CASE_EXERCISES = (
    case(
        "A",
        "shuffled labels",
        "Look at the level of both curves, from the first epoch to the last.",
        (
            "What would a model reach that ignores the images?",
            "ln 10 is the loss of guessing, 10 % its accuracy. What can make ten classes unlearnable?",
            "The images are fine and the model is fine. What must belong together, and does not?",
        ),
        "Only noise is left to learn: loss ln 10, accuracy 10 %. The same curve comes from a dead model, so a test of "
        "the data must tell the two apart.",
    ),
    case(
        "B",
        "last batch's loss",
        "Compare the reported training loss with the losses of the steps.",
        (
            "One curve jumps. Does the accuracy jump with it?",
            "Find the reported loss of epoch 1 among the losses of its steps.",
            "A mean over the steps would hardly jump. Of how many images is this loss?",
        ),
        "A loss of 56 images instead of 3,000. The training is correct; its curve is not.",
    ),
    case(
        "C",
        "unscaled pixels",
        "Look at the losses of the first four steps.",
        (
            "What loss does a model have that knows nothing? Compare it with the first step.",
            "A fresh model that is so wrong must be very sure of itself. What makes its scores so large?",
            "Scores grow with the inputs. In which range are pixels stored?",
        ),
        "Inputs up to 1,100 instead of 2.6. With batch normalisation in the model, this trace would look normal: "
        "the layer rescales what it gets, and only a look at the inputs shows it.",
    ),
    case(
        "D",
        "eval() forgotten",
        "Look at the answers, and at the mode in which they were given.",
        (
            "Is each image answered the same way when it is asked about again?",
            "Something is random in the evaluation. What in this model is random by design?",
            "Dropout acts in training mode. Who should have ended it?",
        ),
        "Dropout was still at work, and batch normalisation learned from the validation images.",
    ),
    case(
        "E",
        "mean over epochs",
        "Look for the table's validation accuracy among the epochs.",
        (
            "The curves are those of correct code. Go on to the table row.",
            "In which line of the log does the table's validation accuracy stand?",
            "In none. Add up the six validation accuracies and divide.",
        ),
        "This is the report's puzzle: a column that belongs to no model. The test accuracy lies above it "
        "without any help from easier examples.",
    ),
    case(
        "F",
        "softmax twice",
        "Look at the validation loss and the validation accuracy of the same epoch.",
        (
            "Compare loss and accuracy with those of the correct code, in grey.",
            "The accuracy says that something was learned, the loss hardly. What does the loss get to see?",
            "Cross-entropy takes logits. What happens to probabilities that it takes for logits?",
        ),
        "Ten probabilities taken for logits differ by at most 1. The loss cannot fall below 1.46 whatever is learned.",
    ),
    case(
        "G",
        "first file only",
        "Multiply the training accuracies by 3,000.",
        (
            "The model learns slowly, as if it had seen less. How many images does it have?",
            "A training accuracy is a whole number divided by the number of images.",
            "Multiply each training accuracy by 750.",
        ),
        "All training accuracies are multiples of 1/750: the loop returned after the first of four files.",
    ),
    case(
        "H",
        "attention over the batch",
        "Compare the three probabilities in each line of the answers.",
        (
            "The accuracy is low, and the loss is plausible. Look at the answers.",
            "An image asked again gets the same answer, but not among other images. Can that be?",
            "The only layer that mixes things is attention. Along which axis does it mix here?",
        ),
        "Attention mixed different images, since torch's attention takes the first axis for the sequence unless it is "
        "told batch_first=True.",
    ),
    case(
        "I",
        "best score never updated",
        "Compare the kept epoch with the column of validation accuracies.",
        (
            "The curves are those of correct code. Go on to the table row.",
            "Which epoch has the highest validation accuracy, and which one was kept?",
            "The last epoch was kept. What must be remembered for `score > best_score` to mean something?",
        ),
        "Each score was compared with the first value of best_score, so each epoch won, and the last one was kept.",
    ),
    case(
        "J",
        "no weights loaded",
        "Look at the first loss and at the number of parameters.",
        (
            "This ResNet18 is said to be pretrained. Compare its first epoch with the correct one.",
            "The loss of guessing among K classes is ln K. Which K belongs to the first loss?",
            "ln 100 is 4.6, ln 1,000 is 6.9. Which data set has 1,000 classes, and what was left as it came?",
        ),
        "The head still has ImageNet's 1,000 outputs, and the weights were never loaded. An untrained model "
        "trains, too.",
    ),
    case(
        "K",
        "augmented validation",
        "Look at the answers, and at the mode in which they were given.",
        (
            "Is each image answered the same way when it is asked about again?",
            "Something is random, and the model is in evaluation mode. So it is not the model.",
            "What happens to a training image before the model sees it?",
        ),
        "The validation images were cropped and mirrored at random: the model is judged on other images each time.",
    ),
    case(
        "L",
        "decaying learning rate",
        "Read the log column by column: one of them should be constant.",
        (
            "The curves do not tell. Read the numbers above them.",
            "The text says: learning rate 0.001, fixed.",
            "Divide each learning rate by the one before.",
        ),
        "The rate was multiplied by 0.9 after each epoch. No curve shows it; a log with the rate does.",
    ),
    case(
        "M",
        "four patches",
        "Look at the size of the attention map.",
        (
            "It learns, but less than the correct ViT. Compare the two parameter counts.",
            "The first layer takes one patch of 3 x P x P numbers. More parameters mean larger patches.",
            "How many patches of 16 x 16 pixels has an image of 32 x 32?",
        ),
        "Patches of 16 x 16 leave four tokens. Nothing is wrong in the code; the attention map just has "
        "nothing to show.",
    ),
    case(
        "N",
        "chosen on the test set",
        "Look at how often the test images were evaluated.",
        (
            "The curves and the table row are plausible. Read the rest of the log.",
            "How often should the test images be looked at?",
            "Seven times: once after each of six epochs, and once at the end. What for?",
        ),
        "The epoch was chosen by its test accuracy. The number it then reports is no longer a test.",
    ),
)
