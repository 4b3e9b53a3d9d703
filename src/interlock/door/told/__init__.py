"""What is known of a thing, as data. Every door tells the same; how it looks is the door's own."""
