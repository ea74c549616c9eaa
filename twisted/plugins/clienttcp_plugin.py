"""
Tells C{twistd} and C{twist} of C{clienttcp}.
"""

from twisted.application.service import ServiceMaker

clienttcp = ServiceMaker(
    "clienttcp",
    "twisted_clienttcp.tap",
    "A TCP client: connects, prints what comes, sends what it reads.",
    "clienttcp",
)
