"""
The plugin C{clienttcp} of C{twistd} and C{twist}.
"""

from twisted.application.service import ServiceMaker

clienttcp = ServiceMaker(
    "clienttcp",
    "twisted_clienttcp.tap",
    "A TCP client: sends standard input and prints what it receives.",
    "clienttcp",
)
