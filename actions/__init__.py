"""Andrum's custom actions (rasa_sdk). `rasa run actions` finds this package by its name."""
