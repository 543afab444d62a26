"""The values of one passage through a program: computed, recorded, or only sized."""
