"""
What a record costs, against the limit of the language and against rivals.
"""
