"""What a change of recipes does: two compiled sides as data, their differences as data, and one file for each format."""
