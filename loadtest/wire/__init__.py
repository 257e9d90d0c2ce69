"""HTTP/1.1, Signature Version 4 and event streams: bytes in, bytes out.

Sans-IO: no socket, no clock.
"""
