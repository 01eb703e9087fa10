"""The commands: each module registers its own; the work is done one level up."""
