"""Rows on their way from a data set to what engines read: checked, held out, counted."""
