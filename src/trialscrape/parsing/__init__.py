"""A page to its record; nothing here touches disk or network."""
