"""
The commands C{clienttcp}, C{twistd clienttcp} and C{twist clienttcp}.
"""
