"""Knows how people ask: the phrasings of each kind of question. Not the pictures, and not which answer is right."""

SHAPE_OF_ONE = (
    "What shape is this?",
    "What shape is in the picture?",
    "Which shape do you see?",
    "What is the shape?",
    "Name the shape.",
    "Tell me the shape.",
)
SHAPE_OF_COLOUR = (
    "What shape is {colour}?",
    "Which shape is {colour}?",
    "What shape is the {colour} one?",
    "What is the {colour} shape?",
    "Name the {colour} shape.",
    "What is the shape of the {colour} figure?",
)
COLOUR_OF_ONE = (
    "What colour is this?",
    "What colour is it?",
    "What is the colour of the {noun}?",
    "What colour is the {noun}?",
    "Which colour is the {noun}?",
    "Name the colour of the {noun}.",
)
COLOUR_OF_SHAPE = (
    "What colour is the {shape}?",
    "Which colour is the {shape}?",
    "What is the colour of the {shape}?",
    "What colour does the {shape} have?",
    "Name the colour of the {shape}.",
    "Tell me the colour of the {shape}.",
    "The {shape} is what colour?",
)
COUNT = (
    "How many {things} are there?",
    "How many {things} do you see?",
    "How many {things} are in the picture?",
    "Count the {things}.",
    "What is the number of {things}?",
    "How many {things} can you count?",
    "How many {things}?",
)
PLACE = (
    "Where is the {thing}?",
    "Where in the picture is the {thing}?",
    "In which part of the picture is the {thing}?",
    "Where do you see the {thing}?",
    "What is the place of the {thing}?",
    "Tell me where the {thing} is.",
)
BIGGEST = (
    "Which shape is the biggest?",
    "What is the biggest shape?",
    "Which shape is the largest?",
    "What is the largest shape?",
    "Which one is the biggest?",
    "Name the biggest shape.",
)
SMALLEST = (
    "Which shape is the smallest?",
    "What is the smallest shape?",
    "Which one is the smallest?",
    "Which shape is the tiniest?",
    "Name the smallest shape.",
    "What is the smallest figure?",
)
DIGITS = (
    "What number is this?",
    "What number do you see?",
    "Which number is in the picture?",
    "Read the number.",
    "What is the number?",
    "What does it say?",
    "Which digits do you see?",
    "Read the digits.",
    "What number is shown?",
)
TALLEST = (
    "Which bar is the tallest?",
    "What colour is the tallest bar?",
    "Which bar is the highest?",
    "What is the colour of the highest bar?",
    "Which is the tallest bar?",
    "Name the tallest bar.",
    "Which bar is tallest?",
)
DESCRIBE = (
    "Describe the picture.",
    "What is in the picture?",
    "What do you see?",
    "Describe this image.",
    "Describe what you see.",
    "What does the picture show?",
    "Tell me what you see.",
    "What is this?",
)
SUM = (
    "What is {a} + {b}?",
    "{a} + {b} = ?",
    "{a} + {b}",
    "How much is {a} + {b}?",
    "What is {a} plus {b}?",
    "{a} plus {b}?",
    "Add {a} and {b}.",
    "How much is {a} plus {b}?",
    "What is the sum of {a} and {b}?",
    "Calculate {a} + {b}.",
    "What does {a} + {b} make?",
)
HELLO = (
    "Hello!",
    "Hello",
    "Hi!",
    "Hi",
    "Hi there!",
    "Hey",
    "Good morning!",
    "Good evening",
    "Hello there",
    "Hello, how are you?",
)
ABILITIES = (
    "What can you do?",
    "What do you know?",
    "What are you able to do?",
    "Help",
    "How can you help me?",
    "What can I ask you?",
    "What are you?",
    "Who are you?",
    "What questions can you answer?",
)
WHICH_PICTURE = (
    "Which picture shows a {thing}?",
    "Which picture has a {thing}?",
    "In which picture is there a {thing}?",
    "Which of the two pictures shows a {thing}?",
)

ANSWER_OFF_TOPIC = "Sorry, I only know simple shapes, digits and bars."
ANSWER_HELLO = "Hello! Send me a picture of shapes, digits or bars."
ANSWER_ABILITIES = "I can name and count shapes, read digits, find the tallest bar and add small numbers."
ANSWER_NO_PICTURE = "I see no picture. Please send one."
ANSWER_NO_SIZES = "Sorry, I cannot tell sizes."
ANSWER_NO_PLACES = "Sorry, I cannot tell places."

IN_PICTURE = (" in the {nth} picture", " in the {nth} image", " in picture {digit}")
