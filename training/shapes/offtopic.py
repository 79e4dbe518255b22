"""Knows questions outside the little world: those to learn from, and a held-out list never learnt from."""

from random import Random

SUBJECTS = (
    "France", "Germany", "the moon", "the sun", "Einstein", "Shakespeare", "the ocean", "a dog", "my cat", "football",
    "the weather", "music", "history", "water", "Python", "a computer", "the president", "love", "time", "a car",
    "chess", "coffee", "the internet", "London", "gravity", "a bicycle", "my mother", "the news", "a horse", "bread",
    "money", "the universe", "a phone", "physics", "poetry", "India", "a tree", "the sea", "cheese", "dinosaurs",
    "electricity", "a mountain", "winter", "school", "the brain", "a virus", "Mozart", "the stock market", "art",
    "Africa", "a train", "war", "fire", "my job", "sleep", "happiness", "the law", "a river", "sugar", "robots",
)  # fmt: skip
FRAMES = (
    "What is {x}?", "Who is {x}?", "Tell me about {x}.", "Explain {x}.", "Why is {x} important?", "Where is {x}?",
    "How does {x} work?", "Write a poem about {x}.", "Write a story about {x}.", "What do you think of {x}?",
    "Do you like {x}?", "Translate {x} into French.", "What is the history of {x}?", "How old is {x}?",
    "Give me a recipe with {x}.", "Is there {x} in the picture?", "Can you see {x}?", "What does {x} cost?",
    "Who invented {x}?", "When was {x} made?", "Tell me a joke about {x}.", "How do I get to {x}?", "Define {x}.",
    "What is the capital of {x}?", "How big is {x}?", "Compare {x} and {y}.", "Is {x} better than {y}?",
    "What is the difference between {x} and {y}?", "Write code for {x}.", "How much does {x} weigh?",
    "Please help me with {x}.", "I have a problem with {x}.", "Should I buy {x}?", "Can {x} fly?",
    "Why do people like {x}?",
)  # fmt: skip
WHOLE = (
    "What time is it?", "What day is today?", "Who won the game last night?", "What is your favourite food?",
    "Write a haiku.", "Write an email to my boss.", "Summarise this text for me.", "Fix the bug in my program.",
    "How do I cook rice?", "What is the meaning of life?", "Sing a song.", "Tell me a story.", "Are you alive?",
    "What is 12 times 12?", "What is the square root of two?", "Solve x squared minus four.", "What is 90 minus 45?",
    "Is the man in the picture happy?", "What is the woman wearing?", "What animal is this?", "Who painted this?",
    "What brand is the car?", "How many people are in the photo?", "Where was this photo taken?", "What is he doing?",
    "Is it raining?", "What will the weather be tomorrow?", "Which team is the best?", "Who wrote Hamlet?",
    "How far is it to Rome?", "How tall is the tower?", "What language do they speak in Brazil?",
    "Do you speak Spanish?",
    "Which film should I watch?", "Give me some advice.", "What should I eat tonight?", "Plan a trip for me.",
    "Write a function that sorts a list.", "What is machine learning?", "How many legs does a spider have?",
    "When did the war end?", "Who was the first person in space?", "How do planes fly?", "Why is grass so soft?",
    "List three books.", "Make a shopping list.", "What is the price of gold?", "Can you drive?", "What is your name?",
    "Where do you live?", "How is your family?", "Is this photo old?", "What kind of food is on the plate?",
    "What does the sign mean?", "Read the newspaper to me.", "Who is the king?", "How can I lose weight?",
    "What is a good password?", "Tell me something interesting.", "Generate a picture of a castle.",
    "Draw me a house.", "Play some music.", "Set an alarm.", "Call my friend.", "Translate good night into German.",
)  # fmt: skip

# Never in a lesson: written apart from the lists above, other words in other frames.
HELD_OUT = (
    "How many planets are there?", "What is the largest country on earth?", "Who discovered penicillin?",
    "Give me a pancake recipe.", "Why is the sky blue?", "How do I fix a flat tyre?", "What's the population of Tokyo?",
    "Write a limerick about a lazy frog.", "Which river flows through Paris?", "Is the bird sitting on the fence?",
    "What breed is this dog?", "Recommend a novel for my holiday.", "How long does it take to boil an egg?",
    "Explain photosynthesis to a child.", "What is the boiling point of mercury?", "Who directed Jaws?",
    "Does the lady wear a hat?", "Convert ten miles to kilometres.", "What rhymes with orange?", "Define entropy.",
    "How do vaccines work?", "When is Easter this year?", "What is the currency of Japan?", "Name a famous painter.",
    "How do I tie a tie?", "Is there a person in this photo?", "What's the speed of light?", "Can dolphins talk?",
    "Write a cover letter for a nurse.", "What is quantum computing?", "Who sang Yesterday?", "Are tomatoes fruit?",
    "Tell me about the Roman empire.", "How deep is the Pacific?", "What makes bread rise?", "Which city is this?",
    "What's for dinner?", "Should I learn Rust or Go?", "What causes earthquakes?", "Debug my code, please.",
    "How many bones does a human have?", "What is the plot of Macbeth?", "Why do cats purr?", "Is coffee healthy?",
    "Describe the taste of salt.", "What is the tallest mountain in the world?", "How was your day?", "Do fish sleep?",
    "Suggest a name for my boat.", "What year did the Titanic sink?",
)  # fmt: skip


def off_topic(random: Random) -> str:
    """A question to learn from that the little world cannot answer."""
    if random.random() < 0.35:
        return random.choice(WHOLE)
    return random.choice(FRAMES).format(x=random.choice(SUBJECTS), y=random.choice(SUBJECTS))
