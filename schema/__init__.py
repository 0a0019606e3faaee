"""The recipe language: text to a frozen, typed `Recipe`."""
