"""The words that more than one judge uses. Values only: nothing here acts."""
