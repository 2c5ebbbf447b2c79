"""The proof: does a variant answer as its source does, on goldens and on rows made to find out?"""
