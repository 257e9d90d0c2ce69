"""Request bodies: from files, folders and archives, here or in S3.

Read without trust, before any traffic. Nothing is written to disk but a download.
"""
