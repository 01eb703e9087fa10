"""What must go for ever: personal data of one actor or target, or a whole org."""
