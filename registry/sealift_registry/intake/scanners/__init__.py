"""What the scanner looks at in each format; these run in its subprocess and nowhere else.

Each is a function of the model's folder and its survey that returns what it found in order, in
words, and raises a RefusedError at what it finds wrong.
"""
