"""Recipes that make the demo models. Knows nothing of the app, and the app knows nothing of it."""
